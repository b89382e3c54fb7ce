//! Addresses of single nodes in a network, and the servers that speak BGP there.

use std::ops::RangeInclusive;

use super::super::inventory::{NetworkEntry, ServiceEntry};
use super::super::{ControlPlane, Member, Network, Prefixed, Switch, Topology};
use super::{Check, Function, end};

/// Who has addresses of its own in a network.
pub(super) const WITH_ADDRESSES: [Function; 3] =
    [Function::Leaf, Function::Border, Function::Server];
/// Prefixes that leave room for other nodes, of both families.
const LENGTHS: [RangeInclusive<u8>; 2] = [1..=30, 1..=126];

impl Check<'_> {
    /// The addresses of nodes in a network without a gateway.
    pub(super) fn addresses_inside(&mut self, name: &str, entry: &NetworkEntry) {
        let path = ["networks", name, "addresses"];
        if let Some(tenant) = &entry.tenant {
            self.toml(
                &["networks", name, "tenant"],
                format!(
                    "network {name} is of tenant {tenant} and has addresses of single nodes, which speak BGP outside of tenants; remove one of them"
                ),
            );
        }
        if self.inventory.fabric.control_plane == ControlPlane::Static {
            self.toml(
                &path,
                format!(
                    "network {name} has addresses of single nodes, which speak BGP; remove control_plane = \"static\" from [fabric], or write a gateway in their place"
                ),
            );
        }
        let first = entry.addresses.iter().next();
        for (node, addresses) in &entry.addresses {
            let path = [path[0], path[1], path[2], node];
            let says = format!("network {name} has addresses of");
            let rule = "leafs, borders and servers have addresses in networks";
            self.refers_to(&path, &says, node, &WITH_ADDRESSES, rule);
            let first = first.map(|(node, all)| (node.as_str(), all.as_slice()));
            self.addresses_of(&path, addresses, first);
        }
    }

    /// The addresses of a node in a network, beside those that somebody else has there.
    pub(super) fn addresses_of(
        &mut self,
        path: &[&str; 4],
        addresses: &[Prefixed],
        beside: Option<(&str, &[Prefixed])>,
    ) {
        let [_, name, _, node] = *path;
        let of = |is_ipv6: bool| addresses.iter().filter(move |it| it.address.is_ipv6() == is_ipv6);
        if of(false).count() != 1 || of(true).count() > 1 {
            self.toml(
                path,
                format!(
                    "{node} needs exactly one IPv4 address and at most one IPv6 address in network {name}; write them as {node} = [\"10.50.0.1/24\", \"fd00:50::1/64\"]"
                ),
            );
            return;
        }
        for address in addresses {
            self.address_inside(path, address, beside);
        }
        if let Some((other, all)) = beside.filter(|(_, all)| all.len() != addresses.len()) {
            let (with, without) =
                if all.len() > addresses.len() { (other, node) } else { (node, other) };
            self.toml(
                path,
                format!(
                    "{with} has an IPv6 address in network {name} and {without} has none; give one to all or to none"
                ),
            );
        }
    }

    /// An address of a node, beside those that somebody else has in its network.
    fn address_inside(
        &mut self,
        path: &[&str; 4],
        address: &Prefixed,
        beside: Option<(&str, &[Prefixed])>,
    ) {
        let [_, network, _, node] = path;
        let is_ipv6 = address.address.is_ipv6();
        let lengths = &LENGTHS[usize::from(is_ipv6)];
        if !lengths.contains(&address.length) {
            self.toml(
                path,
                format!(
                    "address {address} of {node} in network {network} leaves no room for others; use a prefix of {} to {} bits",
                    lengths.start(),
                    lengths.end()
                ),
            );
        } else if address.is_of_all() {
            self.toml(
                path,
                format!(
                    "address {address} of {node} in network {network} is that of the subnet or its broadcast; use one between them"
                ),
            );
        }
        let Some((other, all)) = beside else { return };
        let theirs = all.iter().find(|it| it.address.is_ipv6() == is_ipv6);
        if let Some(theirs) = theirs.filter(|it| it.subnet() != address.subnet()) {
            self.toml(
                path,
                format!(
                    "{node} has {address} in network {network}, and {other} has {theirs}, in another subnet; a network has one"
                ),
            );
        }
    }

    /// Servers that have addresses in a network: the cable of each leads to an access port of it.
    pub(super) fn members(&mut self, networks: &[Network], switches: &[Switch]) -> Vec<Member> {
        let mut members: Vec<Member> = Vec::new();
        let is_inside = |it: &&Network| !it.addresses.is_empty() && it.gateway.is_none();
        for network in networks.iter().filter(is_inside) {
            let name = &network.name;
            let path = |node| ["networks", name, "addresses", node];
            let mut has_exit = false;
            let has_some = |it: &&Switch| {
                WITH_ADDRESSES.contains(&it.function) && network.addresses.contains_key(&it.name)
            };
            for switch in switches.iter().filter(has_some) {
                let node = switch.name.as_str();
                if switch.function != Function::Server {
                    has_exit = true;
                    if !switch.networks.contains(name) {
                        self.toml(
                            &path(node),
                            format!(
                                "{node} has addresses in network {name}, which does not live there; add {node} to the network's leafs, or remove its addresses"
                            ),
                        );
                    }
                    continue;
                }
                if let Some(own) = switch.networks.first() {
                    self.toml(
                        &path(node),
                        format!(
                            "server {node} has addresses in network {name}, and network {own} lives on it; a server is in a network or has some, remove its addresses or take it from the servers of {own}"
                        ),
                    );
                    continue;
                }
                if let Some(other) = members.iter().find(|it| it.end.node == node) {
                    let other = &other.network;
                    self.toml(
                        &path(node),
                        format!(
                            "server {node} has addresses in networks {other} and {name}; its port is in one network, remove it from the other"
                        ),
                    );
                    continue;
                }
                members.extend(self.member(network, switch, switches));
            }
            if !has_exit {
                self.toml(
                    &["networks", name, "addresses"],
                    format!(
                        "no leaf or border has addresses in network {name}, so its servers have nobody to speak BGP with; add those of its exits"
                    ),
                );
            }
        }
        let place = |member: &Member| switches.iter().position(|it| it.name == member.end.node);
        members.sort_by_key(place);
        members
    }

    fn member(
        &mut self,
        network: &Network,
        server: &Switch,
        switches: &[Switch],
    ) -> Option<Member> {
        let (node, name) = (server.name.as_str(), &network.name);
        let picture = self.picture;
        let cables = picture.cables.iter().filter_map(|cable| cable.from(|it| it == node));
        let cables: Vec<_> = cables.collect();
        let path = ["networks", name, "addresses", node];
        let [(own, leaf)] = cables[..] else {
            let count = cables.len();
            self.toml(
                &path,
                format!(
                    "server {node} is in network {name} and has {count} cables; its port is an access port of the network, draw one cable"
                ),
            );
            return None;
        };
        let switch = switches.iter().find(|it| it.name == leaf.node)?;
        if !switch.networks.contains(name) {
            self.toml(
                &path,
                format!(
                    "server {node} is in network {name} but is plugged into {}, where that network does not live; move the cable or add {} to the network's leafs",
                    leaf.node, leaf.node
                ),
            );
        }
        if server.site != switch.site {
            self.toml(
                &["nodes", node, "site"],
                format!(
                    "server {node} is in site {} but its leaf {} in {}; they stand in one site",
                    server.site, switch.name, switch.site
                ),
            );
        }
        Some(Member { network: name.clone(), end: end(own), switch: end(leaf) })
    }

    /// The servers of a service are all in one network, or none is in any.
    pub(super) fn servers_inside(&mut self, name: &str, entry: &ServiceEntry) {
        let inventory = self.inventory;
        let networks = |server: &String| {
            let networks = inventory.networks.iter();
            // Beside a gateway they are those of a virtual router's SVI.
            let is_in =
                |it: &NetworkEntry| it.gateway.is_none() && it.addresses.contains_key(server);
            let networks = networks.filter(|(_, network)| is_in(network));
            networks.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        if entry.servers.iter().any(|server| networks(server).len() > 1) {
            // Said of the networks.
            return;
        }
        let network = |server: &String| networks(server).first().copied();
        let Some((first, rest)) = entry.servers.split_first() else { return };
        let place = |network: Option<&str>| {
            network.map_or("in no network".to_owned(), |it| format!("in network {it}"))
        };
        if let Some(other) = rest.iter().find(|it| network(it) != network(first)) {
            self.toml(
                &["services", name, "servers"],
                format!(
                    "service {name} runs on {first}, which is {}, and on {other}, which is {}; make two services of it",
                    place(network(first)),
                    place(network(other))
                ),
            );
        }
        let Some(network) = network(first) else { return };
        let addresses = &inventory.networks[network].addresses;
        let has_ipv6 = addresses.values().flatten().any(|it| it.address.is_ipv6());
        if let Some(address) = entry.addresses.iter().find(|it| it.address.is_ipv6() && !has_ipv6) {
            self.toml(
                &["services", name, "addresses"],
                format!(
                    "service {name} has the address {address}, and nobody has an IPv6 address in network {network}, by which it could be reached; give its nodes some, or remove it"
                ),
            );
        }
    }

    /// Both ends of a session inside a network have an AS of their own.
    pub(super) fn sessions_inside(&mut self, topology: &Topology) {
        for member in &topology.members {
            let Some(server) = topology.switch(&member.end.node) else { continue };
            let exits = topology.exits(&member.network);
            if let Some(exit) = exits.filter(|it| it.asn != 0).find(|it| it.asn == server.asn) {
                self.toml(
                    &["nodes", &server.name, "as"],
                    format!(
                        "{} and {} speak BGP in network {} with the same AS {}; eBGP between them needs two",
                        server.name, exit.name, member.network, server.asn
                    ),
                );
            }
        }
    }
}
