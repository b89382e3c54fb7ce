//! Tunnels whose vxlan device has no local address.

use super::{
    arrivals::rp_filter,
    incremental::Incremental,
    router::{own_address, prefix, rule, via_hops},
    world::*,
};
use crate::{model::*, observe::*};

/// Another address of the leaf.
const OTHER: &str = "10.0.0.11";

/// The leaf whose vxlan device has no local address, and another address.
fn sourceless() -> Incremental {
    let mut leaf = leaf();
    leaf.apply(own_address(255, OTHER, 1));
    leaf.apply(vx10(Vxlan { local: None, ..vxlan(10_010) }));
    leaf
}

fn question(over: Option<u32>) -> SourceQuestion {
    SourceQuestion { remote: REMOTE, port: Some(4789), over }
}

fn source(address: &str, ifindex: u32, gateway: &str) -> Source {
    Source { address: ip(address), ifindex, gateway: Some(ip(gateway)) }
}

impl Incremental {
    /// The kernel's answers.
    fn hears(&mut self, answers: &[(SourceQuestion, Source)]) {
        self.policy.sources = answers.iter().copied().collect();
        self.update(&Dirty::policy());
    }

    /// The kernel sends from these addresses over the two ports.
    fn sends_from(&mut self, addresses: [&str; 2]) {
        self.hears(&[
            (question(Some(U1)), source(addresses[0], U1, "192.0.2.0")),
            (question(Some(U2)), source(addresses[1], U2, "fe80::52")),
        ]);
    }
}

#[test]
fn a_vtep_has_the_source_from_which_the_kernel_sends_over_all_ports() {
    let mut leaf = sourceless();
    let unknown = leaf.structure();
    assert_eq!(unknown.questions, [question(Some(U1)), question(Some(U2))].into());
    assert!(unknown.vteps.is_empty());
    assert_eq!(leaf.place(2), None);
    leaf.assert_named("VTEP 10.0.0.2: it is not known from which address the kernel sends");

    leaf.sends_from(["10.0.0.1", "10.0.0.1"]);
    let known = leaf.structure();
    assert_eq!(known.vteps, [(VTEP, Some(GroupKey::Object(20)))].into());
    assert!(known.domains[&DOMAIN].local.is_unspecified());
    assert_eq!(leaf.place(2), Some(Target::Remote(VTEP)));
    assert_eq!(leaf.problems(), "");

    leaf.sends_from([OTHER, OTHER]);
    let other = VtepKey { local: ip(OTHER), ..VTEP };
    assert_eq!(leaf.structure().vteps, [(other, Some(GroupKey::Object(20)))].into());
    assert_eq!(leaf.place(2), Some(Target::Remote(other)));
}

#[test]
fn a_source_that_depends_on_the_flow_is_the_kernels_to_choose() {
    let mut leaf = sourceless();
    leaf.sends_from(["10.0.0.1", OTHER]);
    leaf.assert_named("depends on the flow: 10.0.0.1 over u1, 10.0.0.11 over u2");
    assert!(leaf.structure().vteps.is_empty());
    assert_eq!(leaf.place(2), None);
    // Nothing is sent over a link that is down.
    leaf.apply(Link { mtu: 9000, carrier: false, ..veth(U2, "u2") });
    assert_eq!(leaf.structure().questions, [question(Some(U1))].into());
    assert_eq!(leaf.structure().vteps, [(VTEP, Some(GroupKey::Object(20)))].into());
    assert_eq!(leaf.problems(), "");
}

#[test]
fn an_answer_about_another_way_than_the_present_one_is_none() {
    let mut leaf = sourceless();
    leaf.apply(route("10.0.0.2", 32, Some(11)));
    for (stale, is) in
        [(source("10.0.0.1", U2, "fe80::52"), false), (source("10.0.0.1", U1, "192.0.2.0"), true)]
    {
        leaf.hears(&[(question(None), stale)]);
        assert_eq!(leaf.structure().vteps.contains_key(&VTEP), is);
    }
    leaf.apply(route("10.0.0.2", 32, Some(12)));
    assert!(leaf.structure().vteps.is_empty());
}

