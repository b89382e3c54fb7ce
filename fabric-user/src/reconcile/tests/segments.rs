//! Ethernet segments: what a change of one costs, and which flows move.

use fabric_common::schema::{
    fdb::{KIND_SEGMENT, key, mac_number, split_target},
    groups::Choice,
};

use super::*;
use crate::{
    model::{Segment, SegmentKey},
    observe::Resilient,
};

const SEGMENT: u32 = 0x2000_0001;

fn segment() -> SegmentKey {
    SegmentKey { local: vtep().local, group: SEGMENT }
}

fn end(number: u8) -> VtepKey {
    VtepKey { remote: ip(&format!("2001:db8:ff::{number:x}")), ..vtep() }
}

/// The network with hosts 10 to 209 behind a segment of these VTEPs.
fn multihomed(members: &[(u8, u16)]) -> Wanted {
    let mut wanted = network();
    for number in 3..6 {
        wanted.structure.vteps.insert(end(number), Some(GroupKey::Object(20)));
    }
    let members = members.iter().map(|(number, weight)| (end(*number), *weight)).collect();
    wanted.structure.segments.insert(segment(), Segment { members, resilient: None });
    wanted.macs.extend((10..210).map(|number| (mac(number), Target::Segment(segment()))));
    wanted
}

fn bench() -> Bench {
    Bench::with(&Settings { fdb_entries: 512, ..settings() })
}

fn index(bench: &Bench) -> u32 {
    bench.reconciler.segments.get(&segment()).expect("there is the segment")
}

fn choice(bench: &Bench) -> Choice {
    let maps = bench.maps();
    maps.groups.get(maps.segments.get(index(bench)).group).choice()
}

/// The VTEP of each bucket, by the last byte of its address.
fn buckets(bench: &Bench) -> Vec<u8> {
    let maps = bench.maps();
    let last = |vtep| match maps.vteps.get(vtep).remote() {
        IpAddr::V6(address) => address.octets()[15],
        IpAddr::V4(_) => 0,
    };
    match choice(bench) {
        Choice::Nothing | Choice::Blackhole => Vec::new(),
        Choice::Single { nexthop } => vec![last(nexthop)],
        Choice::Spread { chunk, count, .. } => {
            (0..count).map(|at| last(maps.bucket(chunk, at))).collect()
        }
    }
}

fn share(buckets: &[u8], number: u8) -> usize {
    buckets.iter().filter(|bucket| **bucket == number).count()
}

#[test]
fn stations_lead_to_the_segment_and_its_buckets_to_vteps_by_weight() {
    let mut bench = bench();
    bench.apply(&multihomed(&[(3, 1), (4, 3)]));
    let maps = bench.maps();
    let domain = bench.reconciler.domains.get(&DOMAIN).unwrap() as u16;
    let target = maps.fdb_table().get(key(domain, mac_number(mac(10).mac.0))).unwrap();
    assert_eq!(split_target(target), (KIND_SEGMENT, index(&bench)));
    let buckets = buckets(&bench);
    assert_eq!(share(&buckets, 3) * 4, buckets.len());
    assert_eq!(share(&buckets, 4) * 4, 3 * buckets.len());
}

#[test]
fn a_vtep_that_goes_is_one_store_if_another_one_stays_and_moves_its_own_flows_alone() {
    let mut bench = bench();
    bench.apply(&multihomed(&[(3, 1), (4, 1)]));
    bench.rest();
    bench.change(&multihomed(&[(3, 1), (4, 1)]));
    let before = bench.reconciler.writes();
    bench.change(&multihomed(&[(4, 1)]));
    assert_eq!(buckets(&bench), [4]);
    assert_eq!(bench.reconciler.writes() - before, 1, "200 stations are behind it");

    bench.apply(&multihomed(&[(3, 1), (4, 1), (5, 1)]));
    bench.rest();
    let (before, stores) = (buckets(&bench), bench.reconciler.writes());
    bench.change(&multihomed(&[(3, 1), (5, 1)]));
    let after = buckets(&bench);
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after || *before == 4, "{before} has become {after}");
    }
    assert_eq!(share(&after, 4), 0);
    let words = after.len() as u64 * 2 / 8;
    assert!(bench.reconciler.writes() - stores <= words, "no station is written");
}

#[test]
fn a_restarted_daemon_finds_the_segment_with_its_buckets() {
    let mut bench = bench();
    bench.apply(&multihomed(&[(3, 1), (4, 1), (5, 1)]));
    let wanted = multihomed(&[(3, 1), (5, 1)]);
    bench.apply(&wanted);
    let (before, at) = (buckets(&bench), index(&bench));
    let mut next = bench.restart();
    next.apply(&wanted);
    assert_eq!((buckets(&next), index(&next)), (before, at));
}

#[test]
fn a_segment_without_members_leads_nowhere_and_one_that_goes_rests_before_it_is_emptied() {
    let mut bench = bench();
    bench.apply(&multihomed(&[(3, 1), (4, 1)]));
    let at = index(&bench);
    let group = bench.maps().segments.get(at).group;
    bench.apply(&multihomed(&[]));
    assert_eq!((index(&bench), choice(&bench)), (at, Choice::Nothing));
    bench.apply(&multihomed(&[(3, 1), (4, 1)]));
    bench.apply(&network());
    assert_eq!(bench.maps().segments.get(at).id, SEGMENT, "a packet may be on its way");
    assert_eq!(bench.maps().groups.get(group).choice(), Choice::Nothing);
    bench.rest();
    assert_eq!(bench.maps().segments.get(at).id, 0);
}

#[test]
fn buckets_of_a_resilient_segment_stay_while_they_are_in_use() {
    let mut bench = bench();
    let resilient = Some(Resilient { buckets: 16, idle_ms: 60_000, unbalanced_ms: 0 });
    let of = |members: &[(u8, u16)]| {
        let mut wanted = multihomed(members);
        wanted.structure.segments.get_mut(&segment()).unwrap().resilient = resilient;
        wanted
    };
    bench.apply(&of(&[(3, 1), (4, 1)]));
    let Choice::Spread { chunk, count: 16, timed: true } = choice(&bench) else {
        panic!("{:?}", choice(&bench));
    };
    bench.maps().bucket_use.update(chunk, |used| used.jiffies = [u32::MAX; 32]);
    let before = buckets(&bench);
    bench.apply(&of(&[(3, 1), (4, 1), (5, 1)]));
    assert_eq!(buckets(&bench), before, "all of them are busy");
    assert!(bench.reconciler.is_unbalanced());
    bench.apply(&of(&[(3, 1), (5, 1)]));
    let after = buckets(&bench);
    assert_eq!((share(&after, 3), share(&after, 4)), (8, 0), "what its VTEP leaves moves at once");
}
