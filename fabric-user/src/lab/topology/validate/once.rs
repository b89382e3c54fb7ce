//! What may be used only once, addresses that can be used at all, and subnets that keep apart.

use std::collections::HashMap;
use std::net::IpAddr;

use super::super::{Prefixed, Topology};
use super::tenants::scope;
use super::{Check, Place, cable_at};
use crate::mac::Mac;

/// Something that has one owner.
struct Claim {
    /// What it is, as in `VNI 100`.
    what: String,
    /// Who has it.
    owner: String,
    /// Where that is written.
    place: Place,
}

/// An address that a person wrote, with what it belongs to.
struct Written {
    address: IpAddr,
    /// The tenant whose it is: each has addresses of its own.
    tenant: Option<String>,
    owner: String,
    place: Place,
}

impl Check<'_> {
    /// Two owners of one thing.
    pub(super) fn single_use(&mut self, topology: &Topology) {
        let mut claims = Vec::new();
        let mut claim = |what: String, owner: String, place: Place| {
            claims.push(Claim { what, owner, place });
        };
        for network in &topology.networks {
            let owner = format!("network {}", network.name);
            claim(format!("VNI {}", network.vni), owner, network_key(&network.name, "vni"));
        }
        for tenant in &topology.tenants {
            let (owner, name) = (format!("tenant {}", tenant.name), tenant.name.as_str());
            claim(format!("VNI {}", tenant.vni), owner, Place::key(&["tenants", name, "vni"]));
        }
        for switch in &topology.switches {
            for tenant in topology.tenants_of(switch) {
                let (owner, name) = (format!("tenant {}", tenant.name), tenant.name.as_str());
                let what = format!("VLAN {} on {}", tenant.vlan, switch.name);
                claim(what, owner.clone(), Place::key(&["tenants", name, "vlan"]));
                let what = format!("port {name} of {}", switch.name);
                claim(what, format!("the VRF of {owner}"), Place::key(&["tenants", name]));
            }
            for network in switch.networks.iter().filter_map(|name| topology.network(name)) {
                let what = format!("VLAN {} on {}", network.vlan, switch.name);
                let owner = format!("network {}", network.name);
                claim(what, owner, network_key(&network.name, "vlan"));
            }
        }
        for cable in &self.picture.cables {
            for end in [&cable.left, &cable.right] {
                let what = format!("port {} of {}", end.port, end.node);
                let owner = format!("the cable {}", cable.describe());
                claim(what, owner, Place::Picture(cable.line));
            }
        }
        for Written { address, tenant, owner, place } in addresses(topology) {
            let within = tenant.map(|tenant| format!(" of tenant {tenant}")).unwrap_or_default();
            claim(format!("address {address}{within}"), owner, place);
        }
        let mut gateways: Vec<Mac> = Vec::new();
        for network in &topology.networks {
            // Several networks may share one gateway MAC: each has a bridge of its own.
            if let Some(mac) = network.gateway.map(|it| it.mac).filter(|it| !gateways.contains(it))
            {
                gateways.push(mac);
                let owner = format!("the gateway of network {}", network.name);
                let what = format!("MAC address {mac}");
                claim(what, owner, network_key(&network.name, "gateway_mac"));
            }
        }
        let mut foul = Vec::new();
        for end in topology.cables().flatten() {
            let owner = format!("port {} of {}", end.port, end.node);
            let is_in_inventory =
                self.inventory.hosts.get(&end.node).is_some_and(|host| host.mac == Some(end.mac));
            let place = if is_in_inventory {
                Place::key(&["hosts", &end.node, "mac"])
            } else {
                Place::Picture(cable_at(self.picture, end).map_or(1, |cable| cable.line))
            };
            if !end.mac.is_unicast() {
                let message = format!(
                    "{owner} cannot have the address {}; use a unicast MAC address",
                    end.mac
                );
                foul.push((place.clone(), message));
            }
            claim(format!("MAC address {}", end.mac), owner, place);
        }
        for (place, message) in foul {
            self.complain(&place, message);
        }
        let mut owners: HashMap<String, String> = HashMap::new();
        for Claim { what, owner, place } in claims {
            match owners.get(&what) {
                None => drop(owners.insert(what, owner)),
                // A port that is used twice has one address.
                Some(first) if *first == owner => {}
                Some(first) => {
                    let used = format!("{what} is used twice, by {first} and by {owner}");
                    self.complain(&place, format!("{used}; change one of them"));
                }
            }
        }
    }

    /// Addresses that no interface can have.
    pub(super) fn addresses(&mut self, topology: &Topology) {
        for Written { address, owner, place, .. } in addresses(topology) {
            let is_usable = match address {
                IpAddr::V4(address) => !address.is_broadcast(),
                IpAddr::V6(address) => !address.is_unicast_link_local(),
            };
            let is_special =
                address.is_unspecified() || address.is_multicast() || address.is_loopback();
            if is_special || !is_usable {
                self.complain(
                    &place,
                    format!("{owner} cannot have the address {address}; use a unicast address"),
                );
            }
        }
    }

    /// Subnets are apart from each other, and from what is announced by itself.
    pub(super) fn subnets(&mut self, topology: &Topology) {
        let subnets = subnets(topology);
        let single = single_addresses(topology);
        for (index, (subnet, tenant, owner, place)) in subnets.iter().enumerate() {
            let before = subnets[..index].iter();
            let mut before = before.filter(|(it, of, ..)| of == tenant && it.overlaps(subnet));
            if let Some((_, _, other, _)) = before.next() {
                self.complain(
                    place,
                    format!(
                        "{other} and {owner} have overlapping subnets; give every network and every routed port one of its own"
                    ),
                );
            }
            let single = single.iter().filter(|_| tenant.is_none());
            for it in single.filter(|it| subnet.contains(it.address)) {
                self.complain(
                    &it.place,
                    format!(
                        "{} has the address {}, which lies in the subnet {} of {owner}; loopbacks and services need addresses of their own",
                        it.owner,
                        it.address,
                        subnet.subnet()
                    ),
                );
            }
        }
    }
}

