//! ECMP groups and their buckets.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use fabric_common::{
    bucket::{self, Member},
    schema::{
        bucket_use::ChunkUse,
        buckets::{CHUNK, Chunk},
        groups::{self, Choice},
    },
};

use super::{Outcome, ReconcileError, Reconciler, rest::Freed};
use crate::{
    hashed::HashMap,
    kernel::heartbeat,
    model::{Group, GroupKey, NexthopKey, Structure},
    observe::Resilient,
};

/// A resilient group of the kernel.
#[derive(Clone, Debug)]
pub(super) struct ResilientGroup {
    members: Vec<Member>,
    settings: Resilient,
    /// Since when some member has less than its share.
    unbalanced: Option<Instant>,
}

/// What a group was last made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installed {
    members: Vec<Member>,
    resilient: Option<Resilient>,
    blackhole: bool,
}

/// Stands for a group of an earlier daemon until the first pass knows whose it is. The kernel has
/// no weight 0, so it equals no other key.
pub(super) fn left_over(index: u32) -> GroupKey {
    let gateway = std::net::Ipv4Addr::UNSPECIFIED.into();
    GroupKey::Hops([(NexthopKey { ifindex: index, gateway }, 0)].into())
}

fn is_left_over(key: &GroupKey) -> bool {
    matches!(key, GroupKey::Hops(hops) if matches!(**hops, [(_, 0)]))
}

/// Which buckets a new group begins with: those of the group whose place it takes, so that flows
/// stay on their paths.
#[derive(Debug, Default)]
pub(super) struct Inheritance {
    /// How many users go from which group to which key.
    votes: HashMap<u32, HashMap<Option<GroupKey>, usize>>,
}

impl Inheritance {
    /// Somebody who now uses the group at index `old` will use `new`.
    pub(super) fn moves(&mut self, old: u32, new: Option<&GroupKey>) {
        if old != 0 {
            *self.votes.entry(old).or_default().entry(new.cloned()).or_default() += 1;
        }
    }
}

impl Reconciler {
    /// Takes over the groups that something in the maps refers to, with their buckets.
    pub(super) fn recover_groups(&mut self, mut used: BTreeSet<u32>) {
        let filled = self.maps.groups.iter().filter(|(_, g)| g.choice() != Choice::Nothing);
        used.extend(filled.map(|(index, _)| index));
        used.remove(&0);
        for index in used {
            if let Choice::Spread { chunk, count, .. } = self.maps.groups.get(index).choice()
                && !self.pool.adopt(chunk, count.div_ceil(CHUNK))
            {
                // A daemon that was killed between two stores: another group has these buckets.
                self.maps.groups.set(index, &groups::Group::default());
            }
            self.groups.adopt(left_over(index), index);
        }
    }

    /// Finds the group that each new one takes the place of. A group that all of its users leave for
    /// the same new one is given to that; of others the new one gets a copy.
    pub(super) fn inherit_groups(&mut self, structure: &Structure, inheritance: Inheritance) {
        let is_new = |key: &GroupKey, this: &Self| {
            structure.groups.contains_key(key) && this.groups.get(key).is_none()
        };
        let mut best: BTreeMap<GroupKey, (usize, u32)> = BTreeMap::new();
        for (old, votes) in &inheritance.votes {
            for (key, count) in votes {
                if let Some(key) = key.as_ref().filter(|key| is_new(key, self)) {
                    let known = best.entry(key.clone()).or_default();
                    *known = (*known).max((*count, *old));
                }
            }
        }
        // All buckets are read before any is written.
        for (key, (_, old)) in &best {
            let buckets = self.buckets(self.maps.groups.get(*old).choice());
            self.inherited.insert(key.clone(), buckets);
        }
        for (key, (count, old)) in best {
            let Some(former) = self.groups.key_of(old) else { continue };
            let votes: usize = inheritance.votes[&old].values().sum();
            let whole = count == votes || is_left_over(former) && 2 * count > votes;
            if whole && !structure.groups.contains_key(former) {
                let former = former.clone();
                self.groups.pass_on(&former, key);
            }
        }
    }

