//! Which interfaces are gateways of bridges.

use super::{incremental::Incremental, netfilter::chain, router::*, world::*};
use crate::{model::*, observe::*};

const SVI: u32 = 61;
const VRR: u32 = 62;
/// A bridge without a tunnel, and its host's port.
const BR30: u32 = 63;
const H3: u32 = 64;
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

#[test]
fn a_macvlan_on_a_vlan_aware_bridge_is_a_gateway_of_the_vlan_that_the_bridge_itself_gets_untagged()
{
    let mut leaf = leaf_with_svi();
    let kind = LinkKind::Other("macvlan".into());
    leaf.apply(Link { lower: Some(BR10), mac: Some(host(VIRTUAL)), ..link(VRR, "vrr0", kind) });
    leaf.apply(connected(254, "10.1.1.0/24", VRR));
    let options = Bridge { promiscuity: 1, ..bridge_options(true) };
    leaf.apply(link(BR10, "br10", LinkKind::Bridge(options)));
    leaf.apply(own(VLAN, host(VIRTUAL)));
    for (pvid, untagged, wanted) in [
        (false, false, Target::Own),
        (true, true, Target::Gateway(VRR)),
        // What it sends goes into another VLAN.
        (false, true, Target::Own),
        // What it gets has a tag, which nobody takes off.
        (true, false, Target::Own),
    ] {
        let vlans = vec![PortVlan { id: VLAN, pvid, untagged, tunnel: None }];
        leaf.apply(Event::BridgeVlans { ifindex: BR10, vlans });
        assert_eq!(place(&leaf, AWARE, host(VIRTUAL)), Some(wanted), "{pvid} {untagged}");
        assert_eq!(leaf.problems(), "");
    }
}

#[test]
fn a_vlan_without_a_vni_has_gateways_like_others() {
    let mut leaf = leaf_with_svi();
    leaf.apply(vlans(VX10, BR10, &[(20, true, true)]));
    assert_eq!(leaf.structure().domains[&AWARE].vni, None);
    assert_eq!(place(&leaf, AWARE, mac_of(BR10)), Some(Target::Gateway(SVI)));
    assert_eq!(leaf.problems(), "");
}

/// The leaf with a gateway, and a bridge of its own with a host and a network, which forwards IPv4.
fn leaf_with_local_bridge() -> Incremental {
    let mut leaf = leaf_with_gateway();
    leaf.apply(link(BR30, "br30", bridge(false)));
    leaf.apply(port_of(BR30, veth(H3, "h3")));
    leaf.apply(connected(254, "10.3.0.0/24", BR30));
    leaf.apply(forwarding(false, Some(BR30), true));
    leaf
}

/// Whether the bridge without a tunnel is accelerated; all of it or nothing.
fn is_local_bridge_there(leaf: &Incremental) -> bool {
    let structure = leaf.structure();
    let roles = [BR30, H3].map(|ifindex| structure.ports.get(&ifindex).map(|port| port.role));
    let is_there = structure.domains.keys().any(|domain| domain.bridge == BR30);
    let wanted = [Role::Gateway, Role::Access].map(|role| is_there.then_some(role));
    assert_eq!(roles, wanted);
    assert!(structure.ports.contains_key(&H1), "where there is a tunnel they stay");
    is_there
}

#[test]
fn a_bridge_without_a_tunnel_is_one_like_others_where_it_routes_together_with_one_that_has_one() {
    let mut leaf = leaf_with_local_bridge();
    assert!(is_local_bridge_there(&leaf));
    leaf.apply(forwarding(false, Some(BR30), false));
    assert!(!is_local_bridge_there(&leaf), "the kernel does not forward from it");
    leaf.apply(forwarding(false, Some(BR30), true));
    assert!(is_local_bridge_there(&leaf));
    leaf.withdraw(connected(254, "10.3.0.0/24", BR30));
    assert!(!is_local_bridge_there(&leaf), "it has lost its address");
    leaf.apply(connected(254, "10.3.0.0/24", BR30));
    assert!(is_local_bridge_there(&leaf));

    leaf.apply(link(70, "red", LinkKind::Vrf { table: 100 }));
    for v6 in [false, true] {
        leaf.apply(Rule { l3mdev: true, ..rule(v6, 1000, RuleAction::Lookup(0)) });
    }
    leaf.apply(connected(100, "10.3.0.0/24", BR30));
    leaf.apply(Link { master: Some(70), ..link(BR30, "br30", bridge(false)) });
    assert!(!is_local_bridge_there(&leaf), "in a VRF without any tunnel");
    leaf.apply(Link { master: Some(70), ..link(BR10, "br10", bridge(false)) });
    assert!(is_local_bridge_there(&leaf), "beside its L3VNI, say");
    assert_eq!(leaf.problems(), "");
    leaf.apply(forwarding(false, Some(BR10), false));
    leaf.apply(forwarding(true, None, false));
    assert!(!is_local_bridge_there(&leaf), "on a server whose tunnels are bridged only");
}

#[test]
fn a_bridge_without_a_tunnel_stays_without_routes_while_its_family_may_be_routed_there() {
    let has_program = |leaf: &Incremental| {
        leaf.structure().ports.get(&H3).is_some_and(|it| it.role == Role::Access)
    };
    let mut leaf = leaf_with_local_bridge();
    leaf.policy.sticky_local = leaf.structure().local.clone();
    assert_eq!(leaf.policy.sticky_local, [(BR30, false)].into());
    leaf.withdraw(connected(254, "10.3.0.0/24", BR30));
    leaf.apply(forwarding(true, Some(BR30), true));
    assert!(has_program(&leaf), "its link is down for a moment, say");
    let chains = vec![chain(ChainFamily::Ip, Hook::Forward).into()];
    let dirty = leaf.network.replace_netfilter(chains);
    leaf.update(&dirty);
    assert!(!has_program(&leaf), "over IPv6 it never was");
    let dirty = leaf.network.replace_netfilter(Vec::new());
    leaf.update(&dirty);
    assert!(has_program(&leaf));
    leaf.apply(forwarding(false, Some(BR30), false));
    assert!(!has_program(&leaf));
}

