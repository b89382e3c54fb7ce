//! Random changes of routing in any number: what is compiled step by step is always what a full
//! compilation gives, and the order in which objects became known makes no difference.

use super::{incremental::Incremental, order::Objects, router::*, world::*};
use crate::{
    model::*,
    observe::{tests::random::Random, *},
};

const DESTINATIONS: [&str; 14] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/24",
    "10.1.0.0/28",
    "10.1.0.7/32",
    "10.9.0.0/16",
    "10.9.1.0/24",
    "127.0.0.0/8",
    "::/0",
    "2001:db8::/32",
    "2001:db8:1::/64",
    "2001:db8:1::7/128",
    "2001:db8:9::/48",
    "fe80::/64",
];
const ADDRESSES: [&str; 6] =
    ["192.0.2.0", "fe80::2", "10.1.0.7", "10.1.0.8", "2001:db8:1::7", "10.9.1.1"];
const RED: u32 = 90;
const TABLES: [u32; 5] = [255, 254, 254, 253, 1001];
const OBJECTS: [u32; 6] = [101, 102, 104, GROUP, 111, 130];

/// One of several.
fn any<T: Clone>(random: &mut Random, all: &[T]) -> T {
    all[random.below(all.len())].clone()
}

fn random_route(random: &mut Random) -> Route {
    let destination = any(random, &DESTINATIONS);
    let table = any(random, &TABLES);
    let port = any(random, &[SWP1, SWP2, SWP3, BR10, RED]);
    let gateways: [&str; 2] = match destination.contains(':') {
        true => ["fe80::2", "2001:db8:1::7"],
        false => ["192.0.2.0", "10.1.0.7"],
    };
    let route = match random.below(10) {
        0 => {
            use RouteKind::{Blackhole, Broadcast, Local, Throw, Unreachable};
            let kinds = [Local, Blackhole, Unreachable, Throw, Broadcast];
            route_of(table, destination, any(random, &kinds))
        }
        1..4 => via_hops(table, destination, &[(port, None)]),
        4 => via_hops(table, destination, &[(port, Some(gateways[0])), (SWP1, Some(gateways[1]))]),
        5 => via_hops(table, destination, &[(port, Some(gateways[random.below(2)]))]),
        _ => via_object(table, destination, any(random, &OBJECTS)),
    };
    let priority = any(random, &[0, 20, 20, 30]);
    let tos = if random.below(20) == 0 { 0x10 } else { 0 };
    let mtu = (random.below(20) == 0).then_some(1400);
    Route { key: RouteKey { priority, tos, ..route.key }, mtu, ..route }
}

fn random_link(random: &mut Random) -> Link {
    let link = match random.below(6) {
        0 => {
            let red = link(RED, "red", LinkKind::Vrf { table: 1001 });
            Link { mtu: any(random, &[65_575, 65_575, 1500]), ..red }
        }
        1 => Link { master: Some(RED), ..swp(SWP3) },
        2 => swp(SWP3),
        3 => link(BR10, "br10", bridge(false)),
        4 => Link { mtu: 1400, ..swp(SWP2) },
        _ => swp(any(random, &[SWP1, SWP2])),
    };
    match random.below(5) {
        0 => Link { carrier: false, ..link },
        1 => Link { up: false, carrier: false, ..link },
        _ => link,
    }
}

fn random_rule(random: &mut Random) -> Rule {
    let v6 = random.below(2) == 0;
    match random.below(6) {
        0 => Rule { l3mdev: true, ..rule(v6, 1000, RuleAction::Lookup(0)) },
        1 => Rule { iif: Some("swp3".into()), ..rule(v6, 100, RuleAction::Lookup(1001)) },
        2 => Rule { conditions: vec!["fwmark 0x1".into()], ..rule(v6, 7, RuleAction::Lookup(9)) },
        3 => rule(v6, 0, RuleAction::Lookup(255)),
        _ => rule(v6, 32766, RuleAction::Lookup(254)),
    }
}

fn random_nexthop(random: &mut Random) -> Event {
    match random.below(8) {
        0 => single(101, SWP1, Some("192.0.2.0")),
        1 => single(102, SWP2, Some("fe80::2")),
        2 => single(104, SWP3, (random.below(3) > 0).then_some("10.1.0.7")),
        3 => single(104, any(random, &[SWP3, RED]), None),
        4 => group(111, &[(101, 1), (130, 1)]),
        5 => nexthop(any(random, &[101, 130]), NexthopKind::Blackhole),
        6 => group(GROUP, &[(101, 1)]),
        _ => group(GROUP, &[(101, 1), (102, 1 + random.below(3) as u16)]),
    }
}

