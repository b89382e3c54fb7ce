//! VLAN devices as bridge ports, and VLAN-aware bridges.

use super::{incremental::Incremental, world::*};
use crate::{model::*, observe::*};

const H1_100: u32 = 41;

#[test]
fn a_vlan_device_as_bridge_port_is_a_tagged_circuit_of_its_lower_interface() {
    let mut leaf = leaf();
    leaf.apply(veth(23, "h3"));
    let device = Link { mtu: 1400, ..port_of(BR10, veth(H1_100, "h3.100")) };
    leaf.apply(vlan_of(23, 100, 0x8100, device));
    let desired = leaf.structure();
    let port = &desired.ports[&23];
    assert_eq!((port.name.as_str(), port.mtu, port.untagged), ("h3", 1500, None));
    assert_eq!(port.tagged, [(100, circuit(H1_100))].into());
    assert!(!desired.ports.contains_key(&H1_100), "the program runs on h3");
    assert_eq!(
        desired.circuits[&circuit(H1_100)],
        Circuit { port: 23, vlan: 100, max_frame: 1414, ..Circuit::default() }
    );
    leaf.apply(bridge_mac(H1_100, host(3)));
    assert_eq!(leaf.place(3), Some(Target::Local(circuit(H1_100))));
    // The VLAN device itself stays up for a moment when its lower interface goes down.
    leaf.apply(Link { carrier: false, ..veth(23, "h3") });
    assert_eq!(leaf.place(3), None);
}

#[test]
fn a_port_can_be_untagged_in_one_bridge_and_tagged_in_another() {
    let mut leaf = leaf();
    let other = DomainKey { bridge: 50, vlan: 0 };
    leaf.apply(link(50, "br20", bridge(false)));
    leaf.apply(port_of(50, link(51, "vx20", LinkKind::Vxlan(vxlan(20)))));
    leaf.apply(vlan_of(H1, 20, 0x8100, port_of(50, veth(H1_100, "h1.20"))));
    let port = &leaf.structure().ports[&H1];
    assert_eq!(port.untagged, Some(circuit(H1)));
    assert_eq!(port.tagged, [(20, CircuitKey { bridge_port: H1_100, domain: other })].into());
}

#[test]
fn vlan_devices_that_cannot_be_expressed_are_declined_with_a_sentence() {
    let device = || port_of(BR10, veth(H1_100, "h3.100"));
    let plain = veth(23, "h3");
    let cases = [
        (
            plain.clone(),
            vlan_of(23, 100, 0x88a8, device()),
            "port h3.100 is an 802.1ad VLAN device",
        ),
        (
            vlan_of(H2, 5, 0x8100, plain.clone()),
            vlan_of(23, 100, 0x8100, device()),
            "a VLAN inside the VLAN device h3",
        ),
        (
            link(23, "br3", bridge(false)),
            vlan_of(23, 100, 0x8100, device()),
            "a VLAN of br3, which is no port",
        ),
        (plain.clone(), vlan_of(23, 0, 0x8100, device()), "a device of VLAN 0"),
        (
            plain.clone(),
            Link {
                kind: LinkKind::Vlan(Vlan { id: 100, protocol: 0x8100, maps_priorities: true }),
                ..vlan_of(23, 100, 0x8100, device())
            },
            "maps priorities into its tags",
        ),
        (
            plain,
            Link { lower_elsewhere: true, ..vlan_of(23, 100, 0x8100, device()) },
            "another network namespace",
        ),
    ];
    for (lower, device, sentence) in cases {
        let mut leaf = leaf();
        leaf.apply(lower);
        leaf.apply(device);
        let desired = leaf.structure();
        let reason = desired.why_not(H1_100).next().expect(sentence);
        assert!(reason.contains(sentence), "{reason}");
        assert!(!desired.circuits.contains_key(&circuit(H1_100)));
    }
}

const VLAN: u16 = 200;

fn domain(vlan: u16) -> DomainKey {
    DomainKey { bridge: BR10, vlan }
}

fn in_vlan(bridge_port: u32, vlan: u16) -> CircuitKey {
    CircuitKey { bridge_port, domain: domain(vlan) }
}

