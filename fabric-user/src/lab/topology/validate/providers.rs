//! Providers: what they announce, and whom they are connected to.

use super::super::inventory::NodeEntry;
use super::super::picture::{DrawnCable, DrawnNode};
use super::super::{ControlPlane, Switch};
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
