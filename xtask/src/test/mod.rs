//! `cargo xtask test`: every test there is, from a fresh clone, with one line at the end.

pub(crate) mod binary;
mod section;
mod tally;

use std::time::Instant;

use anyhow::{Result, bail};

use self::{section::Section, tally::Tally};
use crate::{
    process,
    setup::{self, Kernel, Scope},
    vm, workspace,
};

/// Packages whose tests need no rights and no network.
const UNIT: [&str; 3] = ["fabric-common", "fabric-user", "xtask"];

/// The package whose tests load programs and make network namespaces; one binary per area.
pub(crate) const ROOT: &str = "fabric-tests";

/// How many tests of `fabric-tests` run side by side. Fabrics with FRR and measurements of lost
/// frames keep a processor busy each.
const ROOT_THREADS: &str = "2";

/// Runs all tests, or those whose names contain FILTER.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Part of the names of the tests to run.
    filter: Option<String>,
}

/// Runs the subcommand.
///
/// # Errors
/// If a test fails, is ignored, or cannot run because something is missing.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    if !process::am_root() {
        bail!("the tests make network namespaces and load programs; run them as root");
    }
    let filter = arguments.filter.as_deref();
    setup::ensure(Scope::Test)?;

    // fabricd and fabricctl, which tests start; cargo does not build them for another package.
    let section = Section::begin("build");
    process::run(workspace::cargo().arg("build"))?;
    section.end(None);

    let mut total = Tally::default();
    total += cargo_test("unit tests", &UNIT, &[], filter)?;
    total += cargo_test(
        "tests on this kernel",
        &[ROOT],
        &["--test-threads", ROOT_THREADS],
        filter,
    )?;
    total += other_kernels(filter)?;

    if total.passed + total.failed + total.ignored == 0 {
        bail!("no test has {:?} in its name", filter.unwrap_or_default());
    }
    println!("\nall of it took {} s", start.elapsed().as_secs());
    println!(
        "{} passed, {} failed",
        total.passed,
        total.failed + total.ignored
    );
    if total.ignored > 0 {
        bail!(
            "{} tests are marked as ignored, but every test has to run",
            total.ignored
        );
    }
    if total.failed > 0 {
        bail!("{} tests failed", total.failed);
    }
    Ok(())
}

/// Runs the tests of `packages` with cargo.
fn cargo_test(
    title: &str,
    packages: &[&str],
    options: &[&str],
    filter: Option<&str>,
) -> Result<Tally> {
    let section = Section::begin(title);
    let mut command = workspace::cargo();
    command.args(["test", "--no-fail-fast"]);
    command.args(packages.iter().flat_map(|package| ["--package", package]));
    command.arg("--").args(options).args(filter);
    let tally = tally::of_command(&mut command)?;
    section.end(Some(tally));
    Ok(tally)
}

/// Runs the test binaries of [`vm::BINARIES`] on the other kernels.
fn other_kernels(filter: Option<&str>) -> Result<Tally> {
    let binaries = binary::build(&vm::BINARIES)?;
    let mut matching = Vec::new();
    for binary in binaries {
        if binary::has_tests(&binary, filter)? {
            matching.push(binary);
        }
    }
    let mut total = Tally::default();
    if matching.is_empty() {
        return Ok(total);
    }
    for kernel in Kernel::ALL {
        let section = Section::begin(&format!("tests on {kernel}, emulated"));
        let tally = match vm::boot(kernel, &vm::test_jobs(&matching, filter), vm::LIMIT) {
            Ok(outcome) => Tally::of_output(&outcome.output, outcome.failed.is_empty()),
            // The other kernel still has something to say.
            Err(error) => {
                eprintln!("error: {error:#}");
                Tally {
                    failed: 1,
                    ..Tally::default()
                }
            }
        };
        section.end(Some(tally));
        total += tally;
    }
    Ok(total)
}
