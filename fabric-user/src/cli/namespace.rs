//! The network namespace for which an instance's maps are.
//!
//! Maps hold interface indexes, which mean something in one namespace only. If the daemon runs, it
//! is the daemon's. If not, it is the one whose interfaces have the indexes and MAC addresses that
//! the map `ports` has.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use fabric_common::schema::{
    fdb::mac_number,
    ports::{Port, is_tunnel},
};
use rustix::{
    fs::statfs,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use super::interfaces::Interfaces;
use crate::kernel::pins::BPF_FS;

/// Where `ip netns` keeps names.
const NAMED: &str = "/run/netns";
/// Our own.
const OWN: &str = "/proc/thread-self/ns/net";

/// The interfaces of the namespace for which the maps are.
///
/// # Errors
/// If they cannot be listed.
pub(crate) fn interfaces(
    daemon: Option<u32>,
    ports: &BTreeMap<u32, Port>,
) -> anyhow::Result<Interfaces> {
    match find(daemon, ports)? {
        Some(path) => inside(&path),
        None => Interfaces::list(),
    }
}

/// The namespace for which the maps are; none for our own.
///
/// # Errors
/// If our interfaces cannot be listed.
pub(crate) fn find(
    daemon: Option<u32>,
    ports: &BTreeMap<u32, Port>,
) -> anyhow::Result<Option<PathBuf>> {
    if let Some(process) = daemon {
        let path = PathBuf::from(format!("/proc/{process}/ns/net"));
        let theirs = identity(&path).filter(|theirs| Some(*theirs) != identity(Path::new(OWN)));
        return Ok(theirs.map(|_| path));
    }
    let (mut best, mut most) = (None, known(&Interfaces::list()?, ports));
    let all = ports.values().filter(|port| !is_tunnel(port.ifindex)).count();
    for path in named().filter(|_| most < all).collect::<Vec<_>>() {
        // A name whose namespace has gone, or one that goes at this moment.
        let Ok(candidate) = inside(&path) else {
            continue;
        };
        let matches = known(&candidate, ports);
        if matches > most {
            (best, most) = (Some(path), matches);
        }
    }
    Ok(best)
}

/// How many ports are interfaces of this namespace.
fn known(interfaces: &Interfaces, ports: &BTreeMap<u32, Port>) -> usize {
    let same = |port: &&Port| {
        let mac = interfaces.get(port.ifindex).and_then(|i| i.link.mac);
        mac.is_some_and(|mac| mac_number(mac.0) == port.mac_and_view & 0xffff_ffff_ffff)
    };
    ports.values().filter(same).count()
}

fn inside(path: &Path) -> anyhow::Result<Interfaces> {
    let mut interfaces = within(path, Interfaces::list)??;
    interfaces.namespace = Some(name(path));
    Ok(interfaces)
}

/// What people call a namespace: its name, or else its path.
pub(crate) fn name(path: &Path) -> String {
    let here = identity(path);
    let name = named().find(|named| identity(named) == here);
    name.as_deref()
        .and_then(Path::file_name)
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The name of our own namespace, if it is one that has a name.
pub(crate) fn own_name() -> Option<String> {
    let own = identity(Path::new(OWN));
    let path = named().find(|named| identity(named) == own)?;
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// Does something in a namespace.
///
/// # Errors
/// If it cannot be entered.
pub(crate) fn within<T: Send>(path: &Path, what: impl FnOnce() -> T + Send) -> anyhow::Result<T> {
    let context = || format!("cannot enter the network namespace {}", path.display());
    let file = File::open(path).with_context(context)?;
    let entered = std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(io::Error::from)?;
            Ok::<T, io::Error>(what())
        });
        thread.join()
    });
    entered
        .map_err(|_| anyhow!("the thread that looked has panicked"))
        .with_context(context)?
        .with_context(context)
}

fn named() -> impl Iterator<Item = PathBuf> {
    fs::read_dir(NAMED).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

/// Device and inode: the same for every path to a namespace.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// True if we are in a mount namespace of our own without a BPF file system: `ip netns exec` makes
/// one to mount its /sys.
pub(crate) fn has_hidden_sys() -> bool {
    /// `BPF_FS_MAGIC` of `linux/magic.h`.
    const BPF_FS_MAGIC: u64 = 0xcafe_4a11;
    let mounts = |process| identity(&PathBuf::from(format!("/proc/{process}/ns/mnt")));
    let mounted = statfs(BPF_FS).is_ok_and(|s| s.f_type as u64 == BPF_FS_MAGIC);
    !mounted && mounts("self") != mounts("1")
}
