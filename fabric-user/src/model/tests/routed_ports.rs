//! Which ports are routed, and in which tables their packets are looked up.

use super::{incremental::Incremental, router::*, world::*};
use crate::{model::*, observe::*};

fn default_view() -> View {
    View { v4: vec![255, 254, 253], v6: vec![255, 254] }
}

#[test]
fn ports_that_routes_lead_out_of_are_routed_for_both_families() {
    let desired = router().structure();
    let ports: Vec<_> = desired
        .ports
        .values()
        .map(|port| (port.name.as_str(), port.role, port.view, port.route4, port.route6))
        .collect();
    let routed = |name| (name, Role::Routed, Some(0), true, true);
    assert_eq!(ports, [routed("swp1"), routed("swp2"), routed("swp3")]);
    assert_eq!(desired.views, [default_view()]);
    assert_eq!(desired.problems, []);
    assert!(desired.declined.is_empty(), "the loopback interface is nobody's port");
}

#[test]
fn without_forwarding_there_are_only_the_ports_towards_vteps() {
    let mut leaf = leaf();
    default_rules().into_iter().for_each(|rule| drop(leaf.apply(rule)));
    leaf.apply(connected(254, "198.51.100.0/24", 60));
    leaf.apply(link(60, "eth0", LinkKind::Device));
    for (v6, ifindex) in [(false, Some(60)), (true, Some(60)), (true, None), (false, Some(U1))] {
        leaf.apply(forwarding(v6, ifindex, false));
    }
    let desired = leaf.structure();
    assert_eq!(desired.routed(), [U1, U2].into());
    assert!(desired.ports.values().all(|port| port.view.is_none() && !port.route4 && !port.route6));
    assert!(desired.views.is_empty());
    assert_eq!(desired.problems, []);
    assert!(leaf.desired().routes.is_empty());
    leaf.apply(forwarding(false, Some(60), true));
    assert!(leaf.structure().ports[&60].route4);
}

#[test]
fn ipv4_goes_by_the_interfaces_own_setting_and_ipv6_by_that_for_all() {
    let mut router = router();
    router.apply(forwarding(false, Some(SWP1), false));
    router.apply(forwarding(true, Some(SWP1), false));
    let port = router.structure().ports[&SWP1].clone();
    assert_eq!((port.route4, port.route6), (false, true));
    router.apply(forwarding(true, None, false));
    let desired = router.structure();
    let ports: Vec<_> =
        desired.ports.iter().map(|(ifindex, p)| (*ifindex, p.route4, p.route6)).collect();
    assert_eq!(ports, [(SWP2, true, false), (SWP3, true, false)], "swp1 does not forward at all");
    assert_eq!(desired.views, [View { v6: Vec::new(), ..default_view() }]);
    let group = &desired.groups[&GroupKey::Object(GROUP)];
    assert!(group.members.is_empty(), "a member is behind something that is no port of ours");
    router.apply(Event::NetconfGone { v6: false, ifindex: SWP2 });
    assert!(!router.structure().ports.contains_key(&SWP2));
}

#[test]
fn a_check_of_sources_leaves_ipv4_to_the_kernel_and_says_how_to_change_that() {
    for interface in [None, Some(SWP2)] {
        let mut router = router();
        let rp_filter = Some(2);
        router.apply(Netconf {
            v6: false,
            ifindex: interface,
            forwarding: None,
            rp_filter,
            proxy: None,
        });
        let desired = router.structure();
        let port = &desired.ports[&SWP2];
        assert!(!port.route4 && port.route6 && port.view.is_some());
        assert_eq!(desired.ports[&SWP1].route4, interface.is_some());
        let sentence = desired.why_not(SWP2).next().unwrap();
        assert!(sentence.contains("port swp2: the kernel checks where the sources"), "{sentence}");
        assert!(sentence.contains("set net.ipv4.conf.swp2.rp_filter"), "{sentence}");
    }
}

#[test]
fn a_rule_for_one_port_puts_its_table_before_the_main_one() {
    let mut router = router();
    let by_port = Rule { iif: Some("swp3".into()), ..rule(false, 100, RuleAction::Lookup(1000)) };
    router.apply(by_port.clone());
    let desired = router.structure();
    let view = |ifindex: u32| {
        let position = desired.ports[&ifindex].view.unwrap();
        desired.views[usize::from(position)].clone()
    };
    assert_eq!(view(SWP3).v4, [255, 1000, 254, 253]);
    assert_eq!(view(SWP1), default_view());
    assert_eq!(desired.views.len(), 2);
    router.withdraw(by_port);
    assert_eq!(router.structure().views, [default_view()]);
}

