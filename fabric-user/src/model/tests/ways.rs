//! Where packets to each prefix go.

use super::{incremental::Incremental, router::*, world::*};
use crate::{
    model::{Nexthop, *},
    observe::*,
};

fn by_object(id: u32) -> Option<Way> {
    Some(Way::Group(GroupKey::Object(id)))
}

fn first() -> NexthopKey {
    host_key(SWP1, "192.0.2.0")
}

fn second() -> NexthopKey {
    host_key(SWP2, "fe80::2")
}

fn group_of(router: &Incremental, key: &GroupKey) -> Group {
    router.structure().groups[key].clone()
}

fn members(router: &Incremental, id: u32) -> Vec<(NexthopKey, u16)> {
    group_of(router, &GroupKey::Object(id)).members
}

/// A connected host.
fn to_host(ifindex: u32, address: &str, number: u8) -> Option<Way> {
    let source = swp(ifindex).mac.unwrap();
    let nexthop = Nexthop { source, destination: Some(mac(number)), mtu: 9000 };
    Some(Way::Nexthop { key: host_key(ifindex, address), nexthop })
}

#[test]
fn a_router_has_a_way_for_every_prefix_that_packets_may_go_to() {
    let desired = router().desired();
    let mut routes: Vec<(String, Way)> =
        desired.routes.into_iter().map(|(place, way)| (place.prefix.to_string(), way)).collect();
    routes.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [
        ("10.0.0.9/32", Way::Local),
        ("10.1.0.0/24", Way::Connected),
        ("10.1.0.1/32", Way::Local),
        ("10.1.0.7/32", to_host(SWP3, "10.1.0.7", 7).unwrap()),
        ("10.9.0.0/16", by_object(GROUP).unwrap()),
        ("192.0.2.0/31", Way::Connected),
        ("192.0.2.0/32", to_host(SWP1, "192.0.2.0", 0x51).unwrap()),
        ("192.0.2.1/32", Way::Local),
        ("2001:db8:1::/64", Way::Connected),
        ("2001:db8:1::1/128", Way::Local),
        ("2001:db8:1::7/128", to_host(SWP3, "2001:db8:1::7", 7).unwrap()),
        ("2001:db8:9::/48", by_object(GROUP).unwrap()),
    ];
    assert_eq!(routes, expected.map(|(prefix, way)| (prefix.to_owned(), way)));
    let structure = desired.structure;
    let own = ["10.0.0.9", "10.1.0.1", "192.0.2.1", "2001:db8:1::1"].map(ip);
    assert_eq!(structure.own, own.into());
    assert_eq!(structure.watched, [first(), second()].into());
    assert_eq!(structure.groups.len(), 1);
}

#[test]
fn every_kind_of_route_has_its_way() {
    for (kind, way) in [
        (RouteKind::Local, Way::Local),
        (RouteKind::Broadcast, Way::Local),
        (RouteKind::Anycast, Way::Local),
        (RouteKind::Multicast, Way::Local),
        (RouteKind::Blackhole, Way::Blackhole),
        (RouteKind::Unreachable, Way::Unreachable),
        (RouteKind::Prohibit, Way::Unreachable),
        (RouteKind::Throw, Way::Kernel),
        (RouteKind::Other(10), Way::Kernel),
        (RouteKind::Unicast, Way::Kernel),
    ] {
        let mut router = router();
        for destination in ["10.8.0.0/16", "2001:db8:8::/48"] {
            router.apply(route_of(254, destination, kind));
            assert_eq!(router.way(destination), Some(way.clone()), "{kind:?}");
            router.withdraw(route_of(254, destination, kind));
            assert_eq!(router.way(destination), None, "{kind:?}");
        }
    }
}

