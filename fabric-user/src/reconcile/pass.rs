//! One pass over the maps: what is wanted, and what has come of it.

use std::collections::{BTreeMap, BTreeSet};

use super::rest::{Freed, Resting};
use crate::{kernel::maps::Maps, model::Structure};

/// What one pass changed, and what it could not do.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Entries written or removed.
    pub changes: usize,
    /// Interfaces on which no program could be attached: they have to be left out.
    pub unusable: BTreeMap<u32, String>,
    /// Those of them that lack nothing but a free slot.
    pub waiting: BTreeSet<u32>,
    /// Slots of ports were freed.
    pub freed: bool,
    /// Entries that found no room, as sentences.
    pub full: BTreeSet<String>,
    /// Interfaces that became ports or redirect targets in this pass: whether they live has to be found
    /// out. Each with the interface that says so: itself, or the vxlan device of what stands for a tunnel.
    pub new_ports: BTreeMap<u32, u32>,
}

/// What each map is given to bring itself up to date.
pub(super) struct Pass<'a> {
    pub(super) maps: &'a Maps,
    pub(super) structure: &'a Structure,
    /// It looks at what has not changed, too.
    pub(super) audit: bool,
    /// The kernel's timer frequency.
    pub(super) hz: u32,
    pub(super) outcome: Outcome,
    resting: &'a mut Resting,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        maps: &'a Maps,
        structure: &'a Structure,
        resting: &'a mut Resting,
        hz: u32,
        audit: bool,
    ) -> Self {
        Self { maps, structure, audit, hz, outcome: Outcome::default(), resting }
    }

    /// Counts a change, if it was one.
    pub(super) fn changed(&mut self, changed: bool) {
        self.outcome.changes += usize::from(changed);
    }

    /// Nothing is to refer to an index any more when this pass has ended.
    pub(super) fn rest(&mut self, freed: Freed) {
        self.resting.add(freed);
    }

    /// As [`Self::rest`] for several indexes of one kind.
    pub(super) fn rest_all(&mut self, indexes: Vec<u32>, kind: fn(u32) -> Freed) {
        self.resting.add_all(indexes, kind);
    }

    /// Something found no room, or cannot be expressed.
    pub(super) fn left_out(&mut self, text: impl Into<String>) {
        self.outcome.full.insert(text.into());
    }

    /// As [`Self::left_out`] for a map that has no free entry.
    pub(super) fn full(&mut self, map: &str, capacity: usize, setting: &str) {
        self.left_out(format!(
            "the map {map} is full ({capacity} entries), the rest is left to the kernel{setting}"
        ));
    }
}