    pub(super) fn add_groups(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let mut indexes: HashMap<NexthopKey, u32> = HashMap::default();
        for (key, nexthop) in &structure.nexthops {
            if let Some(index) = self.add_nexthop(key, nexthop, outcome) {
                indexes.insert(*key, index);
            }
        }
        for (key, group) in &structure.groups {
            let Some((index, _)) = self.groups.allocate(key) else {
                outcome.full("groups", self.groups.capacity(), "");
                continue;
            };
            let member = |(key, weight): &(NexthopKey, u16)| {
                Some(Member { nexthop: *indexes.get(key)? as u16, weight: *weight })
            };
            // A part of the members would get all of the traffic.
            let members = group.members.iter().map(member).collect::<Option<Vec<_>>>();
            let members = members.unwrap_or_else(|| {
                outcome.full.insert(
                    "groups of next hops of which not all find room in the map nexthops are left to \
                     the kernel as a whole, until an audit finds room"
                        .into(),
                );
                Vec::new()
            });
            let inherited = self.inherited.remove(key);
            self.write_group(index, group, members, inherited, outcome);
        }
        self.inherited.clear();
    }

    pub(super) fn remove_groups(&mut self, structure: &Structure, outcome: &mut Outcome) {
        for index in self.groups.retain(|key| structure.groups.contains_key(key)) {
            let old = self.maps.groups.get(index).choice();
            // One word, so that a packet has the old group or none.
            self.maps.groups.set(index, &groups::Group::default());
            self.resting.add(Freed::Group(index));
            self.free_buckets(old);
            self.resilient.remove(&index);
            self.installed.remove(&index);
            outcome.changes += 1;
        }
    }