#[test]
fn destinations_that_are_never_forwarded_have_no_entry() {
    let mut router = router();
    let before = router.desired();
    for (destination, ifindex) in [
        ("fe80::/64", SWP1),
        ("fe80::/64", SWP2),
        ("ff00::/8", SWP1),
        ("127.0.0.0/8", 1),
        ("224.0.0.0/4", SWP1),
    ] {
        let dirty = router.apply(connected(254, destination, ifindex));
        assert!(dirty.is_clean(), "{destination}");
    }
    assert_eq!(router.desired(), before);
}

#[test]
fn the_lowest_metric_counts_and_one_for_some_packets_only_leaves_the_prefix_to_the_kernel() {
    let mut router = router();
    let with = |priority, tos, id| {
        let route = via_object(254, "10.8.0.0/16", id);
        Event::RouteAppended(Route { key: RouteKey { priority, tos, ..route.key }, ..route })
    };
    router.apply(with(20, 0, 101));
    router.apply(with(10, 0, 102));
    assert_eq!(router.way("10.8.0.0/16"), by_object(102));
    router.apply(with(30, 0, GROUP));
    assert_eq!(router.way("10.8.0.0/16"), by_object(102));
    router.apply(with(40, 0x10, GROUP));
    assert_eq!(router.way("10.8.0.0/16"), Some(Way::Kernel));
    router.withdraw(with(40, 0x10, GROUP));
    router.withdraw(with(10, 0, 102));
    assert_eq!(router.way("10.8.0.0/16"), by_object(101));
}

#[test]
fn what_an_earlier_table_covers_a_later_one_cannot_have() {
    let mut router = router();
    router.apply(via_object(253, "10.9.7.0/24", 101));
    router.apply(via_object(253, "10.9.0.0/16", 101));
    router.apply(via_object(253, "10.0.0.0/8", 101));
    assert_eq!(router.way("10.9.7.0/24"), None, "table 254 has 10.9.0.0/16");
    assert_eq!(router.way("10.9.0.0/16"), by_object(GROUP));
    assert_eq!(router.way("10.0.0.0/8"), by_object(101));
    // What covers goes and comes: the prefixes beneath come and go.
    let cover = via_object(254, "10.9.0.0/16", GROUP);
    let dirty = router.withdraw(cover.clone());
    assert_eq!(dirty.shadows.len(), 1);
    assert_eq!(router.way("10.9.7.0/24"), by_object(101));
    assert_eq!(router.way("10.9.0.0/16"), by_object(101));
    router.apply(cover.clone());
    assert_eq!(router.way("10.9.7.0/24"), None);
    // Another metric for the same prefix covers nothing new.
    let other = Route { key: RouteKey { priority: 5, ..cover.key }, ..cover };
    assert!(router.apply(Event::RouteAppended(other)).shadows.is_empty());
    let default = via_object(254, "0.0.0.0/0", GROUP);
    router.apply(default.clone());
    assert_eq!(router.way("10.0.0.0/8"), None);
    router.withdraw(default);
    assert_eq!(router.way("10.0.0.0/8"), by_object(101));
}

#[test]
fn a_vrf_sees_its_own_table_first_and_a_default_there_hides_the_main_one() {
    let mut router = router();
    router.apply(link(90, "red", LinkKind::Vrf { table: 1001 }));
    router.apply(Link { master: Some(90), ..swp(SWP3) });
    let l3mdev = Rule { l3mdev: true, ..rule(false, 1000, RuleAction::Lookup(0)) };
    router.apply(l3mdev);
    router.apply(connected(1001, "10.2.0.0/24", SWP3));
    router.apply(neighbour(SWP3, "10.2.0.7", Some(mac(7))));
    let views = router.structure().views;
    let red = views.iter().position(|view| view.v4.contains(&1001)).unwrap() as u16;
    let main = 1 - red;
    assert_eq!(router.way_in(red, "10.2.0.0/24"), Some(Way::Connected));
    assert_eq!(router.way_in(red, "10.2.0.7/32"), to_host(SWP3, "10.2.0.7", 7));
    assert_eq!(router.way_in(main, "10.2.0.7/32"), None, "not in the main table");
    assert_eq!(router.way_in(red, "10.9.0.0/16"), by_object(GROUP), "the main table is next");
    router.apply(route_of(1001, "0.0.0.0/0", RouteKind::Unreachable));
    assert_eq!(router.way_in(red, "10.9.0.0/16"), None);
    assert_eq!(router.way_in(red, "0.0.0.0/0"), Some(Way::Unreachable));
    assert_eq!(router.way_in(red, "10.0.0.9/32"), Some(Way::Local), "the local table is first");
    assert_eq!(router.way_in(red, "10.1.0.7/32"), None, "hidden with the prefix that it is in");
    assert_eq!(router.way_in(main, "10.9.0.0/16"), by_object(GROUP));
    router.withdraw(route_of(1001, "0.0.0.0/0", RouteKind::Unreachable));
    assert_eq!(router.way_in(red, "10.9.0.0/16"), by_object(GROUP));
}

