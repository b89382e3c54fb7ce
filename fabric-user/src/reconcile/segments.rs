//! Ethernet segments.

use fabric_common::schema::segments::{self, Segment};

use super::{
    groups::Groups,
    indexes::Indexes,
    pass::Pass,
    rest::{Freed, Resting},
};
use crate::{
    kernel::maps::Maps,
    model::{GroupKey, SegmentKey},
};

/// The map `segments`.
pub(super) struct Segments {
    indexes: Indexes<SegmentKey>,
}

impl Segments {
    /// Reads from the map which index belongs to which segment.
    pub(super) fn recover(maps: &Maps, resting: &mut Resting) -> Self {
        let mut indexes = Indexes::new(segments::MAX);
        for (index, segment) in maps.segments.iter().filter(|(_, segment)| segment.id != 0) {
            indexes.adopt(SegmentKey { local: segment.local(), group: segment.id }, index);
        }
        resting.add_all(indexes.gaps(), Freed::Segment);
        Self { indexes }
    }

    pub(super) fn get(&self, key: &SegmentKey) -> Option<u32> {
        self.indexes.get(key)
    }

    /// Of one that is known only the group changes: one word.
    pub(super) fn write(&mut self, pass: &mut Pass<'_>, groups: &Groups) {
        for key in pass.structure.segments.keys() {
            let group = groups.get(&GroupKey::Segment(*key)).unwrap_or(0);
            let Some((index, _)) = self.indexes.allocate(key) else {
                pass.full("segments", self.indexes.capacity(), "");
                continue;
            };
            pass.changed(pass.maps.segments.set(index, &Segment::new(key.local, key.group, group)));
        }
    }

    pub(super) fn remove(&mut self, pass: &mut Pass<'_>) {
        let gone = self.indexes.retain(|key| pass.structure.segments.contains_key(key));
        pass.outcome.changes += gone.len();
        pass.rest_all(gone, Freed::Segment);
        pass.rest_all(self.indexes.take_superseded(), Freed::Segment);
    }

    /// Empties and frees an index that has rested.
    pub(super) fn give_back(&mut self, maps: &Maps, index: u32) {
        maps.segments.set(index, &Segment::default());
        self.indexes.give_back(index);
    }
}
