//! Waiting for something to become true.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for what takes milliseconds, or a few seconds, on a quiet machine. It is only
/// reached when something is wrong: a machine with many times as much to do as it has processors for
/// stays far below it.
pub const PATIENCE: Duration = Duration::from_secs(240);
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds; how long that took.
///
/// # Panics
/// If it does not hold within `limit`; `what` says what was waited for.
pub fn until(limit: Duration, what: &str, condition: impl FnMut() -> bool) -> Duration {
    until_or_say(limit, what, condition, String::new)
}

/// As [`until`]; `state` says how things are if it does not happen.
///
/// # Panics
/// As [`until`].
pub fn until_or_say(
    limit: Duration,
    what: &str,
    mut condition: impl FnMut() -> bool,
    state: impl Fn() -> String,
) -> Duration {
    let start = Instant::now();
    while !condition() {
        let late = start.elapsed() >= limit;
        assert!(!late, "within {limit:?} it did not happen that {what}\n{}", state());
        thread::sleep(POLL);
    }
    start.elapsed()
}
