//! What is done again and again.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// Ticks between which others have at least a period of time, however long what a tick sets off takes:
/// it is over when the next one is waited for.
#[derive(Debug)]
pub(super) struct Ticks {
    interval: Interval,
    has_ticked: bool,
}

impl Ticks {
    /// The first tick comes at once.
    pub(super) fn now(period: Duration) -> Self {
        let mut interval = interval(period.max(Duration::from_millis(1)));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, has_ticked: false }
    }

    /// The first tick comes after a period.
    pub(super) fn later(period: Duration) -> Self {
        Self { has_ticked: true, ..Self::now(period) }
    }

    /// Waits for the next tick. Cancel-safe.
    pub(super) async fn next(&mut self) {
        if std::mem::take(&mut self.has_ticked) {
            self.interval.reset();
        }
        self.interval.tick().await;
        self.has_ticked = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn others_have_their_turn_between_ticks_that_set_off_more_than_fits_into_a_period() {
        let mut ticks = Ticks::now(Duration::from_millis(200));
        let (mut ticked, mut others) = (0, 0);
        while ticked < 4 {
            tokio::select! {
                biased;
                () = ticks.next() => {
                    ticked += 1;
                    std::thread::sleep(Duration::from_millis(250));
                }
                () = tokio::time::sleep(Duration::from_millis(10)) => others += 1,
            }
        }
        assert!(others >= 3, "{others} turns of others");
    }

    #[tokio::test]
    async fn the_first_tick_comes_at_once_or_after_a_period() {
        let hour = Duration::from_secs(3_600);
        Ticks::now(hour).next().await;
        let mut later = Ticks::later(hour);
        let waited = tokio::time::timeout(Duration::from_millis(50), later.next()).await;
        assert!(waited.is_err());
    }
}
