//! Which nexthop of a group a packet on its way through takes, and what happens when one is dead.

use std::collections::BTreeMap;

use fabric_common::{
    flow_hash,
    reason::Reason,
    schema::{
        buckets::CHUNK,
        groups::{Choice, Group},
        nexthops::FLAG_DOWN,
    },
};
use fabric_tests::{
    model,
    packet::Frame,
    router::{CLIENT, Router, router, server},
    world::NexthopId,
};
use fabric_user::observe::Resilient;

/// Frames of many flows to the group of both.
fn flows() -> Vec<Frame> {
    let to = server(server::BOTH);
    (0..64)
        .flat_map(|i| [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)].map(|f| (i, f)))
        .map(|(i, frame)| frame.ports([40_000 + i, 53]))
        .collect()
}

/// Where each flow goes now, as packets show it.
fn ways(router: &mut Router) -> Vec<Option<NexthopId>> {
    let mut ways = Vec::new();
    for frame in flows() {
        let frame = frame.bytes();
        let outcome = router.world.send(&router.in0, &frame);
        let macs = outcome.run.bytes[..12].to_vec();
        let nexthops = [router.west, router.east, router.back];
        let taken = nexthops.into_iter().find(|n| router.behind(*n).1.concat() == macs);
        match taken {
            Some(nexthop) => {
                let (port, _) = router.behind(nexthop);
                let bytes = outcome.run.bytes.clone();
                outcome.is_routed(&port, &bytes);
            }
            None => outcome.passes(Reason::NexthopSelectEmptyGroup),
        }
        ways.push(taken);
    }
    ways
}

fn set_port_down(router: &Router, nexthop: NexthopId, down: bool) {
    let (port, _) = router.behind(nexthop);
    router.world.maps.ports.update(port.slot, |entry| entry.down = u64::from(down));
}

fn set_neighbour_down(router: &Router, nexthop: NexthopId, down: bool) {
    router.world.maps.nexthops.update(nexthop.0.into(), |entry| {
        entry.flags = if down { FLAG_DOWN } else { 0 };
    });
}

#[test]
fn flows_take_the_bucket_of_their_hash() {
    router(|router| {
        let mut taken = BTreeMap::<_, u32>::new();
        for frame in flows() {
            let nexthop = router.choice(&frame.bytes());
            router.routes(&frame, nexthop, 64);
            *taken.entry(nexthop.0).or_default() += 1;
        }
        assert!(taken.len() == 2 && taken.values().all(|n| *n > 32), "{taken:?}");
    });
}

/// One store for the daemon; the flows of the others stay where they are.
#[test]
fn a_dead_port_or_neighbour_moves_its_own_flows_only() {
    router(|router| {
        let before = ways(router);
        for set in [set_port_down, set_neighbour_down] {
            for (dead, alive) in [(router.west, router.east), (router.east, router.west)] {
                set(router, dead, true);
                for ((way, frame), before) in ways(router).iter().zip(flows()).zip(&before) {
                    assert_eq!(*way, Some(alive));
                    assert_eq!(*way, Some(router.choice(&frame.bytes())));
                    assert!(*before == *way || *before == Some(dead));
                }
                set(router, dead, false);
                assert_eq!(ways(router), before, "whoever comes back has its flows again");
            }
        }
    });
}

#[test]
fn with_three_members_the_flows_of_a_dead_one_are_shared_by_both_others() {
    router(|router| {
        // Behind the client's port, from where nothing may go back: one more port.
        let third = router.world.nexthop(&router.out1.clone(), [2, 0, 0, 0, 3, 3], 1_400);
        let all = [router.west, router.east, third].map(|nexthop| (nexthop, 1));
        router.world.change_group(router.both, &all, None);
        let count = |router: &mut Router| {
            let mut macs = Vec::new();
            for frame in flows() {
                let run = router.world.run(&router.in0, &frame.bytes(), 0).expect("it runs");
                macs.push(run.bytes[..6].to_vec());
            }
            macs
        };
        let before = count(router);
        set_neighbour_down(router, router.west, true);
        let after = count(router);
        let (_, [west, _]) = router.behind(router.west);
        let mut fled = BTreeMap::<_, u32>::new();
        for (before, after) in before.iter().zip(&after) {
            assert_ne!(*after, west.to_vec());
            if *before == west.to_vec() {
                *fled.entry(after).or_default() += 1;
            } else {
                assert_eq!(before, after, "a flow of a living nexthop moved");
            }
        }
        assert!(fled.len() == 2 && fled.values().all(|n| *n > 10), "{fled:?}");
    });
}