#[test]
fn rules_that_no_packet_from_a_port_can_meet_make_no_difference() {
    let mut router = router();
    let lookup = |priority| rule(false, priority, RuleAction::Lookup(1000));
    let from = || vec![String::from("from 10.0.0.0/8")];
    for harmless in [
        Rule { iif: Some("lo".into()), conditions: from(), ..lookup(1) },
        Rule { iif: Some("eth9".into()), conditions: from(), ..lookup(2) },
        Rule { oif: Some("swp1".into()), conditions: from(), ..lookup(3) },
        Rule { l3mdev: true, ..rule(false, 1000, RuleAction::Lookup(0)) },
        Rule { conditions: from(), ..rule(false, 4, RuleAction::Nop) },
        rule(false, 40_000, RuleAction::Unreachable),
    ] {
        router.apply(harmless);
    }
    let desired = router.structure();
    assert_eq!(desired.views, [default_view()]);
    assert_eq!(desired.problems, []);
}

#[test]
fn a_rule_that_may_apply_to_some_packets_leaves_the_family_to_the_kernel() {
    let lookup = || rule(false, 99, RuleAction::Lookup(1000));
    let with = |words: &str| Rule { conditions: vec![words.to_owned()], ..lookup() };
    for (odd, words) in [
        (with("from 10.0.0.0/8"), "the rule `from 10.0.0.0/8 lookup 1000` (priority 99)"),
        (with("fwmark 0x1"), "fwmark 0x1"),
        (with("tos 0x10"), "tos 0x10"),
        (Rule { suppress: Some(0), ..lookup() }, "suppress_prefixlength 0"),
        (Rule { not: true, ..with("fwmark 0x1") }, "not fwmark 0x1"),
        (Rule { from: Some(prefix("10.0.0.0/8")), ..lookup() }, "from 10.0.0.0/8 lookup 1000"),
        (Rule { not: true, to: Some(prefix("10.0.0.0/8")), ..lookup() }, "not to 10.0.0.0/8"),
        (Rule { destination_ports: Some((53, 53)), ..lookup() }, "dport 53"),
        (rule(false, 99, RuleAction::Goto(200)), "goto 200"),
        (rule(false, 99, RuleAction::Other(77)), "action 77"),
    ] {
        let mut router = router();
        router.apply(odd);
        let desired = router.structure();
        assert!(desired.ports.values().all(|port| !port.route4 && port.route6));
        assert_eq!(desired.views, [View { v4: Vec::new(), ..default_view() }]);
        assert_eq!(desired.problems.len(), 3, "one for each port");
        router.assert_named(words);
        router.assert_named("port swp1: ");
        router.assert_named("limit the rule to other interfaces (`iif`)");
    }
}

#[test]
fn a_rule_that_answers_for_all_packets_ends_the_list_of_tables() {
    let mut router = router();
    router.apply(rule(false, 32_000, RuleAction::Unreachable));
    assert_eq!(router.structure().views[0].v4, [255]);
    assert_eq!(router.problems(), "");
}

#[test]
fn without_rules_nothing_is_routed() {
    let mut router = router();
    for event in default_rules() {
        router.withdraw(event);
    }
    assert!(router.structure().views.is_empty());
}

/// The router with `swp3` in the VRF `red` (table 1001), set up as the kernel's documentation says.
fn with_vrf() -> super::incremental::Incremental {
    let mut router = router();
    router.apply(link(90, "red", LinkKind::Vrf { table: 1001 }));
    router.apply(Link { master: Some(90), ..swp(SWP3) });
    for v6 in [false, true] {
        let l3mdev = rule(v6, 1000, RuleAction::Lookup(0));
        router.apply(Rule { l3mdev: true, ..l3mdev });
    }
    // The kernel moves what belongs to the interface into the VRF's table.
    for old in [connected(254, "10.1.0.0/24", SWP3), own_address(255, "10.1.0.1", SWP3)] {
        router.withdraw(old);
    }
    router.apply(connected(1001, "10.1.0.0/24", SWP3));
    router.apply(own_address(1001, "10.1.0.1", SWP3));
    router
}

#[test]
fn a_member_of_a_vrf_is_looked_up_in_the_vrfs_table_first() {
    let router = with_vrf();
    let desired = router.structure();
    let main = View { v4: vec![255, 254, 253], v6: vec![255, 254] };
    let red = View { v4: vec![255, 1001, 254, 253], v6: vec![255, 1001, 254] };
    assert_eq!(desired.views, [main, red]);
    assert_eq!(desired.ports[&SWP3].view, Some(1));
    assert_eq!(desired.ports[&SWP1].view, Some(0));
    assert!(desired.own.contains(&ip("10.1.0.1")), "the VRF's own address is one of ours");
}

