//! What the leaf is made of.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    GATEWAYS, HOST1, HOST2, NETWORKS, OUT0, OUTER_ROUTER, PORTS, REMOTE1, REMOTE2, ROUTER_MAC,
    Shape, UP0, VNIS,
};
use crate::{
    addresses::{LEAF1_VTEP, LEAF1_VTEP6, LEAF2_VTEP, LEAF2_VTEP6, SPINE1_MAC},
    device::mac_text,
    fabric::{PATIENCE, until},
    space::Space,
};

/// Makes the leaf's devices, addresses, neighbours and routes, and the other ends of its ports.
pub(super) fn build(leaf: &Space, outside: &Space, shape: Shape, over_ipv6: bool) {
    let (local, remote, options) = match over_ipv6 {
        true => (
            Ipv6Addr::from(LEAF1_VTEP6).to_string(),
            Ipv6Addr::from(LEAF2_VTEP6).to_string(),
            "udp6zerocsumtx udp6zerocsumrx",
        ),
        false => (
            Ipv4Addr::from(LEAF1_VTEP).to_string(),
            Ipv4Addr::from(LEAF2_VTEP).to_string(),
            "noudpcsum",
        ),
    };
    leaf.sysctls(&[
        // Each message that is asked for is sent.
        ("ipv4/icmp_ratelimit", "0"),
        ("ipv6/icmp/ratelimit", "0"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        ("ipv4/conf/all/forwarding", "1"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv6/conf/all/accept_dad", "0"),
        ("ipv6/conf/default/accept_dad", "0"),
    ]);
    let in_vrf = shape.is_in_vrf();
    let mut lines = "link set lo up\n".to_owned();
    if in_vrf {
        lines += "link add red up type vrf table 100\n";
    }
    // Where the tunnels' address is, what the tunnels are bound to, and where their ways are.
    let (own, bound, underlay) = match shape {
        Shape::BridgesInVrfs => ("blue", "dev blue", " vrf blue"),
        _ => ("lo", "", ""),
    };
    if own == "blue" {
        lines += "link add blue up type vrf table 200\n";
    }
    lines += &format!("addr add {local} dev {own}\n");
    for (port, mac) in PORTS.iter().zip([[2, 0, 0, 0xac, 0, 1], [2, 0, 0, 0xac, 0, 2], OUT0, UP0]) {
        lines += &format!(
            "link add {port} address {} mtu 1600 type veth peer name {port}p mtu 1600 netns {}\n\
             link set {port} addrgenmode none up\n",
            mac_text(mac),
            outside.name()
        );
    }
    lines += "link set acc1 mtu 1500\nlink set acc2 mtu 1500\nlink set out0 mtu 1500\n";
    if in_vrf {
        lines += "link set out0 master red\n";
    }
    if own == "blue" {
        lines += "link set up0 master blue\n";
    }
    if shape == Shape::Vlans {
        lines += "link add br0 mtu 1500 type bridge mcast_snooping 0 vlan_filtering 1 \
                  vlan_default_pvid 0\nlink set br0 addrgenmode none up\n";
    }
    for (network, vni) in NETWORKS.into_iter().zip(VNIS) {
        let bridge = shape.bridge(network);
        if shape != Shape::Vlans {
            lines += &format!(
                "link add {bridge} mtu 1500 type bridge mcast_snooping 0\n\
                 link set {bridge} addrgenmode none\n"
            );
        }
        lines += &format!(
            "link add vx{vni} mtu 1500 type vxlan id {vni} local {local} dstport 4789 nolearning \
             {bound} {options}\nlink set vx{vni} addrgenmode none master {bridge}\n"
        );
    }
    lines += &format!(
        "link set acc1 master {}\nlink set acc2 master {}\n",
        shape.bridge(1),
        shape.bridge(2)
    );
    leaf.ip(&lines);
    if shape == Shape::Vlans {
        let mut vlans = String::new();
        for (network, vni) in NETWORKS.into_iter().zip(VNIS) {
            vlans += &format!(
                "vlan add vid {network} dev br0 self\n\
                 vlan add vid {network} dev vx{vni} pvid untagged\n"
            );
        }
        vlans += "vlan add vid 1 dev acc1 pvid untagged\nvlan add vid 2 dev acc2 pvid untagged\n";
        leaf.bridge(&vlans);
    }
    let mut lines = String::new();
    for (network, mac) in NETWORKS.into_iter().zip(GATEWAYS) {
        let (gateway, mac) = (shape.gateway(network), mac_text(mac));
        if shape == Shape::Vlans {
            // The bridge's own address is that of the VLAN devices, as by default.
            lines += &format!("link add link br0 name {gateway} type vlan id {network}\n");
            lines += &format!("link set {gateway} addrgenmode none up\n");
        } else {
            lines += &format!("link set {gateway} address {mac} up\n");
        }
        if in_vrf {
            lines += &format!("link set {gateway} master red\n");
        }
    }
    leaf.ip(&lines);
    let mut fdb = String::new();
    for ((network, vni), mac) in
        NETWORKS.into_iter().zip(VNIS).zip([REMOTE1.mac, REMOTE2.mac, ROUTER_MAC])
    {
        let (mac, vlan) = (mac_text(mac), shape.vlan(network));
        fdb += &format!(
            "link set dev vx{vni} learning off\n\
             fdb add 00:00:00:00:00:00 dev vx{vni} dst {remote} self permanent\n\
             fdb add {mac} dev vx{vni} dst {remote} self static\n\
             fdb add {mac} dev vx{vni} master static{vlan}\n"
        );
    }
    for (network, port, host) in [(1, "acc1", HOST1), (2, "acc2", HOST2)] {
        let (mac, vlan) = (mac_text(host.mac), shape.vlan(network));
        fdb += &format!("fdb add {mac} dev {port} master static{vlan}\n");
    }
    leaf.bridge(&fdb);
    let vrf = if in_vrf { " vrf red" } else { "" };
    let mut lines = String::new();
    for vni in VNIS {
        lines += &format!("link set vx{vni} up\n");
    }
    lines += &format!(
        "addr add 203.0.113.0/31 dev up0\naddr add fd00:fe::/127 dev up0\n\
         neigh replace 203.0.113.1 lladdr {spine} dev up0 nud permanent\n\
         neigh replace fd00:fe::1 lladdr {spine} dev up0 nud permanent\n\
         route add {remote} via {} dev up0{underlay}\n\
         addr add 10.0.8.0/31 dev out0\naddr add fd00:8::/127 dev out0\n\
         neigh replace 10.0.8.1 lladdr {router} dev out0 nud permanent\n\
         neigh replace fd00:8::1 lladdr {router} dev out0 nud permanent\n\
         route add 10.0.9.0/24 via 10.0.8.1 dev out0{vrf}\n\
         route add fd00:9::/32 via fd00:8::1 dev out0{vrf}\n",
        if over_ipv6 { "fd00:fe::1" } else { "203.0.113.1" },
        spine = mac_text(SPINE1_MAC),
        router = mac_text(OUTER_ROUTER),
    );
    for network in [1, 2] {
        let gateway = shape.gateway(network);
        lines += &format!(
            "addr add 10.0.{network}.1/24 dev {gateway}\n\
             addr add fd00:{network}::1/32 dev {gateway} nodad\n"
        );
    }
    for (network, host) in [(1, HOST1), (1, REMOTE1), (2, HOST2), (2, REMOTE2)] {
        let (mac, gateway) = (mac_text(host.mac), shape.gateway(network));
        lines += &format!(
            "neigh replace {} lladdr {mac} dev {gateway} nud permanent\n\
             neigh replace {} lladdr {mac} dev {gateway} nud permanent\n",
            Ipv4Addr::from(host.ipv4),
            Ipv6Addr::from(host.ipv6),
        );
    }
    let (router, third) = (mac_text(ROUTER_MAC), shape.gateway(9));
    lines += &format!(
        "neigh replace 192.0.2.2 lladdr {router} dev {third} nud permanent\n\
         neigh replace fe80::2 lladdr {router} dev {third} nud permanent\n\
         route add 10.0.3.0/24 via 192.0.2.2 dev {third} onlink{vrf}\n\
         route add fd00:3::/32 via fe80::2 dev {third}{vrf}\n"
    );
    leaf.ip(&lines);
    for port in PORTS {
        outside.ip(&format!("link set {port}p addrgenmode none arp off up\n"));
        leaf.wirelike(port);
        outside.wirelike(&format!("{port}p"));
    }
    until(PATIENCE, "the ports are up", || {
        leaf.query("link show dev up0").iter().any(|link| link["operstate"] == "UP")
    });
}
