//! Programs that the lab and the tests run, and the packages of Debian that bring them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{Report, State};
use crate::{debian, toolchain::locate::on_path};

/// A program and where it comes from.
pub(super) struct Program {
    /// A full path, or a name to look for on the PATH.
    name: &'static str,
    /// The package of Debian.
    package: &'static str,
}

const fn program(name: &'static str, package: &'static str) -> Program {
    Program { name, package }
}

/// FRR's daemon, by which its package is recognised.
const BGPD: Program = program("/usr/lib/frr/bgpd", "frr");

/// What the lab, the demo and the benchmarks run.
pub(super) const LAB: &[Program] = &[
    BGPD,
    program("/usr/lib/frr/frr-reload.py", "frr-pythontools"),
    program("ip", "iproute2"),
    program("bridge", "iproute2"),
    program("ethtool", "ethtool"),
    program("bpftool", "bpftool"),
    program("tcpdump", "tcpdump"),
    program("ping", "iputils-ping"),
    program("nsenter", "util-linux"),
];

/// What tests change the kernel by, beside what the lab runs.
pub(super) const TESTS: &[Program] = &[
    program("ssh", "openssh-client"),
    program("nft", "nftables"),
    program("iptables-legacy", "iptables"),
    program("ebtables-legacy", "ebtables"),
];

/// What boots virtual machines.
pub(super) const EMULATOR: &[Program] = &[
    program("qemu-system-x86_64", "qemu-system-x86"),
    program("busybox", "busybox-static"),
    program("modprobe", "kmod"),
    program("setpriv", "util-linux"),
];

/// What makes and enters the tree of Debian 13.
pub(super) const DEBIAN_13: &[Program] = &[
    program("debootstrap", "debootstrap"),
    program(super::tree::KEYRING, "debian-archive-keyring"),
    program("unshare", "util-linux"),
];

/// Finds or installs each of `programs`.
pub(super) fn set_up(programs: &[Program], report: &Report) -> Result<()> {
    let mut missing: Vec<&str> = programs
        .iter()
        .filter(|program| find(program).is_none())
        .map(|program| program.package)
        .collect();
    missing.dedup();
    if !missing.is_empty() {
        report.step("packages", &format!("installing {}", missing.join(" ")));
        debian::install(&missing)?;
        // The lab starts FRR in namespaces of its own; the machine's own network is not its matter.
        if missing.contains(&BGPD.package) {
            debian::do_not_start_at_boot(BGPD.package)?;
        }
    }
    for program in programs {
        let path = find(program).with_context(|| {
            format!("{} is still missing after installing {}", program.name, program.package)
        })?;
        let was_missing = missing.contains(&program.package);
        let state = if was_missing { State::Installed } else { State::Found };
        report.item(state, program.package, &path.display().to_string());
    }
    Ok(())
}

fn find(program: &Program) -> Option<PathBuf> {
    if program.name.starts_with('/') {
        let path = Path::new(program.name);
        return path.is_file().then(|| path.to_owned());
    }
    on_path(program.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_a_full_path_is_looked_for_only_there() {
        assert!(find(&program("/proc/version", "none")).is_some());
        assert!(find(&program("/nowhere/sh", "none")).is_none());
    }

    #[test]
    fn a_program_without_a_path_is_looked_for_on_the_path() {
        assert!(find(&program("sh", "dash")).is_some_and(|path| path.ends_with("sh")));
        assert!(find(&program("no-such-program-anywhere", "none")).is_none());
    }
}
