//! `cargo xtask test`: every test there is, from a fresh clone, with one line at the end.

pub(crate) mod binary;
mod debian13;
#[cfg(test)]
mod documents;
mod long;
mod section;
mod tally;

use std::{
    env,
    process::{Command, ExitCode},
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Result, bail};

use self::{section::Section, tally::Tally};
use crate::{
    process,
    setup::{self, Kernel, Scope},
    vm, workspace,
};

/// Packages whose tests need no rights and no network.
const UNIT: [&str; 4] = ["fabric-common", "fabric-user", "xtask", "fabric-benches"];

/// The package whose tests load programs and make network namespaces; one binary per area.
pub(crate) const ROOT: &str = "fabric-tests";

/// How many tests of `fabric-tests` run side by side, unless the environment says otherwise.
/// Fabrics with FRR and measurements of lost frames keep a processor busy each.
const ROOT_THREADS: &str = "2";

/// Runs all tests, or those whose names contain FILTER.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Part of the names of the tests to run.
    filter: Option<String>,
    /// Runs this test alone, and for an hour.
    #[arg(long, value_name = "NAME", conflicts_with = "filter")]
    long: Option<long::Long>,
    /// With `--long`: the first seed, to replay a run that has failed, here or in the virtual machine.
    #[arg(long, requires = "long")]
    seed: Option<u64>,
}

/// Runs the subcommand; the code is a failure if a test failed or was ignored.
///
/// # Errors
/// If the tests cannot run because something is missing, or if none has the name.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let start = Instant::now();
    if !process::am_root() {
        bail!("the tests make network namespaces and load programs; run them as root");
    }
    let filter = arguments.filter.as_deref();
    setup::ensure(Scope::Test)?;

    // fabric-xdpd and fabricctl, which tests start; cargo does not build them for another package.
    let section = Section::begin("build");
    process::run(workspace::cargo().arg("build"))?;
    section.end(None);

    if let Some(long) = arguments.long {
        let Tally { passed, failed, .. } = long::run(long, arguments.seed)?;
        println!("{passed} passed, {failed} failed");
        return Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut total = Tally::default();
    total += cargo_test("unit tests", &UNIT, filter, |_| {})?;
    total += cargo_test("tests on this kernel", &[ROOT], filter, |command| {
        if env::var_os("RUST_TEST_THREADS").is_none() {
            command.env("RUST_TEST_THREADS", ROOT_THREADS);
        }
    })?;
    total += debian13::run(filter).unwrap_or_else(|error| failure(&error));
    total += other_kernels(filter);

    if total == Tally::default() {
        bail!("no test has {:?} in its name", filter.unwrap_or_default());
    }
    println!("\nall of it took {} s", start.elapsed().as_secs());
    if total.ignored > 0 {
        println!(
            "{} of the failed tests are marked as ignored: every test has to run",
            total.ignored
        );
    }
    let failed = total.failed + total.ignored;
    println!("{} passed, {failed} failed", total.passed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests of `packages` with cargo, which `configure` may give more to work with.
fn cargo_test(
    title: &str,
    packages: &[&str],
    filter: Option<&str>,
    configure: impl FnOnce(&mut Command),
) -> Result<Tally> {
    let section = Section::begin(title);
    let mut command = workspace::cargo();
    command.args(["test", "--no-fail-fast"]);
    command.args(packages.iter().flat_map(|package| ["--package", package]));
    command.arg("--").args(filter);
    configure(&mut command);
    let tally = tally::of_command(&mut command)?;
    section.end(Some(tally));
    Ok(tally)
}

/// How many machines run side by side: each keeps one processor busy.
const MACHINES: usize = 2;

/// Runs the test binaries of [`vm::binaries`] on the other kernels.
fn other_kernels(filter: Option<&str>) -> Tally {
    let mut total = Tally::default();
    let mut machines = Vec::new();
    for kernel in Kernel::ALL {
        match jobs(kernel, filter) {
            Ok(jobs) if jobs.is_empty() => {}
            Ok(jobs) => machines.push((kernel, jobs)),
            Err(error) => total += failure(&error),
        }
    }
    if machines.is_empty() {
        return total;
    }
    let section = Section::begin("tests on other kernels, emulated");
    // The one that takes longest begins: `pop` takes the last.
    machines.sort_by_key(|(_, jobs)| jobs.len());
    let (machines, tally) = (Mutex::new(machines), Mutex::new(total));
    let next = || machines.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let run_all = || {
        while let Some((kernel, jobs)) = next() {
            let one = match vm::boot(kernel, &jobs, vm::LIMIT, &format!("{kernel} | ")) {
                Ok(outcome) => Tally::of_output(&outcome.output, outcome.failed.is_empty()),
                // The other kernels still have something to say.
                Err(error) => failure(&error),
            };
            *tally.lock().unwrap_or_else(PoisonError::into_inner) += one;
        }
    };
    thread::scope(|scope| (0..MACHINES).for_each(|_| drop(scope.spawn(run_all))));
    let total = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    section.end(Some(total));
    total
}

/// The test binaries for a kernel that have a test with `filter` in its name.
fn jobs(kernel: Kernel, filter: Option<&str>) -> Result<Vec<vm::Job>> {
    let mut matching = Vec::new();
    for binary in binary::build(vm::binaries(kernel))? {
        if binary::has_tests(&binary, filter)? {
            matching.push(binary);
        }
    }
    Ok(vm::test_jobs(&matching, filter))
}

/// Something that kept tests from running counts as a failed test.
fn failure(error: &anyhow::Error) -> Tally {
    eprintln!("error: {error:#}");
    Tally { failed: 1, ..Tally::default() }
}
