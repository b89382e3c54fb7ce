//! A network namespace per test.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    panic::resume_unwind,
    thread,
};

use anyhow::{Context as _, Result};
use fabric_user::kernel::{
    netns::{Own, enter_new},
    pins::BPF_FS,
};
use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::{
        CpuSet, LinkNameSpaceType, move_into_link_name_space, sched_getcpu, sched_setaffinity,
    },
};

/// Runs `body` on a thread of its own in a new network namespace, on one CPU.
///
/// A fresh thread, because the test harness reuses its own; one CPU, so that per-CPU counters have
/// one value. The namespace and all devices in it go with the last socket and thread in it, also
/// when `body` panics.
///
/// # Panics
/// If `body` panics, or the namespace cannot be made.
pub fn in_own_namespace<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    let result = thread::scope(|scope| {
        scope
            .spawn(|| {
                let mut cpu = CpuSet::new();
                cpu.set(sched_getcpu());
                sched_setaffinity(None, &cpu).expect("a thread can stay on its own CPU");
                enter_with_pins().expect("the tests need root to make namespaces");
                Namespace::create().expect("a network namespace can be made once more");
                body()
            })
            .join()
    });
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Moves this thread into new network and mount namespaces with an empty BPF file system. They have no
/// name and no file, so that everything in them, interfaces, routes, pins and mounts, is gone with the
/// last thread in them, however that ends.
///
/// # Errors
/// If this is not root.
pub fn enter_with_pins() -> Result<()> {
    enter_new(Own::NetworkAndMounts).context("cannot make namespaces")?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).context("cannot make mounts private")?;
    mount("bpf", BPF_FS, "bpf", MountFlags::empty(), None).context("cannot mount a BPF file system")
}

/// A network namespace that this thread made; it lives at least as long as this value.
#[derive(Debug)]
pub struct Namespace(OwnedFd);

impl Namespace {
    /// Moves this thread into a new namespace that keeps quiet: nothing is sent that a test did
    /// not send.
    ///
    /// # Errors
    /// If this is not root.
    pub fn create() -> Result<Self> {
        enter_new(Own::Network).context("cannot make a namespace")?;
        for (name, value) in QUIET {
            match fs::write(format!("/proc/sys/net/{name}"), value) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                other => other.with_context(|| format!("cannot set {name}"))?,
            }
        }
        let file = fs::File::open("/proc/thread-self/ns/net")
            .context("cannot open this thread's namespace")?;
        Ok(Self(file.into()))
    }

    /// Moves this thread into the namespace.
    ///
    /// # Errors
    /// If this is not root.
    pub fn enter(&self) -> Result<()> {
        move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
            .context("cannot enter a namespace")
    }
}

/// No router solicitations, no netfilter on bridges, and reports of multicast groups (RFC 3810 §9.11)
/// when an address is given, not at some time in the second behind it.
const QUIET: [(&str, &str); 8] = [
    ("ipv6/conf/default/mldv2_unsolicited_report_interval", "10"),
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("bridge/bridge-nf-call-iptables", "0"),
    ("bridge/bridge-nf-call-ip6tables", "0"),
    ("bridge/bridge-nf-call-arptables", "0"),
];
