//! The way to the VTEPs.

use super::{incremental::Incremental, router::own_address, world::*};
use crate::{
    model::{Nexthop, *},
    observe::*,
};

fn first() -> NexthopKey {
    NexthopKey { ifindex: U1, gateway: ip("192.0.2.0") }
}

fn second() -> NexthopKey {
    NexthopKey { ifindex: U2, gateway: ip("fe80::52") }
}

fn members(structure: &Structure, key: GroupKey) -> &[(NexthopKey, u16)] {
    &structure.groups[&key].members
}

fn hop(ifindex: u32, gateway: Option<&str>, weight: u16) -> Hop {
    Hop { ifindex, gateway: gateway.map(ip), weight, encap: None, dead: false }
}

#[test]
fn a_vtep_is_reached_by_the_weighted_members_of_the_nexthop_object() {
    let desired = leaf().structure();
    assert_eq!(desired.vteps, [(VTEP, Some(GroupKey::Object(20)))].into());
    assert_eq!(members(&desired, GroupKey::Object(20)), [(first(), 1), (second(), 3)]);
    assert_eq!(desired.groups.len(), 1);
    let nexthop = Nexthop {
        source: Mac([2, 0, 0, 0, 1, U1 as u8]),
        destination: Some(Mac([2, 0, 0, 0, 0, 0x51])),
        mtu: 9000,
    };
    assert_eq!(desired.nexthops[&first()], nexthop);
    assert!(desired.unresolved.is_empty());
    assert_eq!(desired.watched, [first(), second()].into());
}

#[test]
fn a_route_without_object_is_a_group_of_its_hops() {
    let mut leaf = leaf();
    let hops = vec![hop(U1, Some("192.0.2.0"), 2), hop(U2, Some("fe80::52"), 1)];
    leaf.apply(Route { hops, ..route("10.0.0.2", 32, None) });
    let key = GroupKey::Hops([(first(), 2), (second(), 1)].into());
    let desired = leaf.structure();
    assert_eq!(desired.vteps[&VTEP], Some(key.clone()));
    assert_eq!(members(&desired, key), [(first(), 2), (second(), 1)]);
    assert_eq!(desired.groups.len(), 1);
}

#[test]
fn a_vtep_on_the_link_is_its_own_next_hop_even_with_a_nexthop_object() {
    let mut leaf = leaf();
    leaf.apply(single(13, U1, None));
    leaf.apply(route("10.0.0.0", 24, Some(13)));
    leaf.withdraw(route("10.0.0.2", 32, None));
    leaf.apply(tunnel_mac(Mac::ZERO, ip("10.0.0.3")));
    leaf.apply(neighbour(U1, "10.0.0.2", Some(host(0x52))));
    let direct = |address| NexthopKey { ifindex: U1, gateway: ip(address) };
    let desired = leaf.structure();
    for each in ["10.0.0.2", "10.0.0.3"] {
        let key = GroupKey::Hops([(direct(each), 1)].into());
        assert_eq!(members(&desired, key), [(direct(each), 1)], "a group for each");
    }
    assert_eq!(desired.unresolved, [direct("10.0.0.3")].into());
    leaf.apply(neighbour(U1, "10.0.0.3", Some(host(0x53))));
    assert!(leaf.structure().unresolved.is_empty());
}

#[test]
fn an_unresolved_member_stays_a_member_and_is_listed() {
    let mut leaf = leaf();
    let both = [(first(), 1), (second(), 3)];
    leaf.apply(neighbour(U1, "192.0.2.0", None));
    let desired = leaf.structure();
    assert_eq!(members(&desired, GroupKey::Object(20)), both);
    assert_eq!(desired.nexthops[&first()].destination, None);
    assert!(desired.nexthops[&second()].destination.is_some());
    assert_eq!(desired.unresolved, [first()].into());
    assert_eq!(leaf.problems(), "");
    leaf.apply(Event::NeighbourGone { ifindex: U2, address: ip("fe80::52") });
    let desired = leaf.structure();
    assert_eq!(desired.vteps[&VTEP], Some(GroupKey::Object(20)));
    assert_eq!(members(&desired, GroupKey::Object(20)), both);
    assert_eq!(desired.unresolved, [first(), second()].into());
    leaf.assert_named("VTEP 10.0.0.2: no next hop of the route 10.0.0.2/32 is up");
    assert_eq!(leaf.place(2), Some(Target::Remote(VTEP)), "the MAC is still behind that VTEP");
}