#[test]
fn a_connected_host_has_an_entry_while_it_is_resolved() {
    let mut router = router();
    let structure = router.structure();
    assert_eq!(router.way("10.1.0.8/32"), None);
    let dirty = router.apply(neighbour(SWP3, "10.1.0.8", Some(mac(8))));
    assert!(!dirty.needs_structure(&router.network, &structure), "hosts are no part of it");
    assert_eq!(router.way("10.1.0.8/32"), to_host(SWP3, "10.1.0.8", 8));
    router.apply(neighbour(SWP3, "10.1.0.8", Some(mac(9))));
    assert_eq!(router.way("10.1.0.8/32"), to_host(SWP3, "10.1.0.8", 9));
    router.apply(neighbour(SWP3, "10.1.0.8", None));
    assert_eq!(router.way("10.1.0.8/32"), None, "the kernel asks again");
    router.apply(neighbour(SWP3, "10.1.0.8", Some(mac(8))));
    router.apply(Event::NeighbourGone { ifindex: SWP3, address: ip("10.1.0.8") });
    assert_eq!(router.way("10.1.0.8/32"), None);
}

#[test]
fn only_a_neighbour_on_the_link_that_its_best_route_names_has_an_entry() {
    let mut router = router();
    router.apply(neighbour(SWP1, "10.1.0.7", Some(mac(9))));
    assert_eq!(router.way("10.1.0.7/32"), to_host(SWP3, "10.1.0.7", 7), "not on swp1");
    router.apply(neighbour(SWP1, "203.0.113.7", Some(mac(9))));
    assert_eq!(router.way("203.0.113.7/32"), None, "no route at all");
    // A longer prefix takes the host away, and gives it back.
    router.apply(via_object(254, "10.1.0.0/28", GROUP));
    assert_eq!(router.way("10.1.0.7/32"), None);
    router.withdraw(via_object(254, "10.1.0.0/28", GROUP));
    assert_eq!(router.way("10.1.0.7/32"), to_host(SWP3, "10.1.0.7", 7));
    // A route for the host itself decides, also if it is on the link.
    router.apply(via_object(254, "10.1.0.7/32", GROUP));
    assert_eq!(router.way("10.1.0.7/32"), by_object(GROUP));
    router.apply(via_hops(254, "10.1.0.7/32", &[(SWP3, None)]));
    assert_eq!(router.way("10.1.0.7/32"), to_host(SWP3, "10.1.0.7", 7));
    router.apply(neighbour(SWP3, "10.1.0.7", None));
    assert_eq!(router.way("10.1.0.7/32"), Some(Way::Connected));
    // The connected prefix moves to another port.
    router.apply(neighbour(SWP3, "10.1.0.8", Some(mac(8))));
    router.withdraw(connected(254, "10.1.0.0/24", SWP3));
    router.apply(connected(254, "10.1.0.0/24", SWP1));
    assert_eq!(router.way("10.1.0.8/32"), None);
    router.apply(neighbour(SWP1, "10.1.0.8", Some(mac(8))));
    assert_eq!(router.way("10.1.0.8/32"), to_host(SWP1, "10.1.0.8", 8));
}

