//! A steady beat for senders.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Ticks at fixed times; a tick that comes late does not shift the ones after it.
#[derive(Debug)]
pub(super) struct Clock {
    next: Instant,
    interval: Duration,
}

impl Clock {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            next: Instant::now(),
            interval,
        }
    }

    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        if let Some(wait) = self.next.checked_duration_since(now) {
            thread::sleep(wait);
        }
        self.next += self.interval;
    }
}
