//! ECMP groups and their buckets.

mod inheritance;
mod resilient;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use fabric_common::{
    bucket::{self, Member},
    schema::{
        bucket_use::ChunkUse,
        buckets::{self, CHUNK, Chunk},
        groups::{self, Choice},
    },
};

use super::{
    indexes::Indexes,
    nexthops::Nexthops,
    pass::Pass,
    pool::Pool,
    rest::{Freed, Resting},
    vteps::Vteps,
};
use crate::{
    hashed::HashMap,
    kernel::maps::Maps,
    model::{Group, GroupKey, NexthopKey, VtepKey},
    observe::Resilient,
};
use resilient::{ResilientGroup, movable};

/// The maps `groups`, `buckets` and `bucket_use`.
pub(super) struct Groups {
    indexes: Indexes<GroupKey>,
    /// Ranges of `buckets`.
    pool: Pool,
    installed: HashMap<u32, Installed>,
    resilient: BTreeMap<u32, ResilientGroup>,
    /// Buckets that new groups begin with.
    inherited: HashMap<GroupKey, Vec<u16>>,
}

/// What a group was last made from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Installed {
    members: Vec<Member>,
    kind: Kind,
}

/// What a group is beside its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    resilient: Option<Resilient>,
    blackhole: bool,
}

impl From<&Group> for Kind {
    fn from(group: &Group) -> Self {
        Self { resilient: group.resilient, blackhole: group.blackhole }
    }
}

/// Stands for a group of an earlier daemon until the first pass knows whose it is. The kernel has
/// no weight 0, so it equals no other key.
fn left_over(index: u32) -> GroupKey {
    let gateway = std::net::Ipv4Addr::UNSPECIFIED.into();
    GroupKey::Hops([(NexthopKey { ifindex: index, gateway }, 0)].into())
}

fn is_left_over(key: &GroupKey) -> bool {
    matches!(key, GroupKey::Hops(hops) if matches!(**hops, [(_, 0)]))
}

impl Groups {
    /// Takes over the groups that hold something or that are `used`, with their buckets.
    pub(super) fn recover(maps: &Maps, mut used: BTreeSet<u32>, resting: &mut Resting) -> Self {
        let filled = maps.groups.iter().filter(|(_, g)| g.choice() != Choice::Nothing);
        used.extend(filled.map(|(index, _)| index));
        used.remove(&0);
        let (mut indexes, mut pool) = (Indexes::new(groups::MAX), Pool::new(buckets::MAX));
        for index in used {
            if let Choice::Spread { chunk, count, .. } = maps.groups.get(index).choice()
                && !pool.adopt(chunk, count.div_ceil(CHUNK))
            {
                // A daemon that was killed between two stores: another group has these buckets.
                maps.groups.set(index, &groups::Group::default());
            }
            indexes.adopt(left_over(index), index);
        }
        resting.add_all(indexes.gaps(), Freed::Group);
        Self {
            indexes,
            pool,
            installed: HashMap::default(),
            resilient: BTreeMap::new(),
            inherited: HashMap::default(),
        }
    }

    pub(super) fn get(&self, key: &GroupKey) -> Option<u32> {
        self.indexes.get(key)
    }

    /// Writes all groups; `members` are the next hops that are in the maps.
    pub(super) fn write(
        &mut self,
        pass: &mut Pass<'_>,
        members: &HashMap<NexthopKey, u32>,
        nexthops: &Nexthops,
    ) {
        for (key, group) in &pass.structure.groups {
            let Some((index, _)) = self.indexes.allocate(key) else {
                pass.full("groups", self.indexes.capacity(), "");
                continue;
            };
            let member = |(key, weight): &(NexthopKey, u16)| {
                Some(Member { nexthop: *members.get(key)? as u16, weight: *weight })
            };
            // A part of the members would get all of the traffic.
            let members = group.members.iter().map(member).collect::<Option<Vec<_>>>();
            let members = members.unwrap_or_else(|| {
                pass.left_out(
                    "groups of next hops of which not all find room in the map nexthops are left to \
                     the kernel as a whole, until an audit finds room",
                );
                Vec::new()
            });
            // What stands for another one now.
            let successor = |index: u16| nexthops.successor(index.into()).unwrap_or(0) as u16;
            self.write_group(pass, (key, index), group.into(), members, successor);
        }
    }

