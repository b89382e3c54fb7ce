//! `cargo xtask vm`: the checks that need another kernel, in virtual machines.
//!
//! A machine boots a kernel of Debian on this machine's own root file system, read-only, so that
//! the test binaries that were built here run there as they are.

mod guest;
pub(crate) mod races;

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Result, bail};

pub(crate) use self::guest::{Job, boot, in_guest, shared_folder};
use crate::{
    process,
    setup::{self, Kernel, Scope},
    test::{binary, debian13},
    workspace,
};

/// The test binaries of the package `fabric-tests` that run on a kernel. Emulated they take minutes, so
/// what is the same on all kernels runs on one, and the newest runs only what needs it, which loads the
/// programs there as well. What 6.12 makes of bonds the races ask.
pub(crate) const fn binaries(kernel: Kernel) -> &'static [&'static str] {
    match kernel {
        Kernel::Linux6_1 => &["bonds", "vrf", "leafs_with_vlans"],
        Kernel::Linux6_12 => &["vlan_aware", WITH_FRR, races::BINARY],
        Kernel::Newest => &["newest"],
    }
}

/// The test binary that runs twice, with this machine's FRR and with Debian 13's.
const WITH_FRR: &str = "tenants";

/// Runs tests, or a command, on other kernels in virtual machines.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The kernel to boot; all of them without it.
    #[arg(long, value_enum)]
    kernel: Option<Kernel>,
    /// Seconds after which a machine is stopped.
    #[arg(long, default_value_t = LIMIT.as_secs())]
    timeout: u64,
    /// What to run there instead of the tests, as root and with the root file system read-only.
    #[arg(last = true)]
    command: Vec<String>,
}

/// How long the tests may take on one kernel, with the time to boot it: some minutes on a machine
/// that has nothing else to do, and this is only reached when a machine hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(3_600);

/// Runs the subcommand.
///
/// # Errors
/// If the set-up fails, a machine does not boot or stop in time, or what ran there fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(Scope::Test)?;
    if arguments.command.is_empty() {
        // What the tests start; cargo does not build it for another package.
        process::run(workspace::cargo().arg("build"))?;
    }
    let kernels = arguments.kernel.map_or_else(|| Kernel::ALL.to_vec(), |kernel| vec![kernel]);
    let mut failed = Vec::new();
    for kernel in kernels {
        let jobs = if arguments.command.is_empty() {
            test_jobs(&binary::build(binaries(kernel))?, None)?
        } else {
            vec![Job { name: arguments.command.join(" "), command: arguments.command.clone() }]
        };
        println!("== {kernel} ==");
        let outcome = boot(kernel, &jobs, Duration::from_secs(arguments.timeout), "")?;
        failed.extend(outcome.failed.iter().map(|job| format!("`{job}` on {kernel}")));
    }
    if !failed.is_empty() {
        bail!("{} failed", failed.join(" and "));
    }
    Ok(())
}

/// The jobs that run the test binaries at `paths`, as far as `filter` matches their tests.
///
/// # Errors
/// If there is no tree of Debian 13 for those that run in it.
pub(crate) fn test_jobs(paths: &[PathBuf], filter: Option<&str>) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for path in paths {
        let name = binary::name(path);
        if name == races::BINARY {
            jobs.push(races::job(path, races::SECONDS, None));
            continue;
        }
        // Emulated processors are slow: tests side by side would only run into their deadlines.
        let mut arguments = vec!["--test-threads=1"];
        arguments.extend(filter);
        if name == WITH_FRR {
            let inside = debian13::command(path, &arguments)?;
            jobs.push(Job {
                name: format!("{name} with Debian 13's FRR"),
                command: words(&inside),
            });
        }
        let mut test = Command::new(path);
        test.args(&arguments);
        jobs.push(Job { name, command: words(&test) });
    }
    Ok(jobs)
}

/// The words of a command.
fn words(command: &Command) -> Vec<String> {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}
