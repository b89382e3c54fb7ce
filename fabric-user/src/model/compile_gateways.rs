//! Gateways: where the kernel routes for the hosts of a bridge (integrated routing and bridging, RFC 9135).
//!
//! A gateway is the bridge itself, a VLAN device on a VLAN-aware one (SVI), or a macvlan on either (VRRP, anycast
//! gateways). What decides about a packet for its MAC address, beside what decides about any routed packet:
//!
//! - The bridge passes up only what is for an address that its FDB has as its own
//!   (`br_handle_frame_finish`); anything else it floods as well.
//! - Of these the kernel routes what is for the address of the interface itself: the bridge marks what is for
//!   its own as for this host (`br_handle_frame`), a VLAN device and a macvlan what is for theirs
//!   (`vlan_do_receive`, `macvlan_handle_frame`).
//! - In a VLAN-aware bridge, the bridge itself has to be in the VLAN and forward there (`br_pass_frame_up`): tagged
//!   for a VLAN device, untagged and as its PVID for itself.
//! - Filters of tc, chains of netfilter and XDP programs see it at each interface on its way, and chains of bridges
//!   at their hooks for what is for the bridge itself and comes from it.
//! - What is sent out goes by the FDB as the bridge's own (`br_dev_xmit`), with the address of the interface.

use std::collections::BTreeMap;

use super::{
    DomainKey, FdbKey, Port, Role, compile::Compiler, compile_bridges::DOT1Q, compile_uppers::Upper,
};
use crate::observe::{Bridge, Classifiers, Link, LinkKind};

impl<'a> Compiler<'a> {
    /// Notes the interfaces that may be gateways.
    pub(super) fn gateways(&mut self) {
        let network = self.network;
        let mut found = BTreeMap::new();
        let bridges = self.out.domains.keys().map(|domain| domain.bridge);
        for bridge in bridges.collect::<std::collections::BTreeSet<_>>() {
            let Some(link) = network.link(bridge) else { continue };
            let LinkKind::Bridge(options) = &link.kind else { continue };
            if let Some(vlan) = self.own_vlan(link, options) {
                found.insert(bridge, DomainKey { bridge, vlan });
            }
            for upper in self.uppers(bridge).filter(|upper| upper.up) {
                if self.is_gateway(link, options, &upper) {
                    found.insert(upper.link.ifindex, DomainKey { bridge, vlan: upper.vlan });
                }
            }
        }
        found.retain(|_, domain| self.out.domains.contains_key(domain));
        self.gateways = found;
    }

    /// The VLAN whose frames the bridge itself receives; 0 of one without VLAN filtering.
    fn own_vlan(&self, bridge: &Link, options: &Bridge) -> Option<u16> {
        if !options.vlan_filtering {
            return Some(0);
        }
        let mut vlans = self.network.vlans(bridge.ifindex).iter();
        let own = vlans.find(|vlan| vlan.pvid && vlan.untagged).map(|vlan| vlan.id);
        own.filter(|vlan| self.network.vlan_forwards(bridge.ifindex, *vlan))
    }

    /// Whether an interface on top of a bridge may be a gateway, by what it is.
    fn is_gateway(&self, bridge: &Link, options: &Bridge, upper: &Upper<'_>) -> bool {
        let vlan_device = |link: &'a Link| match &link.kind {
            LinkKind::Vlan(vlan) => {
                let mut vlans = self.network.vlans(bridge.ifindex).iter();
                options.vlan_filtering
                    && vlan.protocol == DOT1Q
                    && !vlan.maps_priorities
                    && link.lower == Some(bridge.ifindex)
                    && vlans.any(|own| own.id == vlan.id && !own.untagged)
                    && self.network.vlan_forwards(bridge.ifindex, vlan.id)
            }
            _ => false,
        };
        let Some(link) = self.network.link(upper.link.ifindex) else { return false };
        match &link.kind {
            LinkKind::Vlan(_) => vlan_device(link),
            LinkKind::Other(kind) if kind == "macvlan" && !link.takes_more => {
                let lower = link.lower.and_then(|lower| self.network.link(lower));
                match upper.vlan {
                    0 => link.lower == Some(bridge.ifindex) && !options.vlan_filtering,
                    _ => lower.is_some_and(vlan_device),
                }
            }
            _ => false,
        }
    }

    /// Whether something at an interface, or at one beneath it down to the bridge, sees or takes packets.
    fn why_not_gateway(&self, link: &Link, bridge: u32) -> Option<String> {
        if let Some(why) = self.hooked(link) {
            return Some(why);
        }
        let name = &link.name;
        if link.runs_xdp {
            return Some(format!(
                "an XDP program runs on {name} (`ip link set dev {name} xdp off`)"
            ));
        }
        if self.network.classifiers(link.ifindex) != Classifiers::default() {
            return Some(format!(
                "{name} has filters of `tc` (`tc filter show dev {name} ingress`, and `egress`)"
            ));
        }
        if let Some(taker) = self.taken.get(&link.ifindex) {
            return Some(format!(
                "{} takes packets from {name} before they are routed",
                taker.name
            ));
        }
        if link.ifindex == bridge {
            return None;
        }
        let lower = link.lower.and_then(|lower| self.network.link(lower))?;
        self.why_not_gateway(lower, bridge)
    }

    /// Makes an interface the gateway of a domain, if nothing but routing decides about what comes to it.
    pub(super) fn gateway(&mut self, link: &Link, domain: DomainKey) -> Result<(), String> {
        let name = &link.name;
        let mac = link.mac.ok_or("it has no MAC address")?;
        if let Some(chain) = self.chains.iter().find(|chain| chain.sees_gateways()) {
            return Err(format!("{chain} sees what it receives or sends"));
        }
        if let Some(why) = self.why_not_gateway(link, domain.bridge) {
            return Err(why);
        }
        if self.out.ports.contains_key(&link.ifindex) {
            return Err("it has hosts behind it".into());
        }
        let key = FdbKey { domain, mac };
        if let Some(other) = self.out.gateways.remove(&key) {
            return Err(format!("{} has the same MAC address", self.network.name(other)));
        }
        let port = Port {
            name: name.clone(),
            role: Role::Gateway,
            mtu: self.policy.mtu(link),
            mac,
            is_target: true,
            domain: Some(domain),
            ..Port::default()
        };
        self.out.ports.insert(link.ifindex, port);
        self.out.gateways.insert(key, link.ifindex);
        Ok(())
    }
}