    /// Writes the groups of segments, whose members are VTEPs.
    pub(super) fn write_segments(&mut self, pass: &mut Pass<'_>, vteps: &Vteps) {
        for (segment, wanted) in &pass.structure.segments {
            let key = &GroupKey::Segment(*segment);
            let Some((index, _)) = self.indexes.allocate(key) else {
                pass.full("groups", self.indexes.capacity(), "");
                continue;
            };
            let member = |(vtep, weight): &(VtepKey, u16)| {
                Some(Member { nexthop: vteps.get(vtep)? as u16, weight: *weight })
            };
            // As in `write`: VTEPs that find no room are named there.
            let members = wanted.members.iter().map(member).collect::<Option<Vec<_>>>();
            let kind = Kind { resilient: wanted.resilient, blackhole: false };
            self.write_group(pass, (key, index), kind, members.unwrap_or_default(), |vtep| vtep);
        }
        self.inherited.clear();
    }

    pub(super) fn remove(&mut self, pass: &mut Pass<'_>) {
        for index in self.indexes.retain(|key| pass.structure.has_group(key)) {
            let old = pass.maps.groups.get(index).choice();
            // One word, so that a packet has the old group or none.
            pass.maps.groups.set(index, &groups::Group::default());
            pass.rest(Freed::Group(index));
            free_buckets(pass, old);
            self.resilient.remove(&index);
            self.installed.remove(&index);
            pass.changed(true);
        }
        pass.rest_all(self.indexes.take_superseded(), Freed::Group);
    }

    /// Frees an index that has rested.
    pub(super) fn give_back(&mut self, index: u32) {
        self.indexes.give_back(index);
    }

    /// Frees buckets that have rested.
    pub(super) fn give_back_buckets(&mut self, chunk: u32, chunks: u32) {
        self.pool.give_back(chunk, chunks);
    }

    /// Gives a group its members. Buckets stay where they are as far as shares allow; a group that
    /// needs another number of buckets gets a new range, and one store makes it the one in use.
    fn write_group(
        &mut self,
        pass: &mut Pass<'_>,
        (key, index): (&GroupKey, u32),
        kind: Kind,
        members: Vec<Member>,
        successor: impl Fn(u16) -> u16,
    ) {
        let inherited = self.inherited.remove(key);
        let installed = Installed { members, kind };
        if !pass.audit && inherited.is_none() && self.installed.get(&index) == Some(&installed) {
            return;
        }
        let old = pass.maps.groups.get(index).choice();
        let new = match &installed.members[..] {
            _ if kind.blackhole => Choice::Blackhole,
            [] => Choice::Nothing,
            [only] if kind.resilient.is_none() => Choice::Single { nexthop: only.nexthop.into() },
            members => {
                let mut before = inherited.unwrap_or_else(|| read_buckets(pass.maps, old));
                for each in &mut before {
                    *each = successor(*each);
                }
                match self.spread(pass, index, old, &before, members, kind.resilient) {
                    Some(choice) => choice,
                    // What would be left there may lead to next hops that are gone.
                    None => Choice::Nothing,
                }
            }
        };
        if !matches!(new, Choice::Spread { timed: true, .. }) {
            self.resilient.remove(&index);
        }
        if new == Choice::Nothing && !installed.members.is_empty() {
            // To be tried again.
            self.installed.remove(&index);
        } else {
            self.installed.insert(index, installed);
        }
        if pass.maps.groups.set(index, &groups::Group::new(new)) {
            pass.changed(true);
            if range(old) != range(new) {
                free_buckets(pass, old);
            }
        }
    }

