//! Who is in a network, as those have to know who hear it from nobody.

use std::net::{IpAddr, Ipv4Addr};

use super::{Network, Topology};
use crate::mac::Mac;

/// A host of a network, or the SVI of a leaf with an address of its own there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station<'a> {
    /// What it is called in a sentence.
    pub name: String,
    /// Its IPv4 address.
    pub address: Ipv4Addr,
    /// Its MAC.
    pub mac: Mac,
    /// Name of the leaf or server where it is.
    pub at: &'a str,
}

impl Topology {
    /// The stations of a network as a node sees them: all hosts, and the SVIs of others.
    pub fn stations<'a>(&'a self, network: &'a Network, node: &str) -> Vec<Station<'a>> {
        let hosts = self.hosts.iter().filter(|it| it.network() == Some(&network.name));
        let hosts = hosts.map(|host| Station {
            name: host.name.clone(),
            address: host.address,
            mac: host.end.mac,
            at: &host.switch.node,
        });
        let svis = self.other_vteps(node, &network.name).flat_map(|other| {
            let own = network.own_addresses(&other.name).iter();
            own.filter_map(|it| match it.address {
                IpAddr::V4(address) => Some(Station {
                    name: format!("the SVI of {}", other.name),
                    address,
                    mac: other.svi_mac(network),
                    at: &other.name,
                }),
                IpAddr::V6(_) => None,
            })
        });
        hosts.chain(svis).collect()
    }
}
