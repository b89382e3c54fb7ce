//! From a group and a flow to a living nexthop.

use core::hint::cold_path;

use fabric_common::{
    bfd::Watch,
    bucket,
    reason::Reason,
    schema::{
        buckets::{self, CHUNK},
        groups::Choice,
        nexthops,
    },
};

use crate::{
    ending::{OrStop, stop},
    journey::{Journey, NexthopRef, Way},
    maps,
    optional::{BFD_SILENCE, BUCKET_TIMERS},
    packet::Start,
};

/// The nexthop that a flow takes; `hash` gives [`fabric_common::flow_hash::bucket`] or its like, and is asked
/// only if there is a choice. `blackhole` is what becomes of packets to a group that discards.
///
/// A bucket whose nexthop, or whose port, is dead is passed over for others, so that a dead link is
/// one store for the daemon whatever hangs on it.
#[inline(always)]
pub fn choose(
    journey: &Journey,
    group: u32,
    blackhole: Reason,
    hash: impl FnOnce() -> u32,
) -> Result<NexthopRef, Reason> {
    let group = maps::GROUPS.get(group);
    let Some((first, count)) = group.spread() else {
        return match group.choice() {
            Choice::Single { nexthop } => {
                living(nexthop, journey).or_stop(Reason::NexthopSelectEmptyGroup)
            }
            Choice::Blackhole => Err(blackhole),
            Choice::Nothing | Choice::Spread { .. } => Err(Reason::NexthopSelectEmptyGroup),
        };
    };
    let hash = hash();
    let mut at = first.wrapping_add(bucket::index(hash, 0, count));
    let mut nexthop = of_bucket(at);
    // No loop around a call: Linux 6.1 takes it for one that never ends.
    if !lives(nexthop, journey.now) {
        cold_path();
        at = next_living_bucket(first, count, hash, journey.now);
        nexthop = of_bucket(at);
        if !lives(nexthop, journey.now) {
            return stop(Reason::NexthopSelectEmptyGroup);
        }
    }
    if BUCKET_TIMERS && group.is_timed() {
        note_use(journey.now, at);
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
        Way::Group(group) => choose(journey, group, Reason::TransitRouteBlackhole, hash),
        Way::Neighbour(index) => {
            let nexthop = living(index, journey).or_stop(Reason::TransitRouteUnresolved)?;
            note(journey, index);
            Ok(nexthop)
        }
    }
}

/// Notes that a packet is sent to a host, so that the daemon has the kernel confirm the neighbour. Once in an epoch:
/// most packets only read.
#[inline(always)]
fn note(journey: &Journey, index: u32) {
    let epoch = nexthops::epoch(journey.now);
    let nexthop = maps::NEXTHOPS.get_ptr_mut(index);
    // SAFETY: a half word, beside which the daemon may store another one; whoever stores last is right.
    unsafe {
        let used = &raw mut (*nexthop).used;
        if used.read_volatile() != epoch {
            used.write_volatile(epoch);
        }
    }
}

/// Writes both MAC addresses in two stores; the EtherType stays.
#[inline(always)]
pub fn put_macs<const N: usize>(start: &mut Start<N>, nexthop: NexthopRef) {
    let macs = nexthop.macs.as_ptr();
    // SAFETY: the bytes 0 to 7 and 8 to 11 of the 12 of both addresses.
    unsafe {
        start.put::<0, _>(macs.cast::<u64>().read_unaligned());
        start.put::<8, _>(macs.add(8).cast::<u32>().read_unaligned());
    }
}

/// Whether a nexthop can be used at this moment.
#[inline(always)]
fn lives(nexthop: NexthopRef, now: u64) -> bool {
    let Some(port) = nexthop.usable_port() else { return false };
    let port = maps::port(port);
    let bfd = if BFD_SILENCE { port.bfd } else { 0 };
    if port.down | bfd == 0 {
        return true;
    }
    cold_path();
    port.down == 0 && !Watch(bfd).is_silent(now, maps::SETTINGS.get(0).hz)
}

/// A nexthop, if it can be used at this moment.
#[inline(always)]
fn living(index: u32, journey: &Journey) -> Option<NexthopRef> {
    let nexthop = maps::NEXTHOPS.get(index);
    lives(nexthop, journey.now).then_some(nexthop)
}

/// The nexthop of a bucket, by the bucket's number among all.
#[inline(always)]
fn of_bucket(at: u32) -> NexthopRef {
    maps::NEXTHOPS.get(in_bucket(at))
}

/// What is in a bucket, by the bucket's number among all.
#[inline(always)]
pub fn in_bucket(at: u32) -> u32 {
    let buckets = maps::BUCKETS.masked(0, 0).cast::<u16>();
    // SAFETY: chunks are nothing but buckets, and the mask keeps the number among them.
    unsafe { *buckets.add((at & (buckets::MAX * CHUNK - 1)) as usize) }.into()
}

/// The first of a group's buckets after the flow's own whose nexthop lives, or else the last one looked
/// at, by its number among all.
///
/// Needed only as long as the daemon has not closed the gap of a dead nexthop. A global function, as
/// [`crate::packet::flow_options::flow_by_options`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn next_living_bucket(first: u32, count: u32, hash: u32, now: u64) -> u32 {
    const { assert!(bucket::TRIES == 8, "one line below for each but the first") };
    let place = |tries| first.wrapping_add(bucket::index(hash, tries, count));
    let lives = |tries| lives(of_bucket(place(tries)), now);
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
pub fn note_use(now: u64, at: u32) {
    let uses = maps::BUCKET_USE.masked(0, 0).cast::<u32>();
    let now = now as u32;
    // SAFETY: as in `in_bucket`; whoever stores last is right.
    unsafe {
        let used = uses.add((at & (buckets::MAX * CHUNK - 1)) as usize);
        if used.read_volatile() != now {
            used.write_volatile(now);
        }
    }
}
