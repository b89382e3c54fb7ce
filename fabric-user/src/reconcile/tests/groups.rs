//! Groups and next hops: which flows move, what becomes of buckets, what happens where nothing fits.

use fabric_common::schema::{
    buckets::{self, CHUNK},
    groups::Choice,
    nexthops::FLAG_DOWN,
    routes::{KIND_GROUP, target},
};

use super::*;
use crate::observe::Resilient;

/// How many buckets each next hop has.
fn shares(buckets: &[u8]) -> Vec<(u8, usize)> {
    let mut hops = buckets.to_vec();
    hops.sort_unstable();
    hops.chunk_by(PartialEq::eq).map(|run| (run[0], run.len())).collect()
}

#[test]
fn a_member_that_leaves_gives_up_its_own_buckets_and_no_other_flow_moves() {
    let mut bench = Bench::new();
    let mut wanted = network();
    wanted.spread(20, &[1, 2, 4]);
    bench.apply(&wanted);
    let before = bench.buckets(20);
    wanted.spread(20, &[1, 4]);
    bench.apply(&wanted);
    let after = bench.buckets(20);
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after || *before == 2, "{before} has become {after}");
    }
    assert_eq!(shares(&after).iter().map(|(hop, _)| *hop).collect::<Vec<_>>(), [1, 4]);
    // It is what a restarted daemon finds and keeps.
    let mut next = bench.restart();
    next.apply(&wanted);
    assert_eq!(next.buckets(20), after);
}

#[test]
fn a_group_that_needs_more_buckets_gets_another_range_and_the_old_one_rests_as_it_was() {
    let mut bench = Bench::filled();
    let of = |bench: &Bench| match bench.maps().groups.get(bench.group(20)).choice() {
        Choice::Spread { chunk, count, .. } => (chunk, count),
        choice => panic!("{choice:?}"),
    };
    let (chunk, count) = of(&bench);
    let before = bench.maps().buckets.get(chunk);
    let mut wanted = network();
    let group = wanted.spread(20, &[1, 2, 4, 5, 6, 7]);
    group.members[0].1 = 100;
    bench.apply(&wanted);
    let (other, more) = of(&bench);
    assert!(more > count && other != chunk);
    assert_eq!(bench.maps().buckets.get(chunk), before);
    bench.rest();
    let mut third = wanted.clone();
    third.spread(21, &[1, 2]);
    bench.apply(&third);
    let Choice::Spread { chunk: given, .. } = bench.maps().groups.get(bench.group(21)).choice()
    else {
        panic!("it has two members");
    };
    assert_eq!(given, chunk, "it is given out again when it has rested");
}

#[test]
fn a_group_that_all_users_leave_for_a_new_one_is_given_to_that_with_its_buckets() {
    let mut bench = Bench::filled();
    let (index, before) = (bench.group(20), bench.buckets(20));
    let mut wanted = network();
    wanted.structure.groups.clear();
    wanted.spread(30, &[2, 1]);
    *wanted.structure.vteps.get_mut(&vtep()).unwrap() = Some(GroupKey::Object(30));
    let outcome = bench.apply(&wanted);
    assert_eq!((bench.group(30), bench.buckets(30)), (index, before));
    assert_eq!(outcome.changes, 0, "not even the VTEP is written");
}

#[test]
fn a_new_group_that_takes_some_users_begins_with_a_copy_of_the_buckets_they_had() {
    let mut bench = Bench::new();
    let mut wanted = network();
    let other = VtepKey { remote: ip("2001:db8:ff::3"), ..vtep() };
    wanted.structure.vteps.insert(other, Some(GroupKey::Object(20)));
    wanted.spread(20, &[1, 2, 4]);
    bench.apply(&wanted);
    wanted.spread(20, &[1, 2]);
    bench.apply(&wanted);
    let before = bench.buckets(20);
    wanted.spread(31, &[1, 2]);
    wanted.structure.vteps.insert(other, Some(GroupKey::Object(31)));
    bench.apply(&wanted);
    assert_ne!(bench.group(31), bench.group(20));
    assert_eq!([bench.buckets(31), bench.buckets(20)], [before.clone(), before]);
}

#[test]
fn routes_decide_as_well_whose_place_a_new_group_takes() {
    let mut bench = Bench::new();
    let mut wanted = network();
    let prefix = |net: u8| Prefix { address: ip(&format!("2001:db8:{net:x}::")), length: 48 };
    let place = |net| RoutePlace { view: 0, prefix: prefix(net) };
    wanted.spread(40, &[1, 2, 4]);
    wanted.routes = (0..5).map(|net| (place(net), Way::Group(GroupKey::Object(40)))).collect();
    bench.apply(&wanted);
    let (index, before) = (bench.group(40), bench.buckets(40));
    wanted.structure.groups.remove(&GroupKey::Object(40));
    wanted.spread(41, &[1, 2, 4]);
    wanted.routes.values_mut().for_each(|way| *way = Way::Group(GroupKey::Object(41)));
    bench.apply(&wanted);
    assert_eq!((bench.group(41), bench.buckets(41)), (index, before));
    let found = bench.reconciler.routing.present(bench.maps(), &place(3));
    assert_eq!(found, Some(target(KIND_GROUP, index)));
}

/// A group of the kernel whose buckets wait until they are idle for a second.
fn resilient(wanted: &mut Wanted, members: &[u8], unbalanced_ms: u64) {
    let settings = Resilient { buckets: 64, idle_ms: 1_000, unbalanced_ms };
    wanted.spread(20, members).resilient = Some(settings);
}

