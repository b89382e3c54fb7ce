//! Tests that a plain run leaves out, or gives a minute.

use std::{process::Command, thread, time::Duration};

use anyhow::Result;

use super::{
    ROOT, binary, failure,
    section::Section,
    tally::{self, Tally},
};
use crate::{
    setup,
    vm::{self, races},
    workspace,
};

/// A test that finds more the longer it runs, or needs more than others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Long {
    /// Everything that Fabric follows changes at random, under traffic: an hour, here and beside that on
    /// another kernel, for what this one may not have.
    Races,
    /// `fabricctl audit` against a real NetBox with its PostgreSQL and Redis, which the first run sets up in the cache.
    Netbox,
}

/// Seconds that a long test takes.
const SECONDS: u64 = 3_600;

/// Runs one.
///
/// # Errors
/// If cargo does not start, the tests do not compile, or what they need cannot be set up.
pub(super) fn run(long: Long, seed: Option<u64>) -> Result<Tally> {
    match long {
        Long::Races => races(seed),
        Long::Netbox => netbox(),
    }
}

fn netbox() -> Result<Tally> {
    let tree = setup::netbox::ensure()?;
    let section = Section::begin("audit of a real NetBox");
    let [binary] = &binary::build(&["netbox"])?[..] else { unreachable!("one was asked for") };
    let mut test = Command::new(binary);
    // They share one NetBox.
    test.args(["--nocapture", "--test-threads=1"]);
    let target = workspace::target_folder()?;
    let shared = [workspace::root(), &target];
    let folder = workspace::root().join("tests");
    let mut inside = setup::netbox::with_services(&tree, &shared, &folder, &test)?;
    let tally = tally::of_command(&mut inside, "")?;
    section.end(Some(tally));
    Ok(tally)
}

/// Changes at random, from a seed on, or from one that is different each time.
fn races(seed: Option<u64>) -> Result<Tally> {
    let seed = seed.unwrap_or_else(|| std::process::id().into());
    let title =
        format!("races for an hour, from seed {seed} on, here and on {}, emulated", races::KERNEL);
    let section = Section::begin(&title);
    let [binary] = &binary::build(&[races::BINARY])?[..] else { unreachable!("one was asked for") };
    let there = [races::job(binary, SECONDS, Some(seed))];
    let mut here = workspace::cargo();
    here.args(["test", "--package", ROOT, "--test", races::BINARY, "--", "--nocapture"]);
    here.env("FABRIC_RACES_SECONDS", SECONDS.to_string());
    here.env("FABRIC_RACES_SEED", seed.to_string());
    here.env("FABRIC_RACES_ALLOWANCE", races::ALLOWANCE.to_string());
    let limit = Duration::from_secs(SECONDS) + vm::LIMIT;
    let (here, there) = thread::scope(|scope| {
        let there = scope.spawn(|| vm::boot(races::KERNEL, &there, limit, ""));
        (tally::of_command(&mut here, ""), there.join())
    });
    let mut tally = here?;
    tally += match there {
        Ok(Ok(outcome)) => Tally::of_output(&outcome.output, outcome.failed.is_empty()),
        Ok(Err(error)) => failure(&error),
        Err(panic) => std::panic::resume_unwind(panic),
    };
    section.end(Some(tally));
    Ok(tally)
}
