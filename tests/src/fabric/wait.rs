//! Waiting for something to become true.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds; how long that took.
///
/// # Panics
/// If it does not hold within `limit`; `what` says what was waited for.
pub fn until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "within {limit:?} it did not happen that {what}");
        thread::sleep(POLL);
    }
    start.elapsed()
}