#[test]
pub(crate) fn when_all_are_dead_the_kernel_gets_the_packet() {
    router(|router| {
        set_neighbour_down(router, router.west, true);
        set_port_down(router, router.east, true);
        assert!(ways(router).iter().all(Option::is_none));
        set_port_down(router, router.east, false);
        assert!(ways(router).iter().all(|way| *way == Some(router.east)));
        // A group without a choice has no others to turn to.
        let to = server(server::WEST);
        for frame in [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)] {
            router.passes(&frame.bytes(), Reason::NexthopSelectEmptyGroup);
        }
    });
}

#[test]
fn a_neighbour_that_has_failed_is_left_to_the_kernel() {
    router(|router| {
        let to = server(server::NEIGHBOUR);
        for set in [set_port_down, set_neighbour_down] {
            set(router, router.east, true);
            for frame in [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)] {
                router.passes(&frame.bytes(), Reason::TransitRouteUnresolved);
            }
            set(router, router.east, false);
            for frame in [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)] {
                router.routes(&frame, router.east, 64);
            }
        }
    });
}

#[test]
fn groups_without_nexthops_are_left_to_the_kernel() {
    router(|router| {
        let to = server(server::EMPTY_GROUP);
        for frame in [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)] {
            router.passes(&frame.bytes(), Reason::NexthopSelectEmptyGroup);
        }
        // Buckets that are empty, also when the number, which no daemon would write, has bits that the
        // map has no room for.
        let to = server(server::BOTH);
        for chunk in [60_000, 60_000 | 1 << 31] {
            let choice = Choice::Spread { chunk, count: 256, timed: true };
            router.world.maps.groups.set(router.both, &Group::new(choice));
            for frame in [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)] {
                router.passes(&frame.bytes(), Reason::NexthopSelectEmptyGroup);
            }
        }
    });
}

/// The idle timer of the kernel's resilient groups goes by the last use of each bucket.
#[test]
fn the_use_of_buckets_is_noted_for_groups_that_ask_for_it() {
    router(|router| {
        let members = [router.west, router.east].map(|nexthop| (nexthop, 1));
        for timed in [false, true] {
            let resilient = Resilient { buckets: 256, idle_ms: 0, unbalanced_ms: 0 };
            router.world.change_group(router.both, &members, timed.then_some(resilient));
            let group = router.world.maps.groups.get(router.both);
            let Choice::Spread { chunk, count, .. } = group.choice() else { panic!("a spread") };
            let used = |router: &Router, at: u32| {
                let chunk = router.world.maps.bucket_use.get(chunk + at / CHUNK);
                chunk.jiffies[(at % CHUNK) as usize]
            };
            let mut expected = vec![false; count as usize];
            let settings = router.world.maps.settings.get(0);
            let start = (settings.deadline - u64::from(settings.timeout_jiffies)) as u32;
            for frame in flows().into_iter().take(100) {
                let hash = model::flow_hash_by(&frame.bytes(), &settings, true);
                let at = fabric_common::bucket::index(flow_hash::routed(hash), 0, count);
                expected[at as usize] = timed;
                let nexthop = router.choice(&frame.bytes());
                router.routes(&frame, nexthop, 64);
            }
            for at in 0..count {
                let jiffies = used(router, at);
                assert_eq!(jiffies != 0, expected[at as usize], "bucket {at}, timed: {timed}");
                if jiffies != 0 {
                    // Up to an hour, whatever the timer's frequency.
                    assert!(jiffies.wrapping_sub(start) < 3_600 * settings.hz);
                }
            }
        }
    });
}
