//! Routes that lead to the device of a VRF.

use super::{incremental::Incremental, netfilter::chain, router::*, world::*};
use crate::{model::*, observe::*};

const RED: u32 = 61;
const BLUE: u32 = 62;
/// `swp3`'s network, which the tests have in VRF red.
const RACK: &str = "10.1.0.0/24";
const RACK6: &str = "2001:db8:1::/64";

fn vrf(ifindex: u32, name: &str, table: u32) -> Link {
    Link { mtu: 65_575, ..link(ifindex, name, LinkKind::Vrf { table }) }
}

fn red() -> Link {
    vrf(RED, "red", 1001)
}

/// The router with `swp3` in VRF red, whose networks the main table has as FRR 10 writes them.
fn router() -> Incremental {
    let mut router = super::router::router();
    for v6 in [false, true] {
        router.apply(Rule { l3mdev: true, ..rule(v6, 1000, RuleAction::Lookup(0)) });
    }
    router.apply(red());
    router.apply(Link { master: Some(RED), ..swp(SWP3) });
    router.withdraw(connected(254, RACK, SWP3));
    router.withdraw(connected(254, RACK6, SWP3));
    router.withdraw(own_address(255, "10.1.0.1", SWP3));
    router.withdraw(own_address(255, "2001:db8:1::1", SWP3));
    for event in [
        own_address(1001, "10.1.0.1", SWP3),
        own_address(1001, "2001:db8:1::1", SWP3),
        connected(1001, RACK, SWP3),
        connected(1001, RACK6, SWP3),
        Event::Route(via_hops(254, RACK, &[(RED, None)])),
        Event::RouteAppended(via_hops(254, RACK6, &[(RED, None)])),
    ] {
        router.apply(event);
    }
    router
}

/// The position of the view of a port.
fn view_of(router: &Incremental, ifindex: u32) -> u16 {
    router.structure().ports[&ifindex].view.expect("it routes")
}

/// Where packets from the other ports to the networks of VRF red go.
fn ways(router: &Incremental) -> [Option<Way>; 2] {
    let view = view_of(router, SWP1);
    [RACK, RACK6].map(|prefix| router.way_in(view, prefix))
}

#[test]
fn a_route_to_a_vrf_leads_to_what_its_ports_look_up() {
    let router = router();
    let there = view_of(&router, SWP3);
    assert_eq!(ways(&router), [Some(Way::View(there)), Some(Way::View(there))]);
    assert_eq!(router.structure().leaks, [(RED, [Some(there); 2])].into());
    assert_eq!(router.structure().views.len(), 2, "the one of its ports is the VRF's");
    assert_eq!(router.way_in(there, RACK), Some(Way::Connected));
    assert_eq!(router.way_in(there, "10.1.0.1/32"), Some(Way::Local));
    let host = host_key(SWP3, "10.1.0.7");
    let way = router.way_in(there, "10.1.0.7/32");
    assert!(matches!(way, Some(Way::Nexthop { key, .. }) if key == host), "{way:?}");
    assert_eq!(router.way_in(view_of(&router, SWP1), "10.1.0.7/32"), None, "hosts stand there");
    assert_eq!(router.problems(), "");
}

#[test]
fn a_vrf_in_which_no_port_is_has_a_view_as_long_as_routes_lead_there() {
    let mut router = router();
    router.apply(vrf(BLUE, "blue", 1002));
    let into = via_hops(1001, "203.0.113.0/24", &[(BLUE, None)]);
    router.apply(into.clone());
    router.apply(via_hops(1002, "203.0.113.0/24", &[(SWP2, Some("fe80::2"))]));
    let structure = router.structure();
    let [Some(blue), Some(_)] = structure.leaks[&BLUE] else { panic!("{:?}", structure.leaks) };
    let tables = View { v4: vec![255, 1002, 254, 253], v6: vec![255, 1002, 254] };
    assert_eq!(structure.views[usize::from(blue)], tables);
    let from = view_of(&router, SWP3);
    assert_eq!(router.way_in(from, "203.0.113.0/24"), Some(Way::View(blue)));
    let way = router.way_in(blue, "203.0.113.0/24");
    assert!(matches!(way, Some(Way::Group(GroupKey::Hops(_)))), "{way:?}");
    router.withdraw(into);
    assert_eq!(router.structure().views.len(), 2);
    assert!(!router.structure().leaks.contains_key(&BLUE));
}

#[test]
fn a_port_that_only_a_vrf_leads_out_of_becomes_a_routed_one() {
    let mut router = router();
    router.apply(vrf(BLUE, "blue", 1002));
    router.apply(link(70, "swp9", LinkKind::Device));
    router.apply(forwarding(false, Some(70), true));
    router.apply(via_hops(1002, "203.0.113.0/24", &[(70, Some("198.51.100.1"))]));
    assert!(!router.structure().ports.contains_key(&70));
    router.apply(via_hops(254, "203.0.113.0/24", &[(BLUE, None)]));
    assert_eq!(router.structure().ports[&70].role, Role::Routed);
}

