//! Which interfaces are gateways of bridges.

use super::{incremental::Incremental, netfilter::chain, router::*, world::*};
use crate::{model::*, observe::*};

const SVI: u32 = 61;
const VRR: u32 = 62;
const VLAN: u16 = 10;
const VIRTUAL: u8 = 0x77;
const AWARE: DomainKey = DomainKey { bridge: BR10, vlan: VLAN };

/// The bridge's own entry for a MAC address.
fn own(vlan: u16, mac: Mac) -> BridgeMac {
    BridgeMac { vlan, permanent: true, ..bridge_mac(BR10, mac) }
}

fn mac_of(ifindex: u32) -> Mac {
    link(ifindex, "", LinkKind::Device).mac.expect("all have one")
}

/// The leaf, which forwards from these interfaces.
fn router_of(interfaces: &[u32]) -> Incremental {
    let mut leaf = leaf();
    for v6 in [false, true] {
        leaf.apply(forwarding(v6, None, true));
        interfaces
            .iter()
            .for_each(|ifindex| drop(leaf.apply(forwarding(v6, Some(*ifindex), true))));
    }
    leaf
}

/// The leaf whose bridge has a network's route.
fn leaf_with_gateway() -> Incremental {
    let mut leaf = router_of(&[BR10]);
    leaf.apply(own(0, mac_of(BR10)));
    leaf.apply(connected(254, "10.1.0.0/24", BR10));
    leaf
}

/// The leaf whose bridge is VLAN-aware, with a VLAN device that has the network.
fn leaf_with_svi() -> Incremental {
    let mut leaf = router_of(&[SVI, VRR]);
    leaf.apply(link(BR10, "br10", bridge(true)));
    leaf.apply(vlans(H1, BR10, &[(VLAN, true, true)]));
    leaf.apply(vlans(VX10, BR10, &[(VLAN, true, true)]));
    let bridges = vec![PortVlan { id: VLAN, pvid: false, untagged: false, tunnel: None }];
    leaf.apply(Event::BridgeVlans { ifindex: BR10, vlans: bridges });
    leaf.apply(vlan_of(
        BR10,
        VLAN,
        0x8100,
        Link { mac: Some(mac_of(BR10)), ..link(SVI, "vlan10", LinkKind::Device) },
    ));
    leaf.apply(own(VLAN, mac_of(BR10)));
    leaf.apply(connected(254, "10.1.0.0/24", SVI));
    leaf
}

fn place(leaf: &Incremental, domain: DomainKey, mac: Mac) -> Option<Target> {
    leaf.desired().fdb.get(&FdbKey { domain, mac }).copied()
}

#[test]
fn a_bridge_that_a_route_leads_out_of_is_the_gateway_of_its_domain() {
    let mut leaf = leaf_with_gateway();
    let port = leaf.structure().ports[&BR10].clone();
    assert_eq!((port.role, port.domain, port.route4), (Role::Gateway, Some(DOMAIN), true));
    assert_eq!(place(&leaf, DOMAIN, mac_of(BR10)), Some(Target::Gateway(BR10)));
    // Another address of the box's own is not one that the kernel routes for.
    leaf.apply(own(0, host(9)));
    assert_eq!(place(&leaf, DOMAIN, host(9)), Some(Target::Own));
    leaf.apply(neighbour(BR10, "10.1.0.5", Some(host(5))));
    let nexthop =
        crate::model::Nexthop { source: mac_of(BR10), destination: Some(host(5)), mtu: 1500 };
    let key = NexthopKey { ifindex: BR10, gateway: ip("10.1.0.5") };
    assert_eq!(leaf.way("10.1.0.5/32"), Some(Way::Nexthop { key, nexthop }));
    assert_eq!(leaf.problems(), "");

    leaf.apply(forwarding(false, Some(BR10), false));
    leaf.apply(forwarding(true, None, false));
    assert_eq!(place(&leaf, DOMAIN, mac_of(BR10)), Some(Target::Own));
    assert!(!leaf.structure().ports.contains_key(&BR10));
}

#[test]
fn a_bridge_without_a_route_is_no_gateway() {
    let mut leaf = router_of(&[BR10]);
    leaf.apply(own(0, mac_of(BR10)));
    assert_eq!(place(&leaf, DOMAIN, mac_of(BR10)), Some(Target::Own));
    assert!(leaf.structure().gateways.is_empty());
}

