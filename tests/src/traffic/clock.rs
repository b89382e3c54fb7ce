//! A steady beat for senders.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Ticks at fixed times. Ticks that the scheduler made us miss by far are left out: sent in one
/// burst they would overflow queues, and look like a lossy network.
#[derive(Debug)]
pub(super) struct Clock {
    next: Instant,
    interval: Duration,
}

/// As many ticks may be made up for at once.
const BURST: u32 = 16;

impl Clock {
    pub(super) fn new(interval: Duration) -> Self {
        Self { next: Instant::now(), interval }
    }

    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        match self.next.checked_duration_since(now) {
            Some(wait) => thread::sleep(wait),
            None if now - self.next > self.interval * BURST => self.next = now,
            None => {}
        }
        self.next += self.interval;
    }
}