fn network_key(name: &str, key: &str) -> Place {
    Place::key(&["networks", name, key])
}

fn gateway_key(name: &str, gateway: Prefixed) -> Place {
    network_key(name, if gateway.address.is_ipv6() { "gateway6" } else { "gateway" })
}

/// Loopbacks and addresses of services.
fn single_addresses(topology: &Topology) -> Vec<Written> {
    let loopbacks = topology.switches.iter().flat_map(|switch| {
        let both = [
            ("loopback", Some(IpAddr::V4(switch.loopback))),
            ("loopback6", switch.loopback6.map(IpAddr::V6)),
        ];
        both.into_iter().filter_map(move |(key, address)| {
            let owner = format!("the loopback of {}", switch.name);
            Some(Written {
                address: address?,
                tenant: None,
                owner,
                place: Place::key(&["nodes", &switch.name, key]),
            })
        })
    });
    let services = topology.services.iter().flat_map(|service| {
        service.addresses.iter().map(|&address| Written {
            address,
            tenant: None,
            owner: format!("service {}", service.name),
            place: Place::key(&["services", &service.name, "addresses"]),
        })
    });
    loopbacks.chain(services).collect()
}

/// Every address of the inventory.
fn addresses(topology: &Topology) -> Vec<Written> {
    let gateways = topology.networks.iter().flat_map(|network| {
        network.gateways().map(|gateway| Written {
            address: gateway.address,
            tenant: network.tenant.clone(),
            owner: format!("the gateway of network {}", network.name),
            place: gateway_key(&network.name, gateway),
        })
    });
    let hosts = topology.hosts.iter().flat_map(|host| {
        let written = |address, whose: &str, key: &str| Written {
            address,
            tenant: scope(topology, host.network()),
            owner: format!("{whose}host {}", host.name),
            place: Place::key(&["hosts", &host.name, key]),
        };
        let mut all = vec![written(host.address.into(), "", "address")];
        all.extend(host.address6.map(|address| written(address.into(), "", "address6")));
        for subnet in host.subnets() {
            let key = if subnet.host.address.is_ipv6() { "gateway6" } else { "gateway" };
            all.push(written(subnet.gateway, "the gateway of ", key));
        }
        all
    });
    let inside = topology.networks.iter().flat_map(|network| {
        network.addresses.iter().flat_map(move |(node, addresses)| {
            addresses.iter().map(move |it| Written {
                address: it.address,
                tenant: network.tenant.clone(),
                owner: format!("{node} in network {}", network.name),
                place: Place::key(&["networks", &network.name, "addresses", node]),
            })
        })
    });
    gateways.chain(inside).chain(single_addresses(topology)).chain(hosts).collect()
}

/// A subnet with the tenant whose it is, what it belongs to and where it is written.
fn subnets(topology: &Topology) -> Vec<(Prefixed, Option<String>, String, Place)> {
    let networks = topology.networks.iter().flat_map(|network| {
        network.gateways().map(|gateway| {
            let owner = format!("network {}", network.name);
            (gateway, network.tenant.clone(), owner, gateway_key(&network.name, gateway))
        })
    });
    // The subnets of all nodes in a network are one, and that of the gateway if it has one.
    let inside = topology.networks.iter().filter(|it| it.gateway.is_none());
    let inside = inside.flat_map(|network| {
        let first = network.addresses.iter().next();
        first.into_iter().flat_map(|(node, addresses)| {
            addresses.iter().map(|address| {
                let place = Place::key(&["networks", &network.name, "addresses", node]);
                (*address, None, format!("network {}", network.name), place)
            })
        })
    });
    let routed = topology.hosts.iter().flat_map(|host| {
        host.subnets().iter().map(|subnet| {
            let key = if subnet.host.address.is_ipv6() { "address6" } else { "address" };
            let place = Place::key(&["hosts", &host.name, key]);
            (subnet.host, None, format!("host {}", host.name), place)
        })
    });
    networks.chain(inside).chain(routed).collect()
}
