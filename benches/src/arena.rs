//! Namespaces of the benchmark's own. They have no name and no file, so that everything in them,
//! interfaces, routes, pins and mounts, is gone with the process however it ends.

use anyhow::{Context as _, Result, ensure};
use fabric_user::kernel::netns::{Own, enter_new};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

/// Moves this process into a new network and a new mount namespace with an empty BPF file system.
/// To be called before any thread is started.
///
/// # Errors
/// Without root's rights.
pub fn enter() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "benchmarks load BPF programs and make network interfaces: run them as root"
    );
    enter_new(Own::NetworkAndMounts).context("cannot make namespaces for the benchmark")?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).context("cannot make the mounts of the benchmark private")?;
    mount("bpf", fabric_user::kernel::pins::BPF_FS, "bpf", MountFlags::empty(), None)
        .context("cannot mount a BPF file system for the benchmark")
}
