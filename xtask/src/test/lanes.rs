//! Two lanes, because neither tests that wait nor an emulated processor keep all of this machine's busy.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::Result;

use super::tally::Tally;

/// Tests that may run beside others.
pub(super) type Work<'a> = Box<dyn FnOnce() -> Tally + Send + 'a>;

/// Runs `here` in one lane, and in the other one `work` from its beginning on; what is left of that when `here` is
/// done, in both.
///
/// # Errors
/// Those of `here`.
pub(super) fn run(here: impl FnOnce() -> Result<Tally>, work: Vec<Work<'_>>) -> Result<Tally> {
    let (work, tally) = (Mutex::new(VecDeque::from(work)), Mutex::new(Tally::default()));
    let next = || lock(&work).pop_front();
    let run_all = || {
        while let Some(one) = next() {
            let one = one();
            *lock(&tally) += one;
        }
    };
    let here = thread::scope(|scope| {
        scope.spawn(run_all);
        let here = here();
        run_all();
        here
    });
    let mut total = *lock(&tally);
    total += here?;
    Ok(total)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const PASSED: Tally = Tally { passed: 1, failed: 0, ignored: 0 };

    #[test]
    fn work_is_done_beside_what_runs_here_and_all_results_count() {
        let (started, starts) = channel();
        let first: Work<'_> = Box::new(move || {
            started.send(()).expect("somebody waits");
            PASSED
        });
        let here = || {
            starts.recv().expect("it starts while this runs");
            Ok(PASSED)
        };
        let total = run(here, vec![first, Box::new(|| PASSED)]).expect("nothing fails");
        assert_eq!(total, Tally { passed: 3, ..Tally::default() });
    }

    #[test]
    fn work_is_done_also_if_what_runs_here_fails() {
        let (done, dones) = channel();
        let work: Work<'_> = Box::new(move || {
            done.send(()).expect("somebody waits");
            PASSED
        });
        run(|| anyhow::bail!("no tests"), vec![work]).expect_err("this fails");
        dones.recv().expect("it was done");
    }
}
