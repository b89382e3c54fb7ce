//! Which nexthop, and which source port, the compiled program gives to each flow.

use fabric_common::bucket;

use crate::{
    leaf::Leaf,
    run::action,
    world::{NexthopId, Port},
};

/// A leaf whose group towards the other leaf can have any members.
pub struct Paths<'a> {
    leaf: &'a mut Leaf,
    from: Port,
    first: u16,
}

/// What a flow got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Number of the nexthop, from 0.
    pub nexthop: u16,
    /// Outer UDP source port, host order.
    pub source_port: u16,
}

/// As many nexthops as a group can have buckets, so that a bucket can be a nexthop of its own.
const NEXTHOPS: u16 = bucket::MAX as u16;

impl<'a> Paths<'a> {
    /// Adds the nexthops.
    pub fn new(leaf: &'a mut Leaf) -> Self {
        let (from, up0) = (leaf.a.clone(), leaf.up0.clone());
        let macs =
            (0..NEXTHOPS).map(u16::to_be_bytes).map(|[high, low]| [2, 0, 0x0e, high, low, 0]);
        let NexthopId(first) = leaf.world.nexthops(&up0, macs, 1600);
        Self { leaf, from, first }
    }

    /// Gives the group these buckets of nexthop numbers.
    pub fn set(&mut self, buckets: &[u16]) {
        let indexes: Vec<u16> = buckets.iter().map(|number| self.first + number).collect();
        let group = self.leaf.world.group_of(self.leaf.leaf2);
        self.leaf.world.set_buckets(group, &indexes);
    }

    /// Sets the seed of the flow hash.
    pub fn seed(&mut self, seed: u32) {
        self.leaf.world.change_settings(|settings| settings.seed = seed);
    }

    /// Sends the first frame of each flow and reads what it looks like outside.
    pub fn take(&mut self, frames: &[Vec<u8>]) -> Vec<Taken> {
        let mut one = |frame: &Vec<u8>| {
            let run = self.leaf.world.run(&self.from, frame, 0).expect("the program runs");
            assert_eq!(run.action, action::REDIRECT, "a frame was not encapsulated");
            let outer = &run.bytes;
            Taken {
                nexthop: u16::from_be_bytes([outer[3], outer[4]]),
                source_port: u16::from_be_bytes([outer[34], outer[35]]),
            }
        };
        frames.iter().map(&mut one).collect()
    }

    /// The bucket of each flow in a group of [`bucket::MAX`] buckets, told by the program itself:
    /// each bucket has a nexthop of its own. In a group of fewer buckets, a power of two of them,
    /// the flow's bucket is in proportion.
    pub fn take_buckets(&mut self, frames: &[Vec<u8>]) -> Vec<Taken> {
        let all: Vec<u16> = (0..NEXTHOPS).collect();
        self.set(&all);
        self.take(frames)
    }
}
