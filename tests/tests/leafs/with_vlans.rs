//! Leafs of public configurations whose bridges are VLAN-aware, or that have VRFs. Needs a kernel with both, as
//! distributions have them; `cargo xtask vm` boots one.

use fabric_tests::{
    fabric::{PATIENCE, until},
    shape::{FAR, Flow, HOST1, HOST2, HOST3, LOCAL, OUTSIDE, REMOTE1, REMOTE2, Site},
};

const UNDERLAY: &str = include_str!("shapes/underlay.sh");
const UNDERLAY6: &str = include_str!("shapes/underlay6.sh");
const UNNUMBERED: &str = include_str!("shapes/unnumbered.sh");

#[test]
fn a_vlan_aware_bridge_with_a_vxlan_device_for_each_vni_is_carried() {
    let leaf = Site::new(&[UNNUMBERED, include_str!("shapes/vlan_aware.sh")]);
    leaf.carries(&[
        Flow::new("swp1", HOST1, REMOTE1),
        Flow::new("swp2", HOST2, REMOTE2),
        Flow::new("up1", REMOTE1, HOST1).vni(1_010),
        Flow::new("up1", REMOTE2, HOST2).vni(1_020),
    ]);
}

#[test]
fn virtual_routers_in_a_vrf_with_an_l3vni_are_carried() {
    let leaf = Site::new(&[UNNUMBERED, include_str!("shapes/virtual_routers_in_vrf.sh")]);
    leaf.carries(&[
        Flow::new("swp1", HOST1, REMOTE1),
        Flow::new("up1", REMOTE1, HOST1).vni(1_010),
        Flow::new("swp3", HOST2, REMOTE2).tag(20),
        Flow::new("swp1", HOST1, HOST2).by("vlan10-v0"),
        Flow::new("swp3", HOST2, HOST1).tag(20).by("vlan20-v0"),
        Flow::new("swp1", HOST1, HOST2).by("vlan10"),
        Flow::new("swp1", HOST1, REMOTE2).by("vlan10-v0"),
        Flow::new("swp3", HOST2, FAR).tag(20).by("vlan20-v0"),
        Flow::new("up1", FAR, HOST1).vni(4_001).by("vlan4001"),
        Flow::new("up1", FAR, HOST2).vni(4_001).by("vlan4001"),
    ]);
}

#[test]
fn networks_of_one_leaf_on_a_vlan_aware_bridge_in_a_vrf_with_an_l3vni_are_carried() {
    let leaf = Site::new(&[UNDERLAY, include_str!("shapes/local_vlans_in_vrf.sh")]);
    leaf.carries(&[
        Flow::new("swp1", HOST1, HOST3),
        Flow::new("swp3", HOST3, HOST1).tag(10),
        Flow::new("swp1", HOST1, HOST2).by("bridge-v0"),
        Flow::new("swp2", HOST2, HOST1).by("vlan20"),
        Flow::new("swp1", HOST1, FAR).by("bridge-v0"),
        Flow::new("swp2", HOST2, FAR).by("vlan20"),
        Flow::new("up1", FAR, HOST1).vni(4_001).by("br4001"),
        Flow::new("up1", FAR, HOST2).vni(4_001).by("br4001"),
        Flow::new("swp1", HOST1, OUTSIDE).by("bridge-v0"),
        Flow::new("swp2", HOST2, OUTSIDE).by("vlan20"),
        Flow::new("out1", OUTSIDE, HOST1).by("out1"),
        Flow::new("out1", OUTSIDE, HOST2).by("out1"),
    ]);
    assert!(leaf.has_program("swp1"));
    leaf.run("ip link set br4001 nomaster");
    until(PATIENCE, "the L3VNI is no more the VRF's", || !leaf.has_program("swp1"));
}

