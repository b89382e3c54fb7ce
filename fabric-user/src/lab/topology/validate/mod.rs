//! Puts picture and inventory together, and says all that contradicts itself or the other file.
//!
//! What is wrong does not end the reading: every part is built as far as it goes, with a complaint for what
//! does not, and a topology comes out only if there is none.

mod hosts;
mod inside;
mod loops;
mod once;
mod providers;
mod services;
mod tenants;
mod virtual_routers;

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::error::Complaint;
use super::inventory::{Inventory, NetworkEntry, NodeEntry};
use super::picture::{DrawnCable, DrawnEnd, DrawnNode, Function, INTERFACE_NAME_MAX, Picture};
use super::{Bfd, ControlPlane, End, Fabric, Gateway, Link, Member, Network, Switch, Topology};
use crate::mac::Mac;

/// Keeps the names of namespaces, the paths of FRR's sockets and, behind a lab's name of 32 and a hyphen, the
/// names of fabric-xdpd's instances within their limits.
const NODE_NAME_MAX: usize = 31;
const VNI: RangeInclusive<u32> = 1..=(1 << 24) - 1;
const VLAN: RangeInclusive<u16> = 1..=4094;
/// From the smallest MTU that IPv6, and with it BGP unnumbered, works with to the largest of a veth device.
const MTU: RangeInclusive<u32> = 1280..=65535;
/// Outer Ethernet, IPv4, UDP and VXLAN headers.
const VXLAN_OVERHEAD: u32 = 50;
/// Limits of FRR's timers in milliseconds.
const BFD_MS: RangeInclusive<u32> = 10..=60_000;
/// Limits of FRR's detection multiplier.
const BFD_MULTIPLIER: RangeInclusive<u8> = 2..=255;
/// Where networks live, beside servers.
const WITH_NETWORKS: [Function; 2] = [Function::Leaf, Function::Border];

/// Combines the two halves of a topology. `dot` and `toml` are the names of the files.
pub(super) fn combine(
    name: &str,
    [dot, toml]: [&str; 2],
    picture: Picture,
    inventory: &Inventory,
) -> Result<Topology, Vec<Complaint>> {
    let mut check = Check { dot, toml, picture: &picture, inventory, complaints: Vec::new() };
    let topology = if picture.is_broken { None } else { Some(check.topology(name)) };
    let mut complaints = check.complaints;
    complaints.extend(picture.complaints.iter().chain(&inventory.complaints).cloned());
    complaints.sort();
    complaints.dedup();
    match topology {
        Some(topology) if complaints.is_empty() => Ok(topology),
        _ => Err(complaints),
    }
}

/// The two files, and what is wrong with them.
struct Check<'a> {
    dot: &'a str,
    toml: &'a str,
    picture: &'a Picture,
    inventory: &'a Inventory,
    complaints: Vec<Complaint>,
}

/// What has to be changed where something is wrong.
#[derive(Clone)]
enum Place {
    /// A line of the picture.
    Picture(usize),
    /// A key of the inventory, by its path.
    Inventory(Vec<String>),
}

impl Place {
    fn key(path: &[&str]) -> Self {
        Self::Inventory(path.iter().map(|key| (*key).to_owned()).collect())
    }
}

