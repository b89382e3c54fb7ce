//! Whose ARP and neighbour discovery is answered, and by what.

use super::{incremental::Incremental, router::own_address, world::*};
use crate::{model::*, observe::*};

const V10: u32 = 41;
const VRF: u32 = 42;

/// What an address is answered by in a VLAN of the leaf's bridge.
fn answer_in(leaf: &Incremental, vlan: u16, address: &str) -> Option<Option<Mac>> {
    let key = AnswerKey { domain: DomainKey { vlan, ..DOMAIN }, address: ip(address) };
    leaf.desired().answers.get(&key).map(|answer| answer.mac)
}

fn answer(leaf: &Incremental, address: &str) -> Option<Option<Mac>> {
    answer_in(leaf, 0, address)
}

fn suppressing(on: bool) -> Link {
    with_port(vx10(vxlan(10_010)), |port| port.neigh_suppress = on)
}

/// The leaf, whose tunnel suppresses.
fn answering() -> Incremental {
    let mut leaf = leaf();
    leaf.apply(suppressing(true));
    leaf
}

fn answers(leaf: &Incremental, domain: DomainKey) -> [bool; 2] {
    let domain = &leaf.structure().domains[&domain];
    [domain.answers_arp, domain.answers_nd]
}

#[test]
fn neighbours_of_a_bridge_are_answered_by_while_its_tunnel_suppresses() {
    let mut leaf = leaf();
    leaf.apply(neighbour(BR10, "10.1.0.2", Some(host(2))));
    assert_eq!((answers(&leaf, DOMAIN), answer(&leaf, "10.1.0.2")), ([false; 2], None));
    leaf.apply(suppressing(true));
    assert_eq!((answers(&leaf, DOMAIN), leaf.problems()), ([true; 2], String::new()));
    assert_eq!(answer(&leaf, "10.1.0.2"), Some(Some(host(2))));
    leaf.apply(neighbour(BR10, "fd00::2", Some(host(2))));
    leaf.apply(neighbour(BR10, "10.1.0.3", None));
    leaf.apply(neighbour(U1, "10.1.0.4", Some(host(4))));
    assert_eq!(answer(&leaf, "fd00::2"), Some(Some(host(2))));
    assert_eq!(answer(&leaf, "10.1.0.3"), Some(None), "known, and not resolved");
    assert_eq!(answer(&leaf, "10.1.0.4"), None, "of another interface");
    leaf.apply(suppressing(false));
    assert_eq!((answers(&leaf, DOMAIN), answer(&leaf, "fd00::2")), ([false; 2], None));
}

#[test]
fn a_neighbour_that_moves_fails_or_goes_is_one_change() {
    let mut leaf = answering();
    leaf.apply(neighbour(BR10, "10.1.0.2", Some(host(2))));
    let (structures, full) = (leaf.structures, leaf.full_compilations);
    leaf.apply(neighbour(BR10, "10.1.0.2", Some(host(3))));
    assert_eq!(answer(&leaf, "10.1.0.2"), Some(Some(host(3))));
    leaf.apply(neighbour(BR10, "10.1.0.2", None));
    assert_eq!(answer(&leaf, "10.1.0.2"), Some(None));
    leaf.apply(Event::NeighbourGone { ifindex: BR10, address: ip("10.1.0.2") });
    assert_eq!(answer(&leaf, "10.1.0.2"), None);
    assert_eq!((leaf.structures, leaf.full_compilations), (structures, full));
}

#[test]
fn groups_that_the_kernel_has_among_its_neighbours_are_nobody_to_answer_for() {
    let mut leaf = answering();
    let groups = [
        ("ff02::1:ff10:3cfb", Mac([0x33, 0x33, 0xff, 0x10, 0x3c, 0xfb])),
        ("224.0.0.22", Mac([0x01, 0x00, 0x5e, 0, 0, 0x16])),
        ("10.1.255.255", Mac([0xff; 6])),
    ];
    for (address, mac) in groups {
        leaf.apply(neighbour(BR10, address, Some(mac)));
        assert_eq!(answer(&leaf, address), None, "{address}");
        // The same address, should it be a host's.
        leaf.apply(neighbour(BR10, address, Some(host(2))));
        assert_eq!(answer(&leaf, address), Some(Some(host(2))), "{address}");
        leaf.apply(neighbour(BR10, address, Some(mac)));
        assert_eq!(answer(&leaf, address), None, "{address}");
    }
}

#[test]
fn who_is_a_router_is_followed() {
    let mut leaf = answering();
    let is_router = |leaf: &Incremental| {
        let key = AnswerKey { domain: DOMAIN, address: ip("fe80::2") };
        leaf.desired().answers[&key].router
    };
    for router in [false, true, false] {
        leaf.apply(Neighbour {
            ifindex: BR10,
            address: ip("fe80::2"),
            mac: Some(host(2)),
            state: 0x40,
            extern_learn: true,
            router,
        });
        assert_eq!(is_router(&leaf), router);
    }
}

#[test]
fn addresses_of_the_box_itself_are_the_kernels_to_answer_for() {
    let mut leaf = answering();
    leaf.apply(Link { master: Some(VRF), ..link(BR10, "br10", bridge(false)) });
    leaf.apply(link(VRF, "red", LinkKind::Vrf { table: 1001 }));
    for address in ["10.1.0.1", "fd00::1", "fe80::1"] {
        leaf.apply(neighbour(BR10, address, Some(host(2))));
        for table in [255, 1001] {
            assert_eq!(answer(&leaf, address), Some(Some(host(2))), "{address}");
            leaf.apply(own_address(table, address, BR10));
            assert_eq!(answer(&leaf, address), None, "{address} in {table}");
            leaf.withdraw(own_address(table, address, BR10));
        }
    }
}

