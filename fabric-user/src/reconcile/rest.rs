//! What nothing in the maps refers to any more rests before it is emptied or given to somebody else.
//!
//! A packet reads an index in one map and the entry behind it a moment later, word by word. So an entry
//! stays as it was when the last reference to it has gone, until no packet is on its way that may have read
//! one. Rounds only say what they have freed; nothing of that is emptied or given out again before
//! [`Reconciler::wake`].
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

use fabric_common::schema::{
    circuits::Circuit, domains6::Domain6, hosts6::Address6, nexthops::Nexthop, ports::Port,
    reverse_paths::ReversePath, vlans::PortVlans, vteps::Vtep,
};

use super::Reconciler;

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
    /// A port's number in `reverse_paths`.
    Number(u32),
    Nexthop(u32),
    Group(u32),
    Buckets {
        chunk: u32,
        chunks: u32,
    },
    View(u32),
    Address6(u32),
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

/// Makes of an index what is freed.
type Kind = fn(u32) -> Freed;

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

    /// To be called between passes: what has rested by `now`.
    fn wake(&mut self, now: Instant) -> Vec<Freed> {
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

impl Reconciler {
    /// Empties what no packet can refer to any more, and gives it free; looks whether ports are lost that
    /// circuits lead to. To be called now and then.
    ///
    /// # Returns
    /// Whether there is more room since the last call: what found none may find some in a full pass.
    pub fn wake(&mut self) -> bool {
        self.wake_at(Instant::now());
        std::mem::take(&mut self.given_back)
    }

    pub(super) fn wake_at(&mut self, now: Instant) {
        let before = self.maps.stores();
        self.look_for_lost_ports();
        let woken = self.resting.wake(now);
        self.given_back |= !woken.is_empty();
        for freed in woken {
            match freed {
                Freed::Slot(slot) => {
                    self.maps.ports.set(slot, &Port { down: 1, ..Port::default() });
                    self.resting_slots.remove(&slot);
                }
                Freed::Row(row) => self.rows.give_back(row),
                Freed::VlanTable(table) => {
                    self.maps.vlans.set(table, &PortVlans { circuits: [0; 4096] });
                    self.vlan_tables.give_back(table);
                }
                Freed::Domain(index) => {
                    self.maps.domains6.set(index, &Domain6::default());
                    self.domains.give_back(index);
                }
                Freed::Circuit(index) => {
                    self.maps.circuits.set(index, &Circuit::default());
                    self.circuits.give_back(index);
                }
                Freed::Vtep(index) => {
                    self.maps.vteps.set(index, &Vtep::default());
                    self.maps.reverse_paths.set(index, &ReversePath::default());
                    self.vteps.give_back(index);
                }
                Freed::Number(number) => self.checked.give_back(number),
                Freed::Nexthop(index) => {
                    self.maps.nexthops.set(index, &Nexthop::default());
                    self.nexthops.give_back(index);
                }
                Freed::Group(index) => self.groups.give_back(index),
                Freed::Buckets { chunk, chunks } => self.pool.give_back(chunk, chunks),
                Freed::View(index) => self.views.give_back(index),
                Freed::Address6(index) => {
                    self.maps.addresses6.set(index, &Address6::default());
                    self.hosts.give_back(index);
                }
            }
        }
        self.emptied += self.maps.stores() - before;
    }

    /// At the start: what nobody has may have rested when the last daemon ended, and rests from now on.
    pub(super) fn rest_gaps(&mut self) {
        // Circuits that were taken over may lead to one of a domain.
        self.domains.supersede_gaps();
        let gaps = [
            (self.rows.gaps(), Freed::Row as Kind),
            (self.vlan_tables.gaps(), Freed::VlanTable),
            (self.circuits.gaps(), Freed::Circuit),
            (self.vteps.gaps(), Freed::Vtep),
            (self.checked.gaps(), Freed::Number),
            (self.groups.gaps(), Freed::Group),
            (self.views.gaps(), Freed::View),
        ];
        self.rest_all(gaps);
        self.wake_at(Instant::now());
    }

    /// At the end of a pass, when nothing refers to what was superseded in it: that begins to rest.
    pub(super) fn rest_superseded(&mut self) {
        let superseded = [
            (self.rows.take_superseded(), Freed::Row as Kind),
            (self.vlan_tables.take_superseded(), Freed::VlanTable),
            (self.circuits.take_superseded(), Freed::Circuit),
            (self.vteps.take_superseded(), Freed::Vtep),
            (self.checked.take_superseded(), Freed::Number),
            (self.groups.take_superseded(), Freed::Group),
            (self.views.take_superseded(), Freed::View),
        ];
        self.rest_all(superseded);
    }

    fn rest_all<const N: usize>(&mut self, all: [(Vec<u32>, Kind); N]) {
        for (indexes, freed) in all {
            indexes.into_iter().for_each(|index| self.resting.add(freed(index)));
        }
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