#[test]
fn networks_of_one_leaf_behind_one_port_are_carried() {
    let shapes = [include_str!("shapes/local_bridges.sh"), include_str!("shapes/local_trunk.sh")];
    let leaf = Site::new(&[UNDERLAY, shapes[0], shapes[1]]);
    leaf.carries(&[
        Flow::new("swp2", HOST2, LOCAL).by("br20"),
        Flow::new("swp3", LOCAL, HOST2).tag(40).by("br40"),
        Flow::new("swp1", HOST1, LOCAL).by("br10"),
        Flow::new("swp3", LOCAL, REMOTE1).tag(40).by("br40"),
        Flow::new("up1", REMOTE1, LOCAL).vni(1_010).by("br10"),
        Flow::new("up1", FAR, LOCAL).vni(4_001).by("br4001"),
        Flow::new("out1", OUTSIDE, LOCAL).by("out1"),
    ]);
    // Beneath the VLAN device is the port of a bridge, also of one that is left to the kernel.
    leaf.run(
        "sysctl -w net.ipv4.conf.br20.forwarding=0\nsysctl -w net.ipv6.conf.br20.disable_ipv6=1",
    );
    until(PATIENCE, "one network does not route", || !leaf.has_program("swp2"));
    assert!(leaf.has_program("swp3"));
    leaf.run("ip link set swp3 nomaster");
    until(PATIENCE, "the port could route by itself", || !leaf.has_program("swp3"));
}

#[test]
fn the_exit_of_a_centralised_fabric_is_carried() {
    let leaf = Site::new(&[UNDERLAY, include_str!("shapes/central_exit.sh")]);
    leaf.carries(&[
        Flow::new("up1", REMOTE1, REMOTE2).vni(1_010).by("vlan10-v0"),
        Flow::new("up1", REMOTE1, OUTSIDE).vni(1_010).by("vlan10-v0"),
        Flow::new("out1", OUTSIDE, REMOTE2).by("out1"),
    ]);
}

#[test]
fn a_single_vxlan_device_with_an_l3vni_is_carried() {
    let leaf = Site::new(&[UNDERLAY, include_str!("shapes/single_device.sh")]);
    leaf.carries(&[
        Flow::new("swp1", HOST1, REMOTE1),
        Flow::new("up1", REMOTE2, HOST2).vni(1_020),
        Flow::new("swp1", HOST1, HOST2).by("vlan10"),
        Flow::new("swp1", HOST1, REMOTE2).by("vlan10"),
        Flow::new("swp2", HOST2, FAR).by("vlan20"),
        Flow::new("up1", FAR, HOST1).vni(4_001).by("vlan4001"),
    ]);
}

#[test]
fn bridges_in_a_zones_vrf_with_a_way_out_of_it_are_carried() {
    zone_with_a_way_out(include_str!("shapes/proxmox.sh"));
}

#[test]
fn the_way_into_a_zones_vrf_is_carried_as_frr_10_writes_it() {
    // What is connected in the zone leads to its VRF, no more to the bridge.
    let shape = include_str!("shapes/proxmox.sh");
    let newer = shape.replace("dev net1 proto bgp", "dev vrf_zone proto bgp");
    assert_eq!(newer.matches("dev vrf_zone proto bgp").count(), 2);
    zone_with_a_way_out(&newer);
}

fn zone_with_a_way_out(shape: &str) {
    let leaf = Site::new(&[UNDERLAY, shape]);
    leaf.carries(&[
        Flow::new("swp1", HOST1, REMOTE1),
        Flow::new("swp1", HOST1, HOST2).by("net1"),
        Flow::new("swp1", HOST1, REMOTE2).by("net1"),
        Flow::new("swp2", HOST2, FAR).by("net2"),
        Flow::new("up1", FAR, HOST1).vni(4_001).by("vrfbr_zone"),
        Flow::new("up1", FAR, OUTSIDE).vni(4_001).by("vrfbr_zone"),
        Flow::new("swp1", HOST1, OUTSIDE).by("net1"),
        Flow::new("out1", OUTSIDE, HOST1).by("out1"),
        Flow::new("out1", OUTSIDE, FAR).by("out1"),
    ]);
}