#[test]
fn an_own_address_is_local_even_if_a_neighbour_claims_it() {
    let mut router = router();
    router.apply(neighbour(SWP3, "10.1.0.1", Some(mac(9))));
    assert_eq!(router.way("10.1.0.1/32"), Some(Way::Local));
}

#[test]
fn connected_hosts_that_grow_stale_are_to_be_confirmed() {
    let mut router = router();
    let stale = |router: &Incremental| {
        let structure = &router.structure();
        let stale = stale_neighbours(&router.network, structure);
        stale.filter(|key| is_host(&router.network, structure, *key)).collect::<Vec<_>>()
    };
    assert_eq!(stale(&router), []);
    for (ifindex, address) in [(SWP3, "10.1.0.7"), (SWP1, "203.0.113.7"), (SWP1, "192.0.2.0")] {
        let (address, mac) = (ip(address), Some(mac(7)));
        router.apply(Neighbour {
            ifindex,
            address,
            mac,
            state: 4,
            extern_learn: false,
            router: false,
        });
    }
    let expected = [host_key(SWP3, "10.1.0.7")];
    assert_eq!(stale(&router), expected, "203.0.113.7 is not reached, 192.0.2.0 is watched anyway");
}

#[test]
fn a_route_without_object_leads_to_a_group_of_its_hops() {
    let mut router = router();
    let hops = [(SWP1, Some("192.0.2.0")), (SWP2, Some("fe80::2"))];
    router.apply(via_hops(254, "10.8.0.0/16", &hops));
    let reversed = [hops[1], hops[0]];
    router.apply(via_hops(254, "10.7.0.0/16", &reversed));
    let key = GroupKey::Hops([(first(), 1), (second(), 1)].into());
    assert_eq!(router.way("10.8.0.0/16"), Some(Way::Group(key.clone())));
    assert_eq!(router.way("10.7.0.0/16"), Some(Way::Group(key.clone())), "in any order");
    assert_eq!(group_of(&router, &key).members, [(first(), 1), (second(), 1)]);
    router.withdraw(via_hops(254, "10.8.0.0/16", &hops));
    router.withdraw(via_hops(254, "10.7.0.0/16", &reversed));
    assert!(!router.structure().groups.contains_key(&key));
}

#[test]
fn a_way_that_cannot_be_expressed_is_the_kernels_as_a_whole() {
    let mut router = router();
    router.apply(link(BR10, "br10", bridge(false)));
    router.apply(single(103, BR10, Some("10.3.0.7")));
    router.apply(single(104, SWP1, None));
    router.apply(group(111, &[(101, 1), (103, 1)]));
    router.apply(group(112, &[(101, 1), (104, 1)]));
    router.apply(group(113, &[(GROUP, 1)]));
    let labelled = NexthopKind::Single {
        ifindex: SWP1,
        gateway: Some(ip("192.0.2.0")),
        encap: Some(Encap::Other),
    };
    router.apply(nexthop(105, labelled));
    router.apply(group(114, &[(101, 1), (105, 1)]));
    // Objects may change in place, so the routes lead to their groups, which have no members.
    for id in [103, 111, 112, 113, 105, 114, 999] {
        router.apply(via_object(254, "10.8.0.0/16", id));
        assert_eq!(router.way("10.8.0.0/16"), by_object(id));
        assert_eq!(group_of(&router, &GroupKey::Object(id)), Group::default(), "{id}");
    }
    // Others are what they are.
    for hops in [
        &[(BR10, None)][..],
        &[(SWP1, None), (SWP2, None)],
        &[(SWP1, Some("192.0.2.0")), (SWP2, None)],
        &[(77, None)],
    ] {
        router.apply(via_hops(254, "10.8.0.0/16", hops));
        assert_eq!(router.way("10.8.0.0/16"), Some(Way::Kernel), "{hops:?}");
    }
    let mut labels = via_hops(254, "10.8.0.0/16", &[(SWP1, Some("192.0.2.0"))]);
    labels.hops[0].encap = Some(Encap::Other);
    router.apply(labels);
    assert_eq!(router.way("10.8.0.0/16"), Some(Way::Kernel));
    // Over a bridge, the group of hops has no members either.
    let over_bridge = [(BR10, Some("10.3.0.7")), (SWP1, Some("192.0.2.0"))];
    router.apply(via_hops(254, "10.8.0.0/16", &over_bridge));
    let Some(Way::Group(key)) = router.way("10.8.0.0/16") else { panic!("a group") };
    assert_eq!(group_of(&router, &key), Group::default());
}

