//! Debian's Prometheus with its promtool, which tests run. It is only unpacked, so that no service of it is there to start.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::{Report, State};
use crate::debian;

/// The package.
const PACKAGE: &str = "prometheus";
/// What tests run of it.
const PROGRAMS: [&str; 2] = ["prometheus", "promtool"];
/// Written last; another text is that of another version of the set-up.
const MARKER: &str = "layout 1\n";

/// Finds it or unpacks it.
pub(super) fn set_up(cache: &Path, report: &Report) -> Result<()> {
    let folder = cache.join(PACKAGE);
    let state = match fs::read_to_string(folder.join("complete")) {
        Ok(text) if text == MARKER => State::Found,
        _ => {
            unpack(&folder, report).context("Prometheus cannot be set up")?;
            State::Installed
        }
    };
    report.item(state, PACKAGE, &folder.display().to_string());
    Ok(())
}

fn unpack(folder: &Path, report: &Report) -> Result<()> {
    let partial = folder.with_extension("partial");
    for stale in [&partial, folder] {
        if stale.exists() {
            fs::remove_dir_all(stale)?;
        }
    }
    report.step(PACKAGE, "downloading it (about 20 MB)");
    debian::unpack(&[PACKAGE], &partial)?;
    for program in PROGRAMS {
        let path = partial.join("usr/bin").join(program);
        path.metadata().with_context(|| format!("the package has no {program}"))?;
    }
    fs::write(partial.join("complete"), MARKER)?;
    Ok(fs::rename(&partial, folder)?)
}
