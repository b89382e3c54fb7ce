//! Puts picture and inventory together and refuses what contradicts itself.

mod routed;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use super::error::TopologyError;
use super::inventory::{Inventory, NetworkEntry};
use super::picture::{DrawnCable, DrawnEnd, DrawnNode, Function, Picture};
use super::{End, Fabric, Host, Link, Network, Switch, Topology};
use crate::mac::Mac;

/// Linux allows 15 characters in the name of an interface.
const INTERFACE_NAME_MAX: usize = 15;
/// Keeps the names of namespaces and the paths of FRR's sockets within their limits.
const NODE_NAME_MAX: usize = 32;
const VNI_MAX: u32 = (1 << 24) - 1;
const VLAN_MAX: u16 = 4094;
/// Smallest MTU that IPv6, and with it BGP unnumbered, works with.
const MTU_MIN: u32 = 1280;
/// Largest MTU of a veth device.
const MTU_MAX: u32 = 65535;
/// Outer Ethernet, IPv4, UDP and VXLAN headers.
const VXLAN_OVERHEAD: u32 = 50;

/// The two files' names, and the way to say that one of them is wrong.
struct Files {
    dot: String,
    toml: String,
}

impl Files {
    fn dot(&self, message: impl Into<String>) -> TopologyError {
        TopologyError::Contradiction { file: self.dot.clone(), message: message.into() }
    }

    fn toml(&self, message: impl Into<String>) -> TopologyError {
        TopologyError::Contradiction { file: self.toml.clone(), message: message.into() }
    }
}

/// Combines the two halves of a topology.
pub(super) fn combine(
    name: &str,
    picture: &Picture,
    inventory: &Inventory,
) -> Result<Topology, TopologyError> {
    let files = Files { dot: format!("{name}.dot"), toml: format!("{name}.toml") };
    check_names(picture, inventory, &files)?;
    check_ports(picture, &files)?;
    let fabric = fabric(inventory, &files)?;
    let networks = networks(inventory, &files)?;
    let switches = switches(picture, inventory, &networks, &files)?;
    let (links, host_cables) = sort_cables(picture, &switches, &files)?;
    routed::check_servers(&switches, &links, &files)?;
    let services = routed::services(inventory, &switches, &files)?;
    let hosts = hosts(inventory, &networks, &switches, host_cables, &files)?;
    let topology = Topology {
        name: name.to_owned(),
        fabric,
        switches,
        hosts,
        links,
        networks,
        services,
        notes: picture.notes.clone(),
        picture_text: String::new(),
        inventory_text: String::new(),
    };
    check_addresses(&topology, &files)?;
    routed::check_subnets(&topology, &files)?;
    check_macs(&topology, &files)?;
    Ok(topology)
}

