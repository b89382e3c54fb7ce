//! A fabric on paper: what the picture and the inventory say together, checked. Pure: nothing
//! here touches the kernel.

pub mod error;
pub mod inventory;
pub mod picture;
mod validate;

use std::net::Ipv4Addr;
use std::path::Path;

use serde::Serialize;

pub use self::error::TopologyError;
pub use self::picture::Function;
use crate::mac::Mac;

/// A checked topology: every name resolves, every address and port is used once.
#[derive(Debug, Clone)]
pub struct Topology {
    /// Base name of its files, the default name of a lab.
    pub name: String,
    /// Values for the whole fabric.
    pub fabric: Fabric,
    /// Switches in the order of the picture.
    pub switches: Vec<Switch>,
    /// Hosts in the order of the picture.
    pub hosts: Vec<Host>,
    /// Links between switches in the order of the picture.
    pub links: Vec<Link>,
    /// Networks by name.
    pub networks: Vec<Network>,
    /// What was ignored or assumed, one sentence each.
    pub notes: Vec<String>,
    /// Text of the picture, kept so that a running lab knows what it was built from.
    pub picture_text: String,
    /// Text of the inventory.
    pub inventory_text: String,
}

/// Values for the whole fabric.
#[derive(Debug, Clone, Copy)]
pub struct Fabric {
    /// MTU of links between switches, in bytes.
    pub underlay_mtu: u32,
    /// MTU of hosts and networks, in bytes.
    pub host_mtu: u32,
    /// AS half of the route targets.
    pub route_target_as: u16,
    /// Spines of different sites exchange EVPN routes over their loopbacks.
    pub evpn_between_spines: bool,
}

/// A switch.
#[derive(Debug, Clone)]
pub struct Switch {
    /// Its name.
    pub name: String,
    /// Spine, leaf or border.
    pub function: Function,
    /// The site it stands in.
    pub site: String,
    /// Its AS number.
    pub asn: u32,
    /// Loopback, router id and VTEP address.
    pub loopback: Ipv4Addr,
    /// Whether fabricd runs here.
    pub fabricd: bool,
    /// Names of the networks that live here, by VLAN.
    pub networks: Vec<String>,
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

/// A link between two switches.
#[derive(Debug, Clone)]
pub struct Link {
    /// One end.
    pub a: End,
    /// The other end.
    pub b: End,
    /// What the picture writes beside it.
    pub label: Option<String>,
}

/// A host and where it is plugged in.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Name of its network.
    pub network: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its own interface.
    pub end: End,
    /// The switch's port.
    pub switch: End,
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
    /// Anycast gateway address.
    pub gateway: Ipv4Addr,
    /// Length of the prefix.
    pub prefix_len: u8,
    /// Anycast gateway MAC.
    pub gateway_mac: Mac,
}

impl Topology {
    /// Reads `NAME.dot` and the `NAME.toml` beside it. `path` may name either file or neither
    /// suffix.
    pub fn load(path: &Path) -> Result<Self, TopologyError> {
        let base = match path.extension().and_then(|extension| extension.to_str()) {
            Some("dot" | "toml") => path.with_extension(""),
            _ => path.to_owned(),
        };
        let read = |extension: &str| {
            // `with_extension` would cut a name such as `fabric.v2` short.
            let mut file = base.clone().into_os_string();
            file.push(extension);
            std::fs::read_to_string(&file)
                .map_err(|source| TopologyError::Read { path: file.into(), source })
        };
        let (picture, inventory) = (read(".dot")?, read(".toml")?);
        let name = base.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        Self::parse(&name, &picture, &inventory)
    }

    /// Reads a topology from the text of its two files; `name` is the base name of the files.
    pub fn parse(name: &str, picture: &str, inventory: &str) -> Result<Self, TopologyError> {
        let (dot, toml) = (format!("{name}.dot"), format!("{name}.toml"));
        let mut topology = validate::combine(
            name,
            &picture::parse(picture, &dot)?,
            &inventory::parse(inventory, &toml)?,
        )?;
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

    /// Names of all nodes: switches, then hosts.
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
    pub fn other_vteps<'a>(
        &'a self,
        switch: &'a str,
        network: &'a str,
    ) -> impl Iterator<Item = &'a Switch> {
        self.switches.iter().filter(move |other| {
            other.name != switch && other.networks.iter().any(|name| name == network)
        })
    }

    /// Loopbacks of the spines with which a spine exchanges EVPN routes directly: those of other
    /// sites, when the fabric is set up that way.
    pub fn evpn_peers<'a>(&'a self, switch: &'a Switch) -> impl Iterator<Item = &'a Switch> {
        let direct = self.fabric.evpn_between_spines && switch.function == Function::Spine;
        self.switches.iter().filter(move |other| {
            direct && other.function == Function::Spine && other.site != switch.site
        })
    }

    /// How many links lead out of `from` on a shortest way to `to`: the width of the ECMP route
    /// that BGP must find, zero when there is no way.
    pub fn ecmp_width(&self, from: &str, to: &str) -> usize {
        let mut distance = std::collections::HashMap::from([(to, 0_usize)]);
        let mut queue = std::collections::VecDeque::from([to]);
        while let Some(node) = queue.pop_front() {
            let next = distance[node] + 1;
            for (_, peer) in self.links_of(node) {
                if !distance.contains_key(peer.node.as_str()) {
                    distance.insert(&peer.node, next);
                    queue.push_back(&peer.node);
                }
            }
        }
        let Some(&own) = distance.get(from) else {
            return 0;
        };
        self.links_of(from)
            .filter(|(_, peer)| distance.get(peer.node.as_str()).is_some_and(|&d| d + 1 == own))
            .count()
    }
}

impl Network {
    /// Name of the bridge that is the network's SVI.
    pub fn bridge(&self) -> String {
        format!("br{}", self.vlan)
    }

    /// Name of the network's vxlan device.
    pub fn vxlan(&self) -> String {
        format!("vxlan{}", self.vni)
    }

    /// Whether `address` is in the network's subnet.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix_len)).unwrap_or(0);
        u32::from(address) & mask == u32::from(self.gateway) & mask
    }
}

impl Host {
    /// The host's address with the length of its network's prefix.
    pub fn address_with_prefix(&self, network: &Network) -> String {
        format!("{}/{}", self.address, network.prefix_len)
    }
}
