//! The tests of whole fabrics once more, with the FRR of Debian 13.

use std::{env, path::Path, process::Command};

use anyhow::Result;

use super::{ROOT_THREADS, binary, section::Section, tally, tally::Tally};
use crate::{
    setup::{debian13_tree, within_debian13},
    workspace,
};

/// The test binaries of the package `fabric-tests` whose fabrics FRR controls.
const BINARIES: [&str; 2] = ["topology", "lab"];

/// Runs the tests whose names contain `filter` in the tree of Debian 13, as they were built here: its C
/// library is newer, its FRR and iproute2 are its own, the kernel is this one.
///
/// # Errors
/// If they do not compile or the tree cannot be entered.
pub(super) fn run(filter: Option<&str>) -> Result<Tally> {
    let mut binaries = Vec::new();
    for binary in binary::build(&BINARIES)? {
        if binary::has_tests(&binary, filter)? {
            binaries.push(binary);
        }
    }
    if binaries.is_empty() {
        return Ok(Tally::default());
    }
    let section = Section::begin("tests on this kernel with Debian 13's FRR");
    let mut total = Tally::default();
    for binary in binaries {
        let mut command = command(&binary, filter.as_slice())?;
        if env::var_os("RUST_TEST_THREADS").is_none() {
            command.env("RUST_TEST_THREADS", ROOT_THREADS);
        }
        total += tally::of_command(&mut command)?;
    }
    section.end(Some(total));
    Ok(total)
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
