//! virtme-ng and the kernels of Debian that it boots.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{Report, State, cache};
use crate::{debian, process::output, toolchain::locate::on_path};

/// The release of virtme-ng, which boots a kernel on this machine's own root file system.
const VIRTME_NG: &str = "virtme-ng==1.42";

/// Drivers that the virtual machines have a use for; the rest would cost each boot time.
const DRIVERS: [&str; 4] = ["block", "char", "net", "virtio"];

/// A kernel of Debian that the programs are checked on.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kernel {
    /// The oldest that Fabric supports: that of Debian 12.
    #[value(name = "6.1")]
    Linux6_1,
    /// That of Debian 13, and of Debian 12's backports.
    #[value(name = "6.12")]
    Linux6_12,
}

impl Kernel {
    /// All kernels, in the order in which they are checked.
    pub(crate) const ALL: [Self; 2] = [Self::Linux6_1, Self::Linux6_12];

    /// The series, as in `6.12`.
    pub(crate) fn series(self) -> &'static str {
        match self {
            Self::Linux6_1 => "6.1",
            Self::Linux6_12 => "6.12",
        }
    }

    /// The folder that holds `boot` and `lib/modules` of this kernel.
    fn folder(self, cache: &Path) -> PathBuf {
        cache.join("kernels").join(self.series())
    }

    /// The bootable image; its modules lie beside it, where virtme-ng looks for them.
    ///
    /// # Errors
    /// If the set-up has not completed.
    pub(crate) fn image(self) -> Result<PathBuf> {
        let boot = self.folder(&cache()?).join("boot");
        fs::read_dir(&boot)
            .ok()
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .find(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
            })
            .with_context(|| format!("{} holds no kernel; run `cargo xtask setup`", boot.display()))
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Linux {}", self.series())
    }
}

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

/// Finds or installs virtme-ng and all kernels.
pub(super) fn set_up(cache: &Path, report: &Report) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        bail!("the checks in virtual machines need an x86_64 machine");
    }
    let state = set_up_virtme(cache, report)?;
    report.item(state, VIRTME_NG, &environment(cache).display().to_string());
    for kernel in Kernel::ALL {
        let state = set_up_kernel(kernel, cache, report)?;
        report.item(state, &kernel.to_string(), &kernel.image()?.display().to_string());
    }
    Ok(())
}

fn set_up_virtme(cache: &Path, report: &Report) -> Result<State> {
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

fn set_up_kernel(kernel: Kernel, cache: &Path, report: &Report) -> Result<State> {
    let folder = kernel.folder(cache);
    if folder.join("complete").exists() {
        return Ok(State::Found);
    }
    let series = kernel.series();
    let pattern =
        format!("^linux-image-{}\\.[0-9]+([-+][a-z0-9.]+)?-amd64$", series.replace('.', "\\."));
    let package = debian::matching(&pattern)?
        .into_iter()
        .max_by_key(|name| numbers(name))
        .with_context(|| format!("this machine's Debian has no package of Linux {series}"))?;
    report.step(&kernel.to_string(), &format!("downloading {package} (about 100 MB)"));

    let partial = folder.with_extension("partial");
    for stale in [&partial, &folder] {
        if stale.exists() {
            fs::remove_dir_all(stale)?;
        }
    }
    debian::unpack(&[&package], &partial)?;
    let version = package.trim_start_matches("linux-image-");
    keep_only_needed_modules(&partial.join("lib/modules").join(version).join("kernel"))?;
    let depmod = on_path("depmod").context("depmod is missing; install the package kmod")?;
    output(Command::new(depmod).arg("-b").arg(&partial).arg(version))?;
    fs::write(partial.join("complete"), &package)?;
    fs::rename(&partial, &folder)?;
    Ok(State::Installed)
}

fn keep_only_needed_modules(modules: &Path) -> Result<()> {
    let drivers = modules.join("drivers");
    let surplus = fs::read_dir(&drivers)
        .with_context(|| format!("{} holds no drivers", modules.display()))?
        .flatten()
        .filter(|entry| !DRIVERS.iter().any(|kept| entry.file_name() == *kept))
        .map(|entry| entry.path())
        .chain([modules.join("sound"), drivers.join("net/wireless"), drivers.join("net/ethernet")]);
    for folder in surplus.filter(|folder| folder.is_dir()) {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// The numbers in a package's name, by which versions sort.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|character: char| !character.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_by_number_and_not_by_letter() {
        let newest = |names: [&'static str; 2]| names.into_iter().max_by_key(|name| numbers(name));
        assert_eq!(
            newest(["linux-image-6.1.0-100-amd64", "linux-image-6.1.0-56-amd64"]),
            Some("linux-image-6.1.0-100-amd64")
        );
        assert_eq!(
            newest(["linux-image-6.12.9+deb12-amd64", "linux-image-6.12.117+deb12-amd64"]),
            Some("linux-image-6.12.117+deb12-amd64")
        );
    }
}