fn check_names(
    picture: &Picture,
    inventory: &Inventory,
    files: &Files,
) -> Result<(), TopologyError> {
    for node in &picture.nodes {
        if node.name.is_empty() || node.name.len() > NODE_NAME_MAX || !is_plain(&node.name) {
            return Err(files.dot(format!(
                "node name \"{}\" cannot name a network namespace; use 1 to {NODE_NAME_MAX} letters, digits, - and _",
                node.name
            )));
        }
    }
    let drawn = |name: &str| picture.nodes.iter().find(|node| node.name == name);
    for name in inventory.nodes.keys() {
        match drawn(name) {
            None => {
                return Err(files.toml(format!(
                    "[nodes.{name}] is an unknown node; draw it in {} or remove the entry",
                    files.dot
                )));
            }
            Some(node) if node.function == Function::Host => {
                return Err(files.toml(format!(
                    "[nodes.{name}] is drawn as a host; write it as [hosts.{name}]"
                )));
            }
            Some(_) => {}
        }
    }
    for name in inventory.hosts.keys() {
        match drawn(name) {
            None => {
                return Err(files.toml(format!(
                    "[hosts.{name}] is an unknown node, or a host without a cable; draw it in {} with its cable or remove the entry",
                    files.dot
                )));
            }
            Some(node) if node.function != Function::Host => {
                return Err(files.toml(format!(
                    "[hosts.{name}] is drawn as a {}; write it as [nodes.{name}]",
                    node.function.name()
                )));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn check_ports(picture: &Picture, files: &Files) -> Result<(), TopologyError> {
    let mut used: HashMap<(&str, &str), &DrawnCable> = HashMap::new();
    for cable in &picture.cables {
        for end in [&cable.left, &cable.right] {
            let legal = !end.port.is_empty()
                && end.port.len() <= INTERFACE_NAME_MAX
                && end.port != "lo"
                && end
                    .port
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':');
            if !legal {
                return Err(files.dot(format!(
                    "port \"{}\" of {} cannot name an interface; use 1 to {INTERFACE_NAME_MAX} characters without / and :",
                    end.port, end.node
                )));
            }
            if let Some(first) = used.insert((&end.node, &end.port), cable) {
                return Err(files.dot(format!(
                    "port {} of {} is connected twice, by {} and by {}; give one cable another port",
                    end.port,
                    end.node,
                    first.describe(),
                    cable.describe()
                )));
            }
        }
    }
    Ok(())
}

fn fabric(inventory: &Inventory, files: &Files) -> Result<Fabric, TopologyError> {
    let entry = &inventory.fabric;
    for (key, mtu) in [("underlay_mtu", entry.underlay_mtu), ("host_mtu", entry.host_mtu)] {
        if !(MTU_MIN..=MTU_MAX).contains(&mtu) {
            return Err(files.toml(format!(
                "[fabric] {key} = {mtu} is out of range; use {MTU_MIN} to {MTU_MAX}"
            )));
        }
    }
    if entry.underlay_mtu < entry.host_mtu + VXLAN_OVERHEAD {
        return Err(files.toml(format!(
            "[fabric] underlay_mtu = {} is too small for host_mtu = {}; VXLAN over IPv4 adds {VXLAN_OVERHEAD} bytes",
            entry.underlay_mtu, entry.host_mtu
        )));
    }
    Ok(Fabric {
        underlay_mtu: entry.underlay_mtu,
        host_mtu: entry.host_mtu,
        route_target_as: entry.route_target_as,
        evpn_between_spines: entry.evpn_between_spines,
        bfd: routed::bfd(inventory, files)?,
    })
}

fn networks(inventory: &Inventory, files: &Files) -> Result<Vec<Network>, TopologyError> {
    let mut networks: Vec<Network> = Vec::new();
    for (name, entry) in &inventory.networks {
        let network = network(name, entry, files)?;
        for other in &networks {
            if other.vni == network.vni {
                return Err(files.toml(format!(
                    "VNI {} is used twice, by networks {} and {name}; give one of them another VNI",
                    network.vni, other.name
                )));
            }
        }
        networks.push(network);
    }
    networks.sort_by_key(|network| network.vlan);
    Ok(networks)
}

fn network(name: &str, entry: &NetworkEntry, files: &Files) -> Result<Network, TopologyError> {
    if !(1..=VNI_MAX).contains(&entry.vni) {
        return Err(files.toml(format!(
            "VNI {} of network {name} is out of range; use 1 to {VNI_MAX}",
            entry.vni
        )));
    }
    if !(1..=VLAN_MAX).contains(&entry.vlan) {
        return Err(files.toml(format!(
            "VLAN {} of network {name} is out of range; use 1 to {VLAN_MAX}",
            entry.vlan
        )));
    }
    let gateway = entry.gateway.split_once('/').and_then(|(address, length)| {
        let length = length.parse().ok().filter(|length| (1..=30).contains(length))?;
        Some((address.parse::<Ipv4Addr>().ok()?, length))
    });
    let Some((gateway, prefix_len)) = gateway else {
        return Err(files.toml(format!(
            "gateway \"{}\" of network {name} is not an IPv4 address with a prefix of 1 to 30 bits; write it as 10.20.0.1/24",
            entry.gateway
        )));
    };
    if entry.sites.is_empty() && entry.leafs.is_empty() {
        return Err(files.toml(format!(
            "network {name} lives nowhere; add sites = [\"...\"] or leafs = [\"...\"]"
        )));
    }
    Ok(Network {
        name: name.to_owned(),
        vlan: entry.vlan,
        vni: entry.vni,
        gateway,
        prefix_len,
        gateway_mac: entry.gateway_mac,
    })
}

fn switches(
    picture: &Picture,
    inventory: &Inventory,
    networks: &[Network],
    files: &Files,
) -> Result<Vec<Switch>, TopologyError> {
    let mut switches = Vec::new();
    for DrawnNode { name, function } in &picture.nodes {
        if *function == Function::Host {
            continue;
        }
        let Some(entry) = inventory.nodes.get(name) else {
            return Err(
                files.toml(format!("[nodes.{name}] is missing; add its site, as and loopback"))
            );
        };
        // 0, 23456 and the last number of each size are reserved (RFC 7607, 6793, 7300).
        if matches!(entry.asn, 0 | 23456 | 65535 | u32::MAX) {
            return Err(files.toml(format!(
                "AS {} of {name} is reserved; use a private one such as 64512 to 65534",
                entry.asn
            )));
        }
        if entry.site.is_empty() {
            return Err(files.toml(format!("[nodes.{name}] has an empty site; name it")));
        }
        switches.push(Switch {
            name: name.clone(),
            function: *function,
            site: entry.site.clone(),
            asn: entry.asn,
            loopback: entry.loopback,
            loopback6: entry.loopback6,
            fabric_xdpd: false,
            networks: Vec::new(),
        });
    }
    place_networks(&mut switches, inventory, networks, files)?;
    for switch in &mut switches {
        let wished = inventory.nodes.get(&switch.name).and_then(|entry| entry.fabric_xdpd);
        switch.fabric_xdpd = wished.unwrap_or(switch.function != Function::Server);
    }
    Ok(switches)
}

fn place_networks(
    switches: &mut [Switch],
    inventory: &Inventory,
    networks: &[Network],
    files: &Files,
) -> Result<(), TopologyError> {
    for network in networks {
        let entry = &inventory.networks[&network.name];
        for site in &entry.sites {
            if !switches.iter().any(|switch| switch.site == *site) {
                return Err(files.toml(format!(
                    "network {} lives in the unknown site {site}; no node stands there",
                    network.name
                )));
            }
        }
        for leaf in &entry.leafs {
            match switches.iter().find(|switch| switch.name == *leaf) {
                None => {
                    return Err(files.toml(format!(
                        "network {} lives on the unknown node {leaf}; correct its list of leafs",
                        network.name
                    )));
                }
                Some(switch) if matches!(switch.function, Function::Spine | Function::Server) => {
                    return Err(files.toml(format!(
                        "network {} lives on {leaf}, which is a {}; networks live on leafs and borders",
                        network.name,
                        switch.function.name()
                    )));
                }
                Some(_) => {}
            }
        }
        for switch in switches.iter_mut() {
            let by_site = switch.function == Function::Leaf && entry.sites.contains(&switch.site);
            if !by_site && !entry.leafs.contains(&switch.name) {
                continue;
            }
            let same_vlan = networks
                .iter()
                .find(|other| other.vlan == network.vlan && switch.networks.contains(&other.name));
            if let Some(other) = same_vlan {
                return Err(files.toml(format!(
                    "VLAN {} is used twice on {}, by networks {} and {}; give one of them another VLAN or place",
                    network.vlan, switch.name, other.name, network.name
                )));
            }
            switch.networks.push(network.name.clone());
        }
    }
    Ok(())
}

/// For each host its cable: own end, switch's end.
type HostCables<'a> = Vec<(&'a DrawnEnd, &'a DrawnEnd)>;

/// Links between nodes that speak BGP, and the cables of hosts.
fn sort_cables<'a>(
    picture: &'a Picture,
    switches: &[Switch],
    files: &Files,
) -> Result<(Vec<Link>, HostCables<'a>), TopologyError> {
    let switch = |name: &str| switches.iter().find(|switch| switch.name == name);
    let mut links = Vec::new();
    let mut host_cables: HostCables<'_> = Vec::new();
    for cable in &picture.cables {
        let (host, leaf) = match (switch(&cable.left.node), switch(&cable.right.node)) {
            (Some(left), Some(right)) => {
                if left.asn == right.asn {
                    return Err(files.toml(format!(
                        "{} and {} are neighbours with the same AS {}; eBGP between them needs two",
                        left.name, right.name, left.asn
                    )));
                }
                links.push(Link {
                    a: end(&cable.left),
                    b: end(&cable.right),
                    label: cable.label.clone(),
                });
                continue;
            }
            (None, Some(_)) => (&cable.left, &cable.right),
            (Some(_), None) => (&cable.right, &cable.left),
            (None, None) => {
                return Err(files.dot(format!(
                    "the cable {} joins two hosts; a host is plugged into a leaf",
                    cable.describe()
                )));
            }
        };
        host_cables.push((host, leaf));
    }
    Ok((links, host_cables))
}

fn end(drawn: &DrawnEnd) -> End {
    let derived = || Mac::derived_from(&format!("{}:{}", drawn.node, drawn.port));
    End {
        node: drawn.node.clone(),
        port: drawn.port.clone(),
        mac: drawn.mac.unwrap_or_else(derived),
    }
}

fn hosts(
    inventory: &Inventory,
    networks: &[Network],
    switches: &[Switch],
    cables: HostCables<'_>,
    files: &Files,
) -> Result<Vec<Host>, TopologyError> {
    let mut hosts = Vec::new();
    for (own, leaf) in cables {
        let name = own.node.as_str();
        let Some(entry) = inventory.hosts.get(name) else {
            return Err(
                files.toml(format!("[hosts.{name}] is missing; add its network and address"))
            );
        };
        let attachment = routed::attachment(name, entry, &leaf.node, networks, switches, files)?;
        let mut own = end(own);
        // The inventory's address wins over the picture's: that is where hosts are described.
        own.mac = entry.mac.unwrap_or(own.mac);
        hosts.push(Host {
            name: own.node.clone(),
            attachment,
            address: entry.address.address,
            end: own,
            switch: end(leaf),
        });
    }
    Ok(hosts)
}

fn check_addresses(topology: &Topology, files: &Files) -> Result<(), TopologyError> {
    let mut owners: HashMap<IpAddr, String> = HashMap::new();
    for (address, owner) in routed::all_addresses(topology) {
        let usable = match address {
            IpAddr::V4(address) => !address.is_broadcast(),
            IpAddr::V6(address) => !address.is_unicast_link_local(),
        };
        let special = address.is_unspecified() || address.is_multicast() || address.is_loopback();
        if special || !usable {
            return Err(files.toml(format!(
                "{owner} cannot have the address {address}; use a unicast address"
            )));
        }
        if let Some(first) = owners.insert(address, owner.clone()) {
            return Err(files.toml(format!(
                "address {address} is used twice, by {first} and by {owner}; change one of them"
            )));
        }
    }
    Ok(())
}

fn check_macs(topology: &Topology, files: &Files) -> Result<(), TopologyError> {
    let mut owners: HashMap<Mac, String> = HashMap::new();
    for network in &topology.networks {
        if network.gateway_mac.is_group() {
            return Err(files.toml(format!(
                "gateway_mac {} of network {} is a multicast address; the second digit must be even",
                network.gateway_mac, network.name
            )));
        }
        // Several networks may share one gateway MAC: each has a bridge of its own.
        owners.insert(network.gateway_mac, format!("the gateway of network {}", network.name));
    }
    let link_ends = topology.links.iter().flat_map(|link| [&link.a, &link.b]);
    let host_ends = topology.hosts.iter().flat_map(|host| [&host.end, &host.switch]);
    for end in link_ends.chain(host_ends) {
        let owner = format!("port {} of {}", end.port, end.node);
        if end.mac.is_group() || end.mac == Mac([0; 6]) {
            return Err(files.dot(format!(
                "{owner} cannot have the address {}; use a unicast MAC address",
                end.mac
            )));
        }
        if let Some(first) = owners.insert(end.mac, owner.clone()) {
            return Err(files.dot(format!(
                "MAC address {} is used twice, by {first} and by {owner}; change one of them",
                end.mac
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