    /// Gives a group its members. Buckets stay where they are as far as shares allow; a group that
    /// needs another number of buckets gets a new range, and one store makes it the one in use.
    fn write_group(
        &mut self,
        index: u32,
        group: &Group,
        members: Vec<Member>,
        inherited: Option<Vec<u16>>,
        outcome: &mut Outcome,
    ) {
        let installed =
            Installed { members, resilient: group.resilient, blackhole: group.blackhole };
        if !self.audit && inherited.is_none() && self.installed.get(&index) == Some(&installed) {
            return;
        }
        let old = self.maps.groups.get(index).choice();
        let new = match &installed.members[..] {
            _ if group.blackhole => Choice::Blackhole,
            [] => Choice::Nothing,
            [only] if group.resilient.is_none() => Choice::Single { nexthop: only.nexthop.into() },
            members => {
                let before = inherited.unwrap_or_else(|| self.buckets(old));
                match self.spread(index, old, before, members, group.resilient, outcome) {
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
        if self.maps.groups.set(index, &groups::Group::new(new)) {
            outcome.changes += 1;
            if range(old) != range(new) {
                self.free_buckets(old);
            }
        }
    }

    fn free_buckets(&mut self, choice: Choice) {
        if let Some((chunk, count)) = range(choice) {
            self.resting.add(Freed::Buckets { chunk, chunks: count.div_ceil(CHUNK) });
        }
    }

    fn spread(
        &mut self,
        index: u32,
        old: Choice,
        before: Vec<u16>,
        members: &[Member],
        resilient: Option<Resilient>,
        outcome: &mut Outcome,
    ) -> Option<Choice> {
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
        let mut buckets = bucket::stretch(&before, count);
        for each in &mut buckets {
            *each = self.nexthops.successor((*each).into()).unwrap_or(0) as u16;
        }
        let balanced = match (resilient, stays) {
            (Some(settings), Some(chunk)) => {
                let since = self.resilient.get(&index).and_then(|timed| timed.unbalanced);
                let may_move = self.movable(chunk, count, &settings, since);
                bucket::fill(&mut buckets, members, |at| may_move[at])
            }
            // Where the kernel's group begins, nothing is in use yet.
            _ => bucket::fill(&mut buckets, members, |_| true),
        };
        if let Some(settings) = resilient {
            let since = self.resilient.get(&index).and_then(|timed| timed.unbalanced);
            let unbalanced = (!balanced).then(|| since.unwrap_or_else(Instant::now));
            self.resilient
                .insert(index, ResilientGroup { members: members.to_vec(), settings, unbalanced });
        }
        let chunk = match stays {
            Some(chunk) => chunk,
            None => match self.pool.allocate(count.div_ceil(CHUNK)) {
                Some(chunk) => {
                    if timed {
                        for at in chunk..chunk + count.div_ceil(CHUNK) {
                            self.maps.bucket_use.set(at, &ChunkUse::default());
                        }
                    }
                    chunk
                }
                None => {
                    outcome.full("buckets", (self.maps.buckets.len() * CHUNK) as usize, "");
                    return None;
                }
            },
        };
        outcome.changes += self.write_buckets(chunk, &buckets);
        Some(Choice::Spread { chunk, count, timed })
    }

    /// Number of chunks that changed.
    fn write_buckets(&self, chunk: u32, buckets: &[u16]) -> usize {
        let mut changes = 0;
        for (at, part) in (chunk..).zip(buckets.chunks(CHUNK as usize)) {
            let mut value = Chunk::default();
            value.nexthops[..part.len()].copy_from_slice(part);
            changes += usize::from(self.maps.buckets.set(at, &value));
        }
        changes
    }

    /// The buckets of a group; a single next hop is one bucket.
    fn buckets(&self, choice: Choice) -> Vec<u16> {
        match choice {
            Choice::Single { nexthop } => vec![nexthop as u16],
            Choice::Spread { chunk, count, .. } => {
                (0..count).map(|at| self.maps.bucket(chunk, at) as u16).collect()
            }
            Choice::Nothing | Choice::Blackhole => Vec::new(),
        }
    }

    /// Which buckets of a resilient group may leave a living member now: those that are idle, and
    /// all when the group has been unbalanced for too long (the kernel's
    /// `nh_res_bucket_should_migrate`).
    fn movable(
        &self,
        chunk: u32,
        count: u32,
        settings: &Resilient,
        unbalanced: Option<Instant>,
    ) -> Vec<bool> {
        let overdue = settings.unbalanced_ms > 0
            && unbalanced.is_some_and(|since| {
                since.elapsed() >= Duration::from_millis(settings.unbalanced_ms)
            });
        if overdue || settings.idle_ms == 0 {
            return vec![true; count as usize];
        }
        let idle = heartbeat::jiffies(Duration::from_millis(settings.idle_ms), self.hz);
        let value = self.maps.settings.get(0);
        let now = value.deadline.wrapping_sub(value.timeout_jiffies.into()) as u32;
        let used =
            |at: u32| self.maps.bucket_use.get(chunk + at / CHUNK).jiffies[(at % CHUNK) as usize];
        // A packet may have come after `now` was read.
        let is_idle = |used: u32| used == 0 || now.wrapping_sub(used) as i32 >= idle as i32;
        (0..count).map(|at| is_idle(used(at))).collect()
    }

    /// True if a resilient group waits for buckets to become idle.
    #[must_use]
    pub fn is_unbalanced(&self) -> bool {
        self.resilient.values().any(|timed| timed.unbalanced.is_some())
    }

    /// Moves the buckets of resilient groups that may move by now.
    ///
    /// # Errors
    /// If the kernel does not tell the time.
    pub fn rebalance(&mut self) -> Result<Outcome, ReconcileError> {
        let mut outcome = Outcome::default();
        // Jiffies as they are now.
        self.beat()?;
        let waiting = self.resilient.iter().filter(|(_, timed)| timed.unbalanced.is_some());
        let waiting: Vec<(u32, ResilientGroup)> =
            waiting.map(|(i, timed)| (*i, timed.clone())).collect();
        for (index, timed) in waiting {
            let Choice::Spread { chunk, count, .. } = self.maps.groups.get(index).choice() else {
                continue;
            };
            let may_move = self.movable(chunk, count, &timed.settings, timed.unbalanced);
            let mut buckets = self.buckets(Choice::Spread { chunk, count, timed: true });
            let balanced = bucket::fill(&mut buckets, &timed.members, |at| may_move[at]);
            outcome.changes += self.write_buckets(chunk, &buckets);
            if balanced && let Some(timed) = self.resilient.get_mut(&index) {
                timed.unbalanced = None;
            }
        }
        Ok(outcome)
    }
}

/// The range that a group's buckets stand in: first chunk and number of buckets.
const fn range(choice: Choice) -> Option<(u32, u32)> {
    match choice {
        Choice::Spread { chunk, count, .. } => Some((chunk, count)),
        _ => None,
    }
}