#[test]
fn a_source_that_is_no_address_of_the_box_any_more_is_not_written() {
    let mut leaf = sourceless();
    leaf.sends_from(["10.0.0.1", "10.0.0.1"]);
    leaf.withdraw(own_address(255, "10.0.0.1", 1));
    assert!(leaf.structure().vteps.is_empty());
    leaf.assert_named("sends to it from 10.0.0.1, which is no address of this box");
    assert_eq!(leaf.place(2), None);
}

#[test]
fn two_routers_on_a_port_with_two_addresses_may_have_a_source_each() {
    let mut leaf = sourceless();
    leaf.apply(via_hops(254, "10.0.0.2/32", &[(U1, Some("192.0.2.0")), (U1, Some("192.0.2.8"))]));
    leaf.apply(own_address(255, "192.0.2.1", U1));
    let answer = (question(None), source("192.0.2.1", U1, "192.0.2.8"));
    leaf.hears(&[answer]);
    assert_eq!(leaf.structure().vteps.len(), 1);
    leaf.apply(own_address(255, "192.0.2.9", U1));
    leaf.assert_named("u1 has several addresses and leads to several routers");
    assert!(leaf.structure().vteps.is_empty());
}

#[test]
fn the_way_is_looked_for_without_a_source() {
    let mut leaf = sourceless();
    leaf.apply(via_hops(100, "10.0.0.0/24", &[(U2, Some("fe80::52"))]));
    leaf.apply(Rule {
        from: Some(prefix("10.0.0.1/32")),
        ..rule(false, 99, RuleAction::Lookup(100))
    });
    leaf.sends_from(["10.0.0.1", "10.0.0.1"]);
    assert_eq!(leaf.structure().vteps, [(VTEP, Some(GroupKey::Object(20)))].into());
    // Of another device the kernel sends to the same VTEP over the other table.
    leaf.apply(link(12, "br20", bridge(false)));
    leaf.apply(port_of(12, link(13, "vx20", LinkKind::Vxlan(vxlan(20)))));
    let target = TunnelTarget::Vtep { address: REMOTE, port: None, vni: None, via: None };
    leaf.apply(TunnelMac { vxlan: 13, mac: Mac::ZERO, source_vni: None, target });
    assert_eq!(leaf.structure().vteps, [(VTEP, None)].into());
    leaf.assert_named("VTEP 10.0.0.2: the kernel sends to it from 10.0.0.1 another way");
}

#[test]
fn the_family_is_that_of_the_group_or_of_the_first_vtep() {
    let mut leaf = leaf();
    leaf.apply(own_address(255, "2001:db8::1", 1));
    leaf.apply(route("2001:db8::", 64, Some(11)));
    leaf.withdraw(tunnel_mac(host(2), REMOTE));
    leaf.withdraw(tunnel_mac(Mac::ZERO, REMOTE));
    leaf.apply(vx10(Vxlan { local: None, ..vxlan(10_010) }));
    let is_ipv6 = |leaf: &Incremental| leaf.structure().domains[&DOMAIN].local.is_ipv6();
    assert!(!is_ipv6(&leaf));
    leaf.apply(vx10(Vxlan { local: None, group: Some(ip("ff05::1")), ..vxlan(10_010) }));
    assert!(is_ipv6(&leaf));
    leaf.apply(vx10(Vxlan { local: None, ..vxlan(10_010) }));
    let remote = ip("2001:db8::2");
    leaf.apply(tunnel_mac(host(2), remote));
    assert!(is_ipv6(&leaf));
    let question = SourceQuestion { remote, port: Some(4789), over: None };
    assert_eq!(leaf.structure().questions, [question].into());
    leaf.hears(&[(question, source("2001:db8::1", U1, "192.0.2.0"))]);
    let vtep = VtepKey { local: ip("2001:db8::1"), remote };
    assert_eq!(leaf.place(2), Some(Target::Remote(vtep)));
}