/// The leaf with a VLAN-aware bridge: `h1` untagged in VLAN 200, `h2` a trunk with 200 and 300,
/// VNI 10010 in VLAN 200.
fn vlan_aware_leaf() -> Incremental {
    let mut leaf = leaf();
    leaf.apply(link(BR10, "br10", bridge(true)));
    leaf.apply(vlans(VX10, BR10, &[(VLAN, true, true)]));
    leaf.apply(vlans(H1, BR10, &[(VLAN, true, true)]));
    leaf.apply(vlans(H2, BR10, &[(VLAN, false, false), (300, false, false)]));
    leaf
}

#[test]
fn each_vlan_of_a_vlan_aware_bridge_is_a_domain_and_a_ports_vlans_are_its_circuits() {
    let leaf = vlan_aware_leaf();
    let desired = leaf.structure();
    let vnis: Vec<_> = desired
        .domains
        .iter()
        .map(|(key, domain)| (key.vlan, domain.name.as_str(), domain.vni))
        .collect();
    assert_eq!(vnis, [(VLAN, "br10 vlan 200", Some(10_010)), (300, "br10 vlan 300", None)]);
    assert_eq!(desired.ports[&H1].untagged, Some(in_vlan(H1, VLAN)));
    assert!(desired.ports[&H1].tagged.is_empty());
    assert_eq!(desired.ports[&H2].untagged, None);
    assert_eq!(
        desired.ports[&H2].tagged,
        [(VLAN, in_vlan(H2, VLAN)), (300, in_vlan(H2, 300))].into()
    );
    assert_eq!(desired.circuits[&in_vlan(H2, 300)].vlan, 300);
    assert_eq!(desired.problems, []);
}

#[test]
fn macs_of_a_vlan_aware_bridge_are_those_with_a_vlan() {
    let mut leaf = vlan_aware_leaf();
    assert!(leaf.desired().fdb.is_empty(), "entries without a VLAN mean nothing here");
    let entry = |port, mac| Event::BridgeMac(BridgeMac { vlan: VLAN, ..bridge_mac(port, mac) });
    leaf.apply(entry(H2, host(1)));
    leaf.apply(entry(VX10, host(2)));
    let at = |number| FdbKey { domain: domain(VLAN), mac: host(number) };
    let fdb = leaf.desired().fdb;
    assert_eq!(fdb[&at(1)], Target::Local(in_vlan(H2, VLAN)));
    assert_eq!(fdb[&at(2)], Target::Remote(VTEP));
    // The vxlan device's entry changes: the VLAN is that of the device's PVID.
    leaf.withdraw(tunnel_mac(host(2), REMOTE));
    assert!(!leaf.desired().fdb.contains_key(&at(2)));
}

#[test]
fn the_same_mac_with_a_vlan_is_ignored_in_a_plain_bridge() {
    let mut leaf = leaf();
    leaf.apply(BridgeMac { vlan: 1, ..bridge_mac(H2, host(2)) });
    assert_eq!(leaf.place(2), Some(Target::Remote(VTEP)));
    assert_eq!(leaf.desired().fdb.len(), 2);
}

#[test]
fn untagged_frames_of_a_vlan_that_is_not_the_pvid_are_left_to_the_kernel() {
    let mut leaf = vlan_aware_leaf();
    leaf.apply(vlans(H1, BR10, &[(VLAN, true, false), (300, false, true), (400, false, false)]));
    let desired = leaf.structure();
    assert_eq!(desired.ports[&H1].untagged, None);
    assert_eq!(desired.ports[&H1].tagged, [(400, in_vlan(H1, 400))].into());
    let reasons: Vec<_> = desired.why_not(H1).collect();
    assert_eq!(
        reasons,
        [
            "port h1 uses VLAN 200 for untagged frames but sends it tagged: not supported, left to \
             the kernel",
            "port h1 uses VLAN 300 untagged without its being the PVID: not supported, left to the \
             kernel"
        ]
    );
}

#[test]
fn a_vlan_device_takes_frames_before_the_bridge_that_its_lower_interface_is_in() {
    let mut leaf = vlan_aware_leaf();
    leaf.apply(vlan_of(H2, 300, 0x8100, veth(H1_100, "h2.300")));
    let desired = leaf.structure();
    assert_eq!(desired.ports[&H2].tagged, [(VLAN, in_vlan(H2, VLAN))].into());
    leaf.assert_named("h2: a VLAN device takes the frames of VLAN 300");
}

/// The VLANs whose frames a vxlan device carries, and whether they have a tag there.
fn inside(leaf: &Incremental) -> Vec<(u16, Inside)> {
    let desired = leaf.structure();
    let stretched = desired.domains.iter().filter(|(_, domain)| domain.vni == Some(10_010));
    stretched.map(|(key, domain)| (key.vlan, domain.inside)).collect()
}

