//! A fabric on paper: what the picture and the inventory say together, checked. Pure: nothing
//! here touches the kernel.

pub mod address;
mod clab;
mod dot;
mod drawing;
pub mod error;
pub mod files;
pub mod first;
mod fit;
mod inside;
pub mod inventory;
mod parts;
pub mod picture;
mod role;
#[cfg(test)]
mod shapes;
mod stations;
pub mod tenant;
mod undrawn;
mod validate;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::address::Prefixed;
pub use self::error::{Complaint, TopologyError};
pub use self::files::Files;
pub use self::picture::Function;
pub use self::stations::Station;
pub use self::tenant::{Bridges, Gateways, Router, Tenant};
use crate::mac::Mac;

/// A checked topology: every name resolves, every address and port is used once.
#[derive(Debug, Clone)]
pub struct Topology {
    /// Base name of its files, the default name of a lab.
    pub name: String,
    /// Values for the whole fabric.
    pub fabric: Fabric,
    /// Nodes that speak BGP in the order of the picture: switches and servers.
    pub switches: Vec<Switch>,
    /// Hosts in the order of the picture.
    pub hosts: Vec<Host>,
    /// Links between nodes that speak BGP in the order of the picture.
    pub links: Vec<Link>,
    /// Servers that are in a network, in the order of the picture.
    pub members: Vec<Member>,
    /// Networks by VLAN.
    pub networks: Vec<Network>,
    /// Tenants by name.
    pub tenants: Vec<Tenant>,
    /// Anycast services by name.
    pub services: Vec<Service>,
    /// What was ignored or assumed, one sentence each.
    pub notes: Vec<String>,
    /// Name of the picture's file, without folders.
    pub picture_file: String,
    /// Text of the picture, kept so that a running lab knows what it was built from.
    pub picture_text: String,
    /// Text of the inventory.
    pub inventory_text: String,
}

/// Values for the whole fabric: `[fabric]` of the inventory.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fabric {
    /// MTU of the links between switches in bytes; default 1600.
    pub underlay_mtu: u32,
    /// MTU of hosts and their networks in bytes; default 1500.
    pub host_mtu: u32,
    /// First half of every route target (`AS:VNI`), one for the whole fabric; default 65000.
    pub route_target_as: u16,
    /// Let the spines of different sites exchange EVPN routes directly, over their loopbacks,
    /// instead of through the borders: fewer hops for a MAC that moves; default true.
    pub evpn_between_spines: bool,
    /// Who writes routes, flood lists and MACs of other leafs: BGP, or the lab itself by `ip` and
    /// `bridge`; default `bgp`.
    pub control_plane: ControlPlane,
    /// BFD on all links between nodes that speak BGP; default: none.
    pub bfd: Option<Bfd>,
}

impl Default for Fabric {
    fn default() -> Self {
        Self {
            underlay_mtu: 1600,
            host_mtu: 1500,
            route_target_as: 65000,
            evpn_between_spines: true,
            control_plane: ControlPlane::Bgp,
            bfd: None,
        }
    }
}

/// Who writes what the kernels of a fabric forward by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ControlPlane {
    /// FRR: BGP and EVPN.
    Bgp,
    /// Nobody but a person: `ip` and `bridge` write routes, flood lists and MACs once.
    Static,
}

/// When a neighbour that is silent counts as dead: timers of BFD (RFC 5880).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bfd {
    /// Time between two control packets sent, in milliseconds; default 50.
    pub transmit_ms: u32,
    /// Shortest time between two control packets that can be received, in milliseconds; default 50.
    pub receive_ms: u32,
    /// So many packets in a row that do not come end the session; default 3.
    pub multiplier: u8,
}

impl Default for Bfd {
    fn default() -> Self {
        Self { transmit_ms: 50, receive_ms: 50, multiplier: 3 }
    }
}

