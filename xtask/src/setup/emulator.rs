//! virtme-ng, which boots other kernels.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{Report, State, cache};
use crate::{debian, process::output, toolchain::locate::on_path};

/// The release of virtme-ng, which boots a kernel on this machine's own root file system.
const VIRTME_NG: &str = "virtme-ng==1.42";

/// The folder of `vng` and the programs it calls.
///
/// # Errors
/// If there is no cache folder.
pub(crate) fn emulator_folder() -> Result<PathBuf> {
    Ok(environment(&cache()?).join("bin"))
}

fn environment(cache: &Path) -> PathBuf {
    cache.join("virtme-ng")
}

/// Finds or installs virtme-ng.
pub(super) fn set_up(cache: &Path, report: &Report) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        bail!("the checks in virtual machines need an x86_64 machine");
    }
    let state = install(cache, report)?;
    report.item(state, VIRTME_NG, &environment(cache).display().to_string());
    Ok(())
}

fn install(cache: &Path, report: &Report) -> Result<State> {
    let folder = environment(cache);
    let marker = folder.join("complete");
    if fs::read_to_string(&marker).is_ok_and(|text| text == VIRTME_NG) {
        return Ok(State::Found);
    }
    report.step("virtme-ng", "installing it from PyPI");
    let python = on_path("python3").context("python3 is missing; install it")?;
    if output(Command::new(&python).args(["-c", "import ensurepip"])).is_err() {
        debian::install(&["python3-venv"])?;
    }
    // Not into a temporary folder: a virtual environment holds its own path. `--clear` throws
    // away what an interrupted run left.
    output(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
    output(Command::new(folder.join("bin/pip")).args(["install", "--quiet", VIRTME_NG]))
        .with_context(|| format!("{VIRTME_NG} cannot be installed; check the network"))?;
    fs::write(marker, VIRTME_NG)?;
    Ok(State::Installed)
}
