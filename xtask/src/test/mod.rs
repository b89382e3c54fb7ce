//! `cargo xtask test`: every test there is, from a fresh clone, with one line at the end.

pub(crate) mod binary;
pub(crate) mod debian13;
#[cfg(test)]
mod documents;
mod lanes;
mod long;
mod other_kernels;
mod section;
mod tally;

use std::{
    env,
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Result, bail};

use self::{section::Section, tally::Tally};
use crate::{
    process,
    setup::{self, Scope},
    vm::races,
    workspace,
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
    /// Runs this test alone, and for as long as it takes.
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

    let section = Section::begin("build");
    if arguments.long.is_none() {
        binary::build_all()?;
    }
    // fabric-xdpd and fabricctl, which tests start; cargo does not build them for another package.
    process::run(workspace::cargo().arg("build"))?;
    section.end(None);

    if let Some(long) = arguments.long {
        let Tally { passed, failed, .. } = long::run(long, arguments.seed)?;
        println!("{passed} passed, {failed} failed");
        return Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let work = other_kernels::work(filter).into_iter().chain(debian13::work(filter)).collect();
    let total = lanes::run(|| this_kernel(filter), work)?;

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
    let tally = tally::of_command(&mut command, "")?;
    section.end(Some(tally));
    Ok(tally)
}

/// Runs the tests on this machine as it is: those without root, and those with it.
fn this_kernel(filter: Option<&str>) -> Result<Tally> {
    let mut total = cargo_test("unit tests", &UNIT, filter, |_| {})?;
    total += cargo_test("tests on this kernel", &[ROOT], filter, |command| {
        if env::var_os("RUST_TEST_THREADS").is_none() {
            command.env("RUST_TEST_THREADS", ROOT_THREADS);
        }
        command.env("FABRIC_RACES_ALLOWANCE", races::ALLOWANCE.to_string());
    })?;
    Ok(total)
}

/// Something that kept tests from running counts as a failed test.
fn failure(error: &anyhow::Error) -> Tally {
    eprintln!("error: {error:#}");
    Tally { failed: 1, ..Tally::default() }
}
