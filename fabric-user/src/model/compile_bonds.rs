//! Bonds: the program on a bond runs in the drivers of its members, with their indexes.

use std::collections::BTreeSet;

use super::{Port, compile::Compiler};
use crate::observe::{Link, LinkKind};

impl Link {
    pub(super) fn is_bond(&self) -> bool {
        matches!(&self.kind, LinkKind::Other(kind) if kind == "bond")
    }
}

impl Compiler<'_> {
    /// Makes the members of bonds that are ports what the bonds are, for what arrives there. The kernel
    /// drops what a backup receives, and drops it itself: such a member is not among them.
    pub(super) fn bonds(&mut self) {
        let network = self.network;
        let has_vlan =
            |link: &&Link| matches!(link.kind, LinkKind::Vlan(_)) && !link.lower_elsewhere;
        let with_vlans: BTreeSet<u32> =
            network.links().filter(has_vlan).filter_map(|link| link.lower).collect();
        for link in network.links() {
            let (Some(bond), Some(member)) = (link.master, link.bond) else { continue };
            let is_bond = network.link(bond).is_some_and(Link::is_bond);
            let Some(port) = self.out.ports.get(&bond).filter(|_| is_bond && member.active) else {
                continue;
            };
            if !self.policy.native || self.out.ports.contains_key(&link.ifindex) {
                continue;
            }
            if let Some(why) = self.policy.why_not_part(link.ifindex, &link.name) {
                self.out.declined.insert(link.ifindex, why);
                continue;
            }
            if let Some(why) = self.why_not_source(link) {
                let reason = format!("port {} {why}, left to the kernel", link.name);
                self.out.declined.insert(link.ifindex, reason);
                continue;
            }
            // The kernel asks for a VLAN device on the member first (`__netif_receive_skb_core`).
            if with_vlans.contains(&link.ifindex) {
                let name = &link.name;
                let text = format!(
                    "port {name} is a member of a bond with VLAN devices of its own: what arrives there \
                     is left to the kernel"
                );
                self.out.declined.insert(link.ifindex, text);
                continue;
            }
            let member = Port { name: link.name.clone(), member_of: Some(bond), ..port.clone() };
            self.out.ports.insert(link.ifindex, member);
        }
    }

    /// The first member of a bond for which `tc` looks at what leaves.
    pub(super) fn classifying_member(&self, bond: &Link) -> Option<String> {
        let member =
            self.members(bond).find(|link| self.network.classifiers(link.ifindex).leaving)?;
        Some(format!("is a bond whose member {} has filters of `tc` for what leaves", member.name))
    }

    /// The first member of a bond that XDP programs cannot send out of, and why. The bond sends nothing
    /// out of one that has no carrier, of which it is not known.
    pub(super) fn deaf_member(&self, bond: &Link) -> Option<String> {
        self.members(bond).filter(|link| link.alive()).find_map(|member| {
            let why = self.why_not_target(member)?;
            Some(format!("is a bond whose member {} {why}", member.name))
        })
    }
}
