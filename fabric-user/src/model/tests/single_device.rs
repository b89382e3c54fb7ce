//! The single vxlan device: one in external mode that gets the VNI of each VLAN from the bridge.

use std::net::IpAddr;

use super::{incremental::Incremental, world::*};
use crate::{model::*, observe::*};

const VX0: u32 = VX10;
/// A second one.
const VX1: u32 = 12;

fn external() -> Vxlan {
    Vxlan { external: true, ..vxlan(0) }
}

fn filtering() -> Vxlan {
    Vxlan { vni_filter: true, ..external() }
}

fn with_tunnel(id: u16, tunnel: u32) -> PortVlan {
    PortVlan { tunnel: Some(tunnel), ..tagged(id) }
}

fn tagged(id: u16) -> PortVlan {
    PortVlan { id, pvid: false, untagged: false, tunnel: None }
}

fn port(ifindex: u32, vlan_tunnel: bool, vlans: &[PortVlan]) -> Event {
    let options =
        PortOptions { state: PortState::Forwarding, vlan_tunnel, ..PortOptions::default() };
    BridgePort { ifindex, bridge: BR10, options, vlans: vlans.into() }.into()
}

fn device(ifindex: u32, name: &str, options: Vxlan) -> Link {
    let device = port_of(BR10, link(ifindex, name, LinkKind::Vxlan(options)));
    with_port(device, |port| (port.learning, port.vlan_tunnel) = (false, true))
}

fn filter(vxlan: u32, ranges: &[(u32, u32)]) -> VniFilter {
    VniFilter { vxlan, ranges: ranges.into() }
}

fn entry(mac: Mac, source_vni: u32, address: IpAddr, vni: Option<u32>) -> TunnelMac {
    let target = TunnelTarget::Vtep { address, port: None, vni, via: None };
    TunnelMac { source_vni: Some(source_vni), target, ..tunnel_mac(mac, address) }
}

fn domain(vlan: u16) -> DomainKey {
    DomainKey { bridge: BR10, vlan }
}

fn at(vlan: u16, number: u8) -> FdbKey {
    FdbKey { domain: domain(vlan), mac: host(number) }
}

/// A leaf whose bridge is VLAN-aware, with `h1` in VLANs 10 and 20, of VNIs 10010 and 10020.
fn leaf_with_device(options: Vxlan) -> Incremental {
    let mut leaf = leaf();
    leaf.withdraw(tunnel_mac(host(2), REMOTE));
    leaf.withdraw(tunnel_mac(Mac::ZERO, REMOTE));
    leaf.apply(link(BR10, "br10", bridge(true)));
    leaf.apply(device(VX0, "vx0", options));
    leaf.apply(port(VX0, true, &[with_tunnel(10, 10_010), with_tunnel(20, 10_020)]));
    leaf.apply(vlans(H1, BR10, &[(10, false, false), (20, false, false)]));
    leaf.apply(vlans(H2, BR10, &[]));
    leaf
}

/// The VNIs of the domains.
fn vnis(leaf: &Incremental) -> Vec<(u16, Option<u32>)> {
    leaf.structure().domains.iter().map(|(key, domain)| (key.vlan, domain.vni)).collect()
}

fn vtep(remote: &str) -> VtepKey {
    VtepKey { local: LOCAL, remote: ip(remote) }
}

#[test]
fn each_vlan_with_a_tunnel_id_is_a_domain_of_the_device() {
    let leaf = leaf_with_device(Vxlan { ttl: 7, tos: 0x40, df: Df::Set, port: 8472, ..external() });
    let domains = leaf.structure().domains;
    for (vlan, vni) in [(10, 10_010), (20, 10_020)] {
        let found = &domains[&domain(vlan)];
        assert_eq!((found.vni, found.source_vni, found.vxlan), (Some(vni), vni, VX0));
        assert_eq!((found.local, found.udp_port, found.ttl, found.tos), (LOCAL, 8472, 7, 0x40));
        assert_eq!(found.df, Df::Unset, "the device's own does not count beside metadata");
    }
    assert_eq!((domains.len(), leaf.problems().as_str()), (2, ""));
}

