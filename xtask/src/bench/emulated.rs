//! The benchmark that needs more of the kernel than most machines' have: on this machine if its
//! kernel has it, and else in a virtual machine with a kernel of Debian.

use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    process,
    setup::{self, Kernel, Scope},
    vm, workspace,
};

/// The benchmark: it sends with the kernel's own packet generator.
pub(super) const PKTGEN: &str = "pktgen";

/// The kernel to boot. Since 6.7 the generator can let go of its frames, as a driver does.
const KERNEL: Kernel = Kernel::Linux6_12;

/// After so long the machine is stopped. Its own share is some 20 s, the benchmark's a minute, and
/// many times that on a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(1_800);

/// The report that the benchmark writes in the virtual machine.
const REPORT: &str = "report.json";

/// Whether this machine's kernel lacks the packet generator.
pub(super) fn is_needed() -> bool {
    let has_module = || {
        let mut command = Command::new("modprobe");
        command.args(["--dry-run", "--quiet", PKTGEN]).stdin(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    !Path::new("/proc/net/pktgen").is_dir() && !has_module()
}

/// What the virtual machine needs.
///
/// # Errors
/// If it cannot be set up here.
pub(super) fn set_up() -> Result<()> {
    setup::ensure(Scope::Test)
}

/// Runs the benchmark, which has been built, with `arguments` in a virtual machine, and takes its
/// entries over into this machine's report.
///
/// # Errors
/// If the machine does not boot, or the benchmark fails there.
pub(super) fn run(arguments: &[OsString]) -> Result<()> {
    println!("{PKTGEN}: this kernel has no packet generator; booting {KERNEL}, emulated");
    let program = workspace::target_folder()?.join("debug").join(PKTGEN);
    let report = vm::in_guest(REPORT);
    let mut command = vec![program.display().to_string()];
    command.extend(["--report".to_owned(), report.display().to_string()]);
    for word in arguments {
        let word = word.to_str().context("arguments for a virtual machine must be valid text")?;
        command.push(word.to_owned());
    }
    let jobs = [vm::Job { name: PKTGEN.to_owned(), command }];
    let outcome = vm::boot(KERNEL, &jobs, LIMIT, "")?;
    if !outcome.failed.is_empty() {
        bail!("the benchmark {PKTGEN} failed on {KERNEL}");
    }
    // Without one it was asked for something else, as `--help`.
    let report = vm::shared_folder(KERNEL)?.join(REPORT);
    if fs::exists(&report).with_context(|| format!("{} cannot be seen", report.display()))? {
        process::run(Command::new(program).arg("--merge").arg(report))?;
    }
    Ok(())
}