#[test]
fn a_rule_may_end_the_lookup_of_a_vrf() {
    let mut router = with_vrf();
    let end = rule(false, 1001, RuleAction::Unreachable);
    router.apply(Rule { l3mdev: true, ..end });
    let views = router.structure().views;
    assert_eq!(views[1].v4, [255, 1001]);
    assert_eq!(views[0].v4, [255, 254, 253]);
}

#[test]
fn rules_about_a_vrf_or_its_members_are_used_only_where_every_kernel_agrees() {
    let by = |iif: Option<&str>, oif: Option<&str>| Rule {
        iif: iif.map(str::to_owned),
        oif: oif.map(str::to_owned),
        ..rule(false, 50, RuleAction::Lookup(77))
    };
    let mut router = with_vrf();
    router.apply(by(Some("red"), None));
    assert_eq!(router.structure().views[0].v4, [255, 77, 1001, 254, 253]);
    for unclear in [by(Some("swp3"), None), by(None, Some("red"))] {
        let mut router = with_vrf();
        router.apply(unclear);
        let desired = router.structure();
        assert!(!desired.ports[&SWP3].route4 && desired.ports[&SWP1].route4);
        assert_eq!(desired.why_not(SWP3).count(), 1);
    }
}

#[test]
fn bridges_tunnels_and_members_of_bonds_are_no_routed_ports() {
    let device = |kind| Link { mtu: 9000, ..link(SWP3, "swp3", kind) };
    for (other, declined) in [
        (device(bridge(false)), false),
        (device(LinkKind::Vxlan(vxlan(7))), false),
        (Link { mac: None, ..device(LinkKind::Other("tun".into())) }, false),
        (port_of(BR10, swp(SWP3)), false),
        (Link { master: Some(99), ..swp(SWP3) }, false),
        (vlan_of(SWP2, 5, 0x8100, device(LinkKind::Device)), true),
        (device(LinkKind::Other("macvlan".into())), true),
        (Link { lower: Some(SWP2), ..device(LinkKind::Other("macvlan".into())) }, true),
        // What stands on a bridge is the kernel's as the bridge is.
        (Link { lower: Some(BR10), ..device(LinkKind::Other("macvlan".into())) }, false),
        (vlan_of(BR10, 5, 0x8100, device(LinkKind::Device)), false),
        (device(LinkKind::Other("dummy".into())), false),
    ] {
        let mut router = router();
        router.apply(link(BR10, "br10", bridge(false)));
        router.apply(other.clone());
        let desired = router.structure();
        assert!(!desired.ports.contains_key(&SWP3), "{other:?}");
        assert_eq!(desired.declined.contains_key(&SWP3), declined, "{other:?}");
        assert!(desired.ports.contains_key(&SWP1));
    }
}

#[test]
fn a_port_that_the_settings_exclude_is_declined_and_what_leads_over_it_is_the_kernels() {
    let policy = Policy { denied: vec![Pattern::new("swp2")], ..Policy::default() };
    let desired = router_with(policy).structure();
    assert_eq!(
        desired.declined,
        [(SWP2, "port swp2 is denied by the pattern `swp2` in the settings".into())].into()
    );
    assert!(desired.groups[&GroupKey::Object(GROUP)].members.is_empty());
}

#[test]
fn a_port_with_hosts_of_a_bridge_behind_it_is_not_routed_and_named() {
    let mut leaf = leaf();
    router_events().into_iter().for_each(|event| drop(leaf.apply(event)));
    leaf.apply(vlan_of(SWP3, 5, 0x8100, port_of(BR10, veth(41, "swp3.5"))));
    let desired = leaf.structure();
    assert_eq!(desired.ports[&SWP3].role, Role::Access);
    assert_eq!(desired.ports[&SWP3].view, None);
    let sentence = desired.why_not(SWP3).next().unwrap();
    assert!(sentence.contains("use separate ports for hosts and fabric"), "{sentence}");
}

#[test]
fn a_routed_port_stays_one_while_its_routes_are_away() {
    let mut router = sticky_router();
    router.withdraw(via_object(254, "10.9.0.0/16", GROUP));
    router.withdraw(via_object(254, "2001:db8:9::/48", GROUP));
    let port = router.structure().ports[&SWP2].clone();
    assert!(port.route4 && port.route6 && port.view == Some(0));
    router.apply(Event::LinkGone { ifindex: SWP2 });
    assert!(!router.structure().ports.contains_key(&SWP2));
    router.apply(swp(SWP2));
    let desired = router.structure();
    assert!(!desired.ports[&SWP2].route4, "a new interface says whether it forwards");
}

