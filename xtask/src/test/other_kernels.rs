//! The tests that need another kernel, in virtual machines.

use std::{
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::Result;

use super::{binary, failure, section::Section, tally::Tally};
use crate::{setup::Kernel, vm};

/// Runs the test binaries of [`vm::binaries`] on the other kernels: one machine beside `here`, whose tests
/// wait more than they compute, and two when that is done. A machine keeps one processor busy.
///
/// # Errors
/// Those of `here`.
pub(super) fn beside(here: impl FnOnce() -> Result<Tally>, filter: Option<&str>) -> Result<Tally> {
    let mut failures = Tally::default();
    let mut machines = Vec::new();
    for kernel in Kernel::ALL {
        match jobs(kernel, filter) {
            Ok(jobs) if jobs.is_empty() => {}
            Ok(jobs) => machines.push((kernel, jobs)),
            Err(error) => failures += failure(&error),
        }
    }
    // The one that takes longest begins: `pop` takes the last.
    machines.sort_by_key(|(_, jobs)| jobs.len());
    let (machines, tally) = (Mutex::new(machines), Mutex::new(failures));
    let next = || machines.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let boot_all = || {
        while let Some((kernel, jobs)) = next() {
            let section = Section::begin(&format!("tests on {kernel}, emulated"));
            let one = match vm::boot(kernel, &jobs, vm::LIMIT, &format!("{kernel} | ")) {
                Ok(outcome) => Tally::of_output(&outcome.output, outcome.failed.is_empty()),
                // The other kernels still have something to say.
                Err(error) => failure(&error),
            };
            section.end(Some(one));
            *tally.lock().unwrap_or_else(PoisonError::into_inner) += one;
        }
    };
    let here = thread::scope(|scope| {
        scope.spawn(boot_all);
        let here = here();
        boot_all();
        here
    });
    let mut total = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    total += here?;
    Ok(total)
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