/// A switch, or a server that speaks BGP as a switch does.
#[derive(Debug, Clone)]
pub struct Switch {
    /// Its name.
    pub name: String,
    /// Spine, leaf, border, provider or server.
    pub function: Function,
    /// The site it stands in.
    pub site: String,
    /// Its AS number; 0 if it has none, where nobody speaks BGP.
    pub asn: u32,
    /// Loopback, router id and VTEP address.
    pub loopback: Ipv4Addr,
    /// IPv6 loopback.
    pub loopback6: Option<Ipv6Addr>,
    /// Whether fabric-xdpd runs here.
    pub fabric_xdpd: bool,
    /// Which devices its networks are made of.
    pub bridges: Bridges,
    /// Which devices have the gateways of its networks.
    pub gateways: Gateways,
    /// Names of the networks that live here, by VLAN.
    pub networks: Vec<String>,
    /// What a provider announces to borders.
    pub announces: Vec<Prefixed>,
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct End {
    /// The node's name.
    pub node: String,
    /// The interface's name.
    pub port: String,
    /// The interface's address.
    pub mac: Mac,
}

/// A link between two nodes that speak BGP.
#[derive(Debug, Clone)]
pub struct Link {
    /// One end.
    pub a: End,
    /// The other end.
    pub b: End,
    /// What the picture writes beside it.
    pub label: Option<String>,
}

/// A server in a network: it is plugged into an access port, and speaks BGP with the leafs and borders that have
/// an address in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Name of the network.
    pub network: String,
    /// Its own port.
    pub end: End,
    /// The access port at the leaf.
    pub switch: End,
}

/// A host and where it is plugged in.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// What its port belongs to.
    pub attachment: Attachment,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its IPv6 address.
    pub address6: Option<Ipv6Addr>,
    /// Its own interface: the port of its cable, or the bond of its cables' ports.
    pub end: End,
    /// The same at the switch.
    pub switch: End,
    /// The cables of the bond, each by its ends at the host and at the switch; none if there is only one,
    /// between `end` and `switch`.
    pub members: Vec<[End; 2]>,
}

/// What the port of a host belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attachment {
    /// The network of this name: the port is an access port.
    Network(String),
    /// The port is routed and has these subnets, the IPv4 one first.
    Routed(Vec<Subnet>),
}

/// The subnet of a routed port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    /// The host's address.
    pub host: Prefixed,
    /// The leaf's address.
    pub gateway: IpAddr,
}

/// Addresses that several servers have and announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Names of its servers.
    pub servers: Vec<String>,
}

/// A VLAN with its VNI and gateway.
#[derive(Debug, Clone)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// VLAN id.
    pub vlan: u16,
    /// VXLAN network identifier.
    pub vni: u32,
    /// Name of the tenant in whose VRF its gateway is; without one that is the underlay's.
    pub tenant: Option<String>,
    /// The anycast gateway; none where only nodes have addresses of their own.
    pub gateway: Option<Gateway>,
    /// Addresses of single nodes by name, the IPv4 one first: beside the gateway those of nodes with virtual routers.
    pub addresses: BTreeMap<String, Vec<Prefixed>>,
}

/// The anycast gateway of a network: the same on every leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gateway {
    /// Its address.
    pub address: Ipv4Addr,
    /// Length of the prefix in bits.
    pub prefix_len: u8,
    /// Its IPv6 address with the length of the prefix.
    pub address6: Option<Prefixed>,
    /// Its MAC.
    pub mac: Mac,
}

impl Topology {
    /// Reads a picture and the `NAME.toml` beside it. `path` may name either file, or both without their
    /// endings.
    pub fn load(path: &Path) -> Result<Self, TopologyError> {
        let files = Files::of(path);
        let (picture, inventory) = (files.read_picture()?, files.read_inventory()?);
        Self::of(&files.name(), &files.picture_name(), &picture, &inventory)
    }