#[test]
fn an_ipv6_route_with_a_nexthop_object_has_one_source_for_all_of_its_members() {
    let mut leaf = leaf();
    leaf.apply(own_address(255, "2001:db8::1", 1));
    leaf.withdraw(tunnel_mac(host(2), REMOTE));
    leaf.withdraw(tunnel_mac(Mac::ZERO, REMOTE));
    leaf.apply(vx10(Vxlan { local: None, ..vxlan(10_010) }));
    let remote = ip("2001:db8::2");
    leaf.apply(tunnel_mac(host(2), remote));
    leaf.apply(route("2001:db8::2", 128, Some(20)));
    let one = SourceQuestion { remote, port: Some(4789), over: None };
    assert_eq!(leaf.structure().questions, [one].into());
    leaf.hears(&[(one, source("2001:db8::1", U2, "fe80::52"))]);
    assert_eq!(leaf.problems(), "");
    leaf.apply(via_hops(254, "2001:db8::2/128", &[(U1, Some("fe80::51")), (U2, Some("fe80::52"))]));
    let each = [U1, U2].map(|ifindex| SourceQuestion { over: Some(ifindex), ..one });
    assert_eq!(leaf.structure().questions, each.into());
    // An answer about another interface than asked for is none.
    let answer = source("2001:db8::1", U2, "fe80::52");
    leaf.hears(&each.map(|question| (question, answer)));
    leaf.assert_named("it is not known from which address");
}

#[test]
fn vteps_may_send_to_the_other_addresses_that_are_taken_from_the_same_ports() {
    let mut leaf = sourceless();
    leaf.sends_from(["10.0.0.1", "10.0.0.1"]);
    let to = |address: &str| VtepKey { local: ip(address), ..VTEP };
    assert_eq!(leaf.structure().aliases, [(to(OTHER), VTEP)].into());
    // Gateways of hosts have no tunnels.
    leaf.apply(own_address(255, "198.51.100.1", BR10));
    assert_eq!(leaf.structure().aliases.len(), 1);
    // In a VRF.
    leaf.apply(own_address(1001, "198.51.100.2", U1));
    assert_eq!(leaf.structure().aliases.len(), 1);
    leaf.apply(own_address(255, "198.51.100.3", U1));
    assert_eq!(leaf.structure().aliases.len(), 2);
    let astray = Rule {
        to: Some(prefix("198.51.100.3/32")),
        iif: Some("u1".into()),
        ..rule(false, 0, RuleAction::Unreachable)
    };
    leaf.withdraw(rule(false, 0, RuleAction::Lookup(255)));
    leaf.apply(astray.clone());
    leaf.apply(rule(false, 1, RuleAction::Lookup(255)));
    assert_eq!(leaf.structure().aliases, [(to(OTHER), VTEP)].into());
    leaf.withdraw(astray);
    assert_eq!(leaf.structure().aliases.len(), 2);
    leaf.apply(rp_filter(Some(U1), 1));
    assert_eq!(leaf.structure().aliases.len(), 2);
    for number in 0..20 {
        leaf.apply(own_address(255, &format!("198.51.101.{number}"), 1));
    }
    assert_eq!(leaf.structure().aliases.len(), 16);
    leaf.assert_named("this box has more than 16 addresses");
}

#[test]
fn what_an_ipsec_policy_may_match_at_another_address_is_the_kernels() {
    let mut leaf = sourceless();
    leaf.sends_from(["10.0.0.1", "10.0.0.1"]);
    leaf.apply(super::ipsec::inward(1, "10.0.0.2/32", "10.0.0.11/32"));
    let structure = leaf.structure();
    assert!(structure.aliases.is_empty() && structure.unheard.is_empty());
    leaf.apply(super::ipsec::inward(2, "10.0.0.2/32", "10.0.0.1/32"));
    assert_eq!(leaf.structure().unheard, [VTEP].into());
}

#[test]
fn a_route_that_may_have_another_source_and_an_address_are_reasons_to_ask() {
    let mut leaf = sourceless();
    assert!(leaf.apply(route("10.0.0.2", 32, Some(20))).sources, "it looks the same");
    assert!(!leaf.apply(route("203.0.113.0", 24, Some(20))).sources);
    assert!(leaf.apply(Event::AddressChanged { ifindex: U1 }).sources);
}