#[test]
fn the_devices_entries_are_those_of_a_vni() {
    let mut leaf = leaf_with_device(external());
    for (vlan, vni, address) in [(10, 10_010, "10.0.0.2"), (20, 10_020, "10.0.0.3")] {
        leaf.apply(BridgeMac { vlan, ..bridge_mac(VX0, host(2)) });
        leaf.apply(entry(host(2), vni, ip(address), None));
    }
    let places =
        |leaf: &Incremental| [10, 20].map(|vlan| leaf.desired().fdb.get(&at(vlan, 2)).copied());
    let [two, three] = ["10.0.0.2", "10.0.0.3"].map(|remote| Some(Target::Remote(vtep(remote))));
    assert_eq!(places(&leaf), [two, three]);
    // By messages about one MAC, without compiling the others.
    let before = leaf.full_compilations;
    leaf.apply(entry(host(2), 10_020, ip("10.0.0.2"), None));
    assert_eq!(places(&leaf), [two, two]);
    leaf.withdraw(entry(host(2), 10_010, ip("10.0.0.2"), None));
    assert_eq!(places(&leaf), [None, two]);
    assert_eq!(leaf.full_compilations - before, 1, "when 10.0.0.3 ceased to be a VTEP");
}

#[test]
fn a_vtep_of_several_vnis_stays_until_the_last_of_them_forgets_it() {
    let mut leaf = leaf_with_device(external());
    let floods = [10_010, 10_020].map(|vni| entry(Mac::ZERO, vni, REMOTE, None));
    for flood in floods {
        leaf.apply(flood);
    }
    leaf.withdraw(floods[0]);
    assert!(leaf.structure().vteps.contains_key(&VTEP));
    leaf.withdraw(floods[1]);
    assert!(leaf.structure().vteps.is_empty());
}

#[test]
fn a_mac_with_another_vni_at_its_vtep_is_left_to_the_kernel_and_named() {
    let mut leaf = leaf_with_device(external());
    leaf.apply(BridgeMac { vlan: 10, ..bridge_mac(VX0, host(2)) });
    leaf.apply(entry(host(2), 10_010, REMOTE, Some(10_010)));
    assert_eq!(leaf.desired().fdb.get(&at(10, 2)), Some(&Target::Remote(VTEP)));
    leaf.apply(entry(host(2), 10_010, REMOTE, Some(20_010)));
    assert_eq!(leaf.desired().fdb.get(&at(10, 2)), None);
    assert!(leaf.left_macs()[0].text.contains("an own VNI, UDP port or interface"));
}

#[test]
fn tunnel_ids_come_go_and_change() {
    let mut leaf = leaf_with_device(external());
    leaf.apply(BridgeMac { vlan: 10, ..bridge_mac(VX0, host(2)) });
    leaf.apply(entry(host(2), 10_030, REMOTE, None));
    assert_eq!(leaf.desired().fdb.get(&at(10, 2)), None);
    leaf.apply(port(VX0, true, &[with_tunnel(10, 10_030), tagged(20)]));
    assert_eq!(vnis(&leaf), [(10, Some(10_030)), (20, None)]);
    assert_eq!(leaf.desired().fdb.get(&at(10, 2)), Some(&Target::Remote(VTEP)));
    assert_eq!(leaf.problems(), "", "the kernel drops what has no tunnel ID");
    // The kernel says no tunnel IDs of a port that does not map them.
    leaf.apply(port(VX0, false, &[tagged(10), tagged(20)]));
    assert_eq!(vnis(&leaf), [(10, None), (20, None)]);
    leaf.assert_named("vx0 is in external mode and gets no VNIs from the bridge");
}

#[test]
fn vlans_that_get_no_vni_are_left_to_the_kernel_and_named() {
    let untagged = PortVlan { pvid: true, untagged: true, ..with_tunnel(10, 10_010) };
    let cases = [
        (untagged, "VLAN 10 is untagged there, so that its frames get no VNI"),
        (with_tunnel(10, 0), "VLAN 10 has a tunnel ID there that is no VNI"),
        (with_tunnel(10, 0x100_0000), "VLAN 10 has a tunnel ID there that is no VNI"),
    ];
    for (vlan, sentence) in cases {
        let mut leaf = leaf_with_device(external());
        leaf.apply(port(VX0, true, &[vlan, with_tunnel(20, 10_020)]));
        assert_eq!(vnis(&leaf), [(10, None), (20, Some(10_020))]);
        leaf.assert_named(sentence);
    }
    // With its tag it may be the PVID: that is for frames that come with no tunnel ID of the port's.
    let mut leaf = leaf_with_device(external());
    leaf.apply(port(VX0, true, &[PortVlan { pvid: true, ..with_tunnel(10, 10_010) }]));
    assert_eq!(vnis(&leaf), [(10, Some(10_010)), (20, None)]);
}

#[test]
fn a_device_in_external_mode_needs_a_bridge_with_vlans_and_no_vni_of_its_own() {
    let mut leaf = leaf_with_device(external());
    leaf.apply(link(BR10, "br10", bridge(false)));
    assert_eq!(vnis(&leaf), [(0, None)]);
    leaf.assert_named("vx0 is in external mode and gets no VNI from a bridge without VLANs");
    leaf.apply(link(BR10, "br10", bridge(true)));
    leaf.apply(device(VX0, "vx0", Vxlan { vni: 7, ..external() }));
    assert_eq!(vnis(&leaf), [(10, None), (20, None)]);
    leaf.assert_named("vx0 is in external mode with a VNI of its own");
    leaf.apply(device(VX0, "vx0", Vxlan { local: None, ..external() }));
    leaf.assert_named("`ip link set vx0 type vxlan external local ADDRESS`");
}