    fn spread(
        &mut self,
        pass: &mut Pass<'_>,
        index: u32,
        old: Choice,
        before: &[u16],
        members: &[Member],
        resilient: Option<Resilient>,
    ) -> Option<Choice> {
        let maps = pass.maps;
        let count = match resilient {
            Some(settings) => u32::from(settings.buckets).max(1),
            None => bucket::count_for(members, before.len() as u32),
        };
        let timed = resilient.is_some();
        let stays = match old {
            Choice::Spread { chunk, count: same, timed: also }
                if (same, also) == (count, timed) =>
            {
                Some(chunk)
            }
            _ => None,
        };
        let mut buckets = bucket::stretch(before, count);
        let since = self.resilient.get(&index).and_then(|timed| timed.unbalanced);
        let balanced = match (resilient, stays) {
            (Some(settings), Some(chunk)) => {
                let may_move = movable(maps, pass.hz, chunk, count, &settings, since);
                bucket::fill(&mut buckets, members, |at| may_move[at])
            }
            // Where the kernel's group begins, nothing is in use yet.
            _ => bucket::fill(&mut buckets, members, |_| true),
        };
        if let Some(settings) = resilient {
            let unbalanced = (!balanced).then(|| since.unwrap_or_else(Instant::now));
            self.resilient
                .insert(index, ResilientGroup { members: members.to_vec(), settings, unbalanced });
        }
        let chunks = count.div_ceil(CHUNK);
        let chunk = match stays {
            Some(chunk) => chunk,
            None => {
                let Some(chunk) = self.pool.allocate(chunks) else {
                    pass.full("buckets", (maps.buckets.len() * CHUNK) as usize, "");
                    return None;
                };
                if timed {
                    for at in chunk..chunk + chunks {
                        maps.bucket_use.set(at, &ChunkUse::default());
                    }
                }
                chunk
            }
        };
        pass.outcome.changes += write_buckets(maps, chunk, &buckets);
        Some(Choice::Spread { chunk, count, timed })
    }
}

/// Says what flows are told apart by, with the options that the settings chose.
pub(super) fn write_hash(pass: &mut Pass<'_>, options: u32) {
    let flags = options | pass.structure.multipath.flags();
    pass.changed(pass.maps.settings.update(0, |settings| settings.hash_flags = flags));
}

/// Number of chunks that changed.
fn write_buckets(maps: &Maps, chunk: u32, buckets: &[u16]) -> usize {
    let mut changes = 0;
    for (at, part) in (chunk..).zip(buckets.chunks(CHUNK as usize)) {
        let mut value = Chunk::default();
        value.nexthops[..part.len()].copy_from_slice(part);
        changes += usize::from(maps.buckets.set(at, &value));
    }
    changes
}

/// The buckets of a group; a single next hop is one bucket.
fn read_buckets(maps: &Maps, choice: Choice) -> Vec<u16> {
    match choice {
        Choice::Single { nexthop } => vec![nexthop as u16],
        Choice::Spread { chunk, count, .. } => {
            (0..count).map(|at| maps.bucket(chunk, at) as u16).collect()
        }
        Choice::Nothing | Choice::Blackhole => Vec::new(),
    }
}

/// The range that a group's buckets stand in: first chunk and number of buckets.
const fn range(choice: Choice) -> Option<(u32, u32)> {
    match choice {
        Choice::Spread { chunk, count, .. } => Some((chunk, count)),
        _ => None,
    }
}

fn free_buckets(pass: &mut Pass<'_>, choice: Choice) {
    if let Some((chunk, count)) = range(choice) {
        pass.rest(Freed::Buckets { chunk, chunks: count.div_ceil(CHUNK) });
    }
}

#[cfg(test)]
impl Groups {
    /// Takes all buckets of a map of this size that are free.
    pub(super) fn occupy(&mut self, capacity: u32) {
        for chunks in (0..capacity.ilog2()).rev() {
            while self.pool.allocate(1 << chunks).is_some() {}
        }
    }
}
