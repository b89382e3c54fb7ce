//! The kernels of Debian that virtual machines boot.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{Report, State, cache, tree::KEYRING};
use crate::{
    debian::{self, Suite},
    process::output,
    toolchain::locate::on_path,
};

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
    /// The newest of Debian 13's backports when it was downloaded. Series come and go there every two
    /// months, so this one has no number.
    Newest,
}

/// How the names of kernels' packages begin; a version follows.
const IMAGE: &str = "linux-image-";

/// Where [`Kernel::Newest`] is from. Its series are in no other suite that lives as long as Debian 13.
const BACKPORTS: &str = "trixie-backports";

impl Kernel {
    /// All kernels, in the order in which they are checked.
    pub(crate) const ALL: [Self; 3] = [Self::Linux6_1, Self::Linux6_12, Self::Newest];

    /// What it is called on the command line and in folders.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Linux6_1 => "6.1",
            Self::Linux6_12 => "6.12",
            Self::Newest => "newest",
        }
    }

    /// The folder that holds `boot` and `lib/modules` of this kernel.
    fn folder(self, cache: &Path) -> PathBuf {
        cache.join("kernels").join(self.name())
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
        match self {
            Self::Linux6_1 | Self::Linux6_12 => write!(f, "Linux {}", self.name()),
            Self::Newest => write!(f, "the newest Linux"),
        }
    }
}

/// Finds or downloads a kernel.
pub(super) fn set_up(kernel: Kernel, cache: &Path, report: &Report) -> Result<()> {
    let state =
        install(kernel, cache, report).with_context(|| format!("{kernel} cannot be set up"))?;
    report.item(state, &kernel.to_string(), &kernel.image()?.display().to_string());
    Ok(())
}

fn install(kernel: Kernel, cache: &Path, report: &Report) -> Result<State> {
    let folder = kernel.folder(cache);
    if folder.join("complete").exists() {
        return Ok(State::Found);
    }
    // Not `with_extension`: names have dots.
    let partial = folder.with_file_name(format!("{}.partial", kernel.name()));
    for stale in [&partial, &folder] {
        if stale.exists() {
            fs::remove_dir_all(stale)?;
        }
    }
    let version = match kernel {
        Kernel::Linux6_1 | Kernel::Linux6_12 => {
            let series = kernel.name();
            let version = newest(&debian::matching(&image_of(&series.replace('.', "\\.")))?)
                .with_context(|| format!("this machine's Debian has no package of {kernel}"))?;
            report.step(&kernel.to_string(), &format!("downloading {version} (about 100 MB)"));
            debian::unpack(&[&format!("{IMAGE}{version}")], &partial)?;
            version
        }
        Kernel::Newest => {
            let suite = Suite::open(BACKPORTS, KEYRING, &partial.join("apt"))?;
            let version = newest(&suite.matching(&image_of("[0-9]+\\.[0-9]+"))?)
                .with_context(|| format!("{BACKPORTS} has no kernel"))?;
            let step = format!("downloading {version} of {BACKPORTS} (about 120 MB)");
            report.step(&kernel.to_string(), &step);
            let parts = suite.matching(&parts_of(&version))?;
            suite.unpack(&parts.iter().map(String::as_str).collect::<Vec<_>>(), &partial)?;
            fs::remove_dir_all(partial.join("apt"))?;
            version
        }
    };
    put_in_place(&partial, &version)?;
    keep_only_needed_modules(&partial.join("lib/modules").join(&version).join("kernel"))?;
    let depmod = on_path("depmod").context("depmod is missing; install the package kmod")?;
    output(Command::new(depmod).arg("-b").arg(&partial).arg(&version))?;
    fs::write(partial.join("complete"), &version)?;
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

/// Moves what is elsewhere since 6.19 to where virtme-ng looks for it.
fn put_in_place(folder: &Path, version: &str) -> Result<()> {
    let modules = folder.join("usr/lib/modules");
    if modules.exists() {
        fs::create_dir_all(folder.join("boot"))?;
        fs::create_dir_all(folder.join("lib"))?;
        fs::rename(&modules, folder.join("lib/modules"))?;
        fs::rename(
            folder.join("lib/modules").join(version).join("vmlinuz"),
            folder.join("boot").join(format!("vmlinuz-{version}")),
        )
        .with_context(|| format!("the packages of {version} hold no kernel"))?;
    }
    Ok(())
}

/// Matches the names of the packages of kernels whose version begins with `series`.
fn image_of(series: &str) -> String {
    format!("^{IMAGE}{series}\\.[0-9]+([-+][a-z0-9.]+)?-amd64$")
}

/// Matches the names of the packages that one kernel is in. Up to 6.18 it is in the first alone.
fn parts_of(version: &str) -> String {
    let version = version.replace('.', "\\.").replace('+', "\\+");
    format!("^linux-(image|binary|modules|base)-{version}$")
}

/// The newest version of the packages of kernels.
fn newest(packages: &[String]) -> Option<String> {
    let versions = packages.iter().filter_map(|package| package.strip_prefix(IMAGE));
    versions.max_by_key(|version| numbers(version)).map(str::to_owned)
}

/// The numbers in a version, by which versions sort.
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
        let newest = |versions: [&str; 2]| newest(&versions.map(|each| format!("{IMAGE}{each}")));
        for (older, newer) in [
            ("6.1.0-56-amd64", "6.1.0-100-amd64"),
            ("6.12.9+deb12-amd64", "6.12.117+deb12-amd64"),
            ("6.19.14+deb13-amd64", "7.0.13+deb13-amd64"),
        ] {
            assert_eq!(newest([older, newer]).as_deref(), Some(newer));
            assert_eq!(newest([newer, older]).as_deref(), Some(newer));
        }
    }
}
