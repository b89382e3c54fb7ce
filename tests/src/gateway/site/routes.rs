//! Routes of the leaf that tests change: to nowhere, over a host, and to a network of two leafs.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{HOST1, LEAF3_ROUTER, Site, VNIS};
use crate::{
    addresses::{Mac, SPINE1_MAC, Station},
    device::mac_text,
};

impl Site {
    /// Gives the kernel a route to a network that leads nowhere, of this type.
    pub(in crate::gateway) fn lead_nowhere(&self, network: u8, kind: &str) {
        let vrf = if self.shape.is_in_vrf() { " vrf red" } else { "" };
        self.leaf.ip(&format!(
            "route add {kind} 10.0.{network}.0/24{vrf}\nroute add {kind} fd00:{network}::/32{vrf}\n"
        ));
    }

    /// Gives the kernel a route to `10.0.7.0/24` and `fd00:7::/32` over a host of the first network, or takes it away.
    pub(in crate::gateway) fn lead_over(&self, host: Option<&Station>) {
        let vrf = if self.shape.is_in_vrf() { " vrf red" } else { "" };
        let gateway = self.shape.gateway(1);
        self.leaf.ip(&match host {
            Some(host) => format!(
                "route replace 10.0.7.0/24 via {} dev {gateway}{vrf}\n\
                 route replace fd00:7::/32 via {} dev {gateway}{vrf}\n",
                Ipv4Addr::from(host.ipv4),
                Ipv6Addr::from(host.ipv6)
            ),
            None => format!("route del 10.0.7.0/24{vrf}\nroute del fd00:7::/32{vrf}\n"),
        });
    }

    /// HOST1 moves: LEAF2 has it from now on.
    pub(in crate::gateway) fn move_host1_to_leaf2(&self) {
        let (mac, vlan, vni) = (mac_text(HOST1.mac), self.shape.vlan(1), VNIS[0]);
        self.leaf.bridge(&format!(
            "fdb add {mac} dev vx{vni} dst {} self static\n\
             fdb replace {mac} dev vx{vni} master static{vlan}\n",
            self.ends().1
        ));
    }

    /// Lets LEAF3 be the second that routes for the network of LEAF2.
    pub(in crate::gateway) fn lead_to_two_leafs(&self) {
        let third = self.shape.gateway(9);
        // Or all flows of two stations would take one way.
        self.leaf.sysctl("ipv4/fib_multipath_hash_policy", "1");
        self.leaf.sysctl("ipv6/fib_multipath_hash_policy", "1");
        self.leaf.ip("route add 192.0.2.3 via 203.0.113.1 dev up0\n");
        self.know_router_of_leaf3(LEAF3_ROUTER);
        self.leaf.ip(&format!(
            "nexthop add id 31 via 192.0.2.2 dev {third} onlink\n\
             nexthop add id 32 via 192.0.2.3 dev {third} onlink\n\
             nexthop add id 41 via fe80::2 dev {third}\nnexthop add id 42 via fe80::3 dev {third}\n"
        ));
        self.lead_to_leafs("31/32", "41/42");
        self.leaf.ip("route del 10.0.3.0/24\nroute add 10.0.3.0/24 nhid 33\n\
             route del fd00:3::/32\nroute add fd00:3::/32 nhid 43\n");
    }

    /// Has these next hops in the groups of the network, over IPv4 and IPv6.
    pub(in crate::gateway) fn lead_to_leafs(&self, v4: &str, v6: &str) {
        let lines = format!("nexthop replace id 33 group {v4}\nnexthop replace id 43 group {v6}\n");
        self.leaf.ip(&lines);
    }

    /// Leads IPv6 packets outside over the router and over the spine, by objects.
    pub(in crate::gateway) fn lead_outside_by_both(&self) {
        let vrf = if self.shape.is_in_vrf() { " vrf red" } else { "" };
        self.leaf.ip(&format!(
            "nexthop add id 51 via fd00:8::1 dev out0\nnexthop add id 52 via fd00:fe::1 dev up0\n\
             nexthop add id 53 group 51/52\nroute del fd00:9::/32{vrf}\nroute add fd00:9::/32 nhid 53{vrf}\n"
        ));
    }

    /// Leads to LEAF2 by an object.
    pub(in crate::gateway) fn lead_to_leaf2_by_an_object(&self) {
        let via = if self.over_ipv6 { "fd00:fe::1" } else { "203.0.113.1" };
        let leaf2 = self.ends().1;
        self.leaf.ip(&format!(
            "nexthop add id 54 via {via} dev up0\nroute del {leaf2}\nroute add {leaf2} nhid 54\n"
        ));
    }

    /// Makes the spine an IPv6 neighbour once more.
    pub(in crate::gateway) fn know_spine(&self) {
        let spine = mac_text(SPINE1_MAC);
        self.leaf.ip(&format!(
            "addr add fd00:fe::/127 dev up0\n\
             neigh replace fd00:fe::1 lladdr {spine} dev up0 nud permanent\n"
        ));
    }

    /// Switches IPv6 on an interface off, or on again: then it has none of its addresses, and the kernel knows no
    /// neighbours there.
    pub(in crate::gateway) fn switch_ipv6(&self, interface: &str, on: bool) {
        let value = if on { "0" } else { "1" };
        self.leaf.sysctl(&format!("ipv6/conf/{interface}/disable_ipv6"), value);
    }

    /// Gives IPv6 packets on an interface another MTU, in bytes, than that of the link.
    pub(in crate::gateway) fn set_ipv6_mtu(&self, interface: &str, mtu: usize) {
        self.leaf.sysctl(&format!("ipv6/conf/{interface}/mtu"), &mtu.to_string());
    }

    /// The gateway of a network.
    pub(in crate::gateway) fn gateway(&self, network: u8) -> String {
        self.shape.gateway(network)
    }

    /// Gives LEAF3's router a MAC address.
    pub(in crate::gateway) fn know_router_of_leaf3(&self, router: Mac) {
        let (third, router) = (self.shape.gateway(9), mac_text(router));
        self.leaf.bridge(&format!(
            "fdb add {router} dev vx109 dst 192.0.2.3 self static\n\
             fdb add {router} dev vx109 master static\n"
        ));
        self.leaf.ip(&format!(
            "neigh replace 192.0.2.3 lladdr {router} dev {third} nud permanent\n\
             neigh replace fe80::3 lladdr {router} dev {third} nud permanent\n"
        ));
    }
}
