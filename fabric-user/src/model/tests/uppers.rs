//! Interfaces on top of a bridge that listen to MAC addresses of their own.

use super::{incremental::Incremental, world::*};
use crate::{model::*, observe::*};

const UPPER: u32 = 51;
const VIRTUAL: u8 = 0x77;

/// An interface on top of another one, with the MAC address of a virtual router.
fn upper(lower: u32, kind: &str) -> Link {
    let kind = LinkKind::Other(kind.into());
    Link { mac: Some(host(VIRTUAL)), lower: Some(lower), ..link(UPPER, "vrr0", kind) }
}

/// A macvlan that takes more than its own frames.
fn greedy(kind: &str) -> Link {
    Link { takes_more: true, ..upper(BR10, kind) }
}

/// The bridge with this many that want to see all frames.
fn promiscuous(promiscuity: u32) -> Event {
    let options = Bridge { promiscuity, ..bridge_options(false) };
    Event::Link(link(BR10, "br10", LinkKind::Bridge(options)))
}

/// The leaf whose FDB has the virtual router's address at the other leaf, and here behind a port.
fn leaf_with_virtual_router(port: u32) -> Incremental {
    let mut leaf = leaf();
    leaf.apply(bridge_mac(port, host(VIRTUAL)));
    leaf.apply(tunnel_mac(host(VIRTUAL), REMOTE));
    leaf
}

#[test]
fn a_mac_address_that_is_listened_to_on_top_of_a_bridge_is_the_kernels_in_both_directions() {
    for port in [VX10, H2] {
        for kind in ["macvlan", "macvtap"] {
            let mut leaf = leaf_with_virtual_router(port);
            let before = leaf.place(VIRTUAL);
            assert!(before.is_some() && before != Some(Target::Own));
            leaf.apply(upper(BR10, kind));
            leaf.apply(promiscuous(1));
            assert_eq!(leaf.place(VIRTUAL), None);
            assert!(leaf.place(1).is_some() && leaf.place(2).is_some(), "all others stay");
            assert_eq!(leaf.problems(), "");
            leaf.apply(Event::LinkGone { ifindex: UPPER });
            leaf.apply(promiscuous(0));
            assert_eq!(leaf.place(VIRTUAL), before);
        }
    }
}

#[test]
fn an_address_of_an_interface_in_another_namespace_is_known_by_the_bridges_own_list() {
    let mut leaf = leaf_with_virtual_router(VX10);
    leaf.apply(promiscuous(1));
    leaf.assert_named("br10 is promiscuous");
    assert_eq!(leaf.place(1), None, "nobody knows who listens to what");
    leaf.apply(Event::OwnMac { ifindex: BR10, mac: host(VIRTUAL) });
    assert_eq!(leaf.place(VIRTUAL), None);
    assert!(leaf.place(1).is_some());
    assert_eq!(leaf.problems(), "");
    leaf.apply(promiscuous(0));
    assert!(matches!(leaf.place(VIRTUAL), Some(Target::Remote(_))));
}

#[test]
fn a_bridge_all_of_whose_frames_somebody_wants_is_left_to_the_kernel_and_named() {
    let cases = [
        vec![promiscuous(1)],
        vec![Event::Link(upper(BR10, "macvlan")), promiscuous(2)],
        vec![Event::Link(Link { up: false, ..upper(BR10, "macvlan") }), promiscuous(1)],
        vec![Event::Link(greedy("macvlan")), promiscuous(1)],
        vec![Event::Link(greedy("macvtap")), promiscuous(1)],
    ];
    for events in cases {
        let mut leaf = leaf();
        events.into_iter().for_each(|event| drop(leaf.apply(event)));
        let desired = leaf.desired();
        assert!(desired.structure.domains.is_empty() && desired.fdb.is_empty());
        leaf.assert_named("br10 is promiscuous");
    }
}

#[test]
fn an_interface_with_the_bridges_own_address_changes_nothing() {
    let mut leaf = leaf();
    let whole = leaf.desired();
    let own = link(BR10, "br10", bridge(false)).mac;
    leaf.apply(Link { mac: own, ..upper(BR10, "macvlan") });
    leaf.apply(vlan_of(BR10, 5, 0x8100, Link { mac: own, ..veth(52, "br10.5") }));
    assert_eq!(leaf.desired(), whole);
}

#[test]
fn a_mac_address_behind_a_vlan_device_is_the_kernels_in_that_vlan() {
    let mut leaf = leaf();
    leaf.apply(link(BR10, "br10", bridge(true)));
    let at = |vlan| DomainKey { bridge: BR10, vlan };
    for vlan in [200, 300] {
        leaf.apply(BridgeMac { vlan, ..bridge_mac(H2, host(VIRTUAL)) });
    }
    leaf.apply(vlans(H2, BR10, &[(200, false, false), (300, false, false)]));
    leaf.apply(vlans(VX10, BR10, &[(200, true, true)]));
    let device = Link { mac: link(BR10, "br10", bridge(true)).mac, ..veth(52, "vlan200") };
    leaf.apply(vlan_of(BR10, 200, 0x8100, device));
    leaf.apply(upper(52, "macvlan"));
    let place = |leaf: &Incremental, vlan| {
        leaf.desired().fdb.get(&FdbKey { domain: at(vlan), mac: host(VIRTUAL) }).copied()
    };
    assert_eq!(place(&leaf, 200), None);
    assert!(matches!(place(&leaf, 300), Some(Target::Local(_))));
    leaf.apply(upper(BR10, "macvlan"));
    assert_eq!(place(&leaf, 300), None, "without one it gets the frames of all");
}
