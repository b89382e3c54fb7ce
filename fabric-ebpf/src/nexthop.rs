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
    journey::{Journey, NexthopRef, Way},
    maps,
};

/// The nexthop that a flow takes; `hash` gives [`fabric_common::flow_hash::bucket`], and is asked
/// only if there is a choice.
///
/// A bucket whose nexthop, or whose port, is dead is passed over for others, so that a dead link is
/// one store for the daemon whatever hangs on it.
#[inline(always)]
pub fn choose(
    journey: &Journey,
    group: u32,
    hash: impl FnOnce() -> u32,
) -> Result<NexthopRef, Reason> {
    let group = maps::GROUPS.get(group).ok_or(Reason::NexthopSelectEmptyGroup)?;
    match group.choice() {
        Choice::Single { nexthop } => living(nexthop).ok_or(Reason::NexthopSelectEmptyGroup),
        Choice::Spread { chunk, count, timed } => {
            let hash = hash();
            let mut at = bucket::index(hash, 0, count);
            // The second time around only if the flow's own bucket is dead.
            for walked in [false, true] {
                if let Some(nexthop) = in_bucket(chunk, at) {
                    if timed {
                        note_use(journey, chunk, at);
                    }
                    return Ok(nexthop);
                }
                if !walked {
                    at = walk(chunk, count, hash);
                }
            }
            Err(Reason::NexthopSelectEmptyGroup)
        }
        Choice::Nothing => Err(Reason::NexthopSelectEmptyGroup),
        Choice::Blackhole => Err(Reason::TransitRouteBlackhole),
    }
}

/// The nexthop of a packet whose route leads this way; `hash` as in [`choose`].
#[inline(always)]
pub fn follow(
    journey: &Journey,
    way: Way,
    hash: impl FnOnce() -> u32,
) -> Result<NexthopRef, Reason> {
    match way {
        Way::Group(group) => choose(journey, group, hash),
        Way::Neighbour(nexthop) => living(nexthop).ok_or(Reason::TransitRouteUnresolved),
    }
}

/// A nexthop that can be used at this moment.
#[inline(always)]
pub fn living(index: u32) -> Option<NexthopRef> {
    let nexthop = maps::NEXTHOPS.get(index)?;
    let port = maps::PORTS.get(u32::from(nexthop.port))?;
    (nexthop.port != 0 && nexthop.flags & FLAG_DOWN == 0 && port.down == 0).then_some(nexthop)
}

/// The nexthop of a bucket, if it lives.
#[inline(always)]
fn in_bucket(chunk: u32, at: u32) -> Option<&'static Nexthop> {
    let chunk = maps::BUCKETS.get(chunk + at / CHUNK)?;
    living(u32::from(chunk.nexthops[(at % CHUNK) as usize]))
}

/// The first bucket after the flow's own whose nexthop lives, or else the last one looked at.
///
/// A subprogram: it is needed only as long as the daemon has not closed the gap of a dead nexthop.
#[inline(never)]
fn walk(chunk: u32, count: u32, hash: u32) -> u32 {
    let mut at = 0;
    for tries in 1..bucket::TRIES {
        at = bucket::index(hash, tries, count);
        if in_bucket(chunk, at).is_some() {
            break;
        }
    }
    at
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