#[test]
fn an_object_may_lead_to_a_vrf_and_elsewhere_next() {
    let mut router = router();
    router.apply(single(150, RED, None));
    router.apply(via_object(254, RACK, 150));
    let there = view_of(&router, SWP3);
    assert_eq!(ways(&router)[0], Some(Way::View(there)));
    router.apply(single(150, SWP1, Some("192.0.2.0")));
    assert_eq!(ways(&router)[0], Some(Way::Group(GroupKey::Object(150))));
    router.apply(single(150, RED, None));
    assert_eq!(ways(&router)[0], Some(Way::View(there)));
    assert_eq!(router.problems(), "");
}

#[test]
fn what_the_device_of_a_vrf_does_to_packets_leaves_them_to_the_kernel_and_is_named() {
    let mut router = router();
    let kernels = [Some(Way::Kernel), Some(Way::Kernel)];
    let [leaving, arriving] =
        [(false, true), (true, false)].map(|(arriving, leaving)| Classifiers { arriving, leaving });
    router.apply(Event::Classifiers([(RED, arriving)].into()));
    assert_ne!(ways(&router), kernels, "nothing arrives there");
    router.apply(Event::Classifiers([(RED, leaving)].into()));
    assert_eq!(ways(&router), kernels);
    router.assert_named("IPv4 routes into the VRF red: red has filters of `tc`");
    router.apply(Event::Classifiers([].into()));
    router.apply(Link { mtu: 8999, ..red() });
    assert_eq!(ways(&router), kernels);
    router.assert_named("the MTU of red is less than that of ports");
    router.assert_named("`ip link set dev red mtu 9000`");
    router.apply(Link { mtu: 9000, ..red() });
    assert_ne!(ways(&router), kernels);
    router.apply(Link { up: false, carrier: false, ..red() });
    assert_eq!(ways(&router), kernels, "its routes are about to go");
    router.apply(red());
    assert_eq!(router.problems(), "");
}

#[test]
fn chains_for_what_the_box_sends_see_what_a_vrf_routes_on() {
    for (family, kernels) in [
        (ChainFamily::Ip, [true, false]),
        (ChainFamily::Ip6, [false, true]),
        (ChainFamily::Inet, [true, true]),
    ] {
        let mut router = router();
        router.apply(Event::Chain(chain(family, Hook::Output)));
        let left = ways(&router).map(|way| way == Some(Way::Kernel));
        assert_eq!(left, kernels, "{family:?}");
        let view = view_of(&router, SWP1);
        let way = router.way_in(view, "10.9.0.0/16");
        assert_eq!(way, Some(Way::Group(GroupKey::Object(GROUP))), "what leaks nowhere stays");
        router.assert_named("routes into the VRF red: the nftables chain");
    }
    let mut router = router();
    let at_red = Chain { devices: vec!["red".into()], ..chain(ChainFamily::Netdev, Hook::Egress) };
    router.apply(Event::Chain(at_red));
    assert_eq!(ways(&router), [Some(Way::Kernel), Some(Way::Kernel)]);
}

#[test]
fn rules_for_what_a_vrf_sends_count_and_those_that_kernels_read_differently_leave_it_to_them() {
    let lookup = |table| rule(false, 99, RuleAction::Lookup(table));
    let tables = |router: &Incremental| {
        let structure = router.structure();
        let [view, _] = structure.leaks[&RED];
        view.map(|view| structure.views[usize::from(view)].v4.clone())
    };
    let usual = vec![255, 1001, 254, 253];
    for (odd, expected) in [
        (Rule { iif: Some("lo".into()), ..lookup(7) }, Some(vec![255, 7, 1001, 254, 253])),
        (Rule { iif: Some("swp3".into()), ..lookup(7) }, Some(usual.clone())),
        (Rule { oif: Some("swp3".into()), ..lookup(7) }, Some(usual)),
        (Rule { iif: Some("red".into()), ..lookup(7) }, None),
        (Rule { oif: Some("red".into()), ..lookup(7) }, None),
        (Rule { iif: Some("lo".into()), to: Some(prefix("10.0.0.0/8")), ..lookup(7) }, None),
    ] {
        let mut router = router();
        router.apply(odd.clone());
        assert_eq!(tables(&router), expected, "{odd}");
        let is_named = router.problems().contains("IPv4 routes into the VRF red: the rule `");
        assert_eq!(is_named, expected.is_none(), "{odd}");
    }
    // Without the rule for VRFs the device looks where all others do.
    let mut router = router();
    router.withdraw(Rule { l3mdev: true, ..rule(false, 1000, RuleAction::Lookup(0)) });
    assert_eq!(tables(&router), Some(vec![255, 254, 253]));
}