    /// Reads a topology from the text of its two files; `name` is the base name of the files.
    pub fn parse(name: &str, picture: &str, inventory: &str) -> Result<Self, TopologyError> {
        Self::of(name, &format!("{name}{}", picture::ENDINGS[0]), picture, inventory)
    }

    /// As [`Self::parse`], of a picture whose file is called `file`: its ending says in which form it is.
    pub fn of(
        name: &str,
        file: &str,
        picture: &str,
        inventory: &str,
    ) -> Result<Self, TopologyError> {
        let toml = format!("{name}.toml");
        let read = inventory::parse(inventory, &toml);
        let combined = validate::combine(name, [file, &toml], picture::parse(picture, file), &read);
        let mut topology = combined.map_err(TopologyError::Wrong)?;
        picture.clone_into(&mut topology.picture_text);
        inventory.clone_into(&mut topology.inventory_text);
        Ok(topology)
    }

    /// The switch of that name.
    pub fn switch(&self, name: &str) -> Option<&Switch> {
        self.switches.iter().find(|switch| switch.name == name)
    }

    /// The host of that name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// The network of that name.
    pub fn network(&self, name: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == name)
    }

    /// The services of a server.
    pub fn services_of<'a>(&'a self, server: &'a str) -> impl Iterator<Item = &'a Service> {
        self.services.iter().filter(move |service| service.servers.iter().any(|it| it == server))
    }

    /// Whether anything in the underlay has an IPv6 address that has to be announced.
    pub fn has_ipv6(&self) -> bool {
        self.switches.iter().any(|switch| switch.loopback6.is_some())
            || self.services.iter().flat_map(|service| &service.addresses).any(IpAddr::is_ipv6)
            || self.hosts.iter().flat_map(Host::subnets).any(|subnet| subnet.gateway.is_ipv6())
            || self.switches.iter().flat_map(|it| &it.announces).any(|it| it.address.is_ipv6())
            || self.members.iter().any(|it| {
                let network = self.network(&it.network);
                network.is_some_and(|it| {
                    it.addresses.values().flatten().any(|it| it.address.is_ipv6())
                })
            })
    }

    /// MTU of a link in bytes: servers and providers have that of hosts, unless networks live on them.
    pub fn mtu_of(&self, link: &Link) -> u32 {
        let is_end = |end: &End| {
            let node = self.switch(&end.node);
            node.is_some_and(|node| !node.function.is_way() && node.networks.is_empty())
        };
        match is_end(&link.a) || is_end(&link.b) {
            true => self.fabric.host_mtu,
            false => self.fabric.underlay_mtu,
        }
    }

    /// The ends of all cables: of links, then of servers in networks and of hosts, with the switch's end first.
    pub fn cables(&self) -> impl Iterator<Item = [&End; 2]> {
        let links = self.links.iter().map(|link| [&link.a, &link.b]);
        let members = self.members.iter().map(|it| [&it.switch, &it.end]);
        let hosts = self.hosts.iter().flat_map(Host::cables);
        links.chain(members).chain(hosts.map(|[own, switch]| [switch, own]))
    }

    /// The ports of a node that have a cable: links first, then servers in networks and hosts.
    pub fn ports_of<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a End> {
        self.cables().flatten().filter(move |end| end.node == node)
    }

    /// Hosts whose cables are a bond.
    pub fn bonded(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| !host.members.is_empty())
    }

    /// The same where the kernel makes no bonds: hosts use their first cable. `why` is in the note about it.
    #[must_use]
    pub fn without_bonds(mut self, why: &str) -> Self {
        let hosts: Vec<&str> = self.bonded().map(|host| host.name.as_str()).collect();
        if hosts.is_empty() {
            return self;
        }
        self.notes.push(format!(
            "the kernel makes no bonds ({why}), so only the first cable of {} is used; `modprobe bonding` before `lab up`, or a kernel with that module, brings them",
            hosts.join(", ")
        ));
        for host in &mut self.hosts {
            if let Some([own, switch]) = std::mem::take(&mut host.members).into_iter().next() {
                (host.end, host.switch) = (own, switch);
            }
        }
        self
    }

    /// Whether a node forwards packets of others: switches do, and servers that have virtual machines.
    pub fn forwards(&self, node: &Switch) -> bool {
        node.function != Function::Server
            || !node.networks.is_empty()
            || self.hosts.iter().any(|host| host.switch.node == node.name)
    }

    /// Names of all nodes: switches and servers, then hosts.
    pub fn node_names(&self) -> impl Iterator<Item = &str> {
        let switches = self.switches.iter().map(|switch| switch.name.as_str());
        switches.chain(self.hosts.iter().map(|host| host.name.as_str()))
    }

    /// Sites in the order in which the picture first shows them.
    pub fn sites(&self) -> Vec<&str> {
        let mut sites: Vec<&str> = Vec::new();
        for switch in &self.switches {
            if !sites.contains(&switch.site.as_str()) {
                sites.push(&switch.site);
            }
        }
        sites
    }

    /// Ends of the links at a switch: its own and its neighbour's.
    pub fn links_of<'a>(&'a self, switch: &'a str) -> impl Iterator<Item = (&'a End, &'a End)> {
        self.links.iter().filter_map(move |link| {
            if link.a.node == switch {
                Some((&link.a, &link.b))
            } else if link.b.node == switch {
                Some((&link.b, &link.a))
            } else {
                None
            }
        })
    }

    /// Other switches where the network lives: the VTEPs that `switch` floods to.
    pub fn other_vteps<'a, 'b>(
        &'a self,
        switch: &'b str,
        network: &'b str,
    ) -> impl Iterator<Item = &'a Switch> {
        self.switches.iter().filter(move |other| {
            other.name != switch && other.networks.iter().any(|name| name == network)
        })
    }

    /// Loopbacks of the spines with which a spine exchanges EVPN routes directly: those of other
    /// sites, when the fabric is set up that way.
    pub fn evpn_peers<'a>(&'a self, switch: &'a Switch) -> impl Iterator<Item = &'a Switch> {
        let wanted = self.fabric.evpn_between_spines && !self.networks.is_empty();
        let direct = wanted && switch.function == Function::Spine;
        self.switches.iter().filter(move |other| {
            direct && other.function == Function::Spine && other.site != switch.site
        })
    }

    /// Everything that nodes announce, with those that do.
    pub fn destinations(&self) -> BTreeMap<Prefixed, Vec<&str>> {
        let mut all: BTreeMap<Prefixed, Vec<&str>> = BTreeMap::new();
        for node in &self.switches {
            for prefix in self.announced(node) {
                all.entry(prefix).or_default().push(&node.name);
            }
        }
        all
    }

    /// What a node announces by itself: its loopbacks, its services, the subnets of its routed ports, and what a
    /// provider has beyond those. A server in a network announces its services only.
    pub fn announced<'a>(&'a self, node: &'a Switch) -> impl Iterator<Item = Prefixed> + use<'a> {
        let loopbacks = [Some(IpAddr::V4(node.loopback)), node.loopback6.map(IpAddr::V6)];
        let loopbacks = loopbacks.map(|it| it.filter(|_| self.member(&node.name).is_none()));
        let services = self.services_of(&node.name).flat_map(|it| it.addresses.iter().copied());
        let hosts = self.hosts.iter().filter(|host| host.switch.node == node.name);
        let subnets = hosts.flat_map(|host| host.subnets().iter().map(|it| it.host.subnet()));
        let single = loopbacks.into_iter().flatten().chain(services).map(Prefixed::single);
        single.chain(subnets).chain(node.announces.iter().copied())
    }

    /// How many links lead out of `from` on a shortest way to the nearest of `to`: the width of
    /// the ECMP route that BGP must find, zero when there is no way.
    pub fn ecmp_width(&self, from: &str, to: &[&str]) -> usize {
        self.shortest_ways(from, to).len()
    }

    /// The links that lead out of `from` on a shortest way to the nearest of `to`, by their ends: its own
    /// and the neighbour's. Servers are no way to anything but themselves, and no way leads from the fabric to
    /// what providers have, or back.
    pub fn shortest_ways<'a>(&'a self, from: &'a str, to: &[&'a str]) -> Vec<(&'a End, &'a End)> {
        let is_outside = |name: &str| self.provider(name).is_some();
        let is_inside = |one: &str, other: &str| is_outside(one) == is_outside(other);
        let mut distance: HashMap<&str, usize> = to.iter().map(|&node| (node, 0)).collect();
        let mut queue: VecDeque<&str> = to.iter().copied().collect();
        while let Some(node) = queue.pop_front() {
            let next = distance[node] + 1;
            let server = self.switch(node).is_some_and(|it| it.function == Function::Server);
            if server && next > 1 {
                continue;
            }
            for (_, peer) in self.links_of(node).filter(|(_, peer)| is_inside(node, &peer.node)) {
                if !distance.contains_key(peer.node.as_str()) {
                    distance.insert(&peer.node, next);
                    queue.push_back(&peer.node);
                }
            }
        }
        let Some(&own) = distance.get(from) else {
            return Vec::new();
        };
        let is_nearer = |peer: &End| {
            let server = self.switch(&peer.node).is_some_and(|it| it.function == Function::Server);
            let near = distance.get(peer.node.as_str()).is_some_and(|&d| d + 1 == own)
                && is_inside(from, &peer.node);
            near && (own == 1 || !server)
        };
        self.links_of(from).filter(|(_, peer)| is_nearer(peer)).collect()
    }
}

