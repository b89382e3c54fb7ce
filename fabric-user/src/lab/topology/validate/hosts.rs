//! Where a host is plugged in, by a cable or a bond, and what its port belongs to: a network, or subnets of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::super::address::HostAddress;
use super::super::inventory::HostEntry;
use super::super::{Attachment, End, Host, Network, Prefixed, Subnet, Switch};
use super::{Check, Function, Picture, end};

/// Bonds are counted from here on a host, and on a switch.
const FIRST_BONDS: [u32; 2] = [0, 1];

/// Names of bonds that nothing else at their nodes has.
struct Bonds(BTreeSet<(String, String)>);

impl Bonds {
    fn of(picture: &Picture) -> Self {
        let ends = picture.cables.iter().flat_map(|cable| [&cable.left, &cable.right]);
        Self(ends.map(|end| (end.node.clone(), end.port.clone())).collect())
    }

    /// The first free one at a node.
    fn name(&mut self, node: &str, first: u32) -> String {
        let mut names = (first..).map(|number| format!("bond{number}"));
        names.find(|name| self.0.insert((node.to_owned(), name.clone()))).unwrap_or_default()
    }
}

impl Check<'_> {
    /// Hosts that are drawn with a cable to a switch, and have an entry.
    pub(super) fn hosts(&mut self, networks: &[Network], switches: &[Switch]) -> Vec<Host> {
        let inventory = self.inventory;
        let nodes = &self.picture.nodes;
        let is_host = |name: &str| {
            nodes.iter().any(|node| node.name == name && node.function == Function::Host)
        };
        let cables: Vec<[End; 2]> = self
            .picture
            .cables
            .iter()
            .filter_map(|cable| cable.from(is_host))
            .map(|(own, switch)| [end(own), end(switch)])
            .collect();
        let mut all: BTreeMap<&str, Vec<[End; 2]>> = BTreeMap::new();
        for cable in &cables {
            all.entry(&cable[0].node).or_default().push(cable.clone());
        }
        let mut bonds = Bonds::of(self.picture);
        let mut hosts = Vec::new();
        for [own, _] in &cables {
            let Some(mut members) = all.remove(own.node.as_str()) else {
                continue;
            };
            let Some(entry) = inventory.hosts.get(&own.node) else {
                continue;
            };
            let [own, leaf] = &mut members[0];
            let switch = switches.iter().find(|switch| switch.name == leaf.node);
            let Some(attachment) = self.attachment(&own.node, entry, networks, switch) else {
                continue;
            };
            // The inventory's address wins over the picture's: that is where hosts are described.
            own.mac = entry.mac.unwrap_or(own.mac);
            let [mut own, mut switch] = [own.clone(), leaf.clone()];
            if members.len() > 1 {
                // A bond has the address of its first port.
                own.port = bonds.name(&own.node, FIRST_BONDS[0]);
                switch.port = bonds.name(&switch.node, FIRST_BONDS[1]);
            } else {
                members.clear();
            }
            hosts.push(Host {
                name: own.node.clone(),
                attachment,
                address: entry.address.address,
                address6: entry.address6.map(|it| it.address),
                end: own,
                switch,
                members,
            });
        }
        hosts
    }

    fn attachment(
        &mut self,
        name: &str,
        entry: &HostEntry,
        networks: &[Network],
        switch: Option<&Switch>,
    ) -> Option<Attachment> {
        let Some(wanted) = &entry.network else {
            return self.routed(name, entry).map(Attachment::Routed);
        };
        let path = |key| ["hosts", name, key];
        for (key, is_given) in
            [("gateway", entry.gateway.is_some()), ("gateway6", entry.gateway6.is_some())]
        {
            if is_given {
                self.toml(
                    &path(key),
                    format!(
                        "host {name} is in network {wanted} and has a {key} of its own; remove the {key}, or the network if its port is routed"
                    ),
                );
            }
        }
        let address = entry.address.address;
        if let Some(length) = entry.address.length {
            self.toml(
                &path("address"),
                format!(
                    "address {address}/{length} of host {name} has a prefix; write it without, network {wanted} has one"
                ),
            );
        }
        let Some(network) = networks.iter().find(|network| network.name == *wanted) else {
            let is_known = self.inventory.networks.contains_key(wanted);
            if !is_known && !self.inventory.is_unread("networks", wanted) {
                self.toml(
                    &path("network"),
                    format!(
                        "host {name} is in the unknown network {wanted}; define [networks.{wanted}] or correct the name"
                    ),
                );
            }
            return None;
        };
        if let Some(Switch { name: leaf, function, networks, .. }) = switch
            && !networks.contains(wanted)
        {
            let remedy = match function {
                Function::Spine | Function::Provider => {
                    format!(
                        "as a {} has none; move the cable, or give the host a subnet of its own: remove the network and write address = \"10.1.11.10/24\" and gateway = \"10.1.11.1\"",
                        function.name()
                    )
                }
                Function::Server => {
                    format!("move the cable or add {leaf} to the network's servers")
                }
                _ => format!("move the cable or add {leaf} to the network's leafs"),
            };
            self.toml(
                &path("network"),
                format!(
                    "host {name} is in network {wanted} but is plugged into {leaf}, where that network does not live; {remedy}"
                ),
            );
        }
        let Some(gateway) = network.gateway else {
            self.toml(
                &path("network"),
                format!(
                    "host {name} is in network {wanted}, which has no gateway; put it into another one, or make it a server with addresses in [networks.{wanted}.addresses]"
                ),
            );
            return None;
        };
        if !gateway.prefixed().contains(address.into()) {
            self.toml(
                &path("address"),
                format!(
                    "address {address} of host {name} is outside its network {wanted} ({}); write one inside",
                    gateway.prefixed()
                ),
            );
        }
        self.host_address6(name, wanted, gateway.address6);
        Some(Attachment::Network(wanted.clone()))
    }

    /// The subnets of a routed port.
    fn routed(&mut self, name: &str, entry: &HostEntry) -> Option<Vec<Subnet>> {
        let path = |key| ["hosts", name, key];
        let (Some(length), Some(gateway)) = (entry.address.length, entry.gateway) else {
            self.toml(
                &["hosts", name],
                format!(
                    "host {name} has no network, so its port is routed; add network = \"...\", or write address = \"10.1.11.10/24\" and gateway = \"10.1.11.1\""
                ),
            );
            return None;
        };
        let host = Prefixed::new(entry.address.address.into(), length);
        let mut subnets = vec![Subnet { host, gateway: gateway.into() }];
        match (entry.address6, entry.gateway6) {
            (None, None) => {}
            (Some(HostAddress { address, length: None }), _) => self.toml(
                &path("address6"),
                format!(
                    "address6 {address} of host {name} has no prefix, and its port is routed; write it as {address}/64"
                ),
            ),
            (Some(HostAddress { address, length: Some(length) }), Some(gateway)) => {
                let host = Prefixed::new(address.into(), length);
                subnets.push(Subnet { host, gateway: gateway.into() });
            }
            _ => self.toml(
                &["hosts", name],
                format!(
                    "host {name} has only one of address6 and gateway6; IPv6 on a routed port needs both"
                ),
            ),
        }
        for (Subnet { host, gateway }, key) in subnets.iter().zip(["gateway", "gateway6"]) {
            if !host.contains(*gateway) {
                self.toml(
                    &path(key),
                    format!(
                        "gateway {gateway} of host {name} is outside its subnet {}; write one inside",
                        host.subnet()
                    ),
                );
            }
        }
        Some(subnets)
    }
}