impl Check<'_> {
    fn complain(&mut self, place: &Place, message: impl Into<String>) {
        self.complaints.push(match place {
            Place::Picture(line) => Complaint::at(self.dot, *line, message),
            Place::Inventory(path) => {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                Complaint::at(self.toml, self.inventory.lines.of(&path), message)
            }
        });
    }

    /// A complaint about a line of the picture.
    fn dot(&mut self, line: usize, message: impl Into<String>) {
        self.complain(&Place::Picture(line), message);
    }

    /// A complaint about a key of the inventory.
    fn toml(&mut self, path: &[&str], message: impl Into<String>) {
        self.complain(&Place::key(path), message);
    }

    fn in_range<T>(&mut self, path: &[&str], what: &str, value: T, range: &RangeInclusive<T>)
    where
        T: PartialOrd + Display,
    {
        if !range.contains(&value) {
            let (first, last) = (range.start(), range.end());
            self.toml(path, format!("{what} is out of range; use {first} to {last}"));
        }
    }

    /// A complaint unless the node that a key names is drawn and has one of the functions. `says` is the
    /// beginning of the sentence, as in `network blue lives on`, and `rule` its end.
    fn refers_to(
        &mut self,
        path: &[&str],
        says: &str,
        name: &str,
        functions: &[Function],
        rule: &str,
    ) {
        match self.picture.nodes.iter().find(|node| node.name == name) {
            None => {
                let dot = self.dot;
                self.toml(
                    path,
                    format!("{says} the unknown node {name}; draw it in {dot} or correct its name"),
                );
            }
            Some(node) if !functions.contains(&node.function) => {
                let function = node.function.name();
                self.toml(path, format!("{says} {name}, which is a {function}; {rule}"));
            }
            Some(_) => {}
        }
    }

    fn topology(&mut self, name: &str) -> Topology {
        self.names();
        let fabric = self.fabric();
        let tenants = self.tenants();
        let networks = self.networks();
        let switches = self.switches(&networks);
        let members = self.members(&networks, &switches);
        let links = self.links(&switches, &members);
        let services = self.services();
        let hosts = self.hosts(&networks, &switches);
        let topology = Topology {
            name: name.to_owned(),
            fabric,
            switches,
            hosts,
            links,
            members,
            networks,
            tenants,
            services,
            notes: self.picture.notes.clone(),
            picture_file: self.dot.to_owned(),
            picture_text: String::new(),
            inventory_text: String::new(),
        };
        self.sessions_inside(&topology);
        self.single_use(&topology);
        self.addresses(&topology);
        self.subnets(&topology);
        self.announcements(&topology);
        self.ways(&topology);
        self.loops(&topology);
        topology
    }

    /// Ways between nodes that exchange what belongs to EVPN: without one the fabric never converges.
    fn ways(&mut self, topology: &Topology) {
        if self.picture.is_undrawn {
            return;
        }
        let parts = topology.parts();
        // Two of them that are in no common part.
        let apart = |nodes: Vec<&Switch>| {
            let all = nodes.iter().map(|it| (&it.name, topology.parts_of(&parts, it)));
            let all: Vec<_> = all.collect();
            let pairs = all
                .iter()
                .enumerate()
                .flat_map(|(index, one)| all[index + 1..].iter().map(move |other| (one, other)));
            let mut apart = pairs.filter(|(one, other)| one.1.is_disjoint(&other.1));
            apart.next().map(|(one, other)| (one.0.clone(), other.0.clone()))
        };
        let dot = self.dot;
        for network in &topology.networks {
            let name = &network.name;
            let vteps = topology.switches.iter().filter(|it| it.networks.contains(name));
            if let Some((first, other)) = apart(vteps.collect()) {
                self.toml(
                    &["networks", name],
                    format!(
                        "network {name} lives on {first} and {other}, and no cables lead from one to the other (servers are no way); draw some in {dot}, or make two networks of it by their lists of leafs and servers"
                    ),
                );
            }
        }
        let spines = topology.switches.iter().filter(|it| topology.evpn_peers(it).next().is_some());
        if let Some((first, other)) = apart(spines.collect()) {
            self.toml(
                &["fabric", "evpn_between_spines"],
                format!(
                    "spines {first} and {other} exchange EVPN routes, and no cables lead from one to the other; draw some in {dot}, or write evpn_between_spines = false in [fabric]"
                ),
            );
        }
    }

    /// Names that the kernel takes, and entries for what is drawn and nothing else.
    fn names(&mut self) {
        let Picture { nodes, cables, left_out, .. } = self.picture;
        if nodes.is_empty() {
            let what = "the picture shows no node that a lab can have; draw one, as in leaf01 [function=\"leaf\"]";
            self.complaints.push(Complaint::at(self.dot, None, what));
        }
        for node in nodes {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if !(1..=NODE_NAME_MAX).contains(&node.name.len()) || !node.name.bytes().all(is_plain) {
                let message = format!(
                    "node name \"{}\" cannot name a network namespace; use 1 to {NODE_NAME_MAX} letters, digits, - and _",
                    node.name
                );
                match self.picture.is_undrawn {
                    true => self.toml(&["nodes", &node.name], message),
                    false => self.dot(node.line, message),
                }
            }
        }
        for cable in cables {
            for DrawnEnd { node, port, .. } in [&cable.left, &cable.right] {
                if port.len() > INTERFACE_NAME_MAX {
                    self.dot(
                        cable.line,
                        format!(
                            "port \"{port}\" of {node} cannot name an interface; use at most {INTERFACE_NAME_MAX} characters"
                        ),
                    );
                }
            }
        }
        let inventory = self.inventory;
        for (table, other, keys, remedy) in [
            (
                "nodes",
                "hosts",
                inventory.nodes.keys().collect::<Vec<_>>(),
                "its site, as and loopback",
            ),
            ("hosts", "nodes", inventory.hosts.keys().collect(), "its network and address"),
        ] {
            let belongs = |function: Function| (function == Function::Host) == (table == "hosts");
            for name in &keys {
                let drawn = nodes.iter().find(|node| node.name == **name);
                let message = match (drawn, left_out.get(*name)) {
                    (Some(node), _) if belongs(node.function) => continue,
                    (Some(node), _) => {
                        let function = node.function.name();
                        format!("is drawn as a {function}; write it as [{other}.{name}]")
                    }
                    (None, Some(why)) => format!(
                        "is a node that {why} and is left out; connect it to the fabric in {}, or remove the entry",
                        self.dot
                    ),
                    (None, None) => {
                        format!("is an unknown node; draw it in {} or remove the entry", self.dot)
                    }
                };
                self.toml(&[table, name], format!("[{table}.{name}] {message}"));
            }
            for node in nodes.iter().filter(|node| belongs(node.function)) {
                let name = &node.name;
                let is_elsewhere = match table {
                    "nodes" => inventory.hosts.contains_key(name),
                    _ => inventory.nodes.contains_key(name),
                };
                if !keys.contains(&name) && !is_elsewhere && !inventory.is_unread(table, name) {
                    let message = format!(
                        "[{table}.{name}] is missing for the {} in {} line {}; add {remedy}",
                        node.function.name(),
                        self.dot,
                        node.line
                    );
                    self.complaints.push(Complaint::at(self.toml, None, message));
                }
            }
        }
    }

    fn fabric(&mut self) -> Fabric {
        let fabric = self.inventory.fabric;
        let Fabric { underlay_mtu, host_mtu, .. } = fabric;
        for (key, mtu) in [("underlay_mtu", underlay_mtu), ("host_mtu", host_mtu)] {
            self.in_range(&["fabric", key], &format!("[fabric] {key} = {mtu}"), mtu, &MTU);
        }
        if underlay_mtu < host_mtu.saturating_add(VXLAN_OVERHEAD) {
            self.toml(
                &["fabric", "underlay_mtu"],
                format!(
                    "[fabric] underlay_mtu = {underlay_mtu} is too small for host_mtu = {host_mtu}; VXLAN over IPv4 adds {VXLAN_OVERHEAD} bytes"
                ),
            );
        }
        let Some(Bfd { transmit_ms, receive_ms, multiplier }) = fabric.bfd else { return fabric };
        if fabric.control_plane == ControlPlane::Static {
            self.toml(
                &["fabric", "bfd"],
                "[fabric] bfd belongs to FRR, which does not run with control_plane = \"static\"; remove it",
            );
        }
        let path = |key| ["fabric", "bfd", key];
        for (key, ms) in [("transmit_ms", transmit_ms), ("receive_ms", receive_ms)] {
            self.in_range(&path(key), &format!("[fabric] bfd {key} = {ms}"), ms, &BFD_MS);
        }
        let what = format!("[fabric] bfd multiplier = {multiplier}");
        self.in_range(&path("multiplier"), &what, multiplier, &BFD_MULTIPLIER);
        fabric
    }

    fn networks(&mut self) -> Vec<Network> {
        let entries = &self.inventory.networks;
        let mut networks: Vec<Network> =
            entries.iter().filter_map(|(name, entry)| self.network(name, entry)).collect();
        networks.sort_by_key(|network| network.vlan);
        networks
    }

    fn network(&mut self, name: &str, entry: &NetworkEntry) -> Option<Network> {
        let path = |key| ["networks", name, key];
        self.in_range(
            &path("vni"),
            &format!("VNI {} of network {name}", entry.vni),
            entry.vni,
            &VNI,
        );
        let vlan = entry.vlan;
        self.in_range(&path("vlan"), &format!("VLAN {vlan} of network {name}"), vlan, &VLAN);
        if let Some(mac) = entry.gateway_mac.filter(|mac| mac.is_group()) {
            self.toml(
                &path("gateway_mac"),
                format!(
                    "gateway_mac {mac} of network {name} is a multicast address; the second digit must be even"
                ),
            );
        }
        if entry.sites.is_empty() && entry.leafs.is_empty() && entry.servers.is_empty() {
            self.toml(
                &["networks", name],
                format!(
                    "network {name} lives nowhere; add sites = [\"...\"], leafs = [\"...\"] or servers = [\"...\"]"
                ),
            );
        }
        for site in &entry.sites {
            let unread =
                self.picture.nodes.iter().any(|it| self.inventory.is_unread("nodes", &it.name));
            if !unread && self.inventory.nodes.values().all(|node| node.site != *site) {
                self.toml(
                    &path("sites"),
                    format!("network {name} lives in the unknown site {site}; no node stands there, correct its list of sites"),
                );
            }
        }
        let says = format!("network {name} lives on");
        for (key, nodes, functions, rule) in [
            (
                "leafs",
                &entry.leafs,
                &WITH_NETWORKS[..],
                "leafs names leafs and borders, and servers names servers",
            ),
            (
                "servers",
                &entry.servers,
                &[Function::Server],
                "servers names nodes with function=\"server\", and leafs names leafs and borders",
            ),
        ] {
            for (index, node) in nodes.iter().enumerate() {
                self.refers_to(&path(key), &says, node, functions, rule);
                if nodes[..index].contains(node) {
                    self.toml(
                        &path(key),
                        format!("network {name} names {node} twice in its {key}; name it once"),
                    );
                }
            }
        }
        self.network_of_tenant(name, entry);
        let is_open = self.picture.is_undrawn && entry.addresses.is_empty();
        let gateway = if is_open && entry.gateway_key().is_none() {
            None
        } else if entry.addresses.is_empty() || self.has_virtual_routers(entry) {
            let gateway = self.gateway(name, entry)?;
            self.virtual_routers(name, entry, &gateway);
            Some(gateway)
        } else if let Some(key) = entry.gateway_key() {
            self.gateway_beside_addresses(name, entry, key);
            // It counts, so that nobody is told to put hosts elsewhere.
            let is_whole = entry.gateway.is_some() && entry.gateway_mac.is_some();
            if is_whole { self.gateway(name, entry) } else { None }
        } else {
            self.addresses_inside(name, entry);
            None
        };
        let addresses = entry.addresses.iter().map(|(node, addresses)| {
            let mut addresses = addresses.clone();
            addresses.sort_by_key(|it| it.address.is_ipv6());
            (node.clone(), addresses)
        });
        Some(Network {
            name: name.to_owned(),
            vlan: entry.vlan,
            vni: entry.vni,
            tenant: entry.tenant.clone(),
            gateway,
            addresses: addresses.collect(),
        })
    }

    /// The anycast gateway of a network.
    fn gateway(&mut self, name: &str, entry: &NetworkEntry) -> Option<Gateway> {
        let (Some(text), Some(mac)) = (&entry.gateway, entry.gateway_mac) else {
            let missing = match (&entry.gateway, entry.gateway_mac) {
                (None, None) => "gateway and gateway_mac",
                (None, _) => "gateway",
                _ => "gateway_mac",
            };
            let otherwise = match entry.addresses.is_empty() {
                true => {
                    format!(", or give nodes addresses of their own in [networks.{name}.addresses]")
                }
                false => String::new(),
            };
            self.toml(
                &["networks", name],
                format!("[networks.{name}] lacks {missing}; add it{otherwise}"),
            );
            return None;
        };
        let gateway = text.split_once('/').and_then(|(address, length)| {
            let prefix_len = length.parse().ok().filter(|length| (1..=30).contains(length))?;
            let address = address.parse().ok()?;
            Some(Gateway { address, prefix_len, address6: entry.gateway6, mac })
        });
        if gateway.is_none() {
            self.toml(
                &["networks", name, "gateway"],
                format!(
                    "gateway \"{text}\" of network {name} is not an IPv4 address with a prefix of 1 to 30 bits; write it as 10.20.0.1/24"
                ),
            );
        }
        gateway
    }

    /// Switches and servers that are drawn and have an entry.
    fn switches(&mut self, networks: &[Network]) -> Vec<Switch> {
        let mut switches = Vec::new();
        for node in self.picture.nodes.iter().filter(|node| node.function != Function::Host) {
            let name = node.name.as_str();
            let Some(entry) = self.inventory.nodes.get(name) else {
                continue;
            };
            // 0, 23456 and the last number of each size are reserved (RFC 7607, 6793, 7300).
            if let Some(asn @ (0 | 23456 | 65535 | u32::MAX)) = entry.asn {
                self.toml(
                    &["nodes", name, "as"],
                    format!(
                        "AS {asn} of {name} is reserved; use a private one such as 64512 to 65534"
                    ),
                );
            }
            if entry.site.is_empty() {
                self.toml(
                    &["nodes", name, "site"],
                    format!("[nodes.{name}] has an empty site; name it"),
                );
            }
            self.bridges(node, entry);
            self.gateways(node, entry);
            self.announces(node, entry);
            let here =
                |network: &&Network| lives_on(&self.inventory.networks[&network.name], node, entry);
            let networks: Vec<String> =
                networks.iter().filter(here).map(|it| it.name.clone()).collect();
            let is_accelerated = node.function.is_way() || !networks.is_empty();
            switches.push(Switch {
                name: node.name.clone(),
                function: node.function,
                site: entry.site.clone(),
                asn: entry.asn.unwrap_or(0),
                loopback: entry.loopback,
                loopback6: entry.loopback6,
                fabric_xdpd: entry.fabric_xdpd.unwrap_or(is_accelerated),
                bridges: entry.bridges,
                gateways: entry.gateways,
                announces: entry.announces.iter().map(|it| it.0).collect(),
                networks,
            });
        }
        switches
    }

    fn speaks_bgp(&self) -> bool {
        self.inventory.fabric.control_plane == ControlPlane::Bgp
    }

    /// Links between nodes that speak BGP.
    fn links(&mut self, switches: &[Switch], members: &[Member]) -> Vec<Link> {
        let switch = |end: &DrawnEnd| switches.iter().find(|switch| switch.name == end.node);
        let mut links = Vec::new();
        for cable in &self.picture.cables {
            let (Some(left), Some(right)) = (switch(&cable.left), switch(&cable.right)) else {
                continue;
            };
            let is_member = |end: &DrawnEnd| {
                members.iter().any(|it| it.end.node == end.node && it.end.port == end.port)
            };
            if is_member(&cable.left) || is_member(&cable.right) {
                continue;
            }
            self.cable_of_provider(cable, left, right);
            if left.asn == right.asn && left.asn != 0 && self.speaks_bgp() {
                self.toml(
                    &["nodes", &right.name, "as"],
                    format!(
                        "{} and {} are neighbours by {} line {} with the same AS {}; eBGP between them needs two",
                        left.name, right.name, self.dot, cable.line, left.asn
                    ),
                );
            }
            for (server, leaf) in [(left, right), (right, left)] {
                if server.function == Function::Server && server.site != leaf.site {
                    self.toml(
                        &["nodes", &server.name, "site"],
                        format!(
                            "server {} is in site {} but its leaf {} in {}; they stand in one site",
                            server.name, server.site, leaf.name, leaf.site
                        ),
                    );
                }
            }
            let (a, b) = (end(&cable.left), end(&cable.right));
            links.push(Link { a, b, label: cable.label.clone() });
        }
        links
    }
}

