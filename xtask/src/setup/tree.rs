//! Trees of Debian 13, in which tests run as on a machine with Debian 13.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{Report, State, cache};
use crate::{
    debian,
    process::{am_root, bound_to_us, output},
};

/// Debian's name of the release.
const RELEASE: &str = "trixie";

/// By these keys Debian 12 knows the archive of Debian 13.
pub(super) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Certificates of the authorities that this machine trusts, which may be more than Debian's.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Makes the tree's view of this machine and runs a command in it: arguments are the tree, folders
/// that are there as they are here, `--`, and the command.
///
/// The tree has to be a mount point for `ip netns`. Names of namespaces, pins, run files and FRR's
/// configurations are its own, and go with the last process in it.
const ENTER: &str = r#"
tree=$1; shift
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount --rbind /sys "$tree/sys"
mount -t bpf bpf "$tree/sys/fs/bpf"
mount --rbind /dev "$tree/dev"
mount -t tmpfs tmpfs "$tree/run"
mount -t tmpfs tmpfs "$tree/tmp"
frr="$tree/etc/frr"
if [ -d "$frr" ]; then
    mount -t tmpfs -o "$(stat -c uid=%u,gid=%g "$frr"),mode=775" tmpfs "$frr"
fi
while [ "$1" != -- ]; do
    # One below /tmp or /run is not in what was just mounted there.
    mkdir -p "$tree$1"
    mount --rbind "$1" "$tree$1"
    shift
done
shift
# Not in the place of this shell, which is the first process here and buries orphans.
chroot "$tree" "$@"
exit 0
"#;

/// A tree of Debian 13 with some of its packages.
pub(super) struct Tree {
    /// What it is, for people.
    pub(super) name: &'static str,
    /// Its folder in the cache.
    pub(super) folder: &'static str,
    /// What is installed in it beside the least that there is.
    pub(super) packages: &'static [&'static str],
    /// What making it takes, for people.
    pub(super) effort: &'static str,
    /// What else is in it; another text is that of another version of the set-up.
    pub(super) contents: &'static str,
    /// Puts that into it.
    pub(super) fill: fn(&Path) -> Result<()>,
}

impl Tree {
    /// Where it is, if it is complete.
    pub(super) fn find(&self) -> Result<Option<PathBuf>> {
        let tree = cache()?.join(self.folder);
        let is_complete =
            fs::read_to_string(tree.join("complete")).is_ok_and(|text| text == self.marker_text());
        Ok(is_complete.then_some(tree))
    }

    /// Finds the tree or makes it.
    pub(super) fn set_up(&self, report: &Report) -> Result<PathBuf> {
        let (state, tree) = match self.find()? {
            Some(tree) => (State::Found, tree),
            None => {
                let made = self.make(report);
                (State::Installed, made.with_context(|| format!("{} cannot be made", self.name))?)
            }
        };
        report.item(state, self.name, &tree.display().to_string());
        Ok(tree)
    }

    /// What the tree's marker holds; a tree with another text was made by another version of the set-up.
    fn marker_text(&self) -> String {
        format!("layout 1, {RELEASE} with {}{}\n", self.packages.join(" "), self.contents)
    }

    /// An interrupted run leaves a folder `….partial`, which the next one throws away.
    fn make(&self, report: &Report) -> Result<PathBuf> {
        if !am_root() {
            bail!("only root can make it; run `sudo cargo xtask setup`");
        }
        let mirror = debian::mirror()?;
        let tree = cache()?.join(self.folder);
        let partial = tree.with_extension("partial");
        for stale in [&partial, &tree] {
            remove(stale)?;
        }
        report.step(self.name, self.effort);
        bootstrap(&partial, &mirror)?;
        install(&partial, self.packages)?;
        (self.fill)(&partial)?;
        fs::write(partial.join("complete"), self.marker_text())?;
        fs::rename(&partial, &tree)
            .with_context(|| format!("{} cannot be moved into place", partial.display()))?;
        Ok(tree)
    }
}

