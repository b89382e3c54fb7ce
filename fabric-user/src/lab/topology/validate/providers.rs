//! Providers: what they announce, and whom they are connected to.

use super::super::inventory::NodeEntry;
use super::super::picture::{DrawnCable, DrawnNode};
use super::super::{ControlPlane, Prefixed, Switch, Topology};
use super::{Check, Function};

impl Check<'_> {
    /// What a node announces, which only a provider does.
    pub(super) fn announces(&mut self, node: &DrawnNode, entry: &NodeEntry) {
        let name = node.name.as_str();
        let is_provider = node.function == Function::Provider;
        if is_provider && entry.announces.is_empty() {
            self.toml(
                &["nodes", name],
                format!(
                    "provider {name} announces nothing; add announces = [\"0.0.0.0/0\", \"::/0\"], or the prefixes that borders hear of"
                ),
            );
        }
        if !is_provider && !entry.announces.is_empty() {
            self.toml(
                &["nodes", name, "announces"],
                format!(
                    "{name} is a {} and has announces, which belongs to providers; remove it, or draw {name} with function=\"provider\"",
                    node.function.name()
                ),
            );
        }
        if is_provider && self.inventory.fabric.control_plane == ControlPlane::Static {
            self.toml(
                &["nodes", name],
                format!(
                    "provider {name} needs BGP; remove control_plane = \"static\" from [fabric], or the provider"
                ),
            );
        }
    }

    /// Prefixes of providers that are no node's and no network's: borders keep them from the underlay.
    pub(super) fn announcements(&mut self, topology: &Topology) {
        let is_provider = |it: &&Switch| it.function == Function::Provider;
        let inside = topology.switches.iter().filter(|it| !is_provider(it));
        let of_nodes = inside.flat_map(|node| {
            let own = topology.announced(node).filter(|it| !node.announces.contains(it));
            own.map(|it| (it, node.name.clone()))
        });
        // Those of tenants are in VRFs.
        let networks = topology.networks.iter().filter(|it| it.tenant.is_none());
        let of_networks = networks.flat_map(|network| {
            let addresses = network.gateways().chain(network.addresses.values().flatten().copied());
            addresses.map(|it| (it.subnet(), format!("network {}", network.name)))
        });
        let taken: Vec<(Prefixed, String)> = of_nodes.chain(of_networks).collect();
        for provider in topology.switches.iter().filter(is_provider) {
            let name = provider.name.as_str();
            let path = ["nodes", name, "announces"];
            for (index, prefix) in provider.announces.iter().enumerate() {
                if provider.announces[..index].contains(prefix) {
                    let message =
                        format!("provider {name} announces {prefix} twice; write it once");
                    self.toml(&path, message);
                } else if let Some((_, owner)) = taken.iter().find(|(it, _)| it == prefix) {
                    self.toml(
                        &path,
                        format!(
                            "provider {name} announces {prefix}, which belongs to {owner}; borders keep what providers announce from the fabric, remove it"
                        ),
                    );
                }
            }
        }
    }

    /// A cable between a provider and another node that speaks BGP.
    pub(super) fn cable_of_provider(&mut self, cable: &DrawnCable, left: &Switch, right: &Switch) {
        for (provider, peer) in [(left, right), (right, left)] {
            let is_right = matches!(peer.function, Function::Border | Function::Provider);
            if provider.function == Function::Provider && !is_right {
                self.dot(
                    cable.line,
                    format!(
                        "provider {} has a cable to {}, which is a {}; providers are connected to borders and to each other",
                        provider.name,
                        peer.name,
                        peer.function.name()
                    ),
                );
            }
        }
    }
}