#[test]
fn routes_whose_next_hops_have_an_encapsulation_of_their_own_are_named() {
    let mut router = router();
    let named = |router: &Incremental| {
        let problems = router.structure().problems;
        let texts = problems.into_iter().filter(|problem| problem.text.contains("encapsulation"));
        texts.map(|problem| problem.ifindex).collect::<Vec<_>>()
    };
    let mut labels = via_hops(254, "10.8.0.0/16", &[(SWP1, Some("192.0.2.0"))]);
    labels.hops[0].encap = Some(Encap::Other);
    router.apply(labels.clone());
    assert_eq!(named(&router), [Some(SWP1)]);
    router.withdraw(labels);
    assert_eq!(named(&router), []);
    let tunnel = NexthopKind::Single {
        ifindex: SWP2,
        gateway: Some(ip("fe80::2")),
        encap: Some(Encap::Other),
    };
    router.apply(nexthop(105, tunnel));
    router.apply(group(114, &[(101, 1), (105, 1)]));
    assert_eq!(named(&router), [], "nothing leads there");
    router.apply(via_object(254, "10.8.0.0/16", 114));
    assert_eq!(named(&router), [Some(SWP2)]);
    router.apply(via_object(254, "10.8.0.0/16", 105));
    assert_eq!(named(&router), [Some(SWP2)]);
}

#[test]
fn a_route_with_a_path_mtu_below_that_of_the_ports_is_the_kernels() {
    let mut router = router();
    let with = |mtu| Route { mtu: Some(mtu), ..via_object(254, "10.8.0.0/16", GROUP) };
    router.apply(with(1400));
    assert_eq!(router.way("10.8.0.0/16"), Some(Way::Kernel));
    router.apply(with(9000));
    assert_eq!(router.way("10.8.0.0/16"), by_object(GROUP));
    for ifindex in [SWP1, SWP2, SWP3] {
        router.apply(Link { mtu: 1400, ..swp(ifindex) });
    }
    router.apply(with(1400));
    assert_eq!(router.way("10.8.0.0/16"), by_object(GROUP));
}

#[test]
fn a_nexthop_object_without_a_router_makes_a_connected_route() {
    let mut router = router();
    router.apply(single(104, SWP3, None));
    router.apply(via_object(254, "10.4.0.0/24", 104));
    router.apply(neighbour(SWP3, "10.4.0.7", Some(mac(7))));
    assert_eq!(router.way("10.4.0.0/24"), Some(Way::Connected));
    assert_eq!(router.way("10.4.0.7/32"), to_host(SWP3, "10.4.0.7", 7));
    let dirty = router.apply(single(104, SWP1, Some("192.0.2.0")));
    assert!(dirty.all_routes, "every route with it leads another way");
    assert_eq!(router.way("10.4.0.0/24"), by_object(104));
    assert_eq!(router.way("10.4.0.7/32"), None);
}