#[test]
fn what_looks_at_packets_for_a_gateway_leaves_it_to_the_kernel_and_is_named() {
    let mut leaf = leaf_with_gateway();
    leaf.apply(link(VRR, "eth9", LinkKind::Other("ipvlan".into())));
    leaf.apply(Link {
        lower: Some(BR10),
        takes_more: true,
        ..link(VRR, "iv0", LinkKind::Other("ipvlan".into()))
    });
    assert_eq!(place(&leaf, DOMAIN, mac_of(BR10)), Some(Target::Own));
    leaf.assert_named("iv0 takes packets from br10 before they are routed; routed by the kernel");
}

#[test]
fn filters_of_tc_at_a_gateway_or_beneath_it_leave_it_to_the_kernel_while_they_are_there() {
    let mut leaf = leaf_with_svi();
    for (ifindex, name) in [(SVI, "vlan10"), (BR10, "br10")] {
        for filters in [
            Classifiers { arriving: true, leaving: false },
            Classifiers { arriving: false, leaving: true },
        ] {
            leaf.apply(Event::Classifiers([(ifindex, filters)].into()));
            assert_eq!(place(&leaf, AWARE, mac_of(BR10)), Some(Target::Own));
            leaf.assert_named(format!("port vlan10: {name} has filters of `tc`"));
            leaf.apply(Event::Classifiers([].into()));
            assert_eq!(place(&leaf, AWARE, mac_of(BR10)), Some(Target::Gateway(SVI)));
            assert_eq!(leaf.problems(), "");
        }
    }
}

#[test]
fn a_chain_for_what_a_bridge_itself_gets_or_sends_leaves_gateways_to_the_kernel_and_bridging_to_xdp()
 {
    for hook in [Hook::Input, Hook::Output] {
        let mut leaf = leaf_with_gateway();
        leaf.apply(chain(ChainFamily::Bridge, hook));
        assert_eq!(place(&leaf, DOMAIN, mac_of(BR10)), Some(Target::Own), "{hook:?}");
        assert!(leaf.place(1).is_some(), "hosts are bridged");
        leaf.assert_named(
            "port br10: the nftables chain `bridge t c` sees what it receives or sends",
        );
    }
}

#[test]
fn an_xdp_program_on_a_gateway_leaves_it_to_the_kernel_and_is_named() {
    let mut leaf = leaf_with_gateway();
    leaf.apply(Link { runs_xdp: true, ..link(BR10, "br10", bridge(false)) });
    assert_eq!(place(&leaf, DOMAIN, mac_of(BR10)), Some(Target::Own));
    leaf.assert_named("an XDP program runs on br10");
}

#[test]
fn a_gateway_that_the_operator_left_out_is_no_problem() {
    let policy = Policy { allowed: ["h*", "u*"].map(Pattern::new).into(), ..Policy::default() };
    let mut leaf = leaf_with(policy);
    for v6 in [false, true] {
        leaf.apply(forwarding(v6, None, true));
        leaf.apply(forwarding(v6, Some(BR10), true));
    }
    leaf.apply(own(0, mac_of(BR10)));
    leaf.apply(connected(254, "10.1.0.0/24", BR10));
    assert_eq!(place(&leaf, DOMAIN, mac_of(BR10)), Some(Target::Own));
    assert_eq!(leaf.problems(), "");
}

#[test]
fn a_bridge_whose_own_vlan_does_not_forward_has_no_gateway_there() {
    let mut leaf = leaf_with_svi();
    let range = |state| VlanRange { first: VLAN, last: VLAN, state, neigh_suppress: false };
    for (state, place_of) in
        [(PortState::Blocking, Target::Own), (PortState::Forwarding, Target::Gateway(SVI))]
    {
        let ranges = vec![range(state)];
        leaf.apply(Event::VlanStates(VlanStates {
            ifindex: BR10,
            ranges,
            instances_changed: false,
        }));
        assert_eq!(place(&leaf, AWARE, mac_of(BR10)), Some(place_of), "{state:?}");
    }
}

