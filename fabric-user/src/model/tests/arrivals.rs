//! At which ports tunnels end, and for whom.

use super::{
    incremental::Incremental,
    router::{connected, forwarding, own_address, prefix, rule, via_hops},
    world::*,
};
use crate::{model::*, observe::*};

/// A routed port that no VTEP is behind.
const ETH0: u32 = 60;

/// The leaf with a second VTEP, 10.0.0.3 behind `u1` only, and a routed port `eth0`.
fn two_vteps() -> Incremental {
    let mut leaf = leaf();
    leaf.apply(link(ETH0, "eth0", LinkKind::Device));
    leaf.apply(forwarding(false, Some(ETH0), true));
    leaf.apply(connected(254, "198.51.100.0/24", ETH0));
    leaf.apply(route("10.0.0.3", 32, Some(11)));
    leaf.apply(tunnel_mac(Mac::ZERO, ip("10.0.0.3")));
    leaf
}

fn third() -> VtepKey {
    VtepKey { local: LOCAL, remote: ip("10.0.0.3") }
}

pub(super) fn rp_filter(ifindex: Option<u32>, mode: u8) -> Event {
    let rp_filter = Some(mode);
    Event::Netconf(Netconf { v6: false, ifindex, forwarding: None, rp_filter, proxy: None })
}

fn at(leaf: &Incremental, ifindex: u32) -> Arrivals {
    leaf.structure().ports[&ifindex].arrivals.clone()
}

fn all_but(vteps: &[VtepKey]) -> Arrivals {
    Arrivals::AllBut(vteps.iter().copied().collect())
}

#[test]
fn tunnels_end_where_the_underlay_leads_and_nowhere_else() {
    let mut leaf = two_vteps();
    let ports = leaf.structure().ports;
    assert_eq!((ports[&U1].role, &ports[&U1].arrivals), (Role::Underlay, &Arrivals::All));
    assert_eq!((ports[&U2].role, &ports[&U2].arrivals), (Role::Underlay, &Arrivals::All));
    assert_eq!((ports[&ETH0].role, &ports[&ETH0].arrivals), (Role::Routed, &Arrivals::Nothing));
    assert_eq!((ports[&H1].role, &ports[&H1].arrivals), (Role::Access, &Arrivals::Nothing));
    // A port over which the underlay leads no more keeps its program and not its role.
    leaf.policy.sticky_routed = leaf.structure().routed();
    leaf.apply(route("10.0.0.2", 32, Some(11)));
    let ports = leaf.structure().ports;
    assert_eq!((ports[&U2].role, &ports[&U2].arrivals), (Role::Routed, &Arrivals::Nothing));
}

#[test]
fn a_port_in_a_vrf_ends_no_tunnel() {
    let mut leaf = two_vteps();
    leaf.apply(link(90, "red", LinkKind::Vrf { table: 1001 }));
    leaf.apply(Link { master: Some(90), mtu: 9000, ..veth(U1, "u1") });
    assert_eq!(at(&leaf, U1), Arrivals::Nothing);
    assert_eq!(at(&leaf, U2), Arrivals::All);
}

#[test]
fn a_strict_filter_accepts_from_where_the_way_back_leads() {
    let mut leaf = two_vteps();
    for mode in [rp_filter(Some(U2), 1), rp_filter(None, 1)] {
        leaf.apply(mode);
        assert_eq!(at(&leaf, U2), all_but(&[third()]), "10.0.0.2 has both ports as next hops");
        assert_eq!(at(&leaf, U1), Arrivals::All);
    }
    leaf.apply(route("10.0.0.3", 32, Some(20)));
    assert_eq!(at(&leaf, U2), Arrivals::All);
}

