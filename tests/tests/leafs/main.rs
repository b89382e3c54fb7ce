//! Leafs of public configurations, by shape: what they carry of established unicast flows, with the kernel as judge.
//! `docs/leafs.md` says how many configurations have which shape. Those with VLAN-aware bridges and VRFs are in
//! `with_vlans.rs`.

use fabric_tests::{
    addresses::{Mac, Station},
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
fn a_network_of_one_leaf_beside_stretched_ones_is_carried() {
    let leaf = Site::new(&[UNDERLAY, include_str!("shapes/local_bridges.sh")]);
    // Another host of that network, at swp3.
    let neighbour = Station { mac: [2, 0, 0, 0, 20, 13], ..REMOTE2 };
    leaf.carries(&[
        Flow::new("swp2", HOST2, neighbour),
        Flow::new("swp3", neighbour, HOST2),
        Flow::new("swp2", HOST2, HOST1).by("br20"),
        Flow::new("swp1", HOST1, HOST2).by("br10"),
        Flow::new("swp2", HOST2, REMOTE1).by("br20"),
        Flow::new("up1", REMOTE1, HOST2).vni(1_010).by("br10"),
        Flow::new("swp2", HOST2, FAR).by("br20"),
        Flow::new("up1", FAR, HOST2).vni(4_001).by("br4001"),
        Flow::new("swp2", HOST2, OUTSIDE).by("br20"),
        Flow::new("out1", OUTSIDE, HOST2).by("out1"),
    ]);
}

#[test]
fn programs_leave_ports_of_a_bridge_without_a_tunnel_when_it_does_not_route_any_more() {
    let leaf = Site::new(&[UNDERLAY, include_str!("shapes/local_bridges.sh")]);
    let run = |text: &str, there: bool| {
        leaf.run(text);
        until(PATIENCE, text, || {
            ["swp2", "swp3"].iter().all(|port| leaf.has_program(port) == there)
        });
        assert!(leaf.has_program("swp1"), "{text}: there is a tunnel");
    };
    run("", true);
    // A card that loses its link when a program comes may lose its addresses with it.
    run("ip addr del 10.1.20.1/24 dev br20\nip addr del fd00:20::1/64 dev br20", true);
    run(
        "sysctl -w net.ipv6.conf.all.forwarding=0\nsysctl -w net.ipv4.conf.all.forwarding=0",
        false,
    );
    run(
        "sysctl -w net.ipv6.conf.all.forwarding=1\nsysctl -w net.ipv4.conf.all.forwarding=1",
        false,
    );
    run("ip addr add 10.1.20.1/24 dev br20", true);
    leaf.carries(&[Flow::new("swp1", HOST1, REMOTE1), Flow::new("swp2", HOST2, HOST1).by("br20")]);
}

#[test]
fn nothing_is_attached_to_the_bridge_of_containers_whose_packets_are_translated() {
    let leaf = Site::new(&[UNDERLAY, include_str!("shapes/containers.sh")]);
    until(PATIENCE, "the chains are seen", || leaf.problems().contains("routed IPv4 packets"));
    assert!(leaf.has_program("swp1") && !leaf.has_program("swp2"));
    assert!(!leaf.problems().contains("docker0"), "{}", leaf.problems());
    leaf.run("nft delete table ip nat\nnft delete table ip filter");
    until(PATIENCE, "it is a network like others", || leaf.has_program("swp2"));
    leaf.run(
        "nft add table ip t\nnft add chain ip t c { type filter hook forward priority 0; }\n\
         nft add rule ip t c oifname docker0 ct state invalid drop",
    );
    until(PATIENCE, "it is docker's again", || !leaf.has_program("swp2"));
    assert!(leaf.has_program("swp1"));
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
