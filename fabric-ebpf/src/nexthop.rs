//! From a group and a flow to a living nexthop.

use fabric_common::{
    bucket,
    reason::Reason,
    schema::{
        buckets::CHUNK,
        groups::Choice,
        nexthops::{FLAG_DOWN, Nexthop},
    },
};

use crate::{
    journey::{Journey, NexthopRef},
    maps,
};

/// The nexthop that a flow takes; `hash` is [`fabric_common::flow_hash::bucket`].
///
/// A bucket whose nexthop, or whose port, is dead is passed over for others, so that a dead link is
/// one store for the daemon whatever hangs on it.
#[inline(always)]
pub fn choose(journey: &Journey, group: u32, hash: u32) -> Result<NexthopRef, Reason> {
    let group = maps::GROUPS.get(group).ok_or(Reason::NexthopSelectEmptyGroup)?;
    match group.choice() {
        Choice::Single { nexthop } => living(nexthop).ok_or(Reason::NexthopSelectEmptyGroup),
        Choice::Spread { chunk, count, timed } => {
            for tries in 0..bucket::TRIES {
                let at = bucket::index(hash, tries, count);
                let Some(nexthop) = bucket_nexthop(chunk, at).and_then(living) else { continue };
                if timed {
                    note_use(journey, chunk, at);
                }
                return Ok(nexthop);
            }
            Err(Reason::NexthopSelectEmptyGroup)
        }
        Choice::Nothing | Choice::Blackhole => Err(Reason::NexthopSelectEmptyGroup),
    }
}

/// A nexthop that can be used at this moment.
#[inline(always)]
pub fn living(index: u32) -> Option<&'static Nexthop> {
    let nexthop = maps::NEXTHOPS.get(index)?;
    let port = maps::PORTS.get(u32::from(nexthop.port))?;
    (nexthop.port != 0 && nexthop.flags & FLAG_DOWN == 0 && port.down == 0).then_some(nexthop)
}

#[inline(always)]
fn bucket_nexthop(chunk: u32, at: u32) -> Option<u32> {
    let chunk = maps::BUCKETS.get(chunk + at / CHUNK)?;
    Some(u32::from(chunk.nexthops[(at % CHUNK) as usize]))
}

/// Once per jiffy and bucket: most packets only read.
#[inline(always)]
fn note_use(journey: &Journey, chunk: u32, at: u32) {
    if let Some(chunk) = maps::BUCKET_USE.get_ptr_mut(chunk + at / CHUNK) {
        let now = journey.now as u32;
        // SAFETY: a field of the entry that was just looked up; whoever stores last is right.
        unsafe {
            let used = &raw mut (*chunk).jiffies[(at % CHUNK) as usize];
            if used.read_volatile() != now {
                used.write_volatile(now);
            }
        }
    }
}