impl Gateway {
    /// Its IPv4 address with the length of the prefix.
    pub fn prefixed(&self) -> Prefixed {
        Prefixed::new(self.address.into(), self.prefix_len)
    }
}

impl Network {
    /// Whether it has an IPv6 gateway.
    pub fn has_gateway6(&self) -> bool {
        self.gateway.is_some_and(|it| it.address6.is_some())
    }
}

impl Host {
    /// Name of the host's network; none on a routed port.
    pub fn network(&self) -> Option<&str> {
        match &self.attachment {
            Attachment::Network(name) => Some(name),
            Attachment::Routed(_) => None,
        }
    }

    /// Its cables, each by its ends at the host and at the switch.
    pub fn cables(&self) -> impl Iterator<Item = [&End; 2]> {
        let single = self.members.is_empty().then_some([&self.end, &self.switch]);
        single.into_iter().chain(self.members.iter().map(|[own, switch]| [own, switch]))
    }

    /// Subnets of the host's routed port; none in a network.
    pub fn subnets(&self) -> &[Subnet] {
        match &self.attachment {
            Attachment::Network(_) => &[],
            Attachment::Routed(subnets) => subnets,
        }
    }
}

impl Network {
    /// The addresses of one of its hosts with the lengths of their prefixes, the IPv4 one first.
    pub fn host_addresses(&self, host: &Host) -> Vec<Prefixed> {
        let own = [Some(IpAddr::V4(host.address)), host.address6.map(IpAddr::V6)];
        let gateway =
            |own: &IpAddr| self.gateways().find(|it| it.address.is_ipv4() == own.is_ipv4());
        let own = own.into_iter().flatten();
        own.filter_map(|own| Some(Prefixed::new(own, gateway(&own)?.length))).collect()
    }

    /// Its gateways with the lengths of their prefixes, the IPv4 one first.
    pub fn gateways(&self) -> impl Iterator<Item = Prefixed> {
        let all = self.gateway.map(|it| [Some(it.prefixed()), it.address6]);
        all.into_iter().flatten().flatten()
    }

    /// The addresses that are a node's own, the IPv4 one first.
    pub fn own_addresses(&self, node: &str) -> &[Prefixed] {
        self.addresses.get(node).map_or(&[], Vec::as_slice)
    }
}