#[test]
fn a_loose_filter_accepts_from_everywhere_if_the_port_has_an_address() {
    let mut leaf = two_vteps();
    leaf.apply(rp_filter(Some(U2), 2));
    assert_eq!(at(&leaf, U2), all_but(&[third()]), "without an address as a strict one");
    leaf.apply(own_address(255, "192.0.2.9", U2));
    leaf.apply(rp_filter(Some(U2), 0));
    leaf.apply(rp_filter(Some(U2), 2));
    assert_eq!(at(&leaf, U2), Arrivals::All);
    // Without a way back it has to be none of those that are unreachable.
    leaf.withdraw(route("10.0.0.3", 32, None));
    assert_eq!(at(&leaf, U2), all_but(&[third()]));
    leaf.apply(rp_filter(Some(U2), 0));
    assert_eq!(at(&leaf, U2), Arrivals::All);
}

#[test]
fn a_vtep_with_an_address_of_this_box_is_unheard() {
    let mut leaf = two_vteps();
    leaf.apply(own_address(255, "10.0.0.3", 1));
    let structure = leaf.structure();
    assert_eq!(structure.unheard, [third()].into());
    assert_eq!(structure.ports[&U1].arrivals, Arrivals::All, "the others are");
}

#[test]
fn a_rule_that_may_apply_to_the_way_back_refuses_only_where_the_kernel_looks_for_it() {
    // The port that packets to the VTEP go to is known, the one that its answers come from is not.
    let by = Rule {
        protocol: Some(17),
        destination_ports: Some((53, 53)),
        ..rule(false, 99, RuleAction::Lookup(100))
    };
    let mut leaf = two_vteps();
    leaf.apply(via_hops(100, "0.0.0.0/0", &[(ETH0, Some("198.51.100.2"))]));
    leaf.apply(by.clone());
    let structure = leaf.structure();
    assert_eq!(structure.unheard, [].into());
    assert!(structure.vteps.values().all(Option::is_some));
    assert_eq!((at(&leaf, U1), at(&leaf, U2)), (Arrivals::All, Arrivals::All));
    assert!(!leaf.problems().contains("VTEP"), "{}", leaf.problems());

    let named = |vtep: &str| {
        format!(
            "VTEP {vtep}: the rule `{by}` (priority 99) may apply to the way back (rp_filter), so what \
             arrives from it is left to the kernel"
        )
    };
    for mode in [1, 2] {
        leaf.apply(rp_filter(Some(U2), mode));
        assert_eq!((at(&leaf, U1), at(&leaf, U2)), (Arrivals::All, Arrivals::Nothing), "{mode}");
        for vtep in ["10.0.0.2", "10.0.0.3"] {
            assert_eq!(leaf.problems().matches(&named(vtep)).count(), 1, "{}", leaf.problems());
        }
    }
    leaf.apply(rp_filter(None, 1));
    assert_eq!((at(&leaf, U1), at(&leaf, U2)), (Arrivals::Nothing, Arrivals::Nothing));
    assert_eq!(leaf.problems().matches("way back").count(), 2, "{}", leaf.problems());

    // Of a rule for one VTEP the others hear nothing.
    leaf.withdraw(by.clone());
    let of_one = Rule { to: Some(prefix("10.0.0.3/32")), ..by };
    leaf.apply(of_one);
    assert_eq!(at(&leaf, U1), all_but(&[third()]));
    assert!(!leaf.problems().contains("VTEP 10.0.0.2"), "{}", leaf.problems());
}

#[test]
fn a_rule_that_may_make_a_vtep_an_address_of_this_box_is_named() {
    // As transparent proxies have it.
    let by =
        Rule { conditions: vec!["fwmark 0x1".into()], ..rule(false, 99, RuleAction::Lookup(100)) };
    let mut leaf = two_vteps();
    let mut local = route("0.0.0.0", 0, None);
    (local.key.table, local.kind) = (100, RouteKind::Local);
    leaf.apply(local);
    leaf.apply(by.clone());
    assert_eq!(leaf.structure().unheard, [VTEP, third()].into());
    let named = format!("VTEP 10.0.0.2: the rule `{by}` (priority 99) may make its address one of");
    leaf.assert_named(&named);
}

