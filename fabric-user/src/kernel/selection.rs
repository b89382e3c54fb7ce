//! What a group chooses, read from the maps as the packet path reads them.

use std::collections::BTreeMap;

use fabric_common::{
    bucket,
    schema::{
        buckets::CHUNK,
        groups::{Choice, Group},
    },
};

use super::maps::Maps;

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

    /// The nexthop that a flow takes, if one lives; `hash` is [`fabric_common::flow_hash::bucket`].
    #[must_use]
    pub fn choose(&self, group: Group, hash: u32) -> Option<u32> {
        match group.choice() {
            Choice::Nothing | Choice::Blackhole => None,
            Choice::Single { nexthop } => Some(nexthop).filter(|nexthop| self.lives(*nexthop)),
            Choice::Spread { chunk, count, .. } => (0..bucket::TRIES)
                .map(|tries| self.bucket(chunk, bucket::index(hash, tries, count)))
                .find(|nexthop| self.lives(*nexthop)),
        }
    }

    /// Whether a nexthop and its port can be used at this moment.
    #[must_use]
    pub fn lives(&self, nexthop: u32) -> bool {
        let port = self.nexthops.get(nexthop).usable_port();
        port.is_some_and(|port| self.ports.get(port).down == 0)
    }
}