/// `command`, run in `folder` of the tree, which has `shared` folders as they are here. It sees no
/// process, no namespace's name and no pin of this machine, and ends with us.
///
/// # Errors
/// If the tree does not take those folders.
pub(crate) fn within(
    tree: &Path,
    shared: &[&Path],
    folder: &Path,
    command: &Command,
) -> Result<Command> {
    for folder in shared {
        // Here and not when it is entered: a virtual machine has it read-only.
        let place = tree.join(folder.strip_prefix("/").unwrap_or(folder));
        fs::create_dir_all(&place)
            .with_context(|| format!("{} cannot be made", place.display()))?;
    }
    let mut enter = Command::new("sh");
    enter.args(["-euc", ENTER, "sh"]).arg(tree).args(shared).arg("--");
    enter.args(["env", "-C"]).arg(folder);
    enter.args(["HOME=/root", "TMPDIR=/tmp", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]);
    enter.arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    enter.arg(command.get_program()).args(command.get_args());
    Ok(bound_to_us(&enter))
}

/// Unpacks the least that there is of Debian 13.
fn bootstrap(tree: &Path, mirror: &str) -> Result<()> {
    let mut bootstrap = Command::new("debootstrap");
    bootstrap.args(["--variant=minbase", &format!("--keyring={KEYRING}"), RELEASE]);
    bootstrap.arg(tree).arg(mirror).envs(debian::proxies()?);
    output(&mut bound_to_us(&bootstrap)).with_context(|| {
        format!("debootstrap fails; check the network, and that {mirror} has {RELEASE}")
    })?;
    // The same names, keys and ways to the archive as here.
    for file in ["/etc/resolv.conf", "/etc/hosts", AUTHORITIES] {
        copy_if_there(Path::new(file), tree)?;
    }
    fs::write(tree.join("etc/apt/apt.conf.d/90machine"), debian::ways_to_the_archive()?)?;
    let sources = format!("deb {mirror} {RELEASE} main\n");
    fs::write(tree.join("etc/apt/sources.list"), sources)?;
    // Nothing of it is ever started but what tests start.
    let policy = tree.join("usr/sbin/policy-rc.d");
    fs::write(&policy, "#!/bin/sh\nexit 101\n")?;
    output(Command::new("chmod").arg("755").arg(policy))?;
    Ok(())
}

/// Installs packages in a tree.
fn install(tree: &Path, packages: &[&str]) -> Result<()> {
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(arguments).args(["-q", "-o", "Acquire::Retries=3"]);
        apt.args(["-o", "APT::Sandbox::User=root"]);
        let mut inside = within(tree, &[], Path::new("/"), &apt)?;
        inside.envs(debian::proxies()?);
        output(&mut inside)
    };
    let list = packages.join(" ");
    apt(&["update"]).context("its package lists cannot be fetched; check the network")?;
    apt(&[&["install", "--yes", "--no-install-recommends"], packages].concat())
        .with_context(|| format!("{list} cannot be installed in it"))?;
    // A package that brings Debian's has put those in their place.
    copy_if_there(Path::new(AUTHORITIES), tree)?;
    apt(&["clean"])?;
    remove(&tree.join("var/lib/apt/lists"))
}

pub(super) fn copy_if_there(file: &Path, tree: &Path) -> Result<()> {
    let copy = tree.join(file.strip_prefix("/").unwrap_or(file));
    if let Some(parent) = copy.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::copy(file, &copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be copied into it", file.display()))
        }
        _ => Ok(()),
    }
}

/// Nothing of this machine is mounted there by the set-up or the tests, whose mounts are their own; but
/// somebody who looked into the tree may have left some, and what is behind them must stay.
fn remove(folder: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("mounts cannot be listed")?;
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    if let Some(place) = { places }.find(|place| Path::new(place).starts_with(folder)) {
        bail!("something is mounted on {place}; unmount it first (`umount {place}`)");
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", folder.display()))
        }
        _ => Ok(()),
    }
}
