//! Packages of Debian: installed for the whole machine, or only unpacked into a folder.

mod suite;

use std::{
    collections::HashSet,
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Once,
};

use anyhow::{Context as _, Result, bail};

pub(crate) use self::suite::Suite;
use crate::{
    process::{am_root, output},
    toolchain::locate::on_path,
};

/// Asked by every package before it starts a daemon.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Whether this machine has Debian's package tools.
pub(crate) fn is_here() -> bool {
    on_path("apt-get").is_some() && on_path("dpkg-deb").is_some()
}

/// Installs `packages` for the whole machine, without starting any daemon of theirs.
///
/// # Errors
/// If this is not Debian or not root, with what to do instead; if apt fails.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !is_here() {
        bail!("install what these packages of Debian hold, with your own package manager: {list}");
    }
    if !am_root() {
        bail!(
            "only root can install packages; run `sudo apt-get install \
             --no-install-recommends {list}`"
        );
    }
    let _quiet = NoDaemons::enforce()?;
    refresh_lists()?;
    output(
        apt_get("install")
            .args(["--yes", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold"])
            .args(packages),
    )
    .with_context(|| format!("{list} cannot be installed"))?;
    Ok(())
}

/// Takes a daemon that was just installed off the list of those started at boot.
pub(crate) fn do_not_start_at_boot(service: &str) -> Result<()> {
    if Path::new("/run/systemd/system").exists() {
        output(Command::new("systemctl").args(["disable", "--now", service]))?;
    } else if on_path("update-rc.d").is_some() {
        output(Command::new("update-rc.d").args([service, "disable"]))?;
    }
    Ok(())
}

/// Downloads `packages` into `folder` and unpacks them there, without installing them.
///
/// # Errors
/// If a package cannot be had or the disk is full.
pub(crate) fn unpack(packages: &[&str], folder: &Path) -> Result<()> {
    refresh_lists()?;
    download(apt_get("download"), packages, folder)
}

/// Downloads `packages` by `apt`, an `apt-get download`, and unpacks them in `folder`.
fn download(mut apt: Command, packages: &[&str], folder: &Path) -> Result<()> {
    let downloads = folder.join("downloads");
    fs::create_dir_all(&downloads)
        .with_context(|| format!("{} cannot be made", downloads.display()))?;
    output(apt.args(packages).current_dir(&downloads)).with_context(|| {
        format!("{} cannot be downloaded; check the network", packages.join(" "))
    })?;
    for entry in fs::read_dir(&downloads)? {
        output(Command::new("dpkg-deb").arg("-x").arg(entry?.path()).arg(folder))?;
    }
    fs::remove_dir_all(&downloads)?;
    Ok(())
}

/// The value of one field of the newest version of `package`, if apt knows the package.
pub(crate) fn field(package: &str, name: &str) -> Result<Option<String>> {
    refresh_lists()?;
    // apt-cache fails for a package that it does not know.
    let Ok(text) = output(Command::new("apt-cache").args(["show", package])) else {
        return Ok(None);
    };
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    Ok(value.map(str::to_owned))
}

/// `packages` and everything they depend on, as far as `wanted` is true for it: called with a
/// package's name and whether it is installed. Unwanted packages are not followed either.
pub(crate) fn with_dependencies(
    packages: &[&str],
    wanted: impl Fn(&str, bool) -> bool,
) -> Result<Vec<String>> {
    let text =
        output(Command::new("dpkg-query").args(["-W", "-f", "${Package} ${db:Status-Status}\\n"]))?;
    let installed: HashSet<&str> =
        text.lines().filter_map(|line| line.strip_suffix(" installed")).collect();
    let mut found: Vec<String> = packages.iter().map(|&package| package.to_owned()).collect();
    let mut next = 0;
    while next < found.len() {
        let depends = field(&found[next], "Depends")?.unwrap_or_default();
        for name in dependencies(&depends) {
            let known = found.iter().any(|package| package == name);
            // A name without a version is not a package but what others provide.
            if !known
                && wanted(name, installed.contains(name))
                && self::field(name, "Version")?.is_some()
            {
                found.push(name.to_owned());
            }
        }
        next += 1;
    }
    Ok(found)
}

/// The package names of a field `Depends`: of alternatives the first, without versions.
fn dependencies(field: &str) -> impl Iterator<Item = &str> {
    field.split(',').filter_map(|dependency| dependency.split_whitespace().next())
}

/// Names of all packages that match the extended regular expression `pattern`.
pub(crate) fn matching(pattern: &str) -> Result<Vec<String>> {
    refresh_lists()?;
    Ok(names(&output(Command::new("apt-cache").args(["search", "--names-only", pattern]))?))
}

/// The names of the packages in what `apt-cache search` prints.
fn names(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.split_once(" - ")).map(|(name, _)| name.into()).collect()
}

/// The mirror of Debian that this machine takes its packages from.
///
/// # Errors
/// If it has none that debootstrap can read.
pub(crate) fn mirror() -> Result<String> {
    refresh_lists()?;
    let format = "$(ORIGIN) $(LABEL) $(REPO_URI)";
    let text = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        format,
        "Created-By: Packages",
    ]))?;
    text.lines().find_map(|line| mirror_of(line)).map(str::to_owned).context(
        "this machine's apt has no mirror of Debian; add one to /etc/apt/sources.list, by http or https",
    )
}

