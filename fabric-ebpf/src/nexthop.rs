//! From a group and a flow to a living nexthop.

use fabric_common::{
    bfd::Watch,
    bucket,
    reason::Reason,
    schema::{buckets::CHUNK, groups::Choice, nexthops::FLAG_DOWN},
};

use crate::{
    journey::{Journey, NexthopRef, Way},
    maps,
    optional::OPTIONAL,
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
    let group = maps::GROUPS.get(group);
    let Some((chunk, count)) = group.spread() else {
        return match group.choice() {
            Choice::Single { nexthop } => {
                living(nexthop, journey).ok_or(Reason::NexthopSelectEmptyGroup)
            }
            Choice::Blackhole => Err(Reason::TransitRouteBlackhole),
            Choice::Nothing | Choice::Spread { .. } => Err(Reason::NexthopSelectEmptyGroup),
        };
    };
    let hash = hash();
    let mut at = bucket::index(hash, 0, count);
    let mut nexthop = of_bucket(chunk, at);
    // No loop around a call: Linux 6.1 takes it for one that never ends.
    if !lives(nexthop, journey.now) {
        at = walk(chunk, count, hash, journey.now);
        nexthop = of_bucket(chunk, at);
        if !lives(nexthop, journey.now) {
            return Err(Reason::NexthopSelectEmptyGroup);
        }
    }
    if OPTIONAL && group.is_timed() {
        note_use(journey, chunk, at);
    }
    Ok(nexthop)
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
        Way::Neighbour(nexthop) => living(nexthop, journey).ok_or(Reason::TransitRouteUnresolved),
    }
}

/// Whether a nexthop can be used at this moment.
#[inline(always)]
fn lives(nexthop: NexthopRef, now: u64) -> bool {
    let port = maps::PORTS.get(nexthop.port.into());
    nexthop.port != 0
        && nexthop.flags & FLAG_DOWN == 0
        && port.down == 0
        && (!OPTIONAL || port.bfd == 0 || !Watch(port.bfd).is_silent(now, maps::SETTINGS.get(0).hz))
}

/// A nexthop, if it can be used at this moment.
#[inline(always)]
fn living(index: u32, journey: &Journey) -> Option<NexthopRef> {
    let nexthop = maps::NEXTHOPS.get(index);
    lives(nexthop, journey.now).then_some(nexthop)
}

/// The nexthop of a bucket.
#[inline(always)]
fn of_bucket(chunk: u32, at: u32) -> NexthopRef {
    let chunk = maps::BUCKETS.get(chunk + at / CHUNK);
    maps::NEXTHOPS.get(chunk.nexthops[(at % CHUNK) as usize].into())
}

/// The first bucket after the flow's own whose nexthop lives, or else the last one looked at.
///
/// A subprogram: it is needed only as long as the daemon has not closed the gap of a dead nexthop.
#[inline(never)]
fn walk(chunk: u32, count: u32, hash: u32, now: u64) -> u32 {
    const { assert!(bucket::TRIES == 8, "one line below for each but the first") };
    let place = |tries| bucket::index(hash, tries, count);
    let lives = |tries| lives(of_bucket(chunk, place(tries)), now);
    // Spelt out: Linux 6.1 refuses a loop whose end falls through to its head, and the compiler
    // arranges this one so.
    let tries = if lives(1) {
        1
    } else if lives(2) {
        2
    } else if lives(3) {
        3
    } else if lives(4) {
        4
    } else if lives(5) {
        5
    } else if lives(6) {
        6
    } else {
        7
    };
    place(tries)
}

/// Once per jiffy and bucket: most packets only read.
#[inline(always)]
fn note_use(journey: &Journey, chunk: u32, at: u32) {
    let chunk = maps::BUCKET_USE.get_ptr_mut(chunk + at / CHUNK);
    let now = journey.now as u32;
    // SAFETY: a field of the entry; whoever stores last is right.
    unsafe {
        let used = &raw mut (*chunk).jiffies[(at % CHUNK) as usize];
        if used.read_volatile() != now {
            used.write_volatile(now);
        }
    }
}
