//! What must be compiled again.

use std::{collections::BTreeSet, ops::BitOrAssign};

use super::{FdbKey, NexthopKey, Structure};

/// Which parts of [`super::Desired`] an event may have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Links or bridge ports changed: the structure, and with it any MAC's place.
    pub bridging: bool,
    /// The set of VTEPs, or the way to them, changed: the structure, but no MAC's place.
    pub underlay: bool,
    /// Neighbours that changed; they matter if the structure watches them.
    pub neighbours: BTreeSet<NexthopKey>,
    /// MACs whose place changed.
    pub macs: BTreeSet<FdbKey>,
    /// A link went down or away, with which the kernel removes nexthops and routes without a
    /// message: dump them a moment later.
    pub routing_stale: bool,
}

impl Dirty {
    /// Everything.
    #[must_use]
    pub fn everything() -> Self {
        Self { bridging: true, underlay: true, ..Self::default() }
    }

    /// Nothing at all.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    /// The structure has to be compiled again, where `structure` is the last one.
    #[must_use]
    pub fn needs_structure(&self, structure: &Structure) -> bool {
        self.bridging || self.underlay || !self.neighbours.is_disjoint(&structure.watched)
    }

    /// All MACs have to be compiled again, and not only [`macs`](Self::macs).
    #[must_use]
    pub fn all_macs(&self) -> bool {
        self.bridging
    }
}

impl BitOrAssign for Dirty {
    fn bitor_assign(&mut self, other: Self) {
        self.bridging |= other.bridging;
        self.underlay |= other.underlay;
        self.routing_stale |= other.routing_stale;
        // Not `append`, which rebuilds the whole set for every single event of a batch.
        self.neighbours.extend(other.neighbours);
        self.macs.extend(other.macs);
    }
}