#[test]
fn a_device_of_one_vni_with_tunnel_ids_is_left_to_the_kernel_and_named() {
    let leaf = leaf_with_device(vxlan(10_010));
    assert_eq!(vnis(&leaf), [(10, None), (20, None)]);
    leaf.assert_named("vx0 has VLANs with tunnel IDs as a bridge port, but one VNI");
}

#[test]
fn with_a_filter_only_its_vnis_are_followed() {
    let mut leaf = leaf_with_device(filtering());
    assert_eq!(vnis(&leaf), [(10, None), (20, None)]);
    leaf.assert_named(
        "vx0 does not hear of VNI 10020 (`bridge vni add vni 10020 dev vx0`), left to the kernel",
    );
    leaf.apply(filter(VX0, &[(10_000, 10_010), (10_020, 10_020)]));
    assert_eq!(vnis(&leaf), [(10, Some(10_010)), (20, Some(10_020))]);
    assert_eq!(leaf.problems(), "");
    leaf.apply(Event::VniFilterGone(filter(VX0, &[(10_010, 10_010)])));
    assert_eq!(vnis(&leaf), [(10, None), (20, Some(10_020))]);
    leaf.apply(Event::LinkGone { ifindex: VX0 });
    leaf.apply(device(VX0, "vx0", filtering()));
    leaf.apply(port(VX0, true, &[with_tunnel(20, 10_020)]));
    assert_eq!(vnis(&leaf), [(10, None), (20, None)], "another device");
}

#[test]
fn a_filter_is_read_anew_when_a_vni_is_used_that_it_lacks() {
    let mut leaf = leaf_with_device(filtering());
    leaf.apply(filter(VX0, &[(10_010, 10_010)]));
    assert!(!leaf.apply(entry(Mac::ZERO, 10_010, REMOTE, None)).bridges_stale);
    assert!(leaf.apply(entry(Mac::ZERO, 10_020, REMOTE, None)).bridges_stale);
    let vlans = [with_tunnel(10, 10_010)];
    assert!(!leaf.apply(port(VX0, true, &vlans)).bridges_stale);
    let vlans = [with_tunnel(10, 10_010), with_tunnel(30, 10_030)];
    assert!(leaf.apply(port(VX0, true, &vlans)).bridges_stale);
}

#[test]
fn two_devices_share_a_bridge_by_vlan() {
    let mut leaf = leaf_with_device(external());
    leaf.apply(device(VX1, "vx1", Vxlan { port: 4790, ..external() }));
    leaf.apply(port(VX0, true, &[tagged(1), with_tunnel(10, 10_010)]));
    leaf.apply(port(VX1, true, &[tagged(1), with_tunnel(20, 10_010)]));
    let domains = leaf.structure().domains;
    let found = [10, 20].map(|vlan| &domains[&domain(vlan)]);
    assert_eq!(found.map(|it| (it.vni, it.vxlan)), [(Some(10_010), VX0), (Some(10_010), VX1)]);
    assert_eq!(leaf.problems(), "");
    leaf.apply(port(VX1, true, &[with_tunnel(10, 10_020)]));
    leaf.assert_named("VLAN 10 has several vxlan devices (vx0, vx1)");
}

#[test]
fn two_devices_that_hear_of_a_vni_on_one_port_are_left_to_the_kernel_and_named() {
    // The kernel makes the second for the other family, and gives it all packets of both.
    let other = |options: Vxlan| Vxlan { local: Some(ip("2001:db8::1")), ..options };
    let mut leaf = leaf_with_device(external());
    leaf.apply(device(VX1, "vx1", other(external())));
    assert_eq!(vnis(&leaf), [(10, None), (20, None)]);
    leaf.assert_named("vxlan device vx1 hears of VNI 10010 on the UDP port of vx0 as well");
    leaf.apply(Link { up: false, ..device(VX1, "vx1", other(external())) });
    assert_eq!(vnis(&leaf), [(10, Some(10_010)), (20, Some(10_020))]);
    leaf.apply(device(VX0, "vx0", filtering()));
    leaf.apply(device(VX1, "vx1", other(filtering())));
    leaf.apply(filter(VX0, &[(10_010, 10_020)]));
    leaf.apply(filter(VX1, &[(10_020, 10_030)]));
    assert_eq!(vnis(&leaf), [(10, Some(10_010)), (20, None)]);
}
