//! Where MACs are.

use super::world::*;
use crate::{model::*, observe::*};

#[test]
fn the_bridge_says_where_a_mac_is_and_the_vxlan_device_which_vtep() {
    let mut leaf = leaf();
    assert_eq!(leaf.place(1), Some(Target::Local(circuit(H1))));
    assert_eq!(leaf.place(2), Some(Target::Remote(VTEP)));
    // It moves to a local port; the vxlan device's entry stays behind.
    leaf.apply(bridge_mac(H2, host(2)));
    assert_eq!(leaf.place(2), Some(Target::Local(circuit(H2))));
    // The local entry ages out: what is left means nothing.
    leaf.apply(Event::BridgeMacGone { bridge: BR10, vlan: 0, mac: host(2) });
    assert_eq!(leaf.place(2), None);
    // It appears behind the tunnel again, and the old entry counts again.
    leaf.apply(bridge_mac(VX10, host(2)));
    assert_eq!(leaf.place(2), Some(Target::Remote(VTEP)));
    // Without the vxlan device's entry nobody knows which VTEP.
    leaf.withdraw(tunnel_mac(host(2), REMOTE));
    assert_eq!(leaf.place(2), None);
    assert!(report(&leaf).contains("vx10: the vxlan device knows no VTEP for 1 MAC addresses"));
}

fn report(leaf: &super::incremental::Incremental) -> String {
    // Both what is said step by step and what is said after a full compilation.
    leaf.desired();
    leaf.left_macs().iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn a_mac_event_costs_one_mac_and_no_compilation_of_the_rest() {
    let mut leaf = leaf();
    let before = leaf.full_compilations;
    for number in 3..200 {
        let dirty = leaf.apply(bridge_mac(H1, host(number)));
        assert_eq!(dirty.macs.len(), 1);
        assert!(!dirty.bridging && !dirty.underlay);
        let dirty = leaf.apply(tunnel_mac(host(number), REMOTE));
        assert!(!dirty.bridging && !dirty.underlay, "the VTEP is known");
    }
    assert_eq!(leaf.full_compilations, before);
    assert!(leaf.apply(bridge_mac(H1, host(3))).is_clean(), "nothing new");
    leaf.desired();
}

#[test]
fn own_addresses_are_own_wherever_the_bridge_says_they_are() {
    let mut leaf = leaf();
    for port in [BR10, H1, VX10] {
        let entry = BridgeMac { permanent: true, fixed: true, ..bridge_mac(port, host(9)) };
        leaf.apply(entry);
        assert_eq!(leaf.place(9), Some(Target::Own));
    }
}

#[test]
fn locked_zero_multicast_and_broadcast_addresses_are_never_installed() {
    let mut leaf = leaf();
    let count = leaf.desired().fdb.len();
    leaf.apply(BridgeMac { locked: true, ..bridge_mac(H1, host(9)) });
    for mac in [Mac::ZERO, Mac([1, 0, 0x5e, 0, 0, 1]), Mac([0xff; 6])] {
        let entry = BridgeMac { permanent: true, ..bridge_mac(H1, mac) };
        leaf.apply(entry);
    }
    assert_eq!(leaf.desired().fdb.len(), count);
    leaf.apply(bridge_mac(H1, host(9)));
    assert_eq!(leaf.place(9), Some(Target::Local(circuit(H1))), "unlocked");
}

#[test]
fn static_sticky_and_external_entries_are_installed_like_learnt_ones() {
    let mut leaf = leaf();
    let entry =
        BridgeMac { extern_learn: true, sticky: true, fixed: true, ..bridge_mac(H2, host(9)) };
    leaf.apply(entry);
    assert_eq!(leaf.place(9), Some(Target::Local(circuit(H2))));
}

#[test]
fn entries_behind_something_else_than_a_vtep_of_this_vni_are_reported() {
    let vtep = |port, vni, via| TunnelTarget::Vtep { address: REMOTE, port, vni, via };
    let at =
        |address| TunnelTarget::Vtep { address: ip(address), port: None, vni: None, via: None };
    for (target, sentence) in [
        (vtep(Some(4799), None, None), "an own VNI, UDP port or interface"),
        (vtep(None, Some(7), None), "an own VNI, UDP port or interface"),
        (vtep(None, None, Some(U1)), "an own VNI, UDP port or interface"),
        (at("2001:db8::2"), "no remote station's"),
        (at("239.0.0.1"), "no remote station's"),
        (at("10.0.0.1"), "no remote station's"),
    ] {
        let mut leaf = leaf();
        leaf.apply(TunnelMac { vxlan: VX10, mac: host(2), source_vni: None, target });
        assert_eq!(leaf.place(2), None, "{target:?}");
        let report = report(&leaf);
        assert!(report.contains(sentence) && report.contains("02:aa:00:00:00:02"), "{report}");
    }
    let mut leaf = leaf();
    let same = TunnelMac {
        target: vtep(Some(4789), Some(10_010), None),
        ..tunnel_mac(host(2), ip("10.0.0.2"))
    };
    leaf.apply(same);
    assert_eq!(leaf.place(2), Some(Target::Remote(VTEP)), "what the device has anyway");
}

#[test]
fn an_interface_index_that_is_used_again_inherits_nothing() {
    let mut leaf = leaf();
    leaf.apply(Event::LinkGone { ifindex: VX10 });
    leaf.apply(vx10(vxlan(10_010)));
    assert!(leaf.structure().vteps.is_empty(), "no VTEP of the old device");
    leaf.apply(bridge_mac(VX10, host(2)));
    assert_eq!(leaf.place(2), None, "no entry of the old device");
    leaf.apply(Event::LinkGone { ifindex: H1 });
    leaf.apply(port_of(BR10, veth(H1, "tap7")));
    assert_eq!(leaf.place(1), None, "no MAC of the old port");
}

#[test]
fn what_was_left_out_before_a_change_that_comes_to_nothing_is_left_out_after_it() {
    let mut leaf = leaf();
    leaf.withdraw(tunnel_mac(host(2), REMOTE));
    let left = leaf.left_macs();
    assert_eq!(left.len(), 1);
    // Without its vxlan device the bridge has nothing to leave out.
    let mut other = leaf_with(Policy::default());
    other.apply(Event::LinkGone { ifindex: VX10 });
    let (mut compiled, policy) = (Compiled::default(), Policy::default());
    compiled.update(&leaf.network, &policy, &Dirty::everything());
    let before = compiled.update(&other.network, &policy, &Dirty::policy()).before.unwrap();
    assert_eq!(compiled.problems(&other.network), []);
    compiled.restore(before);
    let again = compiled.update(&leaf.network, &policy, &Dirty::policy());
    assert!(matches!(&again.macs, Macs::Some(macs) if macs.is_empty()), "{again:?}");
    assert_eq!(compiled.problems(&leaf.network), left);
}
