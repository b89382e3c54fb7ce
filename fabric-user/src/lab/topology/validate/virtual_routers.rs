//! Gateways as virtual routers (VRR): who has them, and the addresses that their SVIs have of their own.

use super::super::inventory::{NetworkEntry, NodeEntry};
use super::super::picture::DrawnNode;
use super::super::{Gateway, Gateways, Prefixed};
use super::inside::WITH_ADDRESSES;
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

    /// A gateway, of which this key is given, in a network in which nodes have addresses and no virtual routers.
    pub(super) fn gateway_beside_addresses(&mut self, name: &str, entry: &NetworkEntry, key: &str) {
        // What could not be read of them may say that they have some.
        let is_unread = |node: &String| self.inventory.is_key_unread("nodes", node, "gateways");
        if entry.addresses.keys().any(is_unread) {
            return;
        }
        let nodes = entry.addresses.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        self.toml(
            &["networks", name, key],
            format!(
                "network {name} has {key} and addresses of single nodes ({nodes}), which take the gateway's place; remove one of them, or write gateways = \"vrr\" for nodes that have both"
            ),
        );
    }

    /// The addresses beside the gateway of a network: those of the SVIs under virtual routers.
    pub(super) fn virtual_routers(&mut self, name: &str, entry: &NetworkEntry, gateway: &Gateway) {
        let nodes: Vec<String> =
            self.nodes_with_virtual_routers(entry).into_iter().map(str::to_owned).collect();
        let gateways: Vec<Prefixed> =
            [Some(gateway.prefixed()), gateway.address6].into_iter().flatten().collect();
        let path = |node| ["networks", name, "addresses", node];
        let and = if gateway.address6.is_some() { ", and one of gateway6's" } else { "" };
        for node in nodes.iter().filter(|node| !entry.addresses.contains_key(*node)) {
            self.toml(
                &path(node),
                format!(
                    "{node} has gateways = \"vrr\" and no address of its own in network {name}; write one of the gateway's subnet in [networks.{name}.addresses]{and}"
                ),
            );
        }
        for (node, addresses) in &entry.addresses {
            if nodes.contains(node) {
                self.addresses_of(&path(node), addresses, Some(("the gateway", &gateways)));
                continue;
            }
            self.no_virtual_router(name, entry, node);
        }
    }

    /// A node that has an address beside the gateway of a network, and no virtual router there.
    fn no_virtual_router(&mut self, name: &str, entry: &NetworkEntry, node: &str) {
        let path = ["networks", name, "addresses", node];
        let says = format!("network {name} has addresses of");
        let rule = "leafs, borders and servers have addresses in networks";
        self.refers_to(&path, &says, node, &WITH_ADDRESSES, rule);
        let drawn = self.picture.nodes.iter().find(|it| it.name == node);
        let drawn = drawn.filter(|it| WITH_ADDRESSES.contains(&it.function));
        // Without an entry, or with one that could not be read, something else is said.
        let own = self.inventory.nodes.get(node);
        let own = own.filter(|_| !self.inventory.is_key_unread("nodes", node, "gateways"));
        let Some((drawn, own)) = drawn.zip(own) else { return };
        let text = match lives_on(entry, drawn, own) {
            true => format!(
                "network {name} has a gateway and addresses of {node}, on which it is no virtual router; write gateways = \"vrr\" in [nodes.{node}], or remove the addresses"
            ),
            false => format!(
                "{node} has addresses in network {name}, which does not live there; let it live there, or remove its addresses"
            ),
        };
        self.toml(&path, text);
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
