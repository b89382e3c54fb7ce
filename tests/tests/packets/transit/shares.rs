//! What groups in the kernel's own tests have to do (`router_mpath_nh.sh`).

use fabric_common::{
    reason::Reason,
    schema::groups::{Choice, Group},
};
use fabric_tests::{
    packet::Frame,
    random::Random,
    router::{CLIENT, Router, router, server},
    world::NexthopId,
};

/// How many of the flows that `frame` makes take the west.
fn west(router: &mut Router, flows: u32, frame: impl Fn(&mut Random, u32) -> Frame) -> u32 {
    let (_, [mac, _]) = router.behind(router.west);
    let mut random = Random::new(11);
    (0..flows)
        .map(|number| {
            let frame = frame(&mut random, number).bytes();
            let run = router.world.run(&router.in0, &frame, 0).expect("the program runs");
            u32::from(run.bytes[..6] == mac)
        })
        .sum()
}

/// MP-01 and MP-02: the observed shares are within 5 % of the weights, for IPv4 and for IPv6. Where
/// the gateway is an IPv6 link-local address nothing differs: nexthops are MAC addresses.
#[test]
fn flows_are_shared_by_weight() {
    const FLOWS: u32 = 10_000;
    router(|router| {
        for weights in [[1, 1], [2, 1], [1, 2], [11, 45]] {
            let members: [(NexthopId, u16); 2] =
                [(router.west, weights[0]), (router.east, weights[1])];
            router.world.change_group(router.both, &members, None);
            let to = server(server::BOTH);
            let random_ports = |frame: Frame| {
                move |random: &mut Random, _| {
                    let bits = random.bits();
                    frame.clone().ports([bits as u16, (bits >> 16) as u16])
                }
            };
            let counted_ports =
                |frame: Frame| move |_: &mut Random, n| frame.clone().ports([n as u16, 443]);
            let (v4, v6) = (Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to));
            for (name, west) in [
                ("IPv4, random ports", west(router, FLOWS, random_ports(v4.clone()))),
                ("IPv4, counted ports", west(router, FLOWS, counted_ports(v4))),
                ("IPv6, random ports", west(router, FLOWS, random_ports(v6.clone()))),
                ("IPv6, counted ports", west(router, FLOWS, counted_ports(v6))),
            ] {
                let expected = f64::from(weights[0]) / f64::from(weights[1]);
                let found = f64::from(west) / f64::from(FLOWS - west);
                // Chance alone moves a ratio of shares p and 1 - p by 1 / sqrt(p (1 - p) flows).
                let p = expected / (1.0 + expected);
                let chance = 1.0 / (p * (1.0 - p) * f64::from(FLOWS)).sqrt();
                let error = (found / expected - 1.0).abs();
                println!("{name} {weights:?}: ratio {found:.3}, {:.1} % off", error * 100.0);
                assert!(error < 0.05_f64.max(3.0 * chance), "{name} {weights:?}: {found}");
            }
        }
    });
}

/// MP-03: a blackhole drops, and traffic recovers when something else takes its place. One store
/// into the group, no route is touched.
#[test]
fn a_group_turns_into_a_blackhole_and_back() {
    router(|router| {
        let to = server(server::BOTH);
        let frames = [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)];
        let group = router.world.maps.groups.get(router.both);
        for _ in 0..2 {
            for frame in &frames {
                let nexthop = router.choice(&frame.bytes());
                router.routes(frame, nexthop, 64);
            }
            router.world.maps.groups.set(router.both, &Group::new(Choice::Blackhole));
            for frame in &frames {
                let outcome = router.world.send(&router.in0, &frame.bytes());
                outcome.is_dropped(Reason::TransitRouteBlackhole);
            }
            router.world.maps.groups.set(router.both, &group);
        }
    });
}
