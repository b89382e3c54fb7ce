//! Next hops by the names of the nodes that they lead to.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    check::inventory::Inventory,
    facts::held::Way,
    frr::facts::{HopEntry, HopKind},
    lab::topology::Switch,
    verify::kernel::Hop,
};

/// Who is at the other end of a node's ports and tunnels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Toward {
    ports: BTreeMap<String, String>,
    vteps: BTreeMap<IpAddr, String>,
}

impl Toward {
    /// As a node has them by the picture.
    pub(crate) fn from(inventory: &Inventory, node: &Switch) -> Self {
        let links = inventory.topology.links_of(&node.name);
        let ports = links.map(|(own, peer)| (own.port.clone(), peer.node.clone()));
        let switches = inventory.topology.switches.iter();
        let vteps = switches.map(|it| (IpAddr::V4(it.loopback), it.name.clone()));
        Self { ports: ports.collect(), vteps: vteps.collect() }
    }

    /// The name of a hop: the node behind the port, or at the other end of the tunnel; else what it is written as.
    pub(crate) fn name(&self, port: Option<&str>, gateway: Option<IpAddr>) -> String {
        if let Some(name) = port.and_then(|port| self.ports.get(port)) {
            return name.clone();
        }
        // Of IPv6 a VTEP is written by its mapped address.
        let plain = gateway.map(|it| it.to_canonical());
        match (plain.and_then(|it| self.vteps.get(&it)), gateway, port) {
            (Some(name), ..) => name.clone(),
            (None, Some(gateway), _) => gateway.to_string(),
            (None, None, Some(port)) => port.to_owned(),
            (None, None, None) => "nowhere".into(),
        }
    }

    /// Those of a route of FRR that the kernel has.
    pub(crate) fn frr(&self, hops: &[HopEntry]) -> Vec<String> {
        let used = hops.iter().filter(|hop| hop.fib && hop.active && !hop.recursive);
        let name = |hop: &HopEntry| match hop.kind {
            HopKind::Forward => self.name(hop.interface.as_deref(), hop.gateway),
            _ => "dropped".into(),
        };
        used.map(name).collect()
    }

    /// Those of the kernel.
    pub(crate) fn kernel<'a>(&self, hops: impl IntoIterator<Item = &'a Hop>) -> Vec<String> {
        let name = |hop: &Hop| match hop {
            Hop::To(gateway, port) => self.name(Some(port), *gateway),
            Hop::Discards => "dropped".into(),
        };
        hops.into_iter().map(name).collect()
    }

    /// Those of the maps, of what [`Sight::held_route`](crate::check::sight::Sight::held_route) has found; none where
    /// packets are left to the kernel.
    pub(crate) fn maps(&self, held: Option<Option<&Way>>) -> Option<Vec<String>> {
        let Some(way) = held? else { return Some(Vec::new()) };
        match way {
            Way::Hops { hops, .. } if !hops.is_empty() => {
                Some(hops.iter().map(|hop| self.name(Some(&hop.port), Some(hop.gateway))).collect())
            }
            Way::Dropped => Some(vec!["dropped".into()]),
            _ => None,
        }
    }
}
