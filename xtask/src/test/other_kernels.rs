//! The tests that need another kernel, in virtual machines.

use anyhow::Result;

use super::{binary, failure, lanes::Work, section::Section, tally::Tally};
use crate::{setup::Kernel, vm};

/// Runs the test binaries of [`vm::binaries`] on the other kernels, each of which is one piece of work; what takes
/// longest is first. A machine keeps one processor busy.
pub(super) fn work(filter: Option<&str>) -> Vec<Work<'static>> {
    let mut machines = Vec::new();
    for kernel in Kernel::ALL {
        match jobs(kernel, filter) {
            Ok(jobs) if jobs.is_empty() => {}
            jobs => machines.push((kernel, jobs)),
        }
    }
    machines.sort_by_key(|(_, jobs)| std::cmp::Reverse(jobs.as_ref().map_or(0, Vec::len)));
    let work = |(kernel, jobs)| -> Work<'static> { Box::new(move || on(kernel, jobs)) };
    machines.into_iter().map(work).collect()
}

/// Runs jobs on a kernel.
fn on(kernel: Kernel, jobs: Result<Vec<vm::Job>>) -> Tally {
    let section = Section::begin(&format!("tests on {kernel}, emulated"));
    let boot = |jobs: Vec<_>| vm::boot(kernel, &jobs, vm::LIMIT, &format!("{kernel} | "));
    let tally = match jobs.and_then(boot) {
        Ok(outcome) => Tally::of_output(&outcome.output, outcome.failed.is_empty()),
        // The other kernels still have something to say.
        Err(error) => failure(&error),
    };
    section.end(Some(tally));
    tally
}

/// The test binaries for a kernel that have a test with `filter` in its name.
fn jobs(kernel: Kernel, filter: Option<&str>) -> Result<Vec<vm::Job>> {
    let mut matching = Vec::new();
    for binary in binary::build(vm::binaries(kernel))? {
        if binary::has_tests(&binary, filter)? {
            matching.push(binary);
        }
    }
    vm::test_jobs(&matching, filter)
}
