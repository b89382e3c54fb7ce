//! The tables against what the kernel was seen to do, and against a list that is searched.

use std::collections::BTreeSet;

use super::*;
use crate::observe::{Route, RouteKey, RouteKind, tests::random::Random};

/// `RT_TABLE_MAIN`
const MAIN: u32 = 254;

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
}

fn route(table: u32, destination: &str, priority: u32, gateways: &[&str]) -> Route {
    let hop = |gateway: &&str| Hop {
        ifindex: 3,
        gateway: Some(gateway.parse().unwrap()),
        weight: 1,
        encap: None,
        dead: false,
    };
    Route {
        key: RouteKey { table, prefix: prefix(destination), source: None, tos: 0, priority },
        kind: RouteKind::Unicast,
        protocol: 3,
        nexthop: None,
        hops: gateways.iter().map(hop).collect(),
        mtu: None,
        hop_limit: None,
    }
}

fn on_link(table: u32, destination: &str, priority: u32, ifindex: u32) -> Route {
    let hop = Hop { ifindex, gateway: None, weight: 1, encap: None, dead: false };
    Route { hops: vec![hop], ..route(table, destination, priority, &[]) }
}

/// Gateways, or interfaces, that a host's packets are sent to; none if it depends on more.
fn way(routes: &Routes, tables: &[u32], address: &str) -> Option<Vec<String>> {
    let found = routes.find(tables, host(address.parse().unwrap())).expect("a route");
    let route = found.route?;
    let Via::Hops(id) = route.via else { panic!("hops") };
    let name = |hop: &Hop| match hop.gateway {
        Some(gateway) => gateway.to_string(),
        None => format!("if{}", hop.ifindex),
    };
    Some(routes.hops(id).iter().map(name).collect())
}

