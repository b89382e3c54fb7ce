//! What routed ports, servers and services must be like.

use std::net::IpAddr;

use super::super::inventory::{HostEntry, Inventory};
use super::super::picture::Function;
use super::super::{Attachment, Bfd, Link, Network, Prefixed, Service, Subnet, Switch, Topology};
use super::{Files, TopologyError};

/// Limits of FRR's timers in milliseconds.
const BFD_MS: std::ops::RangeInclusive<u32> = 10..=60_000;
/// Limits of FRR's detection multiplier.
const BFD_MULTIPLIER: std::ops::RangeInclusive<u8> = 2..=255;

pub(super) fn bfd(inventory: &Inventory, files: &Files) -> Result<Option<Bfd>, TopologyError> {
    let Some(entry) = &inventory.fabric.bfd else {
        return Ok(None);
    };
    for (key, ms) in [("transmit_ms", entry.transmit_ms), ("receive_ms", entry.receive_ms)] {
        if !BFD_MS.contains(&ms) {
            return Err(files.toml(format!(
                "[fabric] bfd {key} = {ms} is out of range; use {} to {}",
                BFD_MS.start(),
                BFD_MS.end()
            )));
        }
    }
    if !BFD_MULTIPLIER.contains(&entry.multiplier) {
        return Err(files.toml(format!(
            "[fabric] bfd multiplier = {} is out of range; use {} to {}",
            entry.multiplier,
            BFD_MULTIPLIER.start(),
            BFD_MULTIPLIER.end()
        )));
    }
    Ok(Some(Bfd {
        transmit_ms: entry.transmit_ms,
        receive_ms: entry.receive_ms,
        multiplier: entry.multiplier,
    }))
}

/// Servers have links, all of them to leafs or borders of their own site.
pub(super) fn check_servers(
    switches: &[Switch],
    links: &[Link],
    files: &Files,
) -> Result<(), TopologyError> {
    let node = |name: &str| switches.iter().find(|switch| switch.name == name);
    for server in switches.iter().filter(|switch| switch.function == Function::Server) {
        let mut peers = Vec::new();
        for link in links {
            if link.a.node == server.name {
                peers.extend(node(&link.b.node));
            } else if link.b.node == server.name {
                peers.extend(node(&link.a.node));
            }
        }
        if peers.is_empty() {
            return Err(
                files.dot(format!("server {} has no cable; connect it to a leaf", server.name))
            );
        }
        for peer in peers {
            if matches!(peer.function, Function::Spine | Function::Server) {
                return Err(files.dot(format!(
                    "server {} is plugged into {}, which is a {}; a server is plugged into leafs",
                    server.name,
                    peer.name,
                    peer.function.name()
                )));
            }
            if peer.site != server.site {
                return Err(files.toml(format!(
                    "server {} is in site {} but its leaf {} in {}; they stand in one site",
                    server.name, server.site, peer.name, peer.site
                )));
            }
        }
    }
    Ok(())
}

/// What the port of a host belongs to, by its entry in the inventory.
pub(super) fn attachment(
    name: &str,
    entry: &HostEntry,
    leaf: &str,
    networks: &[Network],
    switches: &[Switch],
    files: &Files,
) -> Result<Attachment, TopologyError> {
    let switch = switches.iter().find(|switch| switch.name == leaf);
    if let Some(switch) = switch
        && matches!(switch.function, Function::Spine | Function::Server)
    {
        return Err(files.dot(format!(
            "host {name} is plugged into {leaf}, which is a {}; a host is plugged into a leaf",
            switch.function.name()
        )));
    }
    let Some(wanted) = &entry.network else {
        return subnets(name, entry, files).map(Attachment::Routed);
    };
    let Some(network) = networks.iter().find(|network| network.name == *wanted) else {
        return Err(files.toml(format!(
            "host {name} is in the unknown network {wanted}; define [networks.{wanted}] or correct the name"
        )));
    };
    let routed_only = [
        ("gateway", entry.gateway.is_some()),
        ("address6", entry.address6.is_some()),
        ("gateway6", entry.gateway6.is_some()),
    ];
    if let Some((key, _)) = routed_only.iter().find(|(_, given)| *given) {
        return Err(files.toml(format!(
            "host {name} is in network {wanted} and has a {key} of its own; remove the {key}, or the network if its port is routed"
        )));
    }
    if let Some(length) = entry.address.length {
        return Err(files.toml(format!(
            "address {}/{length} of host {name} has a prefix; write it without, network {wanted} has one",
            entry.address.address
        )));
    }
    if !switch.is_some_and(|switch| switch.networks.contains(&network.name)) {
        return Err(files.toml(format!(
            "host {name} is in network {} but is plugged into {leaf}, where that network does not live; move the cable or add {leaf} to the network's leafs",
            network.name
        )));
    }
    if !network.contains(entry.address.address) {
        return Err(files.toml(format!(
            "address {} of host {name} is outside its network {} ({}/{})",
            entry.address.address, network.name, network.gateway, network.prefix_len
        )));
    }
    Ok(Attachment::Network(network.name.clone()))
}

