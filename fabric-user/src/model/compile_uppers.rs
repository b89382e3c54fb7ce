//! What listens on top of a bridge.
//!
//! A device with a MAC address of its own on top of a bridge (macvlan, as VRRP wants it, or a VLAN
//! device) makes the bridge promiscuous: it then passes a copy of every frame up, wherever its FDB sends
//! the frame (`br_handle_frame_finish`). Of these copies the device takes those to its address, so that
//! this address is the box's own. Who takes more than that needs the copies, and only the kernel makes
//! them.

use super::{DomainKey, FdbKey, compile::Compiler};
use crate::observe::{Bridge, Link, LinkKind, Mac};

/// Interfaces on top of each other at most, as in the kernel (`MAX_NEST_DEV`).
pub(super) const DEPTH: usize = 8;

/// An interface on top of a bridge.
pub(super) struct Upper<'a> {
    pub(super) link: &'a Link,
    /// The VLAN of the bridge whose frames it gets, 0 for all.
    pub(super) vlan: u16,
    /// It and all beneath it are up.
    pub(super) up: bool,
}

impl Link {
    /// Whether it makes the interface beneath listen to its own MAC address.
    pub(super) fn listens_on_its_lower(&self) -> bool {
        match &self.kind {
            LinkKind::Vlan(_) => true,
            LinkKind::Other(kind) => matches!(kind.as_str(), "macvlan" | "macvtap" | "macsec"),
            _ => false,
        }
    }
}

impl<'a> Compiler<'a> {
    /// Notes the MAC addresses that are listened to on top of a bridge. False if somebody listens to
    /// all frames.
    pub(super) fn listens(&mut self, bridge: &Link, options: &Bridge) -> bool {
        let mut heard: Vec<(u16, Mac)> =
            self.network.own_macs(bridge.ifindex).map(|mac| (0, mac)).collect();
        // Down, an interface listens to nothing yet, and its address does no harm here.
        let (mut counted, mut takes_all) = (!heard.is_empty(), false);
        for upper in self.uppers(bridge.ifindex) {
            let Some(mac) = upper.link.mac.filter(|mac| Some(*mac) != bridge.mac) else {
                continue;
            };
            heard.push((if options.vlan_filtering { upper.vlan } else { 0 }, mac));
            counted |= upper.up;
        }
        for upper in self.uppers(bridge.ifindex).filter(|upper| upper.up) {
            // The others take no more than what is for the bridge's own address.
            takes_all |= upper.link.takes_more
                && matches!(&upper.link.kind, LinkKind::Other(kind) if kind.starts_with("macv"));
        }
        let everywhere = |vlan| DomainKey { bridge: bridge.ifindex, vlan };
        let keys = heard.into_iter().map(|(vlan, mac)| FdbKey { domain: everywhere(vlan), mac });
        self.out.heard.extend(keys);
        !takes_all && options.promiscuity <= u32::from(counted)
    }

    /// Interfaces with a MAC address of their own that get frames of a bridge.
    pub(super) fn uppers(&self, bridge: u32) -> impl Iterator<Item = Upper<'a>> {
        let network = self.network;
        network.links().filter(|link| link.listens_on_its_lower()).filter_map(move |link| {
            let mut upper = Upper { link, vlan: 0, up: true };
            let mut at = link;
            for _ in 0..DEPTH {
                upper.up &= at.up;
                if let LinkKind::Vlan(vlan) = &at.kind {
                    upper.vlan = vlan.id;
                }
                let lower = at.lower.filter(|_| !at.lower_elsewhere)?;
                if lower == bridge {
                    return Some(upper);
                }
                at = network.link(lower)?;
            }
            None
        })
    }
}
