//! Which group takes the place of which, so that flows stay on their paths.

use std::collections::{BTreeMap, BTreeSet};

use super::{Groups, is_left_over};
use crate::{
    hashed::HashMap,
    model::{GroupKey, Routes},
    reconcile::{
        pass::Pass,
        routes::{Routing, group_of, places},
        segments::Segments,
        vteps::Vteps,
    },
};
use fabric_common::schema::routes::{KIND_GROUP, split_target};

/// Which buckets a new group begins with: those of the group whose place it takes.
#[derive(Debug, Default)]
struct Inheritance {
    /// How many users go from which group to which key.
    votes: HashMap<u32, HashMap<Option<GroupKey>, usize>>,
}

impl Inheritance {
    /// Somebody who now uses the group at index `old` will use `new`.
    fn moves(&mut self, groups: &Groups, old: u32, new: Option<&GroupKey>) {
        if old != 0 && new.and_then(|key| groups.get(key)) != Some(old) {
            *self.votes.entry(old).or_default().entry(new.cloned()).or_default() += 1;
        }
    }
}

impl Groups {
    /// Finds the group that each new one takes the place of. A group that all of its users leave for
    /// the same new one is given to that; of others the new one gets a copy.
    pub(in super::super) fn inherit(
        &mut self,
        pass: &Pass<'_>,
        routes: &Routes,
        vteps: &Vteps,
        segments: &Segments,
        routing: &Routing,
    ) {
        let (maps, structure) = (pass.maps, pass.structure);
        let of_segments: Vec<GroupKey> =
            structure.segments.keys().map(|key| GroupKey::Segment(*key)).collect();
        let wanted = structure.groups.keys().chain(&of_segments);
        let new: BTreeSet<&GroupKey> = wanted.filter(|key| self.get(key).is_none()).collect();
        if new.is_empty() {
            return;
        }
        let mut inheritance = Inheritance::default();
        for (vtep, group) in &structure.vteps {
            if let Some(index) = vteps.get(vtep) {
                inheritance.moves(self, maps.vteps.get(index).group, group.as_ref());
            }
        }
        for (segment, key) in structure.segments.keys().zip(&of_segments) {
            if let Some(index) = segments.get(segment) {
                inheritance.moves(self, maps.segments.get(index).group, Some(key));
            }
        }
        for (place, way) in places(routes) {
            if let Some((KIND_GROUP, old)) = routing.present(maps, place).map(split_target) {
                inheritance.moves(self, old, way.and_then(group_of));
            }
        }
        let mut best: BTreeMap<&GroupKey, (usize, u32)> = BTreeMap::new();
        for (old, votes) in &inheritance.votes {
            for (key, count) in votes {
                if let Some(key) = key.as_ref().filter(|key| new.contains(key)) {
                    let known = best.entry(key).or_default();
                    *known = (*known).max((*count, *old));
                }
            }
        }
        // All buckets are read before any is written.
        for (key, (_, old)) in &best {
            let buckets = super::read_buckets(maps, maps.groups.get(*old).choice());
            self.inherited.insert((*key).clone(), buckets);
        }
        for (key, (count, old)) in best {
            let Some(former) = self.indexes.key_of(old) else { continue };
            let votes: usize = inheritance.votes[&old].values().sum();
            let whole = count == votes || is_left_over(former) && 2 * count > votes;
            if whole && !structure.has_group(former) {
                let former = former.clone();
                self.indexes.pass_on(&former, key.clone());
            }
        }
    }
}
