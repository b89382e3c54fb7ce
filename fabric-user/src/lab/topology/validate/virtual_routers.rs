//! Gateways as virtual routers (VRR): who has them, and the addresses that their SVIs have of their own.

use super::super::inventory::{NetworkEntry, NodeEntry};
use super::super::picture::DrawnNode;
use super::super::{Gateway, Gateways, Prefixed};
use super::{Check, lives_on};

impl Check<'_> {
    /// Whether the gateway of a network is a virtual router on some of its nodes.
    pub(super) fn has_virtual_routers(&self, entry: &NetworkEntry) -> bool {
        entry.gateway.is_some() && !self.nodes_with_virtual_routers(entry).is_empty()
    }

    /// Names of the nodes of a network on which its gateway is a virtual router.
    fn nodes_with_virtual_routers(&self, entry: &NetworkEntry) -> Vec<&str> {
        let nodes = self.picture.nodes.iter();
        let is_one = |node: &&DrawnNode| {
            let own = self.inventory.nodes.get(&node.name);
            own.is_some_and(|own| own.gateways == Gateways::Vrr && lives_on(entry, node, own))
        };
        nodes.filter(is_one).map(|node| node.name.as_str()).collect()
    }

    /// The addresses beside the gateway of a network: those of the SVIs under virtual routers.
    pub(super) fn virtual_routers(&mut self, name: &str, entry: &NetworkEntry, gateway: &Gateway) {
        let nodes: Vec<String> =
            self.nodes_with_virtual_routers(entry).into_iter().map(str::to_owned).collect();
        let gateways: Vec<Prefixed> =
            [Some(gateway.prefixed()), gateway.address6].into_iter().flatten().collect();
        let path = |node| ["networks", name, "addresses", node];
        for node in nodes.iter().filter(|node| !entry.addresses.contains_key(*node)) {
            self.toml(
                &path(node),
                format!(
                    "{node} has gateways = \"vrr\" and no address of its own in network {name}; write one in [networks.{name}.addresses], as in {node} = [\"10.50.0.2/24\"]"
                ),
            );
        }
        for (node, addresses) in &entry.addresses {
            if nodes.contains(node) {
                self.addresses_of(&path(node), addresses, Some(("the gateway", &gateways)));
                continue;
            }
            self.toml(
                &path(node),
                format!(
                    "network {name} has a gateway and addresses of {node}, on which it is no virtual router; write gateways = \"vrr\" in [nodes.{node}] if the network lives there, or remove the addresses"
                ),
            );
        }
    }

    /// Which devices have the gateways of a node's networks.
    pub(super) fn gateways(&mut self, node: &DrawnNode, entry: &NodeEntry) {
        let (name, inventory) = (node.name.as_str(), self.inventory);
        let is_unread = inventory.unread.iter().any(|it| it.starts_with("networks"));
        let has_gateway = |it: &NetworkEntry| it.gateway.is_some() && lives_on(it, node, entry);
        if entry.gateways == Gateways::Vrr
            && !is_unread
            && !inventory.networks.values().any(has_gateway)
        {
            self.toml(
                &["nodes", name, "gateways"],
                format!(
                    "{name} has gateways = \"vrr\", and no network with a gateway lives on it; remove it, or let one live there"
                ),
            );
        }
    }
}