#[test]
fn two_single_vxlan_devices_with_virtual_routers_are_carried() {
    let leaf = Site::new(&[UNDERLAY, include_str!("shapes/two_single_devices.sh")]);
    leaf.carries(&[
        Flow::new("swp1", HOST1, REMOTE1),
        Flow::new("up1", REMOTE2, HOST2).vni(1_020),
        Flow::new("swp1", HOST1, HOST2).by("vlan10-v0"),
        Flow::new("swp1", HOST1, FAR).by("vlan10-v0"),
        Flow::new("swp2", HOST2, FAR).by("vlan20"),
        Flow::new("up1", FAR, HOST1).vni(4_001).by("vlan220_l3"),
    ]);
}

#[test]
fn tenants_whose_servers_are_behind_routed_ports_are_carried() {
    let leaf = Site::new(&[UNDERLAY, include_str!("shapes/tenants_by_routes.sh")]);
    leaf.carries(&[
        Flow::new("swp1", HOST1, FAR).by("swp1"),
        Flow::new("swp1", HOST1, OUTSIDE).by("swp1"),
        Flow::new("up1", FAR, HOST1).vni(4_001).by("vlan4001"),
        Flow::new("up1", FAR, OUTSIDE).vni(4_001).by("vlan4001"),
        Flow::new("up1", OUTSIDE, FAR).from([2, 0, 0, 0, 0x99, 3]).vni(4_002).by("vlan4002"),
    ]);
}

#[test]
fn trunks_of_subinterfaces_on_plain_bridges_are_carried() {
    let shape = include_str!("shapes/trunks_by_subinterfaces.sh");
    let leaf = Site::new(&[UNDERLAY, UNDERLAY6, shape]);
    leaf.carries(&[
        Flow::new("swp3", HOST1, REMOTE1).tag(10),
        Flow::new("up1", REMOTE2, HOST2).vni(1_020),
        Flow::new("swp3", HOST1, HOST2).tag(10).by("br10"),
        Flow::new("swp3", HOST1, REMOTE2).tag(10).by("br10"),
        Flow::new("swp3", HOST2, FAR).tag(20).by("br20"),
        Flow::new("up1", FAR, HOST1).vni6(4_001).by("br4001"),
    ]);
}

/// The flows of [`two_vlans_with_their_tags_in_one_vni_are_carried`], out of tunnels as `tunnel` says.
fn tagged_flows(tunnel: impl Fn(Flow) -> Flow) -> Vec<Flow> {
    const PRIORITY: u16 = 0xb000;
    let from_leaf2 = |source, destination| tunnel(Flow::new("up1", source, destination));
    vec![
        Flow::new("swp1", HOST1, REMOTE1),
        Flow::new("swp2", HOST2, REMOTE2),
        Flow::new("swp3", HOST3, REMOTE1).tag(10 | PRIORITY),
        from_leaf2(REMOTE1, HOST1).tag(10),
        from_leaf2(REMOTE2, HOST2).tag(20 | PRIORITY),
        from_leaf2(REMOTE1, HOST3).tag(10 | PRIORITY),
        Flow::new("swp1", HOST1, HOST2).by("vlan10"),
        Flow::new("swp1", HOST1, REMOTE2).by("vlan10"),
        Flow::new("swp3", HOST3, REMOTE2).tag(10 | PRIORITY).by("vlan10"),
        from_leaf2(REMOTE1, HOST2).tag(10).by("vlan10"),
        from_leaf2(REMOTE2, REMOTE1).tag(20 | PRIORITY).by("vlan20"),
    ]
}

#[test]
fn two_vlans_with_their_tags_in_one_vni_are_carried() {
    let shape = include_str!("shapes/two_vlans_in_one_vni.sh");
    let leaf = Site::new(&[UNDERLAY, shape]);
    leaf.carries(&tagged_flows(|flow| flow.vni(1_001)));
    let over_ipv6 = shape
        .replace("192.0.2.", "2001:db8:ff::")
        .replace("nolearning", "nolearning udp6zerocsumtx udp6zerocsumrx");
    let leaf = Site::new(&[UNDERLAY6, &over_ipv6]);
    leaf.carries(&tagged_flows(|flow| flow.vni6(1_001)));
}