fn random_event(random: &mut Random) -> Event {
    let ifindex = any(random, &[SWP1, SWP2, SWP3]);
    match random.below(24) {
        0..5 => Event::Route(random_route(random)),
        5..8 => Event::RouteAppended(random_route(random)),
        8 => Event::RoutePrepended(random_route(random)),
        9..13 => Event::RouteGone(random_route(random)),
        13..15 => random_nexthop(random),
        15 => Event::NexthopGone { id: any(random, &OBJECTS) },
        16..19 => {
            neighbour(ifindex, any(random, &ADDRESSES), (random.below(4) > 0).then(|| mac(9)))
        }
        19 => Event::NeighbourGone { ifindex, address: ip(any(random, &ADDRESSES)) },
        20 => Event::Link(random_link(random)),
        21 if random.below(4) == 0 => Event::LinkGone { ifindex: any(random, &[SWP1, SWP3, RED]) },
        21 => Event::Link(swp(ifindex)),
        22 => match random.below(3) {
            0 => Event::RuleGone(random_rule(random)),
            _ => Event::Rule(random_rule(random)),
        },
        _ => {
            let interface = any(random, &[None, Some(SWP1), Some(SWP2), Some(SWP3)]);
            let rp_filter = (random.below(4) == 0).then(|| random.below(2) as u8);
            let forwarding = Some(random.below(6) > 0);
            let v6 = random.below(2) == 0;
            Event::Netconf(Netconf { v6, ifindex: interface, forwarding, rp_filter, proxy: None })
        }
    }
}

/// How often something worth the name of routing was compiled.
#[derive(Default)]
struct Seen {
    groups: usize,
    hosts: usize,
    leaks: usize,
    several_views: usize,
    dumps: usize,
}

impl Seen {
    fn look(&mut self, router: &Incremental) {
        // Compares, see Incremental::desired.
        let desired = router.desired();
        let ways = || desired.routes.values();
        self.groups += usize::from(ways().any(|way| matches!(way, Way::Group(_))));
        self.hosts += usize::from(ways().any(|way| matches!(way, Way::Nexthop { .. })));
        self.leaks += usize::from(ways().any(|way| matches!(way, Way::View(_))));
        self.several_views += usize::from(desired.structure.views.len() > 1);
    }
}

#[test]
fn step_by_step_is_always_what_a_full_compilation_gives_for_routes_too() {
    let mut random = Random(0x5ee5);
    let mut seen = Seen::default();
    for _ in 0..100 {
        let mut router = router_with(Policy::default());
        if random.below(2) == 0 {
            router.apply(Link { mtu: 65_575, ..link(RED, "red", LinkKind::Vrf { table: 1001 }) });
        }
        for _ in 0..150 {
            if random.below(40) == 0 {
                let count = random.below(60);
                let changed = (0..count).map(|_| random_event(&mut random));
                let routing = |event: &Event| {
                    matches!(
                        event,
                        Event::RouteAppended(_) | Event::Nexthop(_) | Event::Neighbour(_)
                    )
                };
                let events = router_events().into_iter().chain(changed).filter(routing).collect();
                router.replace(Listing { scope: Scope::Routing, events });
                seen.dumps += 1;
            } else {
                router.apply(random_event(&mut random));
            }
            seen.look(&router);
        }
    }
    assert!(seen.groups > 5_000 && seen.hosts > 5_000, "the world did not just fall apart");
    assert!(seen.several_views > 500 && seen.leaks > 500 && seen.dumps > 100);
}

#[test]
fn any_order_of_a_routers_messages_gives_the_same_result() {
    let objects = Objects::of(router_events());
    let expected = router().desired();
    let mut random = Random(0x0fab);
    for _ in 0..200 {
        assert_eq!(objects.shuffled(&mut random), expected);
    }
}

#[test]
fn routes_that_come_and_go_leave_nothing_behind() {
    let mut random = Random(0xabad);
    let mut router = router();
    let before = router.network.prefix_count();
    let mut routes = Vec::new();
    for _ in 0..5_000 {
        let route = random_route(&mut random);
        router.network.apply(Event::RouteAppended(route.clone()));
        routes.push(route);
    }
    assert!(router.network.prefix_count() > before);
    for route in &routes {
        router.network.apply(Event::RouteGone(route.clone()));
    }
    router_events().into_iter().for_each(|event| drop(router.network.apply(event)));
    assert_eq!(router.network.prefix_count(), before);
    assert_eq!(compile(&router.network, &router.policy), super::router::router().desired());
}
