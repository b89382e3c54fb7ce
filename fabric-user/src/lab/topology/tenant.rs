//! Tenants: VRFs whose networks reach each other through an L3VNI (RFC 9136); and what the devices of a leaf's
//! bridges and gateways are called.

use serde::{Deserialize, Serialize};

use super::{Network, Prefixed, Switch, Topology};
use crate::mac::Mac;

/// The table of a tenant is this and its VLAN: behind 255, those of the kernel itself.
const TABLES: u32 = 10_000;
/// The VLAN-aware bridge of a leaf. Plain bridges have the numbers of VLANs, which begin with 1.
const VLAN_AWARE: &str = "br0";
/// The single vxlan device. Others have the numbers of VNIs, which begin with 1.
const SINGLE_VXLAN: &str = "vxlan0";
/// What the name of a virtual router has behind that of its SVI, as ifupdown2 calls it (`address-virtual`).
pub const VIRTUAL_ROUTER: &str = "-v0";

/// A tenant: a routing table of its own on every leaf where one of its networks lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its name, and that of its VRF device.
    pub name: String,
    /// VLAN of the bridge by which routed packets go to other leafs.
    pub vlan: u16,
    /// VNI of the same: the L3VNI.
    pub vni: u32,
}

impl Tenant {
    /// Number of its routing table.
    pub fn table(&self) -> u32 {
        TABLES + u32::from(self.vlan)
    }
}

/// Which devices a leaf's networks are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bridges {
    /// A bridge and a vxlan device for each network; the bridge is the SVI.
    #[default]
    Plain,
    /// One VLAN-aware bridge, a vxlan device for each network, and VLAN devices as SVIs.
    VlanAware,
    /// One VLAN-aware bridge, one vxlan device for all networks, and VLAN devices as SVIs.
    SingleVxlan,
}

/// Which device of a leaf has the gateways of its networks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gateways {
    /// The SVI itself.
    #[default]
    Svi,
    /// A macvlan on the SVI, which has an address and a MAC of its own: Virtual Router Redundancy, as Cumulus Linux
    /// calls it.
    Vrr,
}

/// A device that routes for a network, and its addresses there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Router {
    /// Name of the device.
    pub device: String,
    /// Its addresses, the IPv4 one first.
    pub addresses: Vec<Prefixed>,
}

impl Switch {
    /// The devices that route for a network of this node: the SVI, and the virtual router on it where it has one.
    pub fn routers(&self, network: &Network) -> Vec<Router> {
        let svi = self.svi(network.vlan);
        let own = network.own_addresses(&self.name).to_vec();
        let gateways: Vec<Prefixed> = network.gateways().collect();
        match self.gateways {
            Gateways::Vrr if network.gateway.is_some() => {
                let device = format!("{svi}{VIRTUAL_ROUTER}");
                vec![Router { device: svi, addresses: own }, Router { device, addresses: gateways }]
            }
            _ => vec![Router { device: svi, addresses: [gateways, own].concat() }],
        }
    }

    /// Name of the bridge of a VLAN.
    pub fn bridge(&self, vlan: u16) -> String {
        match self.bridges {
            Bridges::Plain => format!("br{vlan}"),
            Bridges::VlanAware | Bridges::SingleVxlan => VLAN_AWARE.to_owned(),
        }
    }

    /// Name of the interface that routes for a VLAN.
    pub fn svi(&self, vlan: u16) -> String {
        match self.bridges {
            Bridges::Plain => self.bridge(vlan),
            Bridges::VlanAware | Bridges::SingleVxlan => format!("vlan{vlan}"),
        }
    }

    /// Name of the vxlan device that carries a VNI.
    pub fn vxlan(&self, vni: u32) -> String {
        match self.bridges {
            Bridges::Plain | Bridges::VlanAware => format!("vxlan{vni}"),
            Bridges::SingleVxlan => SINGLE_VXLAN.to_owned(),
        }
    }

    /// The MAC address of its SVI in a network: the gateway's, or its own where that has a virtual router or is none.
    pub fn svi_mac(&self, network: &Network) -> Mac {
        let gateway = network.gateway.filter(|_| self.gateways == Gateways::Svi);
        let own = || Mac::derived_from(&format!("{}:{}", self.name, network.name));
        gateway.map_or_else(own, |it| it.mac)
    }

    /// The MAC address of its interface in a tenant's L3VNI: other leafs send there what is routed (router MAC).
    pub fn router_mac(&self, tenant: &Tenant) -> Mac {
        Mac::derived_from(&format!("{}:{}", self.name, tenant.name))
    }
}

impl Topology {
    /// The tenant of that name.
    pub fn tenant(&self, name: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.name == name)
    }

    /// Tenants with a network at this switch, by name.
    pub fn tenants_of<'a>(&'a self, switch: &'a Switch) -> impl Iterator<Item = &'a Tenant> {
        self.tenants.iter().filter(|tenant| {
            let networks = switch.networks.iter().filter_map(|name| self.network(name));
            networks.into_iter().any(|it| it.tenant.as_ref() == Some(&tenant.name))
        })
    }
}