#[test]
fn a_resilient_group_moves_no_bucket_that_is_in_use_and_the_others_when_they_are_idle() {
    let mut bench = Bench::new();
    let mut wanted = network();
    resilient(&mut wanted, &[1, 2], 0);
    bench.apply(&wanted);
    assert_eq!(shares(&bench.buckets(20)), [(1, 32), (2, 32)]);
    let Choice::Spread { chunk, count: 64, timed: true } =
        bench.maps().groups.get(bench.group(20)).choice()
    else {
        panic!("it has 64 buckets")
    };
    // All were used just now.
    let now = 1_000_000;
    let timeout = bench.maps().settings.get(0).timeout_jiffies;
    let beat = |bench: &Bench, jiffies: u64| {
        bench.maps().settings.update(0, |s| s.deadline = jiffies + u64::from(timeout));
    };
    beat(&bench, now);
    let used = |bench: &Bench, at: u32| {
        let use_now = |chunk: &mut fabric_common::schema::bucket_use::ChunkUse| {
            chunk.jiffies[(at % CHUNK) as usize] = now as u32;
        };
        bench.maps().bucket_use.update(chunk + at / CHUNK, use_now);
    };
    (0..64).for_each(|at| used(&bench, at));
    resilient(&mut wanted, &[1, 2, 4], 0);
    bench.apply(&wanted);
    assert_eq!(shares(&bench.buckets(20)), [(1, 32), (2, 32)]);
    assert!(bench.reconciler.is_unbalanced());
    // A second later but for one that is still used.
    beat(&bench, now + u64::from(HZ));
    let first = bench.buckets(20)[0];
    bench.maps().bucket_use.update(chunk, |chunk| chunk.jiffies[0] = now as u32 + HZ);
    assert!(bench.reconciler.rebalance().unwrap() > 0);
    assert!(!bench.reconciler.is_unbalanced());
    let after = bench.buckets(20);
    assert_eq!((after[0], shares(&after).len()), (first, 3));
    // A member that goes gives up its buckets whether they are in use or not.
    resilient(&mut wanted, &[1, 4], 0);
    bench.apply(&wanted);
    assert_eq!(shares(&bench.buckets(20)), [(1, 32), (4, 32)]);
}

#[test]
fn a_group_whose_buckets_find_no_room_is_the_kernels_as_a_whole_and_tried_again() {
    let mut bench = Bench::filled();
    bench.reconciler.groups.occupy(buckets::MAX);
    let mut wanted = network();
    wanted.spread(21, &[1, 2]);
    let outcome = bench.change(&wanted);
    assert!(
        outcome.full.iter().any(|text| text.contains("the map buckets is full")),
        "{outcome:?}"
    );
    assert!(bench.buckets(21).is_empty());
    assert!(!bench.buckets(20).is_empty(), "the others stay");
    // Room comes with another group's.
    wanted.structure.groups.remove(&GroupKey::Object(20));
    wanted.structure.vteps.insert(vtep(), None);
    bench.change(&wanted);
    bench.rest();
    assert!(bench.change(&wanted).full.is_empty());
    assert_eq!(shares(&bench.buckets(21)).len(), 2);
}

#[test]
fn a_group_of_which_a_member_is_on_no_port_is_the_kernels_as_a_whole() {
    let mut bench = Bench::new();
    let mut wanted = network();
    let elsewhere = NexthopKey { ifindex: 99, ..hop(2) };
    wanted.structure.nexthops.insert(elsewhere, nexthop(2));
    wanted.spread(20, &[1]).members.push((elsewhere, 1));
    let outcome = bench.apply(&wanted);
    assert!(outcome.full.iter().any(|text| text.contains("as a whole")), "{outcome:?}");
    assert!(bench.buckets(20).is_empty());
}

#[test]
fn a_neighbour_that_does_not_answer_is_one_store_and_another_mac_address_another_entry() {
    let mut bench = Bench::filled();
    let find = |bench: &Bench, number: u8| {
        let hops = bench.maps().nexthops.iter().filter(|(_, hop)| hop.port != 0);
        let found: Vec<_> = hops.filter(|(_, hop)| hop.macs[5] == number).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0]
    };
    let (index, known) = find(&bench, 2);
    let mut wanted = network();
    wanted.structure.nexthops.get_mut(&hop(2)).unwrap().destination = None;
    let before = bench.reconciler.writes();
    bench.change(&wanted);
    assert_eq!(bench.reconciler.writes() - before, 1);
    let (same, down) = find(&bench, 2);
    assert_eq!((same, down.flags, down.macs), (index, FLAG_DOWN, known.macs));
    bench.change(&network());
    assert_eq!(find(&bench, 2), (index, known));

    let other = Some(Mac([2, 0, 0, 0, 1, 77]));
    wanted.structure.nexthops.get_mut(&hop(2)).unwrap().destination = other;
    bench.change(&wanted);
    let (new, _) = find(&bench, 77);
    assert_ne!(new, index);
    assert_eq!(find(&bench, 2), (index, known), "packets may be on their way to it");
    assert!(!bench.buckets(20).contains(&2));
    bench.rest();
    assert_eq!(bench.maps().nexthops.get(index), Default::default());
}

#[test]
fn a_group_of_one_member_needs_no_buckets_and_one_that_discards_no_members() {
    let mut bench = Bench::filled();
    let choice = |bench: &Bench| bench.maps().groups.get(bench.group(20)).choice();
    let mut wanted = network();
    wanted.spread(20, &[2]);
    bench.change(&wanted);
    assert!(matches!(choice(&bench), Choice::Single { .. }));
    assert_eq!(bench.buckets(20), [2]);
    *wanted.spread(20, &[]) = Group { blackhole: true, ..Group::default() };
    bench.change(&wanted);
    assert_eq!(choice(&bench), Choice::Blackhole);
    wanted.spread(20, &[]);
    bench.change(&wanted);
    assert_eq!(choice(&bench), Choice::Nothing);
}