#[test]
fn a_resilient_group_keeps_the_kernels_settings_and_weights_of_sixteen_bits() {
    let mut router = router();
    let resilient = Some(Resilient { buckets: 512, idle_ms: 5_000, unbalanced_ms: 60_000 });
    let member = |id, weight| GroupMember { id, weight };
    let members = vec![member(101, 11_000), member(102, 45_000)];
    router.apply(nexthop(GROUP, NexthopKind::Group { members, resilient }));
    let group = group_of(&router, &GroupKey::Object(GROUP));
    assert_eq!(group.members, [(first(), 11_000), (second(), 45_000)]);
    assert_eq!(group.resilient, resilient);
    assert!(!group.blackhole);
}

#[test]
fn two_objects_with_the_same_router_are_one_member_with_both_weights() {
    let mut router = router();
    router.apply(single(103, SWP1, Some("192.0.2.0")));
    router.apply(group(GROUP, &[(101, 1), (102, 3), (103, 2)]));
    assert_eq!(members(&router, GROUP), [(first(), 3), (second(), 3)]);
}

// MP-06: nexthop objects that go shrink every group that has them.
#[test]
fn a_nexthop_that_is_deleted_leaves_every_group_and_the_weights_of_the_others() {
    let mut router = router();
    router.apply(group(111, &[(102, 7), (101, 5)]));
    router.apply(via_object(254, "10.8.0.0/16", 111));
    let before = router.all_routes;
    router.apply(Event::NexthopGone { id: 101 });
    assert_eq!(members(&router, GROUP), [(second(), 3)]);
    assert_eq!(members(&router, 111), [(second(), 7)]);
    assert_eq!(router.all_routes, before, "no route is looked at");
    let dirty = router.apply(Event::NexthopGone { id: 111 });
    assert!(dirty.routing_stale, "the kernel removes its IPv4 routes without a word");
    assert_eq!(router.way("10.8.0.0/16"), by_object(111));
    assert!(members(&router, 111).is_empty());
    assert!(!router.apply(Event::NexthopGone { id: 102 }).routing_stale, "no route has it");
}

#[test]
fn an_interface_that_is_set_down_keeps_its_members_until_the_kernels_tables_are_read_again() {
    let mut router = sticky_router();
    let down = Link { up: false, carrier: false, ..swp(SWP1) };
    let dirty = router.apply(down);
    assert!(dirty.routing_stale);
    assert_eq!(members(&router, GROUP), [(first(), 1), (second(), 3)]);
    assert!(router.structure().ports.contains_key(&SWP1));
    assert_eq!(router.way("10.9.0.0/16"), by_object(GROUP));
    // What the kernel has left: the object of swp1 is gone, and the routes over swp1 alone.
    let alone = Event::Route(via_object(254, "10.8.0.0/16", 101));
    router.apply(alone);
    let events = router_events().into_iter().filter(|event| match event {
        Event::Nexthop(nexthop) => nexthop.id == 102,
        Event::Neighbour(neighbour) => neighbour.ifindex != SWP1,
        Event::Route(_) => true,
        Event::RouteAppended(route) => route.hops.iter().all(|hop| hop.ifindex != SWP1),
        _ => false,
    });
    let events: Vec<Event> = events.chain([group(GROUP, &[(102, 3)])]).collect();
    let all_routes = router.all_routes;
    let dirty = router.replace(Listing { scope: Scope::Routing, events });
    let gone: Vec<String> = dirty.routes.iter().map(|(_, prefix)| prefix.to_string()).collect();
    assert_eq!(gone, ["10.8.0.0/16", "192.0.2.0/31", "192.0.2.1/32"]);
    assert_eq!(router.all_routes, all_routes, "only what differs is compiled");
    assert_eq!(members(&router, GROUP), [(second(), 3)]);
    assert_eq!(router.way("10.8.0.0/16"), None);
    assert_eq!(router.way("10.9.0.0/16"), by_object(GROUP));
}

