//! How long to wait before something that failed is tried again.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);
/// After so long without a failure the next one is a first one again.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// The wait doubles with each failure that follows the one before soon.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    last: Option<(Instant, Duration)>,
}

impl Backoff {
    /// How long to wait after a failure that happened now.
    pub(super) fn after_failure(&mut self, now: Instant) -> Duration {
        let recent = self.last.filter(|(at, wait)| now < *at + *wait + FORGOTTEN);
        let wait = recent.map_or(FIRST, |(_, wait)| (2 * wait).min(LONGEST));
        self.last = Some((now, wait));
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_limit_and_is_short_again_after_a_quiet_minute() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        let waits: Vec<_> = (0..9).map(|_| backoff.after_failure(start).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        let later = start + LONGEST + FORGOTTEN;
        assert_eq!(backoff.after_failure(later), FIRST);
    }
}
