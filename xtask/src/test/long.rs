//! Tests that go on for as long as one likes: a plain run gives each a minute.

use anyhow::Result;

use super::{
    ROOT,
    section::Section,
    tally::{self, Tally},
};
use crate::workspace;

/// A test that finds more the longer it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Long {
    /// Everything that Fabric follows changes at random, under traffic: an hour.
    Races,
}

/// Seconds that a long test takes.
const SECONDS: u64 = 3_600;

/// Runs one, from a seed on, or from one that is different each time.
///
/// # Errors
/// If cargo does not start.
pub(super) fn run(long: Long, seed: Option<u64>) -> Result<Tally> {
    let Long::Races = long;
    let seed = seed.unwrap_or_else(|| std::process::id().into());
    let section = Section::begin(&format!("races for an hour, from seed {seed} on"));
    let mut command = workspace::cargo();
    command.args(["test", "--package", ROOT, "--test", "races", "--", "--nocapture"]);
    command.env("FABRIC_RACES_SECONDS", SECONDS.to_string());
    command.env("FABRIC_RACES_SEED", seed.to_string());
    let tally = tally::of_command(&mut command)?;
    section.end(Some(tally));
    Ok(tally)
}
