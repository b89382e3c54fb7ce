//! ECMP groups and their buckets.

use std::collections::BTreeSet;

use fabric_common::{
    bucket::{self, Member},
    schema::{
        buckets::{CHUNK, Chunk},
        groups::{Choice, Group},
    },
};

use super::{Outcome, Reconciler};

impl Reconciler {
    /// Takes over the groups that something in the maps refers to, with their buckets.
    pub(super) fn recover_groups(&mut self, used: &BTreeSet<u32>) {
        for index in used {
            if let Choice::Spread { chunk, count, .. } = self.maps.groups.get(*index).choice() {
                self.pool.adopt(chunk, count.div_ceil(CHUNK));
            }
        }
    }

    /// Gives a group its members. Buckets stay where they are as far as shares allow; a group that
    /// needs another number of buckets gets a new range, and one store makes it the one in use.
    pub(super) fn write_group(&mut self, index: u32, members: &[Member], outcome: &mut Outcome) {
        let old = self.maps.groups.get(index).choice();
        let new = match members {
            [] => Choice::Nothing,
            [only] => Choice::Single { nexthop: only.nexthop.into() },
            _ => match self.spread(old, members, outcome) {
                Some(choice) => choice,
                None => return,
            },
        };
        if self.maps.groups.set(index, &Group::new(new)) {
            outcome.changes += 1;
            self.free_buckets(old);
        }
    }

    /// Empties a group and gives its buckets back.
    pub(super) fn clear_group(&mut self, index: u32) {
        let old = self.maps.groups.get(index).choice();
        self.maps.groups.set(index, &Group::default());
        self.free_buckets(old);
    }

    fn free_buckets(&mut self, choice: Choice) {
        if let Choice::Spread { chunk, count, .. } = choice {
            self.pool.free(chunk, count.div_ceil(CHUNK));
        }
    }

    fn spread(&mut self, old: Choice, members: &[Member], outcome: &mut Outcome) -> Option<Choice> {
        let now = if let Choice::Spread { count, .. } = old { count } else { 0 };
        let count = bucket::count_for(members, now);
        let mut buckets = self.buckets_of(old, count);
        bucket::fill(&mut buckets, members, |_| true);
        let chunk = match old {
            Choice::Spread { chunk, count: same, .. } if same == count => chunk,
            _ => match self.pool.allocate(count.div_ceil(CHUNK)) {
                Some(chunk) => chunk,
                None => {
                    outcome.full("buckets", self.maps.buckets.len() as usize, "");
                    return None;
                }
            },
        };
        for (i, part) in (0..).zip(buckets.chunks(CHUNK as usize)) {
            let mut value = Chunk::default();
            value.nexthops[..part.len()].copy_from_slice(part);
            outcome.changes += usize::from(self.maps.buckets.set(chunk + i, &value));
        }
        Some(Choice::Spread { chunk, count, timed: false })
    }

    /// The buckets of a group, stretched to `count` of them.
    fn buckets_of(&self, choice: Choice, count: u32) -> Vec<u16> {
        match choice {
            Choice::Single { nexthop } => vec![nexthop as u16; count as usize],
            Choice::Spread { chunk, count: size, .. } => {
                let now: Vec<u16> =
                    (0..size).map(|at| self.maps.bucket(chunk, at) as u16).collect();
                bucket::stretch(&now, count)
            }
            Choice::Nothing | Choice::Blackhole => vec![0; count as usize],
        }
    }
}
