//! The tests of whole fabrics once more, with the FRR of Debian 13.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::{ROOT_THREADS, binary, failure, lanes::Work, section::Section, tally, tally::Tally};
use crate::{
    setup::{debian13_tree, within_debian13},
    workspace,
};

/// The test binaries of the package `fabric-tests` whose fabrics FRR controls; what takes longer is first.
const BINARIES: [&str; 2] = ["topology", "lab"];

/// What stands in front of the lines of these tests, beside which others may run.
const MARK: &str = "Debian 13 | ";

/// Runs the tests whose names contain `filter` in the tree of Debian 13, as they were built here: its C
/// library is newer, its FRR and iproute2 are its own, the kernel is this one. Each binary is one piece of work.
pub(super) fn work(filter: Option<&str>) -> Vec<Work<'_>> {
    let binaries = match binaries(filter) {
        Ok(binaries) => binaries,
        Err(error) => return vec![Box::new(move || failure(&error))],
    };
    let work = |binary: PathBuf| -> Work<'_> {
        Box::new(move || run(&binary, filter).unwrap_or_else(|error| failure(&error)))
    };
    binaries.into_iter().map(work).collect()
}

/// Those of the binaries that have such tests.
fn binaries(filter: Option<&str>) -> Result<Vec<PathBuf>> {
    let mut binaries = Vec::new();
    for binary in binary::build(&BINARIES)? {
        if binary::has_tests(&binary, filter)? {
            binaries.push(binary);
        }
    }
    Ok(binaries)
}

/// Runs one of them.
fn run(binary: &Path, filter: Option<&str>) -> Result<Tally> {
    let name = binary::name(binary);
    let section = Section::begin(&format!("{name} on this kernel with Debian 13's FRR"));
    let mut command = command(binary, filter.as_slice())?;
    if env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", ROOT_THREADS);
    }
    let tally = tally::of_command(&mut command, MARK)?;
    section.end(Some(tally));
    Ok(tally)
}

/// The test binary, run in the tree.
///
/// # Errors
/// If there is no tree.
pub(crate) fn command(binary: &Path, arguments: &[&str]) -> Result<Command> {
    let mut test = Command::new(binary);
    test.args(arguments);
    let (tree, target) = (debian13_tree()?, workspace::target_folder()?);
    let shared = [workspace::root(), &target];
    within_debian13(&tree, &shared, &workspace::root().join("tests"), &test)
}