#[test]
fn a_neighbour_without_a_real_mac_is_unresolved() {
    let mut leaf = leaf();
    leaf.apply(neighbour(U1, "192.0.2.0", Some(Mac::ZERO)));
    assert_eq!(leaf.structure().unresolved, [first()].into());
}

#[test]
fn neighbours_that_no_vtep_needs_cause_no_work_and_stale_ones_neither() {
    let mut leaf = leaf();
    let structure = leaf.structure();
    let dirty = leaf.apply(neighbour(BR10, "198.51.100.7", Some(host(7))));
    assert!(!dirty.needs_structure(&leaf.network, &structure));
    let (address, mac) = (ip("192.0.2.0"), Some(Mac([2, 0, 0, 0, 0, 0x51])));
    let stale =
        Neighbour { ifindex: U1, address, mac, state: 4, extern_learn: false, router: false };
    assert!(leaf.apply(stale).is_clean());
    assert!(
        leaf.apply(neighbour(U1, "192.0.2.0", Some(host(8))))
            .needs_structure(&leaf.network, &structure)
    );
}

#[test]
fn routes_that_cover_no_vtep_cause_no_work() {
    let mut leaf = leaf();
    leaf.apply(route("2001:db8:1::", 48, Some(20)));
    let structure = leaf.structure();
    for other in ["203.0.113.0", "2001:db8::"] {
        let dirty = leaf.apply(route(other, 24, Some(20)));
        assert!(!dirty.needs_structure(&leaf.network, &structure), "the group is in use already");
    }
    assert!(leaf.apply(route("0.0.0.0", 0, Some(20))).underlay);
    assert!(leaf.apply(route("0.0.0.0", 0, Some(12))).underlay);
    assert!(leaf.apply(route("0.0.0.0", 0, Some(12))).is_clean(), "nothing new");
}

#[test]
fn next_hops_of_a_dead_link_stay_members_until_a_dump_says_that_they_are_gone() {
    let both = [(first(), 1), (second(), 3)];
    for dead in [
        Link { carrier: false, mtu: 9000, ..veth(U1, "u1") },
        Link { up: false, carrier: false, mtu: 9000, ..veth(U1, "u1") },
    ] {
        let mut leaf = leaf();
        let dirty = leaf.apply(dead.clone());
        assert!(dirty.routing_stale);
        leaf.apply(Event::NeighbourGone { ifindex: U1, address: ip("192.0.2.0") });
        let desired = leaf.structure();
        assert_eq!(members(&desired, GroupKey::Object(20)), both);
        assert!(desired.unresolved.is_empty(), "a dead link resolves nothing");
        assert_eq!(leaf.problems(), "", "the other member is alive");
        assert!(!leaf.apply(dead).routing_stale, "asked only once");
        leaf.replace(Listing {
            scope: Scope::Routing,
            events: vec![
                own_address(255, "10.0.0.1", 1),
                single(12, U2, Some("fe80::52")),
                group(20, &[(12, 3)]),
                Event::RouteAppended(route("10.0.0.2", 32, Some(20))),
                neighbour(U2, "fe80::52", Some(host(0x52))),
            ],
        });
        let desired = leaf.structure();
        assert_eq!(members(&desired, GroupKey::Object(20)), [(second(), 3)]);
        // The carrier comes back, the kernel's nexthop does not before zebra installs it again.
        leaf.apply(Link { mtu: 9000, ..veth(U1, "u1") });
        let desired = leaf.structure();
        assert_eq!(members(&desired, GroupKey::Object(20)), [(second(), 3)]);
        leaf.apply(single(11, U1, Some("192.0.2.0")));
        leaf.apply(group(20, &[(11, 1), (12, 3)]));
        assert_eq!(members(&leaf.structure(), GroupKey::Object(20)), both);
    }
}