/// Whether a network lives on a node.
fn lives_on(network: &NetworkEntry, node: &DrawnNode, entry: &NodeEntry) -> bool {
    node.function == Function::Leaf && network.sites.contains(&entry.site)
        || WITH_NETWORKS.contains(&node.function) && network.leafs.contains(&node.name)
        || node.function == Function::Server && network.servers.contains(&node.name)
}

/// An end with the address that the picture gives it, or one derived from its name.
fn end(drawn: &DrawnEnd) -> End {
    let derived = || Mac::derived_from(&format!("{}:{}", drawn.node, drawn.port));
    End {
        node: drawn.node.clone(),
        port: drawn.port.clone(),
        mac: drawn.mac.unwrap_or_else(derived),
    }
}

/// The cable of the picture at a port.
fn cable_at<'a>(picture: &'a Picture, end: &End) -> Option<&'a DrawnCable> {
    let is_end = |it: &DrawnEnd| it.node == end.node && it.port == end.port;
    picture.cables.iter().find(|cable| is_end(&cable.left) || is_end(&cable.right))
}

#[cfg(test)]
mod bond_tests;
#[cfg(test)]
mod inside_tests;
#[cfg(test)]
mod routed_tests;
#[cfg(test)]
mod tenant_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod virtual_router_tests;