#[test]
fn a_bridge_without_a_tunnel_loses_its_programs_when_no_tunnel_is_routed_beside_it_any_more() {
    let mut leaf = leaf_with_local_bridge();
    leaf.apply(link(70, "red", LinkKind::Vrf { table: 100 }));
    leaf.apply(Rule { l3mdev: true, ..rule(false, 1000, RuleAction::Lookup(0)) });
    leaf.withdraw(connected(254, "10.3.0.0/24", BR30));
    // The bridge itself is a gateway of VLAN 20, outside the VRF, where nothing is routed to it.
    leaf.apply(link(BR30, "br30", bridge(true)));
    leaf.apply(vlans(H3, BR30, &[(VLAN, true, true)]));
    let own_vlan = |id, pvid| PortVlan { id, pvid, untagged: pvid, tunnel: None };
    let own_vlans = vec![own_vlan(VLAN, false), own_vlan(20, true)];
    leaf.apply(Event::BridgeVlans { ifindex: BR30, vlans: own_vlans });
    let svi = Link { master: Some(70), ..link(SVI, "vlan10", LinkKind::Device) };
    leaf.apply(vlan_of(BR30, VLAN, 0x8100, svi));
    leaf.apply(forwarding(false, Some(SVI), true));
    leaf.apply(connected(100, "10.3.0.0/24", SVI));
    let has_program = |leaf: &Incremental| leaf.structure().ports.contains_key(&H3);
    assert!(!has_program(&leaf), "in the VRF is no tunnel");
    leaf.apply(Link { master: Some(70), ..link(BR10, "br10", bridge(false)) });
    assert!(has_program(&leaf));
    assert_eq!(leaf.structure().local, [(SVI, false)].into());
    leaf.policy.sticky_local = leaf.structure().local.clone();
    leaf.apply(link(BR10, "br10", bridge(false)));
    assert!(!has_program(&leaf), "its L3VNI is no more the VRF's");
}

#[test]
fn a_bridge_without_a_tunnel_gets_no_programs_where_netfilter_sees_what_it_routes() {
    let mut leaf = leaf_with_local_bridge();
    let see = |leaf: &mut Incremental, families: &[ChainFamily]| {
        let chains = families.iter().map(|family| chain(*family, Hook::Forward).into());
        let dirty = leaf.network.replace_netfilter(chains.collect());
        leaf.update(&dirty);
    };
    see(&mut leaf, &[ChainFamily::Ip6]);
    assert!(is_local_bridge_there(&leaf), "it routes IPv4 only");
    see(&mut leaf, &[ChainFamily::Ip]);
    assert!(!is_local_bridge_there(&leaf), "docker's, say");
    // As every bridge has it where IPv6 is on.
    leaf.apply(forwarding(true, Some(BR30), true));
    leaf.apply(connected(254, "fe80::/64", BR30));
    assert!(!is_local_bridge_there(&leaf), "nothing is routed there over IPv6");
    leaf.apply(connected(254, "fd00:3::/64", BR30));
    assert!(is_local_bridge_there(&leaf), "now it is");
    see(&mut leaf, &[ChainFamily::Ip, ChainFamily::Ip6]);
    assert!(!is_local_bridge_there(&leaf));
    see(&mut leaf, &[]);
    assert!(is_local_bridge_there(&leaf));
}

#[test]
fn a_bridge_without_a_tunnel_whose_gateway_checks_sources_is_bridged_and_named() {
    let mut leaf = leaf_with_local_bridge();
    leaf.apply(Event::Netconf(Netconf {
        v6: false,
        ifindex: Some(BR30),
        forwarding: None,
        rp_filter: Some(2),
        proxy: None,
    }));
    let structure = leaf.structure();
    assert_eq!(structure.ports[&H3].role, Role::Access);
    leaf.assert_named("port br30: the kernel checks where the sources of IPv4 packets are");
}

#[test]
fn a_bridge_without_a_tunnel_is_the_kernels_where_its_gateway_is_excluded() {
    let denied = vec![Pattern::new("br3*")];
    let mut leaf = leaf_with_local_bridge();
    leaf.policy.denied = denied;
    leaf.update(&Dirty::policy());
    assert!(!is_local_bridge_there(&leaf));
    assert_eq!(
        leaf.structure().declined[&BR30],
        "port br30 is denied by the pattern `br3*` in the settings"
    );
}

#[test]
fn a_vlan_device_is_a_port_of_a_bridge_without_a_tunnel_where_nothing_can_be_routed_beneath() {
    let mut leaf = leaf_with_local_bridge();
    for trunk in [U1, H1, H3] {
        leaf.apply(vlan_of(trunk, 30, 0x8100, port_of(BR30, veth(65, "trunk.30"))));
        let structure = leaf.structure();
        let port = &structure.ports[&trunk];
        let has_hosts = trunk != U1;
        assert_eq!(port.role == Role::Access, has_hosts);
        assert_eq!(port.tagged.contains_key(&30), has_hosts);
        let why = structure.declined.get(&65);
        assert_eq!(why.is_some_and(|why| why.contains("which may route")), !has_hosts);
    }
}