#[test]
fn a_vlan_is_answered_in_by_the_vlan_device_on_its_bridge() {
    let mut leaf = leaf();
    let vlan10 = DomainKey { vlan: 10, ..DOMAIN };
    leaf.apply(link(BR10, "br10", bridge(true)));
    leaf.apply(vlans(VX10, BR10, &[(10, true, true)]));
    leaf.apply(vlans(H1, BR10, &[(10, false, false)]));
    leaf.apply(suppressing(true));
    assert_eq!(answers(&leaf, vlan10), [false; 2], "nobody has neighbours there");
    leaf.apply(vlan_of(BR10, 10, 0x8100, link(V10, "vlan10", LinkKind::Device)));
    leaf.apply(neighbour(V10, "10.1.0.2", Some(host(2))));
    leaf.apply(neighbour(BR10, "10.1.0.3", Some(host(3))));
    assert_eq!(answers(&leaf, vlan10), [true; 2]);
    assert_eq!(answer_in(&leaf, 10, "10.1.0.2"), Some(Some(host(2))));
    assert_eq!(answer_in(&leaf, 10, "10.1.0.3"), None);
    leaf.apply(vlan_of(BR10, 11, 0x8100, link(V10, "vlan10", LinkKind::Device)));
    assert_eq!(answers(&leaf, vlan10), [false; 2]);
    leaf.apply(vlan_of(BR10, 10, 0x88a8, link(V10, "vlan10", LinkKind::Device)));
    assert_eq!(answers(&leaf, vlan10), [false; 2], "of another protocol");
}

#[test]
fn each_vlan_says_itself_whether_it_suppresses_where_the_port_wants_that() {
    let mut leaf = leaf();
    let vlan10 = DomainKey { vlan: 10, ..DOMAIN };
    leaf.apply(link(BR10, "br10", bridge(true)));
    leaf.apply(vlans(VX10, BR10, &[(10, true, true)]));
    leaf.apply(vlan_of(BR10, 10, 0x8100, link(V10, "vlan10", LinkKind::Device)));
    let by_vlan = |port: &mut PortOptions| {
        (port.neigh_suppress, port.neigh_vlan_suppress) = (true, true);
    };
    leaf.apply(with_port(vx10(vxlan(10_010)), by_vlan));
    assert_eq!(answers(&leaf, vlan10), [false; 2], "the port's own word does not count");
    let said = |first, last, neigh_suppress| VlanStates {
        ifindex: VX10,
        ranges: vec![VlanRange { first, last, state: PortState::Forwarding, neigh_suppress }],
        instances_changed: false,
    };
    leaf.apply(said(10, 10, true));
    assert_eq!(answers(&leaf, vlan10), [true; 2]);
    let dirty = leaf.apply(said(9, 11, false));
    assert_eq!(answers(&leaf, vlan10), [true; 2], "of a range only the first VLAN is known");
    assert!(dirty.bridges_stale, "the kernel is asked for the others");
    assert!(!leaf.apply(said(20, 30, false)).bridges_stale, "which none of them contradicts");
    leaf.apply(said(10, 10, false));
    assert_eq!(answers(&leaf, vlan10), [false; 2]);
}

#[test]
fn an_access_port_that_suppresses_gets_no_answers() {
    let mut leaf = answering();
    assert!(!leaf.structure().circuits[&circuit(H1)].suppresses);
    leaf.apply(with_port(port_of(BR10, veth(H1, "h1")), |port| port.neigh_suppress = true));
    assert!(leaf.structure().circuits[&circuit(H1)].suppresses);
    assert_eq!(answers(&leaf, DOMAIN), [true; 2]);
}

#[test]
fn where_the_kernel_would_answer_by_itself_or_otherwise_it_is_left_to_it_and_named() {
    let mut leaf = answering();
    leaf.apply(Link { no_arp: true, ..link(BR10, "br10", bridge(false)) });
    assert_eq!(answers(&leaf, DOMAIN), [false, true]);
    leaf.assert_named("ip link set br10 arp on");
    leaf.apply(link(BR10, "br10", bridge(false)));
    let proxy = |v6, ifindex, on| Netconf {
        v6,
        ifindex,
        forwarding: None,
        rp_filter: None,
        proxy: Some(on),
    };
    leaf.apply(proxy(false, Some(BR10), true));
    assert_eq!(answers(&leaf, DOMAIN), [false, true]);
    leaf.assert_named("proxy_arp");
    leaf.apply(proxy(false, Some(BR10), false));
    leaf.apply(proxy(true, None, true));
    assert_eq!(answers(&leaf, DOMAIN), [true, false]);
    leaf.assert_named("proxy_ndp");
    leaf.apply(proxy(true, None, false));
    leaf.policy.arp_pvlan = [BR10].into();
    leaf.replace_all();
    assert_eq!(answers(&leaf, DOMAIN), [false, true]);
    leaf.policy.arp_pvlan.clear();
    let chain = Chain {
        tool: Tool::Nftables,
        family: ChainFamily::Arp,
        table: "filter".into(),
        name: "output".into(),
        hook: Hook::Output,
        kind: ChainKind::Filter,
        devices: Vec::new(),
        acts: true,
    };
    leaf.apply(Chain { hook: Hook::Input, ..chain.clone() });
    assert_eq!(answers(&leaf, DOMAIN), [true; 2], "the kernel's answers do not meet it");
    leaf.apply(chain);
    assert_eq!(answers(&leaf, DOMAIN), [false, true]);
    leaf.assert_named("the nftables chain `arp filter output` sees answers to ARP");
}