/// The mirror, if the line of apt's targets is about Debian's own archive.
fn mirror_of(line: &str) -> Option<&str> {
    let address = line.strip_prefix("Debian Debian ")?;
    let readable = ["http://", "https://"];
    readable.iter().any(|scheme| address.starts_with(scheme)).then_some(address)
}

/// Environment by which programs other than apt use apt's proxies. What the environment says already
/// counts more.
///
/// # Errors
/// If apt cannot be asked.
pub(crate) fn proxies() -> Result<Vec<(&'static str, String)>> {
    let mut found = Vec::new();
    for (variable, setting) in
        [("http_proxy", "Acquire::http::Proxy"), ("https_proxy", "Acquire::https::Proxy")]
    {
        let text = output(Command::new("apt-config").args(["dump", "--format", "%v%n", setting]))?;
        let proxy = text.lines().next().unwrap_or_default();
        if env::var_os(variable).is_none() && !proxy.is_empty() && proxy != "DIRECT" {
            found.push((variable, proxy.to_owned()));
        }
    }
    Ok(found)
}

/// The settings of this machine's apt that say how to get at the archive, for another one's apt.
///
/// # Errors
/// If apt cannot be asked.
pub(crate) fn ways_to_the_archive() -> Result<String> {
    let text = output(Command::new("apt-config").args(["dump", "Acquire"]))?;
    let lines: Vec<&str> = text.lines().filter(|line| is_way(line)).collect();
    Ok(lines.join("\n") + "\n")
}

/// Proxies, time limits and the like. What names a program or a file names one that is only here.
fn is_way(line: &str) -> bool {
    let wanted = ["Acquire::http::", "Acquire::https::", "Acquire::Check-", "Acquire::Retries"];
    let (name, value) = line.split_once(' ').unwrap_or_default();
    wanted.iter().any(|prefix| name.starts_with(prefix)) && !value.starts_with("\"/")
}

/// Fetches the package lists, once for all that is looked up or installed afterwards: old lists lack
/// packages, and name files that the archive no longer has.
///
/// # Errors
/// If there are no lists and none can be fetched. Old ones serve where new ones cannot be had.
fn refresh_lists() -> Result<()> {
    static DONE: Once = Once::new();
    let mut result = Ok(());
    DONE.call_once(|| result = update());
    match has_lists() {
        true => Ok(()),
        false => result.and_then(|()| bail!("Debian's package lists are missing")),
    }
}

fn has_lists() -> bool {
    fs::read_dir("/var/lib/apt/lists").is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
    })
}

fn update() -> Result<()> {
    if !am_root() {
        bail!("Debian's package lists are missing; run `sudo apt-get update`");
    }
    output(&mut apt_get("update")).context("Debian's package lists cannot be fetched")?;
    Ok(())
}

fn apt_get(action: &str) -> Command {
    let mut command = Command::new("apt-get");
    command
        .args([action, "-q", "-o", "Acquire::Retries=3", "-o", "APT::Sandbox::User=root"])
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// While this lives, installing a package starts no daemon.
struct NoDaemons {
    /// Our policy; `None` when the machine has its own.
    policy: Option<PathBuf>,
}

impl NoDaemons {
    fn enforce() -> Result<Self> {
        const MARK: &str = "# Of Fabric's set-up; remove it if that is not running.";
        let path = PathBuf::from(POLICY);
        // A policy of the machine's owner stays: what it lets start was asked for.
        if fs::read_to_string(&path).is_ok_and(|script| !script.contains(MARK)) {
            return Ok(Self { policy: None });
        }
        // It forbids only as long as this process lives, so that it does no harm if a killed
        // set-up leaves it behind.
        let script =
            format!("#!/bin/sh\n{MARK}\n[ -d /proc/{} ] && exit 101\nexit 0\n", std::process::id());
        fs::write(&path, script)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("{POLICY} cannot be written"))?;
        Ok(Self { policy: Some(path) })
    }
}

impl Drop for NoDaemons {
    fn drop(&mut self) {
        if let Some(path) = &self.policy
            && let Err(error) = fs::remove_file(path)
        {
            eprintln!("warning: {POLICY} cannot be removed: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_without_versions_and_alternatives() {
        let field = "libc6 (>= 2.36), libz3-4 (>= 4.8.12), python3-venv | virtualenv, gcc:any";
        let names: Vec<&str> = dependencies(field).collect();
        assert_eq!(names, ["libc6", "libz3-4", "python3-venv", "gcc:any"]);
    }
    #[test]
    fn the_mirror_is_that_of_debians_own_archive() {
        assert_eq!(
            mirror_of("Debian Debian http://a.example/debian/"),
            Some("http://a.example/debian/")
        );
        assert_eq!(mirror_of("Debian Debian-Security http://a.example/security/"), None);
        assert_eq!(mirror_of("Somebody Debian http://a.example/debian/"), None);
        assert_eq!(mirror_of("Debian Debian cdrom://[disc]/"), None);
    }

    #[test]
    fn proxies_are_taken_over_and_files_of_this_machine_are_not() {
        assert!(is_way("Acquire::http::Proxy \"http://proxy.example:3128\";"));
        assert!(is_way("Acquire::Check-Valid-Until \"false\";"));
        assert!(!is_way("Acquire::https::CAInfo \"/etc/ssl/own.pem\";"));
        assert!(!is_way("Acquire::GzipIndexes \"true\";"));
    }
}
