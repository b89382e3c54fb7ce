//! Leafs of public configurations, by shape: what they carry of established unicast flows, with the kernel as judge.
//! `docs/leafs.md` says how many configurations have which shape. Those with VLAN-aware bridges and VRFs are in
//! `with_vlans.rs`.

use fabric_tests::{
    addresses::Mac,
    fabric::{PATIENCE, until},
    shape::{FAR, Flow, HOST1, HOST2, HOST3, OUTSIDE, REMOTE1, REMOTE2, Site},
    space::{Space, unique},
};

const UNDERLAY: &str = include_str!("shapes/underlay.sh");
const UNDERLAY6: &str = include_str!("shapes/underlay6.sh");
const UNNUMBERED: &str = include_str!("shapes/unnumbered.sh");

#[test]
fn a_plain_bridge_for_each_vni_is_carried() {
    let leaf = Site::new(&[UNNUMBERED, include_str!("shapes/plain_bridges.sh")]);
    leaf.carries(&[
        Flow::new("swp1", HOST1, HOST3),
        Flow::new("swp3", HOST3, HOST1),
        Flow::new("swp1", HOST1, REMOTE1),
        Flow::new("swp2", HOST2, REMOTE2),
        Flow::new("up1", REMOTE1, HOST1).vni(1_010),
        Flow::new("up1", REMOTE2, HOST2).vni(1_020),
    ]);
}

#[test]
fn plain_bridges_with_virtual_routers_are_carried() {
    let leaf = Site::new(&[UNNUMBERED, include_str!("shapes/plain_virtual_router.sh")]);
    leaf.carries(&[
        Flow::new("swp1", HOST1, REMOTE1),
        Flow::new("up1", REMOTE1, HOST1).vni(1_010),
        Flow::new("swp1", HOST1, HOST2).by("br10-v0"),
        Flow::new("swp2", HOST2, HOST1).by("br20-v0"),
        Flow::new("swp1", HOST1, HOST2).by("br10"),
        Flow::new("swp1", HOST1, REMOTE2).by("br10-v0"),
        Flow::new("swp1", HOST1, FAR).by("br10-v0"),
        Flow::new("up1", FAR, HOST1).vni(4_001).by("br4001"),
        Flow::new("up1", FAR, HOST2).vni(4_001).by("br4001"),
    ]);
}

/// MAC address of the first network's gateway on every leaf of `learning_bridges.sh`.
const GATEWAY: Mac = [0, 0, 0x5e, 0, 1, 0x0a];

#[test]
fn bridges_that_learn_and_have_the_gateways_address_are_carried() {
    let leaf = Site::new(&[UNDERLAY, include_str!("shapes/learning_bridges.sh")]);
    leaf.carries(&[
        Flow::new("swp1", HOST1, REMOTE1),
        Flow::new("up1", REMOTE1, HOST1).vni(1_010),
        Flow::new("swp2", HOST2, REMOTE2),
        Flow::new("up1", REMOTE2, HOST2).vni(1_020),
        Flow::new("swp1", HOST1, HOST2).by("br10"),
        Flow::new("swp1", HOST1, REMOTE2).by("br10"),
        // LEAF2 has routed it, with the gateway's address.
        Flow::new("up1", REMOTE2, HOST1).from(GATEWAY).vni(1_010),
    ]);
}

#[test]
fn a_vxlan_device_without_a_local_address_is_carried() {
    let leaf = Site::new(&[UNDERLAY, include_str!("shapes/no_local_address.sh")]);
    leaf.carries(&[
        Flow::new("swp1", HOST1, HOST3),
        Flow::new("swp3", HOST3, REMOTE1),
        Flow::new("up1", REMOTE1, HOST1).vni(1_010),
    ]);
}

#[test]
fn a_border_with_an_l3vni_bound_to_an_uplink_is_carried() {
    let leaf = Site::new(&[UNDERLAY, include_str!("shapes/bound_l3vni.sh")]);
    leaf.carries(&[
        Flow::new("up1", FAR, OUTSIDE).vni(4_001).by("br4001"),
        Flow::new("out1", OUTSIDE, FAR).by("out1"),
    ]);
}

#[test]
fn the_one_gateway_of_a_fabric_is_carried() {
    let leaf = Site::new(&[UNDERLAY, include_str!("shapes/centralised.sh")]);
    leaf.carries(&[
        Flow::new("up1", REMOTE1, REMOTE2).vni(1_010).by("br10"),
        Flow::new("up1", REMOTE2, REMOTE1).vni(1_020).by("br20"),
        Flow::new("up1", REMOTE1, OUTSIDE).vni(1_010).by("br10"),
        Flow::new("out1", OUTSIDE, REMOTE1).by("out1"),
    ]);
}

#[test]
fn tunnels_over_ipv6_are_carried() {
    let leaf = Site::new(&[UNDERLAY6, include_str!("shapes/over_ipv6.sh")]);
    leaf.carries(&[
        Flow::new("swp1", HOST1, REMOTE1),
        Flow::new("up1", REMOTE1, HOST1).vni6(1_010),
        Flow::new("swp1", HOST1, HOST2).by("br10"),
        Flow::new("swp2", HOST2, HOST1).by("br20"),
        Flow::new("up1", REMOTE1, HOST2).vni6(1_010).by("br10"),
        Flow::new("swp2", HOST2, REMOTE1).by("br20"),
        Flow::new("swp2", HOST2, REMOTE2),
    ]);
}

/// As for FRR's VRFs by namespaces: the vxlan device is made beside the underlay and moved into the tenant's.
#[test]
fn a_tunnel_whose_underlay_is_in_another_namespace_is_the_kernels_and_named() {
    let underlay = Space::new(unique("shapeunder"));
    let tenant = Site::new(&[
        "ip link add br10 type bridge",
        "ip link set swp1 master br10 up",
        "ip link set swp3 master br10 up",
        "ip link set br10 up",
    ]);
    underlay.ip(&format!(
        "link add vx10 type vxlan id 1010 local 192.0.2.1 dstport 4789 nolearning\n\
         link set vx10 netns {}\n",
        tenant.leaf().name()
    ));
    tenant.run("ip link set vx10 master br10 up");
    let words = "vx10 has its underlay in another network namespace";
    until(PATIENCE, "it is named", || tenant.problems().contains(words));
}