#[test]
fn members_of_an_interface_that_is_gone_are_gone_with_it() {
    let mut leaf = leaf();
    assert!(leaf.apply(Event::LinkGone { ifindex: U1 }).routing_stale);
    let desired = leaf.structure();
    assert_eq!(members(&desired, GroupKey::Object(20)), [(second(), 3)]);
    leaf.apply(Event::LinkGone { ifindex: U2 });
    let desired = leaf.structure();
    assert_eq!(desired.vteps[&VTEP], Some(GroupKey::Object(20)), "it does not vanish in between");
    assert!(members(&desired, GroupKey::Object(20)).is_empty());
}

#[test]
fn a_dump_of_the_routing_leaves_nothing_stale() {
    let mut leaf = leaf();
    leaf.replace(Listing {
        scope: Scope::Routing,
        events: vec![
            own_address(255, "10.0.0.1", 1),
            single(12, U2, Some("fe80::52")),
            Event::Route(route("10.0.0.2", 32, Some(12))),
            neighbour(U2, "fe80::52", Some(host(0x52))),
        ],
    });
    let desired = leaf.structure();
    assert_eq!(members(&desired, GroupKey::Object(12)), [(second(), 1)]);
    assert_eq!(desired.groups.len(), 1);
    assert_eq!(leaf.place(1), Some(Target::Local(circuit(H1))), "bridges are not touched");
}

#[test]
fn a_member_that_leaves_the_group_leaves_the_group() {
    let mut leaf = leaf();
    leaf.apply(Event::NexthopGone { id: 11 });
    assert_eq!(members(&leaf.structure(), GroupKey::Object(20)), [(second(), 3)]);
    leaf.apply(Event::NexthopGone { id: 12 });
    assert!(members(&leaf.structure(), GroupKey::Object(20)).is_empty());
    leaf.assert_named("no next hop of the route 10.0.0.2/32 is up");
}

#[test]
fn routes_that_do_not_forward_make_a_vtep_unreachable() {
    let base = route("10.0.0.2", 32, Some(20));
    let local = RouteKey { table: 255, ..base.key };
    for (route, sentence) in [
        (
            Route { kind: RouteKind::Blackhole, nexthop: None, ..base.clone() },
            "the route 10.0.0.2/32 discards",
        ),
        // The kernel's word for a route whose object discards.
        (Route { kind: RouteKind::Blackhole, nexthop: Some(30), ..base.clone() }, "discards"),
        (Route { kind: RouteKind::Prohibit, ..base.clone() }, "does not forward"),
        (Route { key: RouteKey { tos: 4, ..base.key }, ..base.clone() }, "as TOS or source"),
        (Route { key: local, kind: RouteKind::Local, ..base.clone() }, "an address of this box"),
        (Route { mtu: Some(1400), ..base.clone() }, "a path MTU of 1400 bytes"),
        (Route { nexthop: Some(30), ..base.clone() }, "discards"),
        (Route { nexthop: Some(31), ..base.clone() }, "another tunnel or MPLS"),
        (Route { nexthop: Some(32), ..base.clone() }, "a nexthop group inside a group"),
    ] {
        let mut leaf = leaf();
        leaf.apply(nexthop(30, NexthopKind::Blackhole));
        let encapsulated = NexthopKind::Single {
            ifindex: U1,
            gateway: Some(ip("192.0.2.0")),
            encap: Some(Encap::Other),
        };
        leaf.apply(nexthop(31, encapsulated));
        leaf.apply(group(32, &[(20, 1)]));
        leaf.apply(route);
        assert_eq!(leaf.structure().vteps[&VTEP], None, "{sentence}");
        leaf.assert_named(sentence);
    }
    let mut leaf = leaf();
    leaf.withdraw(route("10.0.0.2", 32, None));
    leaf.assert_named("VTEP 10.0.0.2: no route, left to the kernel");
}

#[test]
fn a_less_specific_route_takes_over() {
    let mut leaf = leaf();
    leaf.apply(route("10.0.0.0", 8, Some(12)));
    leaf.withdraw(route("10.0.0.2", 32, None));
    assert_eq!(leaf.structure().vteps[&VTEP], Some(GroupKey::Object(12)));
}

