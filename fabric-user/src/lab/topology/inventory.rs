//! The inventory: what cannot be drawn, in TOML. Unknown keys are errors, because a misspelt key
//! would otherwise silently mean the default.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

use super::address::{HostAddress, Prefixed};
use super::error::TopologyError;
use crate::mac::Mac;

/// The file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Values for the whole fabric.
    #[serde(default)]
    pub fabric: FabricEntry,
    /// One entry per switch and per server, by name.
    #[serde(default)]
    pub nodes: BTreeMap<String, NodeEntry>,
    /// One entry per stretched or local network, by name.
    #[serde(default)]
    pub networks: BTreeMap<String, NetworkEntry>,
    /// One entry per host, by name.
    #[serde(default)]
    pub hosts: BTreeMap<String, HostEntry>,
    /// One entry per anycast service, by name.
    #[serde(default)]
    pub services: BTreeMap<String, ServiceEntry>,
}

/// `[fabric]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FabricEntry {
    /// MTU of the links between switches in bytes; default 1600.
    pub underlay_mtu: u32,
    /// MTU of hosts and their networks in bytes; default 1500.
    pub host_mtu: u32,
    /// First half of every route target (`AS:VNI`), one for the whole fabric; default 65000.
    pub route_target_as: u16,
    /// Let the spines of different sites exchange EVPN routes directly, over their loopbacks,
    /// instead of through the borders: fewer hops for a MAC that moves; default true.
    pub evpn_between_spines: bool,
    /// BFD on all links between nodes that speak BGP; default: none.
    pub bfd: Option<BfdEntry>,
}

/// `bfd` of `[fabric]`: when a neighbour that is silent counts as dead.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BfdEntry {
    /// Time between two control packets sent, in milliseconds; default 50.
    pub transmit_ms: u32,
    /// Shortest time between two control packets that can be received, in milliseconds; default 50.
    pub receive_ms: u32,
    /// So many packets in a row that do not come end the session; default 3.
    pub multiplier: u8,
}

impl Default for BfdEntry {
    fn default() -> Self {
        Self { transmit_ms: 50, receive_ms: 50, multiplier: 3 }
    }
}

impl Default for FabricEntry {
    fn default() -> Self {
        Self {
            underlay_mtu: 1600,
            host_mtu: 1500,
            route_target_as: 65000,
            evpn_between_spines: true,
            bfd: None,
        }
    }
}

/// `[nodes.NAME]`: a switch, or a server that speaks BGP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeEntry {
    /// The site it stands in.
    pub site: String,
    /// Its AS number: one per rack, one for all spines of a site, one per server.
    #[serde(rename = "as")]
    pub asn: u32,
    /// Loopback, router id and VTEP address.
    pub loopback: Ipv4Addr,
    /// IPv6 loopback, announced beside the other one; default: none.
    pub loopback6: Option<Ipv6Addr>,
    /// Whether fabric-xdpd runs here; default: on every switch and on no server.
    pub fabric_xdpd: Option<bool>,
}

/// `[networks.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkEntry {
    /// VLAN id, 1 to 4094.
    pub vlan: u16,
    /// VXLAN network identifier, 1 to 16777215.
    pub vni: u32,
    /// Anycast gateway address with the length of the prefix, as in `10.20.0.1/24`.
    pub gateway: String,
    /// Anycast gateway MAC, the same on every leaf.
    pub gateway_mac: Mac,
    /// Sites where it lives: on all leafs there.
    #[serde(default)]
    pub sites: Vec<String>,
    /// Single leafs where it lives.
    #[serde(default)]
    pub leafs: Vec<String>,
}

/// `[hosts.NAME]`: a virtual machine in a network, or a host with a subnet of its own on a routed
/// port; the picture says at which port.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// Name of its network; without one, its port is routed.
    pub network: Option<String>,
    /// Its address. In a network, the gateway says how long the prefix is; on a routed port it is
    /// written here, as in `10.1.11.10/24`.
    pub address: HostAddress,
    /// On a routed port: the leaf's address there.
    pub gateway: Option<Ipv4Addr>,
    /// On a routed port: its IPv6 address, as in `fd00:1:11::10/64`; default: none.
    pub address6: Option<Prefixed>,
    /// On a routed port: the leaf's IPv6 address there.
    pub gateway6: Option<Ipv6Addr>,
    /// Its MAC; default: `right_mac` or `left_mac` of its cable, else one derived from its name.
    pub mac: Option<Mac>,
}

/// `[services.NAME]`: addresses that several servers have and announce.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    /// The addresses, each a `/32` or a `/128`.
    pub addresses: Vec<Prefixed>,
    /// Names of the servers.
    pub servers: Vec<String>,
}

/// Reads an inventory; `file` is the name used in messages.
pub fn parse(text: &str, file: &str) -> Result<Inventory, TopologyError> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let offset = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1;
        TopologyError::InventorySyntax {
            file: file.to_owned(),
            line,
            message: error.message().lines().collect::<Vec<_>>().join("; "),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let text =
            "[nodes.leaf01]\nsite = \"a\"\nas = 1\nloopback = \"10.0.0.1\"\nloopbak = \"x\"\n";
        let error = parse(text, "lab.toml").expect_err("unknown key").to_string();
        assert!(error.starts_with("lab.toml line 5: unknown field `loopbak`"), "{error}");
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let error = parse("[nodes.leaf01\nsite=1", "lab.toml").expect_err("syntax").to_string();
        assert!(error.starts_with("lab.toml line 1"), "{error}");
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = parse("[nodes.leaf01]\nsite = \"a\"\n", "lab.toml").expect_err("missing");
        assert!(error.to_string().contains("missing field"), "{error}");
    }
}
