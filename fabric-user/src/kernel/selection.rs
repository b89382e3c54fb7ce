//! What a group chooses, read from the maps as the packet path reads them.

use std::collections::BTreeMap;

use fabric_common::{
    bfd::Watch,
    bucket,
    schema::{
        buckets::CHUNK,
        groups::{self, Choice, Group},
    },
};

use super::{clock, maps::Maps};

/// How a flow gets the nexthop of a group that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Index of the group.
    pub group: u32,
    /// The part of the flow's hash that chooses a bucket.
    pub hash: u32,
    /// What the group does.
    pub choice: Choice,
    /// What was looked at, in this order; all but the last one was dead.
    pub looks: Vec<Look>,
    /// Index of the nexthop that the flow takes, if one lives.
    pub nexthop: Option<u32>,
}

/// A look at a member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Number of the bucket, `None` for a group without.
    pub bucket: Option<u32>,
    /// Index of the nexthop.
    pub nexthop: u32,
}

impl Maps {
    /// Number of buckets of each nexthop of a group.
    #[must_use]
    pub fn shares(&self, group: Group) -> BTreeMap<u32, u32> {
        let mut shares = BTreeMap::new();
        match group.choice() {
            Choice::Nothing | Choice::Blackhole => {}
            Choice::Single { nexthop } => {
                shares.insert(nexthop, 1);
            }
            Choice::Spread { chunk, count, .. } => {
                for at in 0..count {
                    *shares.entry(self.bucket(chunk, at)).or_insert(0) += 1;
                }
            }
        }
        shares
    }

    /// The nexthop in a bucket of the group whose buckets start at `chunk`.
    #[must_use]
    pub fn bucket(&self, chunk: u32, at: u32) -> u32 {
        let chunk = self.buckets.get(chunk + at / CHUNK);
        u32::from(chunk.nexthops[(at % CHUNK) as usize])
    }

    /// What a flow meets in a group; `hash` is [`fabric_common::flow_hash::bucket`].
    #[must_use]
    pub fn select(&self, group: u32, hash: u32) -> Selection {
        let choice = if group < self.groups.len() {
            self.groups.get(group).choice()
        } else {
            Choice::Nothing
        };
        let members: Vec<Look> = match choice {
            Choice::Nothing | Choice::Blackhole => Vec::new(),
            Choice::Single { nexthop } => vec![Look { bucket: None, nexthop }],
            Choice::Spread { chunk, count, .. } => (0..bucket::TRIES)
                .map(|tries| bucket::index(hash, tries, count))
                .map(|at| Look { bucket: Some(at), nexthop: self.bucket(chunk, at) })
                .collect(),
        };
        let mut selection = Selection { group, hash, choice, looks: Vec::new(), nexthop: None };
        for look in members {
            selection.looks.push(look);
            if self.lives(look.nexthop) {
                selection.nexthop = Some(look.nexthop);
                break;
            }
        }
        selection
    }

    /// The VTEP of a segment that a flow takes, if it has any; `hash` is [`fabric_common::flow_hash::segment`].
    #[must_use]
    pub fn select_vtep(&self, segment: u32, hash: u32) -> Option<u32> {
        let group = self.segments.get(segment).group;
        match self.groups.get(group & (groups::MAX - 1)).choice() {
            Choice::Nothing | Choice::Blackhole => None,
            Choice::Single { nexthop: vtep } => Some(vtep),
            Choice::Spread { chunk, count, .. } => {
                Some(self.bucket(chunk, bucket::index(hash, 0, count)))
            }
        }
    }

    /// Whether a nexthop can be used at this moment.
    #[must_use]
    pub fn lives(&self, nexthop: u32) -> bool {
        let is_there = nexthop < self.nexthops.len();
        let port = is_there.then(|| self.nexthops.get(nexthop).usable_port()).flatten();
        port.map(|port| self.ports.get(port))
            .is_some_and(|port| port.down == 0 && !self.is_silent(Watch(port.bfd)))
    }

    /// Whether a watched neighbour has stopped to send BFD packets.
    fn is_silent(&self, watch: Watch) -> bool {
        let hz = self.settings.get(0).hz;
        watch != Watch::default() && clock::jiffies(hz).is_some_and(|now| watch.is_silent(now, hz))
    }
}