#[test]
fn a_vxlan_device_of_one_vni_carries_its_other_vlans_with_their_tags() {
    const PVID: Inside = Inside::Pvid { sent_tagged: false };
    let mut leaf = vlan_aware_leaf();
    assert_eq!(inside(&leaf), [(VLAN, Inside::Untagged)]);
    leaf.apply(vlans(VX10, BR10, &[(VLAN, true, true), (300, false, false), (400, false, false)]));
    assert_eq!(inside(&leaf), [(VLAN, PVID), (300, Inside::Tagged), (400, Inside::Tagged)]);
    assert_eq!(leaf.problems(), "");
    // A VLAN of its own says nothing of the others.
    leaf.apply(states(VX10, 300, 300, PortState::Blocking));
    assert_eq!(inside(&leaf), [(VLAN, PVID), (400, Inside::Tagged)]);
    leaf.apply(vlans(VX10, BR10, &[(400, false, false)]));
    assert_eq!(inside(&leaf), [(400, Inside::Tagged)]);
    leaf.apply(vlans(VX10, BR10, &[(400, true, false)]));
    assert_eq!(inside(&leaf), [(400, Inside::Pvid { sent_tagged: true })]);
}

#[test]
fn a_mac_of_the_vxlan_device_has_its_vtep_in_all_of_its_vlans() {
    let mut leaf = vlan_aware_leaf();
    leaf.apply(vlans(VX10, BR10, &[(VLAN, true, true), (300, false, false)]));
    for vlan in [VLAN, 300] {
        leaf.apply(Event::BridgeMac(BridgeMac { vlan, ..bridge_mac(VX10, host(2)) }));
    }
    let places = |leaf: &Incremental| {
        let fdb = leaf.desired().fdb;
        [VLAN, 300].map(|vlan| fdb.get(&FdbKey { domain: domain(vlan), mac: host(2) }).copied())
    };
    assert_eq!(places(&leaf), [Some(Target::Remote(VTEP)); 2]);
    leaf.withdraw(tunnel_mac(host(2), REMOTE));
    assert_eq!(places(&leaf), [None; 2]);
    leaf.apply(tunnel_mac(host(2), REMOTE));
    assert_eq!(places(&leaf), [Some(Target::Remote(VTEP)); 2]);
}

#[test]
fn vlans_of_a_tunnel_that_a_tag_does_not_tell_apart_are_left_to_the_kernel_and_named() {
    let mut leaf = vlan_aware_leaf();
    leaf.apply(vlans(VX10, BR10, &[(VLAN, true, true), (300, false, true), (400, false, false)]));
    leaf.assert_named("vx10 carries VLAN 300 untagged without its being the PVID: not supported");
    let pvid = Inside::Pvid { sent_tagged: false };
    assert_eq!(inside(&leaf), [(VLAN, pvid), (400, Inside::Tagged)]);
    leaf.apply(vlan_of(VX10, 400, 0x8100, veth(H1_100, "vx10.400")));
    leaf.assert_named("vx10 carries VLAN 400 of which a VLAN device takes what arrives");
    assert_eq!(inside(&leaf), [(VLAN, pvid)]);
    // What it takes is not the PVID's.
    leaf.apply(vlan_of(VX10, VLAN, 0x8100, veth(H1_100, "vx10.200")));
    assert_eq!(inside(&leaf), [(VLAN, Inside::Untagged), (400, Inside::Tagged)]);
}

#[test]
fn tags_that_frames_of_a_vlan_arrive_with() {
    let arriving = |inside: Inside| Vec::from_iter(inside.arriving(VLAN));
    assert_eq!(arriving(Inside::Untagged), [None]);
    assert_eq!(arriving(Inside::Tagged), [Some(VLAN)]);
    let pvid = Inside::Pvid { sent_tagged: false };
    assert_eq!(arriving(pvid), [None, Some(0), Some(VLAN)]);
}

#[test]
fn two_tunnels_for_a_vlan_are_left_to_the_kernel() {
    let mut leaf = vlan_aware_leaf();
    leaf.apply(port_of(BR10, link(12, "vx20", LinkKind::Vxlan(vxlan(20)))));
    leaf.apply(vlans(12, BR10, &[(VLAN, true, true)]));
    leaf.assert_named("VLAN 200 has several vxlan devices");
    assert_eq!(leaf.structure().domains[&domain(VLAN)].vni, None);
}

