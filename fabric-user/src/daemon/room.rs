//! What found no room in the maps: when it is tried again.

use tokio::time::Instant;

use super::backoff::Backoff;

/// When a full pass is to look whether what was given back is enough.
#[derive(Debug, Default)]
pub(super) struct Room {
    backoff: Backoff,
    at: Option<Instant>,
}

impl Room {
    /// Something was given back, which may be what is missing. Where a map is full for good, it seldom is:
    /// a stream of changes must not lead to as many full passes.
    pub(super) fn given_back(&mut self, now: Instant) {
        if self.at.is_none() {
            self.at = Some(now + self.backoff.after_failure(now));
        }
    }

    /// True once, when it is time.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        self.at.take_if(|at| *at <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_stream_of_changes_in_a_full_map_leads_to_ever_fewer_full_passes() {
        let (mut room, start) = (Room::default(), Instant::now());
        assert!(!room.is_due(start), "nothing was given back");
        let ticks = (0..1_000).map(|tick| start + tick * Duration::from_millis(100));
        let mut due = |now| {
            room.given_back(now);
            room.is_due(now)
        };
        let passes: Vec<u128> =
            ticks.filter(|now| due(*now)).map(|now| (now - start).as_millis()).collect();
        assert_eq!(passes[..3], [100, 400, 900]);
        assert!(passes.len() < 20, "{passes:?}");
    }
}