#[test]
fn rules_for_what_arrives_decide_where_it_is_delivered() {
    let catch = || rule(false, 0, RuleAction::Lookup(100));
    let from = |address: &str| Some(prefix(address));
    // The rule for the table of own addresses is the first of its priority, so it has to move.
    let moved = || {
        let mut leaf = two_vteps();
        let local = rule(false, 0, RuleAction::Lookup(255));
        leaf.apply(rule(false, 10, RuleAction::Lookup(255)));
        leaf.withdraw(local);
        leaf.apply(via_hops(100, "10.0.0.0/24", &[(U2, Some("fe80::52"))]));
        leaf
    };
    for (by, u1, u2) in [
        (Rule { iif: Some("u1".into()), ..catch() }, Arrivals::Nothing, Arrivals::All),
        (
            Rule { iif: Some("u1".into()), from: from("10.0.0.3/32"), ..catch() },
            all_but(&[third()]),
            Arrivals::All,
        ),
        (Rule { protocol: Some(6), ..catch() }, Arrivals::All, Arrivals::All),
        (
            Rule { iif: Some("u1".into()), destination_ports: Some((4789, 4789)), ..catch() },
            Arrivals::Nothing,
            Arrivals::All,
        ),
        (
            Rule { iif: Some("u1".into()), destination_ports: Some((53, 53)), ..catch() },
            Arrivals::All,
            Arrivals::All,
        ),
    ] {
        let mut leaf = moved();
        leaf.apply(by.clone());
        assert_eq!((at(&leaf, U1), at(&leaf, U2)), (u1, u2), "{by}");
        assert!(!leaf.problems().contains("may apply"), "{by}: {}", leaf.problems());
    }
    let mut leaf = moved();
    let marked = vec!["fwmark 0x1".into()];
    leaf.apply(Rule { iif: Some("u1".into()), conditions: marked, ..catch() });
    assert_eq!(at(&leaf, U1), Arrivals::Nothing);
    let named =
        "port u1: the rule `fwmark 0x1 iif u1 lookup 100` (priority 0) may apply to some VXLAN";
    leaf.assert_named(named);
}

#[test]
fn without_its_local_address_a_tunnel_is_the_kernels() {
    let mut leaf = leaf();
    assert_eq!(leaf.place(2), Some(Target::Remote(VTEP)));
    for _ in 0..2 {
        leaf.withdraw(own_address(255, "10.0.0.1", 1));
        let structure = leaf.structure();
        assert_eq!((structure.domains[&DOMAIN].vni, structure.vteps.len()), (None, 0));
        assert_eq!(leaf.place(2), None);
        assert!(matches!(leaf.place(1), Some(Target::Local(_))), "hosts are");
        let named = "bridge br10: vxlan device vx10 has the local address 10.0.0.1, which no interface \
                     outside VRFs has, left to the kernel";
        leaf.assert_named(named);
        // An address of a VRF, or of another interface, or one around it, is not it.
        leaf.apply(own_address(1001, "10.0.0.1", 90));
        leaf.apply(own_address(255, "10.0.0.9", 1));
        assert_eq!(leaf.structure().domains[&DOMAIN].vni, None);
        leaf.apply(own_address(255, "10.0.0.1", U1));
        assert_eq!(leaf.place(2), Some(Target::Remote(VTEP)));
        assert_eq!(leaf.problems(), "");
        leaf.withdraw(own_address(255, "10.0.0.1", U1));
        leaf.apply(own_address(255, "10.0.0.1", 1));
    }
}

/// The group of a VTEP and the problems after a rule with a table that leads elsewhere.
fn caught(by: &Rule) -> (Option<Vec<u32>>, String) {
    let mut leaf = two_vteps();
    leaf.apply(forwarding(false, Some(ETH0), false));
    leaf.apply(via_hops(100, "10.0.0.0/24", &[(U2, Some("fe80::52"))]));
    leaf.apply(by.clone());
    let structure = leaf.structure();
    let group = structure.vteps[&VTEP]
        .as_ref()
        .map(|group| structure.groups[group].members.iter().map(|(hop, _)| hop.ifindex).collect());
    (group, leaf.problems())
}