#[test]
fn a_provider_bridge_is_left_to_the_kernel() {
    let mut leaf = leaf_with(Policy::default());
    let options = Bridge { vlan_protocol: 0x88a8, ..bridge_options(true) };
    leaf.apply(link(BR10, "br10", LinkKind::Bridge(options)));
    leaf.assert_named("provider bridge");
    assert!(leaf.structure().domains.is_empty());
    assert!(leaf.desired().fdb.is_empty());
}

#[test]
fn a_denied_vlan_device_leaves_the_rest_of_its_port_alone() {
    let mut leaf = leaf_with(Policy { denied: vec![Pattern::new("*.100")], ..Policy::default() });
    leaf.apply(vlan_of(H1, 100, 0x8100, port_of(BR10, veth(H1_100, "h1.100"))));
    let desired = leaf.structure();
    assert_eq!(desired.ports[&H1].untagged, Some(circuit(H1)));
    assert!(desired.ports[&H1].tagged.is_empty());
    assert!(desired.declined[&H1_100].contains("denied by the pattern `*.100`"));
}

fn states(ifindex: u32, first: u16, last: u16, state: PortState) -> Event {
    let ranges = vec![VlanRange { first, last, state, neigh_suppress: false }];
    Event::VlanStates(VlanStates { ifindex, ranges, instances_changed: false })
}

#[test]
fn a_vlan_that_does_not_forward_on_a_port_has_no_circuit_there() {
    for state in
        [PortState::Blocking, PortState::Listening, PortState::Learning, PortState::Disabled]
    {
        let mut leaf = vlan_aware_leaf();
        let whole = leaf.desired();
        assert!(leaf.apply(states(H2, VLAN, VLAN, state)).bridging);
        let desired = leaf.structure();
        assert_eq!(desired.ports[&H2].tagged, [(300, in_vlan(H2, 300))].into(), "{state:?}");
        assert!(!desired.circuits.contains_key(&in_vlan(H2, VLAN)));
        assert_eq!(desired.ports[&H1].untagged, Some(in_vlan(H1, VLAN)), "another port");
        assert!(!leaf.apply(states(H2, VLAN, VLAN, state)).bridging, "no news");
        leaf.apply(states(H2, 2, 4094, PortState::Forwarding));
        assert_eq!(leaf.desired(), whole);
    }
}

#[test]
fn a_ports_untagged_vlan_may_be_the_one_that_is_blocked() {
    let mut leaf = vlan_aware_leaf();
    leaf.apply(states(H1, 2, 4094, PortState::Blocking));
    assert_eq!(leaf.structure().ports[&H1].untagged, None);
}

#[test]
fn a_tunnels_vlan_that_is_blocked_is_left_to_the_kernel_and_named() {
    let mut leaf = vlan_aware_leaf();
    leaf.apply(states(VX10, VLAN, VLAN, PortState::Blocking));
    assert_eq!(leaf.structure().domains[&domain(VLAN)].vni, None);
    leaf.assert_named("vx10 does not forward in VLAN 200");
}

#[test]
fn nothing_of_a_blocked_vlan_stays_when_its_port_leaves_the_bridge() {
    let mut leaf = vlan_aware_leaf();
    leaf.apply(states(H2, VLAN, VLAN, PortState::Blocking));
    leaf.apply(Event::BridgePortGone { ifindex: H2 });
    leaf.apply(port_of(BR10, veth(H2, "h2")));
    leaf.apply(vlans(H2, BR10, &[(VLAN, false, false)]));
    assert!(leaf.structure().circuits.contains_key(&in_vlan(H2, VLAN)));
}

#[test]
fn states_that_a_change_of_instances_may_have_changed_are_read_anew() {
    let mut leaf = vlan_aware_leaf();
    let change = VlanStates { ifindex: BR10, ranges: Vec::new(), instances_changed: true };
    assert!(leaf.apply(change).bridges_stale);
}

#[test]
fn a_bridge_with_instances_of_mstp_is_left_to_the_kernel_and_named() {
    let mut leaf = vlan_aware_leaf();
    let options = Bridge { mst: true, ..bridge_options(true) };
    leaf.apply(link(BR10, "br10", LinkKind::Bridge(options)));
    assert!(leaf.structure().domains.is_empty());
    assert!(leaf.desired().fdb.is_empty());
    leaf.assert_named("br10 has the states of MSTP");
}