#[test]
fn a_vrf_among_several_next_hops_or_behind_a_router_is_the_kernels_and_named() {
    let named = "several next hops, or with a router, on the device of the VRF red";
    for hops in [
        &[(RED, None), (BLUE, None)][..],
        &[(RED, None), (SWP1, Some("192.0.2.0"))],
        &[(RED, Some("10.1.0.7"))],
    ] {
        let mut router = router();
        router.apply(vrf(BLUE, "blue", 1002));
        let route = via_hops(254, "198.51.100.0/24", hops);
        router.apply(route.clone());
        let view = view_of(&router, SWP1);
        match router.way_in(view, "198.51.100.0/24") {
            Some(Way::Kernel) => {}
            Some(Way::Group(key)) => assert!(router.structure().groups[&key].members.is_empty()),
            other => panic!("{hops:?}: {other:?}"),
        }
        router.assert_named(named);
        router.withdraw(route);
        assert_eq!(router.problems(), "");
    }
    let mut router = router();
    router.apply(single(150, RED, None));
    router.apply(group(151, &[(101, 1), (150, 1)]));
    router.apply(via_object(254, "198.51.100.0/24", 151));
    assert!(router.structure().groups[&GroupKey::Object(151)].members.is_empty());
    router.assert_named(named);
}

#[test]
fn leaked_routes_change_one_by_one_in_either_vrf() {
    let mut router = router();
    let (view, all) = (view_of(&router, SWP1), router.all_routes);
    let there = view_of(&router, SWP3);
    for (event, way, beyond) in [
        (Event::Route(via_hops(254, "10.1.0.0/28", &[(RED, None)])), Some(Way::View(there)), None),
        (
            Event::Route(route_of(1001, "10.1.0.0/28", RouteKind::Blackhole)),
            Some(Way::View(there)),
            Some(Way::Blackhole),
        ),
        (gone(via_hops(254, "10.1.0.0/28", &[(RED, None)])), None, Some(Way::Blackhole)),
        (gone(route_of(1001, "10.1.0.0/28", RouteKind::Blackhole)), None, None),
    ] {
        router.apply(event);
        assert_eq!(router.way_in(view, "10.1.0.0/28"), way);
        assert_eq!(router.way_in(there, "10.1.0.0/28"), beyond);
    }
    assert_eq!(router.all_routes, all, "nothing else was compiled");
    // The last one that leads there goes.
    router.withdraw(via_hops(254, RACK, &[(RED, None)]));
    assert_eq!(ways(&router), [None, Some(Way::View(there))]);
    router.apply(Event::LinkGone { ifindex: RED });
    assert_eq!(router.structure().leaks, [].into());
}

#[test]
fn path_mtus_that_count_for_what_the_box_sends_count_for_what_leaks() {
    let learned =
        Learned { destination: ip("10.1.0.7"), mtu: true, locked: false, redirected: false };
    let mut router = super::router::router();
    router.apply(Event::Learned(learned));
    assert_eq!(router.problems(), "");
    let mut router = self::router();
    router.apply(Event::Learned(learned));
    let view = view_of(&router, SWP1);
    assert_eq!(router.way_in(view, "10.1.0.7/32"), Some(Way::Kernel));
    assert_eq!(router.way_in(view_of(&router, SWP3), "10.1.0.7/32"), Some(Way::Kernel));
    assert_eq!(ways(&router)[0], Some(Way::View(view_of(&router, SWP3))));
    router.assert_named("routed packets to 10.1.0.7: the kernel has learned a path MTU");
}

#[test]
fn a_vrf_that_only_its_own_routes_lead_to_is_nothing_to_speak_of() {
    let mut router = router();
    router.apply(Event::Chain(chain(ChainFamily::Inet, Hook::Output)));
    router.withdraw(via_hops(254, RACK, &[(RED, None)]));
    router.apply(Event::RouteGone(via_hops(254, RACK6, &[(RED, None)])));
    router.apply(connected(1001, "203.0.113.0/24", RED));
    assert_eq!(router.structure().leaks, [].into());
    let there = view_of(&router, SWP3);
    assert_eq!(router.way_in(there, "203.0.113.0/24"), Some(Way::Kernel));
    assert_eq!(router.problems(), "");
}

#[test]
fn a_vrf_that_leads_to_itself_or_on_to_another_one_is_looked_up_as_any() {
    let mut router = router();
    router.apply(vrf(BLUE, "blue", 1002));
    router.apply(via_hops(1001, "198.51.100.0/24", &[(RED, None)]));
    router.apply(via_hops(1001, "203.0.113.0/24", &[(BLUE, None)]));
    let there = view_of(&router, SWP3);
    assert_eq!(router.way_in(there, "198.51.100.0/24"), Some(Way::View(there)));
    let [Some(blue), _] = router.structure().leaks[&BLUE] else { panic!("it has a view") };
    assert_eq!(router.way_in(there, "203.0.113.0/24"), Some(Way::View(blue)));
}
