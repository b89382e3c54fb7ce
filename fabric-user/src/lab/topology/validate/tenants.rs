//! Tenants: which there are, and what their networks need.

use super::super::inventory::{NetworkEntry, NodeEntry};
use super::super::picture::{DrawnNode, is_free_name};
use super::super::{Bridges, ControlPlane, Prefixed, Tenant, Topology};
use super::{Check, INTERFACE_NAME_MAX, VLAN, VNI, lives_on};

/// Prefixes that leave room for hosts.
const GATEWAY6: std::ops::RangeInclusive<u8> = 1..=126;

impl Check<'_> {
    pub(super) fn tenants(&mut self) -> Vec<Tenant> {
        let inventory = self.inventory;
        let mut tenants = Vec::new();
        for (name, entry) in &inventory.tenants {
            let path = |key| ["tenants", name, key];
            let (vlan, vni) = (entry.vlan, entry.vni);
            self.in_range(&path("vlan"), &format!("VLAN {vlan} of tenant {name}"), vlan, &VLAN);
            self.in_range(&path("vni"), &format!("VNI {vni} of tenant {name}"), vni, &VNI);
            // What runs has a VRF of that name.
            let is_free = self.picture.is_undrawn || is_free_name(name);
            if name.len() > INTERFACE_NAME_MAX || !is_free {
                self.toml(
                    &["tenants", name],
                    format!(
                        "tenant {name} cannot name its VRF device; use at most {INTERFACE_NAME_MAX} letters, digits, - and _, and no name that Linux or the lab uses"
                    ),
                );
            }
            if inventory.networks.values().all(|it| it.tenant.as_ref() != Some(name))
                && !inventory.unread.iter().any(|it| it.starts_with("networks"))
            {
                self.toml(
                    &["tenants", name],
                    format!(
                        "tenant {name} has no network; write tenant = \"{name}\" in one, or remove it"
                    ),
                );
            }
            if inventory.fabric.control_plane == ControlPlane::Static {
                self.toml(
                    &["tenants", name],
                    format!(
                        "tenant {name} needs BGP, which brings its routes; remove control_plane = \"static\" from [fabric], or the tenant"
                    ),
                );
            }
            tenants.push(Tenant { name: name.clone(), vlan, vni });
        }
        tenants
    }

    /// The tenant and the IPv6 gateway of a network.
    pub(super) fn network_of_tenant(&mut self, name: &str, entry: &NetworkEntry) {
        let inventory = self.inventory;
        if let Some(tenant) = &entry.tenant
            && !inventory.tenants.contains_key(tenant)
            && !inventory.is_unread("tenants", tenant)
        {
            self.toml(
                &["networks", name, "tenant"],
                format!(
                    "network {name} is of the unknown tenant {tenant}; define [tenants.{tenant}] or correct the name"
                ),
            );
        }
        if let Some(gateway) = entry.gateway6
            && (gateway.address.is_ipv4() || !GATEWAY6.contains(&gateway.length))
        {
            self.toml(
                &["networks", name, "gateway6"],
                format!(
                    "gateway6 {gateway} of network {name} is not an IPv6 address with a prefix of 1 to 126 bits; write it as fd00:20::1/64"
                ),
            );
        }
    }

    /// Which devices a node's networks are made of.
    pub(super) fn bridges(&mut self, node: &DrawnNode, entry: &NodeEntry) {
        let (name, inventory) = (node.name.as_str(), self.inventory);
        if entry.bridges == Bridges::Plain {
            return;
        }
        let is_unread = inventory.unread.iter().any(|it| it.starts_with("networks"));
        if !is_unread && !inventory.networks.values().any(|it| lives_on(it, node, entry)) {
            self.toml(
                &["nodes", name, "bridges"],
                format!(
                    "{name} has bridges, and no network that is made of them lives on it; remove bridges, or let a network live there"
                ),
            );
        } else if inventory.fabric.control_plane == ControlPlane::Static {
            self.toml(
                &["nodes", name, "bridges"],
                format!(
                    "{name} cannot have VLAN-aware bridges with control_plane = \"static\", which writes entries of plain ones; remove bridges"
                ),
            );
        }
    }

    /// The IPv6 address of a host in a network.
    pub(super) fn host_address6(&mut self, name: &str, network: &str, gateway6: Option<Prefixed>) {
        let entry = &self.inventory.hosts[name];
        let Some(own) = entry.address6 else { return };
        let path = ["hosts", name, "address6"];
        let address = own.address;
        if let Some(length) = own.length {
            self.toml(
                &path,
                format!(
                    "address6 {address}/{length} of host {name} has a prefix; write it without, network {network} has one"
                ),
            );
        }
        match gateway6 {
            None => self.toml(
                &path,
                format!(
                    "host {name} has an address6, and network {network} has no gateway6; add gateway6 = \"fd00:20::1/64\" there, or remove the address6"
                ),
            ),
            Some(gateway) if !gateway.contains(address.into()) => self.toml(
                &path,
                format!(
                    "address6 {address} of host {name} is outside its network {network} ({gateway}); write one inside"
                ),
            ),
            Some(_) => {}
        }
    }
}

/// What sets an address apart from the same one of another tenant, as the end of a sentence.
pub(super) fn scope(topology: &Topology, network: Option<&str>) -> Option<String> {
    topology.network(network?)?.tenant.clone()
}