#[test]
fn rules_that_catch_the_packets_of_a_tunnel_are_followed() {
    let catch = || rule(false, 99, RuleAction::Lookup(100));
    let of = |text: &str| Some(prefix(text));
    for (by, ports) in [
        (Rule { to: of("10.0.0.2/32"), ..catch() }, vec![U2]),
        (Rule { to: of("10.0.0.3/32"), ..catch() }, vec![U1, U2]),
        (Rule { from: of("10.0.0.1/32"), ..catch() }, vec![U2]),
        (Rule { from: of("10.0.0.8/29"), ..catch() }, vec![U1, U2]),
        (Rule { not: true, from: of("10.0.0.8/29"), ..catch() }, vec![U2]),
        (Rule { iif: Some("lo".into()), ..catch() }, vec![U2]),
        (Rule { iif: Some("u1".into()), ..catch() }, vec![U1, U2]),
        (Rule { oif: Some("u1".into()), ..catch() }, vec![U1, U2]),
        (Rule { l3mdev: true, ..catch() }, vec![U1, U2]),
        (Rule { protocol: Some(17), destination_ports: Some((4000, 5000)), ..catch() }, vec![U2]),
        (Rule { protocol: Some(6), ..catch() }, vec![U1, U2]),
        (Rule { suppress: Some(23), ..catch() }, vec![U2]),
        (Rule { suppress: Some(24), ..catch() }, vec![U1, U2]),
        (rule(false, 99, RuleAction::Goto(32_766)), vec![U1, U2]),
        (rule(false, 99, RuleAction::Goto(77_777)), vec![U1, U2]),
        (rule(false, 99, RuleAction::Nop), vec![U1, U2]),
        (rule(true, 99, RuleAction::Unreachable), vec![U1, U2]),
        // The table says nothing about the VTEP.
        (
            Rule {
                conditions: vec!["fwmark 0x1".into()],
                ..rule(false, 99, RuleAction::Lookup(7))
            },
            vec![U1, U2],
        ),
    ] {
        assert_eq!(caught(&by), (Some(ports), String::new()), "{by}");
    }
}

#[test]
fn a_rule_of_which_it_is_not_certain_leaves_its_vtep_to_the_kernel() {
    let catch = || rule(false, 99, RuleAction::Lookup(100));
    for (by, why) in [
        (
            Rule { conditions: vec!["fwmark 0x1".into()], ..catch() },
            "may apply to some packets to it, left to the kernel",
        ),
        (Rule { source_ports: Some((50_000, 51_000)), ..catch() }, "may apply"),
        (
            Rule {
                conditions: vec!["fwmark 0x1".into()],
                ..rule(false, 99, RuleAction::Unreachable)
            },
            "may apply",
        ),
        (rule(false, 99, RuleAction::Other(77)), "may apply"),
        (rule(false, 99, RuleAction::Unreachable), "refuses, left to the kernel"),
    ] {
        let (group, problems) = caught(&by);
        assert_eq!(group, None, "{by}");
        assert!(
            problems.contains(&format!("VTEP 10.0.0.2: the rule `{by}` (priority 99) {why}")),
            "{by}: {problems}"
        );
    }
    // Only the VTEP that the rule is about.
    let mut leaf = two_vteps();
    leaf.apply(via_hops(100, "10.0.0.0/24", &[(U2, Some("fe80::52"))]));
    let to = Some(prefix("10.0.0.3/32"));
    leaf.apply(Rule { to, conditions: vec!["fwmark 0x1".into()], ..catch() });
    let vteps = leaf.structure().vteps;
    assert!(vteps[&VTEP].is_some() && vteps[&third()].is_none());
    // The table may change as well.
    leaf.withdraw(via_hops(100, "10.0.0.0/24", &[(U2, Some("fe80::52"))]));
    assert!(leaf.structure().vteps[&third()].is_some());
}