// MP-07: what is replaced in place takes effect without any message about routes.
#[test]
fn a_nexthop_or_group_becomes_a_blackhole_in_place_and_back() {
    let mut router = sticky_router();
    router.apply(via_object(254, "10.8.0.0/16", 101));
    let (all_routes, places) = (router.all_routes, router.places);
    router.apply(nexthop(101, NexthopKind::Blackhole));
    let blackhole = Group { blackhole: true, ..Group::default() };
    assert_eq!(group_of(&router, &GroupKey::Object(101)), blackhole);
    router.apply(single(101, SWP1, Some("192.0.2.9")));
    assert_eq!(members(&router, 101), [(host_key(SWP1, "192.0.2.9"), 1)]);
    router.apply(nexthop(130, NexthopKind::Blackhole));
    router.apply(group(GROUP, &[(130, 1)]));
    assert_eq!(group_of(&router, &GroupKey::Object(GROUP)), blackhole);
    router.apply(group(GROUP, &[(102, 1)]));
    assert_eq!(members(&router, GROUP), [(second(), 1)]);
    assert_eq!((router.all_routes, router.places), (all_routes, places), "no route was touched");
    assert_eq!(router.way("10.8.0.0/16"), by_object(101));
    assert_eq!(router.way("10.9.0.0/16"), by_object(GROUP));
}

#[test]
fn a_router_that_does_not_answer_stays_a_member_and_is_asked_for() {
    let mut router = router();
    let structure = router.structure();
    let dirty = router.apply(neighbour(SWP1, "192.0.2.0", None));
    assert!(dirty.needs_structure(&router.network, &structure));
    let desired = router.structure();
    assert_eq!(members(&router, GROUP), [(first(), 1), (second(), 3)]);
    assert_eq!(desired.nexthops[&first()].destination, None);
    assert_eq!(desired.unresolved, [first()].into());
    router.apply(Link { carrier: false, ..swp(SWP1) });
    assert!(router.structure().unresolved.is_empty(), "a dead link resolves nothing");
}

#[test]
fn vteps_and_routes_share_a_group() {
    let mut leaf = leaf();
    router_events().into_iter().for_each(|event| drop(leaf.apply(event)));
    leaf.apply(via_object(254, "10.8.0.0/16", 20));
    for ifindex in [U1, U2] {
        leaf.apply(forwarding(false, Some(ifindex), true));
    }
    let desired = leaf.structure();
    assert_eq!(desired.vteps[&VTEP], Some(GroupKey::Object(20)));
    assert_eq!(leaf.way("10.8.0.0/16"), by_object(20));
    assert_eq!(desired.groups[&GroupKey::Object(20)].members.len(), 2);
    assert!(desired.ports.values().filter(|port| port.role.is_routed()).count() == 5);
}

#[test]
fn a_hundred_thousand_routes_make_a_change_of_one_no_more_work() {
    let mut router = router();
    for number in 0..100_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let destination = format!("{}.{b}.{c}.0/24", 20 + a);
        router.network.apply(Event::Route(via_object(254, &destination, GROUP)));
    }
    router.replace_all();
    assert_eq!(router.routes(), 100_012);
    let (structures, all_routes, places) = (router.structures, router.all_routes, router.places);
    router.apply(via_object(254, "20.1.1.0/24", 101));
    assert_eq!(router.structures, structures + 1, "object 101 comes into use");
    let mut expected = places + 1;
    for step in 0..200_u32 {
        let destination = format!("20.1.{step}.0/24");
        router.apply(via_object(254, &destination, [GROUP, 101][step as usize % 2]));
        // What was there already is no change.
        expected += usize::from(step % 2 == 1 && step != 1);
        router.withdraw(via_object(254, &format!("21.0.{step}.0/24"), GROUP));
        router.apply(via_object(254, &format!("21.0.{step}.0/24"), GROUP));
        expected += 2;
        router.apply(neighbour(SWP3, "10.1.0.99", Some(mac(step as u8))));
        expected += 1;
    }
    assert_eq!(router.structures, structures + 1);
    assert_eq!(router.all_routes, all_routes);
    assert_eq!(router.places, expected, "one place for each change");
    router.desired();
}