fn ways(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

#[test]
fn the_longest_prefix_wins_then_the_lowest_metric_and_the_first_table_that_matches() {
    let mut routes = Routes::default();
    for (table, destination, priority, gateway) in [
        (MAIN, "0.0.0.0/0", 1, "192.0.2.1"),
        (MAIN, "10.0.0.0/8", 20, "192.0.2.20"),
        (MAIN, "10.0.0.0/8", 2, "192.0.2.2"),
        (MAIN, "10.0.0.3/32", 3, "192.0.2.3"),
    ] {
        let each = route(table, destination, priority, &[gateway]);
        assert!(routes.insert(&each, Position::Last).routes);
        for position in [Position::Last, Position::First, Position::Replace] {
            assert_eq!(routes.insert(&each, position), Change::default(), "nothing new");
        }
    }
    let tables = [LOCAL, MAIN];
    assert_eq!(way(&routes, &tables, "192.0.2.99"), ways(&["192.0.2.1"]));
    assert_eq!(way(&routes, &tables, "10.9.9.9"), ways(&["192.0.2.2"]));
    assert_eq!(way(&routes, &tables, "10.0.0.3"), ways(&["192.0.2.3"]));
    routes.insert(&route(LOCAL, "10.0.0.0/24", 7, &["192.0.2.7"]), Position::Last);
    assert_eq!(way(&routes, &tables, "10.0.0.3"), ways(&["192.0.2.7"]));
    assert!(routes.remove(&route(MAIN, "10.0.0.0/8", 2, &["192.0.2.2"])).routes);
    assert_eq!(way(&routes, &tables, "10.9.9.9"), ways(&["192.0.2.20"]));
    assert_eq!(routes.remove(&route(MAIN, "10.0.0.0/9", 2, &["192.0.2.2"])), Change::default());
    assert!(routes.find(&[100], prefix("10.0.0.0/8")).is_none());
}

#[test]
fn a_prefix_length_that_no_address_has_is_ignored() {
    let mut routes = Routes::default();
    let odd = Prefix { address: "10.0.0.0".parse().unwrap(), length: 33 };
    let mut route = route(MAIN, "10.0.0.0/8", 0, &["192.0.2.1"]);
    route.key.prefix = odd;
    assert_eq!(routes.insert(&route, Position::Last), Change::default());
    assert_eq!(routes.remove(&route), Change::default());
    assert_eq!(routes.len(), 0);
}

#[test]
fn of_ipv4_routes_with_the_same_key_the_first_one_counts() {
    let of = |gateway: &str| route(MAIN, "10.0.9.0/24", 0, &[gateway]);
    let mut routes = Routes::default();
    // The commands whose messages are in `observe/tests/captured.txt`, and what the kernel listed.
    routes.insert(&of("192.0.2.9"), Position::Replace);
    routes.insert(&of("198.51.100.9"), Position::Last);
    assert_eq!(way(&routes, &[MAIN], "10.0.9.1"), ways(&["192.0.2.9"]));
    routes.insert(&of("198.51.100.8"), Position::First);
    assert_eq!(way(&routes, &[MAIN], "10.0.9.1"), ways(&["198.51.100.8"]));
    routes.insert(&of("192.0.2.7"), Position::Replace);
    assert_eq!(way(&routes, &[MAIN], "10.0.9.1"), ways(&["192.0.2.7"]));
    assert!(!routes.remove(&of("198.51.100.9")).shadow);
    assert!(!routes.remove(&of("192.0.2.7")).shadow);
    assert_eq!(way(&routes, &[MAIN], "10.0.9.1"), ways(&["192.0.2.9"]));
    let last = routes.remove(&of("192.0.2.9"));
    assert!(last.shadow && last.uses && last.routes);
}

#[test]
fn ipv6_routes_with_the_same_key_and_gateways_are_one() {
    let of = |gateways: &[&str]| route(MAIN, "2001:db8:9::/48", 1024, gateways);
    let mut routes = Routes::default();
    routes.insert(&of(&["2001:db8:1::2"]), Position::Last);
    // The kernel names all siblings when one more comes, and only the one that goes.
    routes.insert(&of(&["2001:db8:2::2", "2001:db8:1::2"]), Position::Last);
    assert_eq!(way(&routes, &[MAIN], "2001:db8:9::1"), ways(&["2001:db8:1::2", "2001:db8:2::2"]));
    let change = routes.remove(&of(&["2001:db8:1::2"]));
    assert!(change.routes && !change.shadow);
    assert_eq!(way(&routes, &[MAIN], "2001:db8:9::1"), ways(&["2001:db8:2::2"]));
    routes.insert(&of(&["2001:db8:1::2", "2001:db8:1::3"]), Position::Replace);
    assert_eq!(way(&routes, &[MAIN], "2001:db8:9::1"), ways(&["2001:db8:1::2", "2001:db8:1::3"]));
    // A complete removal comes as one message per sibling, or as one for all.
    assert!(!routes.remove(&of(&["2001:db8:1::2"])).shadow);
    assert!(routes.remove(&of(&["2001:db8:1::3"])).shadow);
    routes.insert(&of(&["2001:db8:1::2", "2001:db8:1::3"]), Position::Last);
    assert!(routes.remove(&of(&["2001:db8:1::2", "2001:db8:1::3"])).shadow);
    assert_eq!(routes.len(), 0);
}

#[test]
fn ipv6_routes_of_the_same_metric_that_are_not_one_depend_on_the_kernel() {
    let mut routes = Routes::default();
    routes.insert(&on_link(MAIN, "2001:db8:a::/48", 1024, 3), Position::Last);
    assert_eq!(way(&routes, &[MAIN], "2001:db8:a::1"), ways(&["if3"]));
    routes.insert(&on_link(MAIN, "2001:db8:a::/48", 1024, 5), Position::Last);
    assert_eq!(way(&routes, &[MAIN], "2001:db8:a::1"), None);
    routes.insert(&route(MAIN, "2001:db8:a::/48", 9, &["2001:db8:1::2"]), Position::Last);
    assert_eq!(way(&routes, &[MAIN], "2001:db8:a::1"), ways(&["2001:db8:1::2"]));
    routes.remove(&route(MAIN, "2001:db8:a::/48", 9, &["2001:db8:1::2"]));
    routes.remove(&on_link(MAIN, "2001:db8:a::/48", 1024, 3));
    assert_eq!(way(&routes, &[MAIN], "2001:db8:a::1"), ways(&["if5"]));
    // Without a route of its own kind, a replacement takes the first one's place.
    routes.insert(&route(MAIN, "2001:db8:a::/48", 1024, &["2001:db8:1::2"]), Position::Replace);
    assert_eq!(way(&routes, &[MAIN], "2001:db8:a::1"), ways(&["2001:db8:1::2"]));
}

#[test]
fn a_prefix_with_a_route_for_a_tos_or_a_source_depends_on_the_packet() {
    for base in ["10.0.8.0/24", "2001:db8:8::/48"] {
        let mut routes = Routes::default();
        let gateway = if base.contains(':') { "2001:db8:1::2" } else { "192.0.2.1" };
        let plain = route(MAIN, base, 5, &[gateway]);
        let mut special = plain.clone();
        match base.contains(':') {
            true => special.key.source = Some(prefix("2001:db8:1::/64")),
            false => special.key.tos = 0x10,
        }
        routes.insert(&plain, Position::Last);
        routes.insert(&special, Position::Last);
        let found = routes.find(&[MAIN], prefix(base)).unwrap();
        assert!(found.route.is_none());
        routes.remove(&special);
        assert!(routes.find(&[MAIN], prefix(base)).unwrap().route.is_some());
        routes.insert(&special, Position::Last);
        assert!(!routes.remove(&plain).shadow, "the other one is there still");
    }
}

#[test]
fn what_comes_into_use_and_goes_out_of_it_is_said_and_what_is_shared_is_not() {
    let of = |destination: &str, gateway: &str| route(MAIN, destination, 0, &[gateway]);
    let mut routes = Routes::default();
    assert!(routes.insert(&of("10.0.1.0/24", "192.0.2.1"), Position::Last).uses);
    assert!(!routes.insert(&of("10.0.2.0/24", "192.0.2.1"), Position::Last).uses);
    assert_eq!(routes.uses(MAIN).count(), 1);
    assert!(routes.insert(&of("10.0.2.0/24", "192.0.2.2"), Position::Replace).uses);
    assert!(routes.remove(&of("10.0.2.0/24", "192.0.2.2")).uses);
    assert_eq!(routes.uses(MAIN).count(), 1);
    assert!(routes.remove(&of("10.0.1.0/24", "192.0.2.1")).uses);
    assert_eq!(routes.uses(MAIN).count(), 0);
    let link_local = on_link(MAIN, "fe80::/64", 256, 3);
    let change = routes.insert(&link_local, Position::Last);
    assert!(!change.uses && !change.routes, "never forwarded");
}

#[test]
fn own_addresses_are_those_of_this_box_that_others_may_see() {
    let mut routes = Routes::default();
    let local =
        |table, destination| Route { kind: RouteKind::Local, ..on_link(table, destination, 0, 1) };
    let mut own = |destination| routes.insert(&local(LOCAL, destination), Position::Last).own;
    assert!(own("192.0.2.1/32") && own("2001:db8::1/128"));
    for other in ["127.0.0.1/32", "127.0.0.0/8", "::1/128", "fe80::1/128", "198.51.100.0/24"] {
        assert!(!own(other), "{other}");
    }
    assert!(!routes.insert(&local(1001, "192.0.2.1/32"), Position::Last).own, "a VRF has it too");
    assert!(!routes.remove(&local(LOCAL, "192.0.2.1/32")).own);
    assert!(routes.remove(&local(1001, "192.0.2.1/32")).own);
    let left: Vec<String> = routes.own().map(|address| address.to_string()).collect();
    assert_eq!(left, ["2001:db8::1"]);
}

#[test]
fn the_same_routers_in_any_order_are_the_same_next_hops_and_twice_the_same_is_its_double_weight() {
    let mut routes = Routes::default();
    routes.insert(&route(MAIN, "10.0.1.0/24", 0, &["192.0.2.2", "192.0.2.1"]), Position::Last);
    let other = route(MAIN, "10.0.2.0/24", 0, &["192.0.2.1", "192.0.2.2"]);
    assert!(!routes.insert(&other, Position::Last).uses);
    let twice = route(MAIN, "10.0.3.0/24", 0, &["192.0.2.1", "192.0.2.2", "192.0.2.1"]);
    routes.insert(&twice, Position::Last);
    let found = routes.find(&[MAIN], prefix("10.0.3.0/24")).unwrap();
    let Via::Hops(id) = found.route.unwrap().via else { panic!("hops") };
    let HopsKind::Routers(routers) = routes.kind(id) else { panic!("routers") };
    assert_eq!(routers.iter().map(|(_, weight)| *weight).collect::<Vec<_>>(), [2, 1]);
}

/// A prefix that often contains others, of either family.
fn random_prefix(random: &mut Random) -> Prefix {
    let bits = random.next() & 0x0303_0303_0303_0303;
    match random.below(2) {
        0 => (bits as u32).first([0, 7, 8, 16, 24, 31, 32][random.below(7)]).prefix(0),
        _ => (u128::from(bits) << 64).first([0, 16, 32, 48, 64][random.below(5)]).prefix(0),
    }
}

#[test]
fn any_table_gives_what_a_search_through_all_routes_gives() {
    let mut random = Random(0x1b);
    let (mut matched, mut lookups) = (0, 0);
    for _ in 0..60 {
        let mut routes = Routes::default();
        let mut list: Vec<(u32, Prefix, u32)> = Vec::new();
        for step in 0..300 {
            let mut at = random_prefix(&mut random);
            let lengths = if at.address.is_ipv4() { 33 } else { 129 };
            at.length = random.below(lengths) as u8;
            let at = normal(at).unwrap();
            let table = [LOCAL, MAIN, 100][random.below(3)];
            let mut each = route(table, "0.0.0.0/0", 0, &[]);
            each.key.prefix = at;
            each.nexthop = Some(step);
            if random.below(3) == 0 {
                each.nexthop = list.iter().find(|e| (e.0, e.1) == (table, at)).map(|e| e.2);
                routes.remove(&each);
                list.retain(|e| (e.0, e.1) != (table, at));
            } else {
                routes.insert(&each, Position::Replace);
                list.retain(|e| (e.0, e.1) != (table, at));
                list.push((table, at, step));
            }
            let mut wanted = random_prefix(&mut random);
            wanted.length = random.below(lengths.min(33)) as u8;
            let wanted = normal(wanted).unwrap();
            let covers = |outer: &Prefix| {
                outer.address.is_ipv4() == wanted.address.is_ipv4()
                    && outer.length <= wanted.length
                    && normal(Prefix { length: outer.length, ..wanted }) == Some(*outer)
            };
            let tables = [LOCAL, 100, MAIN];
            let expected = tables.iter().find_map(|table| {
                let of_table = list.iter().filter(|e| e.0 == *table && covers(&e.1));
                of_table.max_by_key(|e| e.1.length)
            });
            let found = routes.find(&tables, wanted);
            lookups += 1;
            matched += usize::from(expected.is_some());
            assert_eq!(
                found.map(|found| (found.prefix, found.route.unwrap().via)),
                expected.map(|e| (e.1, Via::Object(e.2)))
            );
            let within: BTreeSet<Prefix> = routes.within(MAIN, wanted).collect();
            let inside = |inner: &Prefix| {
                inner.address.is_ipv4() == wanted.address.is_ipv4()
                    && inner.length >= wanted.length
                    && normal(Prefix { length: wanted.length, ..*inner }) == Some(wanted)
            };
            let of_main = list.iter().filter(|e| e.0 == MAIN).map(|e| e.1);
            assert_eq!(within, of_main.filter(inside).collect());
            assert_eq!(routes.len(), list.len());
        }
    }
    assert!(matched > lookups / 4 && matched < lookups, "{matched} of {lookups}");
}

#[test]
fn the_difference_of_two_tables_is_what_was_changed() {
    let mut before = Routes::default();
    for number in 0..50 {
        let gateway = format!("192.0.2.{}", number % 7);
        before.insert(&route(MAIN, &format!("10.0.{number}.0/24"), 0, &[&gateway]), Position::Last);
    }
    // Another order gives other numbers to the same lists.
    let mut after = Routes::default();
    for number in (0..50).rev().filter(|number| *number != 11) {
        let gateway = format!("192.0.2.{}", if number == 12 { 99 } else { number % 7 });
        after.insert(&route(MAIN, &format!("10.0.{number}.0/24"), 0, &[&gateway]), Position::Last);
    }
    after.insert(&route(7, "2001:db8::/32", 0, &["fe80::1"]), Position::Last);
    let found: Vec<(u32, String, bool)> = before
        .differences(&after)
        .into_iter()
        .map(|(table, prefix, change)| (table, prefix.to_string(), change.shadow))
        .collect();
    assert_eq!(
        found,
        [
            (7, "2001:db8::/32".into(), true),
            (MAIN, "10.0.11.0/24".into(), true),
            (MAIN, "10.0.12.0/24".into(), false)
        ]
    );
    assert!(before.differences(&before.clone()).is_empty());
}