/// ipvlan takes packets by their address, macvlan in mode passthru takes all of them.
#[test]
fn a_port_from_which_something_else_takes_packets_is_left_to_the_kernel_and_named() {
    for kind in ["ipvlan", "ipvtap", "macvlan", "macvtap", "macsec"] {
        let taker = Link {
            lower: Some(SWP1),
            takes_more: true,
            ..link(77, "taker", LinkKind::Other(kind.into()))
        };
        let mut router = router();
        let whole = router.desired();
        // One with the port of another namespace, and one that takes its own frames only.
        router.apply(Link { lower_elsewhere: true, ..taker.clone() });
        assert_eq!(router.desired(), whole);
        router.apply(Link { takes_more: false, ..taker.clone() });
        assert_eq!(router.desired(), whole);
        router.apply(taker);
        let desired = router.structure();
        assert!(!desired.ports.contains_key(&SWP1));
        assert!(desired.ports.contains_key(&SWP2));
        let reason = &desired.declined[&SWP1];
        assert!(reason.contains("taker on top of it takes packets"), "{reason}");
        router.apply(Event::LinkGone { ifindex: 77 });
        assert_eq!(router.desired(), whole);
    }
}

/// With its last IPv4 address an interface that is up loses the use of its next hops, and the kernel says
/// so in nothing but a dump. An audit reads links first.
#[test]
fn a_next_hop_that_is_dead_on_a_living_link_is_not_used() {
    let mut router = router();
    let hops = [(SWP1, Some("fe80::77")), (SWP2, Some("fe80::77"))];
    let mut route = via_hops(254, "10.77.0.0/16", &hops);
    route.hops[1].dead = true;
    router.apply(Event::RouteAppended(route.clone()));
    let members = |router: &Incremental| {
        let groups = router.structure().groups;
        let via = |port: u32, gateway: &str| {
            let is_it = |key: &NexthopKey| key.ifindex == port && key.gateway == ip(gateway);
            groups.values().flat_map(|group| &group.members).filter(|(key, _)| is_it(key)).count()
        };
        (via(SWP1, "fe80::77"), via(SWP2, "fe80::77"))
    };
    assert_eq!(members(&router), (1, 0));
    // A link that comes to life takes its next hops into use, whatever was said of them before.
    router.apply(Link { carrier: false, ..swp(SWP2) });
    router.apply(swp(SWP2));
    assert_eq!(members(&router), (1, 1));
}

#[test]
fn an_interface_without_ipv6_takes_none_and_none_is_sent_there() {
    let mut router = router();
    let way = |router: &Incremental, destination| {
        let view = router.structure().ports[&SWP1].view.expect("it routes");
        router.way_in(view, destination)
    };
    let next_hop = |router: &Incremental| match way(router, "2001:db8:9::/48") {
        Some(Way::Group(key)) => Some(key),
        Some(Way::Kernel) => None,
        other => panic!("{other:?}"),
    };
    assert!(next_hop(&router).is_some());
    router.policy.without_ipv6 = [SWP2, SWP3].into();
    router.update(&Dirty::policy());
    let ports = router.structure().ports;
    let families: Vec<_> =
        ports.iter().map(|(ifindex, port)| (*ifindex, port.route4, port.route6)).collect();
    assert_eq!(families, [(SWP1, true, true), (SWP2, true, false), (SWP3, true, false)]);
    // Of its next hops one is on such an interface.
    assert_eq!(next_hop(&router), None);
    assert!(matches!(way(&router, "10.9.0.0/16"), Some(Way::Group(_))), "IPv4 goes on");
    assert_eq!(way(&router, "2001:db8:1::/64"), Some(Way::Kernel));
    assert_eq!(way(&router, "2001:db8:1::7/128"), None);
    assert!(matches!(way(&router, "10.1.0.7/32"), Some(Way::Nexthop { .. })));
    // One that another group is made of then.
    router.apply(group(GROUP, &[(101, 1)]));
    assert!(next_hop(&router).is_some());
    router.apply(group(GROUP, &[(101, 1), (102, 3)]));
    assert_eq!(next_hop(&router), None);
    router.policy.without_ipv6.clear();
    router.update(&Dirty::policy());
    assert!(next_hop(&router).is_some());
    assert!(router.structure().ports.values().all(|port| port.route6));
}