fn subnets(name: &str, entry: &HostEntry, files: &Files) -> Result<Vec<Subnet>, TopologyError> {
    let (Some(length), Some(gateway)) = (entry.address.length, entry.gateway) else {
        return Err(files.toml(format!(
            "host {name} has no network, so its port is routed; add network = \"...\", or write address = \"10.1.11.10/24\" and gateway = \"10.1.11.1\""
        )));
    };
    let mut subnets = vec![Subnet {
        host: Prefixed::new(entry.address.address.into(), length),
        gateway: gateway.into(),
    }];
    match (entry.address6, entry.gateway6) {
        (None, None) => {}
        (Some(host), Some(gateway)) => subnets.push(Subnet { host, gateway: gateway.into() }),
        _ => {
            return Err(files.toml(format!(
                "host {name} has only one of address6 and gateway6; IPv6 on a routed port needs both"
            )));
        }
    }
    for (subnet, is_ipv6) in subnets.iter().zip([false, true]) {
        let Subnet { host, gateway } = subnet;
        if host.address.is_ipv6() != is_ipv6 {
            return Err(files.toml(format!(
                "address6 {host} of host {name} is an IPv4 address; write it as fd00:1:11::10/64"
            )));
        }
        if !host.contains(*gateway) {
            return Err(files.toml(format!(
                "gateway {gateway} of host {name} is outside its subnet {}",
                host.subnet()
            )));
        }
    }
    Ok(subnets)
}

pub(super) fn services(
    inventory: &Inventory,
    switches: &[Switch],
    files: &Files,
) -> Result<Vec<Service>, TopologyError> {
    let mut services = Vec::new();
    for (name, entry) in &inventory.services {
        if entry.addresses.is_empty() || entry.servers.is_empty() {
            return Err(files.toml(format!(
                "service {name} is nowhere; give it addresses = [\"10.99.0.1/32\"] and servers = [\"...\"]"
            )));
        }
        if let Some(wide) = entry.addresses.iter().find(|address| !address.is_host()) {
            return Err(files.toml(format!(
                "address {wide} of service {name} is a subnet; a service has single addresses, with /32 or /128"
            )));
        }
        for (index, server) in entry.servers.iter().enumerate() {
            match switches.iter().find(|switch| switch.name == *server) {
                Some(switch) if switch.function == Function::Server => {}
                Some(switch) => {
                    return Err(files.toml(format!(
                        "service {name} runs on {server}, which is a {}; services run on nodes with function=\"server\"",
                        switch.function.name()
                    )));
                }
                None => {
                    return Err(files.toml(format!(
                        "service {name} runs on the unknown server {server}; draw it in {} or correct its name",
                        files.dot
                    )));
                }
            }
            if entry.servers.iter().take(index).any(|other| other == server) {
                return Err(
                    files.toml(format!("service {name} names server {server} twice; name it once"))
                );
            }
        }
        services.push(Service {
            name: name.clone(),
            addresses: entry.addresses.iter().map(|address| address.address).collect(),
            servers: entry.servers.clone(),
        });
    }
    Ok(services)
}

/// A subnet with what it belongs to.
fn all_subnets(topology: &Topology) -> Vec<(Prefixed, String)> {
    let networks = topology.networks.iter().map(|network| {
        let subnet = Prefixed::new(network.gateway.into(), network.prefix_len);
        (subnet, format!("network {}", network.name))
    });
    let routed = topology.hosts.iter().flat_map(|host| {
        host.subnets().iter().map(|subnet| (subnet.host, format!("host {}", host.name)))
    });
    networks.chain(routed).collect()
}

/// Loopbacks and addresses of services, with what they belong to.
fn single_addresses(topology: &Topology) -> Vec<(IpAddr, String)> {
    let loopbacks = topology.switches.iter().flat_map(|switch| {
        let both = [Some(IpAddr::V4(switch.loopback)), switch.loopback6.map(IpAddr::V6)];
        let owner = format!("the loopback of {}", switch.name);
        both.into_iter().flatten().map(move |address| (address, owner.clone()))
    });
    let services = topology.services.iter().flat_map(|service| {
        let owner = format!("service {}", service.name);
        service.addresses.iter().map(move |&address| (address, owner.clone()))
    });
    loopbacks.chain(services).collect()
}

/// Every address that a person wrote, with what it belongs to.
pub(super) fn all_addresses(topology: &Topology) -> Vec<(IpAddr, String)> {
    let gateways = topology.networks.iter().map(|network| {
        (network.gateway.into(), format!("the gateway of network {}", network.name))
    });
    let hosts = topology.hosts.iter().flat_map(|host| {
        let mut addresses = vec![(host.address.into(), format!("host {}", host.name))];
        for subnet in host.subnets() {
            addresses.push((subnet.gateway, format!("the gateway of host {}", host.name)));
            if subnet.host.address.is_ipv6() {
                addresses.push((subnet.host.address, format!("host {}", host.name)));
            }
        }
        addresses
    });
    gateways.chain(single_addresses(topology)).chain(hosts).collect()
}

/// Subnets are apart from each other, and from what is announced by itself.
pub(super) fn check_subnets(topology: &Topology, files: &Files) -> Result<(), TopologyError> {
    let subnets = all_subnets(topology);
    for (index, (subnet, owner)) in subnets.iter().enumerate() {
        if let Some((_, other)) = subnets.iter().take(index).find(|(it, _)| it.overlaps(subnet)) {
            return Err(files.toml(format!(
                "{other} and {owner} have overlapping subnets; give every network and every routed port one of its own"
            )));
        }
        let single = single_addresses(topology);
        if let Some((address, single)) = single.iter().find(|(it, _)| subnet.contains(*it)) {
            return Err(files.toml(format!(
                "{single} has the address {address}, which lies in the subnet {} of {owner}; loopbacks and services need addresses of their own",
                subnet.subnet()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