#[test]
fn ways_that_cannot_be_expressed_leave_the_vtep_to_the_kernel() {
    let device = |kind| Link { mtu: 9000, ..link(U1, "u1", kind) };
    for (underlay, sentence) in [
        (device(bridge(false)), "bridge devices are not supported as routed ports"),
        (vlan_of(U2, 5, 0x8100, veth(U1, "u1")), "VLAN devices are not supported as routed ports"),
        (device(LinkKind::Vrf { table: 10 }), "vrf devices"),
        (Link { mac: None, ..veth(U1, "u1") }, "no Ethernet interface"),
        (port_of(BR10, veth(U1, "u1")), "which is a bridge port"),
    ] {
        let mut leaf = leaf();
        leaf.apply(underlay);
        assert_eq!(leaf.structure().vteps[&VTEP], None, "{sentence}");
        leaf.assert_named(sentence);
    }
}

#[test]
fn a_port_with_hosts_behind_it_is_no_underlay_port() {
    let mut leaf = leaf();
    leaf.apply(vlan_of(U1, 5, 0x8100, port_of(BR10, veth(41, "u1.5"))));
    assert_eq!(leaf.structure().ports[&U1].role, Role::Access);
    leaf.assert_named("use separate ports for hosts and fabric");
}

#[test]
fn a_routed_port_stays_one_while_it_exists_and_is_no_bridge_port() {
    let policy = Policy { sticky_routed: [U1, U2].into(), ..Policy::default() };
    let mut leaf = leaf_with(policy);
    leaf.withdraw(route("10.0.0.2", 32, None));
    leaf.apply(Link { up: false, carrier: false, ..veth(U1, "u1") });
    assert_eq!(leaf.structure().routed(), [U1, U2].into());
    let idle = |leaf: &Incremental| [U1, U2].map(|port| leaf.structure().ports[&port].idle);
    assert_eq!(idle(&leaf), [true, false], "without a program it may join a bond");
    leaf.apply(Link { carrier: false, ..veth(U1, "u1") });
    assert_eq!(idle(&leaf), [false, false], "a link without carrier keeps its program");
    leaf.apply(Link { bond: Some(BondMember { active: true }), ..veth(U1, "u1") });
    assert_eq!(leaf.structure().routed(), [U2].into());
    leaf.apply(Event::LinkGone { ifindex: U1 });
    assert_eq!(leaf.structure().routed(), [U2].into());
    leaf.apply(port_of(BR10, veth(U2, "u2")));
    assert_eq!(leaf.structure().ports[&U2].role, Role::Access);
}

#[test]
fn a_vtep_is_known_while_any_entry_names_it() {
    let mut leaf = leaf();
    let flood = tunnel_mac(Mac::ZERO, REMOTE);
    leaf.withdraw(flood);
    assert!(leaf.structure().vteps.contains_key(&VTEP), "a station is behind it");
    leaf.apply(flood);
    leaf.apply(flood);
    leaf.withdraw(tunnel_mac(host(2), REMOTE));
    assert!(leaf.structure().vteps.contains_key(&VTEP), "it is in the flood list");
    leaf.withdraw(flood);
    assert!(leaf.structure().vteps.is_empty());
}

#[test]
fn a_vtep_that_another_vni_names_comes_and_goes_without_a_compilation() {
    const BR20: u32 = 40;
    const VX20: u32 = 41;
    let mut leaf = leaf();
    leaf.apply(link(BR20, "br20", bridge(false)));
    leaf.apply(with_port(
        port_of(BR20, link(VX20, "vx20", LinkKind::Vxlan(vxlan(10_020)))),
        |port| port.learning = false,
    ));
    let before = leaf.structures;
    let entry = |remote| TunnelMac { vxlan: VX20, ..tunnel_mac(host(2), remote) };
    leaf.apply(entry(REMOTE));
    leaf.withdraw(entry(REMOTE));
    leaf.desired();
    assert_eq!(leaf.structures, before);
    // One that nobody else names.
    let other = ip("10.0.0.3");
    leaf.apply(entry(other));
    assert!(leaf.structure().vteps.contains_key(&VtepKey { local: LOCAL, remote: other }));
    leaf.withdraw(entry(other));
    assert!(!leaf.structure().vteps.contains_key(&VtepKey { local: LOCAL, remote: other }));
    assert_eq!(leaf.structures, before + 2);
}
