//! Ports that could not be used: when they are tried again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// After a first failure. Each further one doubles it.
const FIRST: Duration = Duration::from_secs(1);
/// A port that can never be used costs no more than this often.
const LAST: Duration = Duration::from_secs(60);
/// A freed slot may be used again after this: it rests for a second, which begins and ends with a tick of
/// [`TICK`](super::TICK).
const RESTED: Duration = Duration::from_millis(1_300);

/// Interface indexes of the ports, with what is known of each.
#[derive(Debug, Default)]
pub(super) struct Retries {
    ports: BTreeMap<u32, Retry>,
    /// Those that wait for nothing but a free slot.
    waiting: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Retry {
    at: Instant,
    failed: Instant,
    wait: Duration,
}

impl Retries {
    /// A port cannot be used.
    pub(super) fn failed(&mut self, ifindex: u32, waits_for_slot: bool, now: Instant) {
        let before = self.ports.get(&ifindex);
        let wait = before.map_or(FIRST, |retry| (retry.wait * 2).min(LAST));
        self.ports.insert(ifindex, Retry { at: now + wait, failed: now, wait });
        match waits_for_slot {
            true => self.waiting.insert(ifindex),
            false => self.waiting.remove(&ifindex),
        };
    }

    /// Something about a port has changed, so that it is worth another try, but not of each change of a
    /// stream of them.
    pub(super) fn changed(&mut self, ifindex: u32) {
        if let Some(retry) = self.ports.get_mut(&ifindex) {
            retry.at = retry.at.min(retry.failed + FIRST);
        }
    }

    /// Slots were freed: they belong to those that wait as soon as they have rested.
    pub(super) fn freed(&mut self, now: Instant) {
        for ifindex in &self.waiting {
            if let Some(retry) = self.ports.get_mut(ifindex) {
                (retry.at, retry.wait) = (retry.at.min(now + RESTED), FIRST);
            }
        }
    }

    /// Forgets ports that can be used, or are gone.
    pub(super) fn retain(&mut self, is_unusable: impl Fn(u32) -> bool) {
        self.ports.retain(|ifindex, _| is_unusable(*ifindex));
        self.waiting.retain(|ifindex| is_unusable(*ifindex));
    }

    /// The ports that are to be tried now.
    pub(super) fn due(&self, now: Instant) -> Vec<u32> {
        let due = self.ports.iter().filter(|(_, retry)| retry.at <= now);
        due.map(|(ifindex, _)| *ifindex).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_failure_doubles_the_time_until_the_next_try_up_to_a_minute() {
        let (mut retries, mut now) = (Retries::default(), Instant::now());
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            retries.failed(7, false, now);
            now += wait * SECOND;
            assert_eq!(retries.due(now - Duration::from_millis(1)), [0_u32; 0], "too early");
            assert_eq!(retries.due(now), [7]);
        }
    }

    #[test]
    fn a_stream_of_changes_leads_to_one_try_a_second() {
        let (mut retries, now) = (Retries::default(), Instant::now());
        for _ in 0..5 {
            retries.failed(7, false, now);
        }
        for _ in 0..1000 {
            retries.changed(7);
        }
        assert_eq!(retries.due(now), [0_u32; 0]);
        assert_eq!(retries.due(now + SECOND), [7]);
    }

    #[test]
    fn a_freed_slot_is_offered_to_those_that_wait_and_to_no_others_when_it_has_rested() {
        let (mut retries, now) = (Retries::default(), Instant::now());
        for _ in 0..5 {
            retries.failed(7, true, now);
            retries.failed(8, false, now);
        }
        retries.freed(now);
        let rested = SECOND + 2 * crate::daemon::TICK;
        assert_eq!(retries.due(now + rested), [0_u32; 0]);
        assert_eq!(retries.due(now + RESTED), [7]);
    }

    #[test]
    fn a_port_that_can_be_used_is_forgotten() {
        let (mut retries, now) = (Retries::default(), Instant::now());
        retries.failed(7, true, now);
        retries.retain(|_| false);
        assert_eq!(retries.due(now + LAST), [0_u32; 0]);
    }
}
