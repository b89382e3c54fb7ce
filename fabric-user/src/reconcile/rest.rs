//! What nothing in the maps refers to any more rests before it is emptied or given to somebody else.
//!
//! A packet reads an index in one map and the entry behind it a moment later, word by word. So an entry
//! stays as it was when the last reference to it has gone, until no packet is on its way that may have read
//! one. Rounds only say what they have freed; nothing of that is emptied or given out again before
//! [`Reconciler::wake`](super::Reconciler::wake).
//!
//! An entry that is not empty and that nothing refers to is what a daemon leaves behind that is killed
//! meanwhile. The next one takes it for what it says to be, and frees it in its first pass. Where two are the
//! same thing one of them has that index from then on, and the other rests after the same pass, which makes
//! all references those to the first.
//!
//! Not here: blocks of the trie, which rest in the same way where they are given out
//! (`trie/blocks.rs`); and what is one word, as a group or view, of which a packet has the old one or none,
//! which is a miss.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Far longer than a packet is in a program.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// An index that was given back, by its map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freed {
    /// Of a port.
    Slot(u32),
    /// Of `reasons`.
    Row(u32),
    /// Of `vlans`.
    VlanTable(u32),
    Domain(u32),
    Circuit(u32),
    Vtep(u32),
    Segment(u32),
    /// A port's number in `reverse_paths`.
    Number(u32),
    Nexthop(u32),
    Group(u32),
    Buckets {
        chunk: u32,
        chunks: u32,
    },
    View(u32),
    /// Of `hosts6`: no index, but an address that packets may take another one for.
    Fingerprint6(u64),
    Neighbour(u32),
}

/// What rests, in the order of waking.
#[derive(Debug, Default)]
pub(super) struct Resting {
    /// Freed since the last call of [`Self::wake`], by a pass that may not have taken all references
    /// away when it did.
    fresh: Vec<Freed>,
    resting: VecDeque<(Instant, Vec<Freed>)>,
    /// The last pass ended early, so that what it freed is still referred to.
    is_incomplete: bool,
}

impl Resting {
    /// A pass begins. What it frees does not rest before [`Self::complete`], however often somebody wakes
    /// what does.
    pub(super) const fn begin(&mut self) {
        self.is_incomplete = true;
    }

    /// Nothing refers to what was freed any more.
    pub(super) const fn complete(&mut self) {
        self.is_incomplete = false;
    }

    /// Begins to rest with the next call of [`Self::wake`] after a complete pass.
    pub(super) fn add(&mut self, freed: Freed) {
        self.fresh.push(freed);
    }

    /// As [`Self::add`] for several indexes of one kind.
    pub(super) fn add_all(&mut self, indexes: Vec<u32>, kind: fn(u32) -> Freed) {
        self.fresh.extend(indexes.into_iter().map(kind));
    }

    /// To be called between passes: what has rested by `now`.
    pub(super) fn wake(&mut self, now: Instant) -> Vec<Freed> {
        let mut woken = Vec::new();
        while let Some((_, rested)) =
            self.resting.pop_front_if(|(since, _)| now.saturating_duration_since(*since) >= GRACE)
        {
            woken.extend(rested);
        }
        if !self.fresh.is_empty() && !self.is_incomplete {
            self.resting.push_back((now, std::mem::take(&mut self.fresh)));
        }
        woken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pass_frees_rests_from_its_end_on() {
        let mut resting = Resting::default();
        let start = Instant::now();
        resting.add(Freed::Vtep(1));
        assert_eq!(resting.wake(start + GRACE), [], "the pass may have lasted that long");
        resting.add(Freed::Vtep(2));
        assert_eq!(resting.wake(start + 2 * GRACE), [Freed::Vtep(1)]);
        assert_eq!(resting.wake(start + 3 * GRACE - Duration::from_nanos(1)), []);
        assert_eq!(resting.wake(start + 3 * GRACE), [Freed::Vtep(2)]);
        assert_eq!(resting.wake(start + 9 * GRACE), [], "only once");
    }

    #[test]
    fn what_an_incomplete_pass_frees_rests_from_the_end_of_the_next_complete_one_on() {
        let mut resting = Resting::default();
        let start = Instant::now();
        resting.add(Freed::Vtep(1));
        assert_eq!(resting.wake(start), []);
        resting.begin();
        resting.add(Freed::Slot(2));
        assert_eq!(resting.wake(start + GRACE), [Freed::Vtep(1)], "that rests as before");
        assert_eq!(resting.wake(start + 2 * GRACE), []);
        resting.complete();
        assert_eq!(resting.wake(start + 3 * GRACE), []);
        assert_eq!(resting.wake(start + 4 * GRACE), [Freed::Slot(2)]);
    }
}