#[test]
fn two_interfaces_with_one_address_are_the_kernels() {
    let mut leaf = leaf_with_svi();
    let kind = LinkKind::Other("macvlan".into());
    let mac = Some(mac_of(BR10));
    leaf.apply(Link { lower: Some(SVI), mac, ..link(VRR, "vlan10-v0", kind) });
    leaf.apply(connected(254, "10.1.1.0/24", VRR));
    assert_eq!(place(&leaf, AWARE, mac_of(BR10)), Some(Target::Own));
}

#[test]
fn a_check_of_sources_leaves_ipv4_of_a_gateway_to_the_kernel() {
    let mut leaf = leaf_with_gateway();
    leaf.apply(Netconf {
        v6: false,
        ifindex: Some(BR10),
        forwarding: None,
        rp_filter: Some(1),
        proxy: None,
    });
    let port = leaf.structure().ports[&BR10].clone();
    assert!(!port.route4 && port.route6);
    leaf.assert_named("port br10: the kernel checks where the sources");
}

#[test]
fn a_bridge_in_a_vrf_routes_by_that_vrfs_table() {
    let mut leaf = leaf_with_gateway();
    leaf.apply(link(70, "red", LinkKind::Vrf { table: 100 }));
    for v6 in [false, true] {
        leaf.apply(Rule { l3mdev: true, ..rule(v6, 1000, RuleAction::Lookup(0)) });
    }
    leaf.apply(Link { master: Some(70), ..link(BR10, "br10", bridge(false)) });
    leaf.apply(connected(100, "10.1.0.0/24", BR10));
    let structure = leaf.structure();
    let port = &structure.ports[&BR10];
    assert_eq!(port.role, Role::Gateway);
    let view = &structure.views[usize::from(port.view.expect("it routes"))];
    assert!(view.v4.contains(&100), "{view:?}");
}

#[test]
fn a_vlan_device_is_the_gateway_of_its_vlan_only_while_the_bridge_is_in_it() {
    let mut leaf = leaf_with_svi();
    let port = leaf.structure().ports[&SVI].clone();
    assert_eq!((port.role, port.domain), (Role::Gateway, Some(AWARE)));
    assert_eq!(place(&leaf, AWARE, mac_of(BR10)), Some(Target::Gateway(SVI)));
    let untagged = vec![PortVlan { id: VLAN, pvid: true, untagged: true, tunnel: None }];
    leaf.apply(Event::BridgeVlans { ifindex: BR10, vlans: untagged });
    assert_eq!(place(&leaf, AWARE, mac_of(BR10)), Some(Target::Own), "the bridge gets them itself");
    leaf.apply(Event::BridgeVlans { ifindex: BR10, vlans: Vec::new() });
    assert_eq!(place(&leaf, AWARE, mac_of(BR10)), Some(Target::Own));
}

#[test]
fn a_bridge_without_vlan_filtering_has_no_vlan_device_as_gateway() {
    let mut leaf = leaf_with_svi();
    leaf.apply(link(BR10, "br10", bridge(false)));
    leaf.apply(own(0, mac_of(BR10)));
    assert!(!leaf.structure().ports.contains_key(&SVI));
    assert_eq!(place(&leaf, DOMAIN, mac_of(BR10)), Some(Target::Own));
}

#[test]
fn a_macvlan_is_a_gateway_where_the_bridge_has_its_address_as_its_own() {
    let mut leaf = leaf_with_svi();
    let kind = LinkKind::Other("macvlan".into());
    leaf.apply(Link { lower: Some(SVI), mac: Some(host(VIRTUAL)), ..link(VRR, "vlan10-v0", kind) });
    leaf.apply(connected(254, "10.1.1.0/24", VRR));
    leaf.apply(link(
        BR10,
        "br10",
        LinkKind::Bridge(Bridge { promiscuity: 1, ..bridge_options(true) }),
    ));
    assert_eq!(place(&leaf, AWARE, host(VIRTUAL)), None, "the bridge floods what is for it");
    leaf.apply(own(VLAN, host(VIRTUAL)));
    assert_eq!(leaf.problems(), "");
    assert_eq!(place(&leaf, AWARE, host(VIRTUAL)), Some(Target::Gateway(VRR)));
    assert_eq!(place(&leaf, AWARE, mac_of(BR10)), Some(Target::Gateway(SVI)), "both route");
}
