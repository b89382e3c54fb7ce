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
//!   for a VLAN device, untagged and as its PVID for itself and for a macvlan directly on it.
//! - Filters of tc, chains of netfilter and XDP programs see it at each interface on its way, and chains of bridges
//!   at their hooks for what is for the bridge itself and comes from it.
//! - What is sent out goes by the FDB as the bridge's own (`br_dev_xmit`), with the address of the interface.

use std::collections::BTreeMap;

use super::{
    DomainKey, FdbKey, Port, Role, compile::Compiler, compile_bridges::DOT1Q, compile_uppers::Upper,
};
use crate::observe::{Bridge, Classifiers, Link, LinkKind};

impl<'a> Compiler<'a> {
    /// The interfaces that may be gateways of a bridge, with the domains that they would route for.
    pub(super) fn gateways_of(&self, bridge: &Link, options: &Bridge) -> BTreeMap<u32, DomainKey> {
        let own = self.own_vlan(bridge, options).map(|vlan| (bridge.ifindex, vlan));
        let uppers = self.uppers(bridge.ifindex).filter(|upper| upper.up);
        let on_top = uppers.filter_map(|upper| {
            Some((upper.link.ifindex, self.gateway_vlan(bridge, options, &upper)?))
        });
        let domain = |vlan| DomainKey { bridge: bridge.ifindex, vlan };
        own.into_iter().chain(on_top).map(|(ifindex, vlan)| (ifindex, domain(vlan))).collect()
    }

    /// Notes those of the gateways of a bridge whose domain is there.
    pub(super) fn note_gateways(&mut self, found: BTreeMap<u32, DomainKey>) {
        let domains = &self.out.domains;
        let found = found.into_iter().filter(|(_, domain)| domains.contains_key(domain));
        self.gateways.extend(found);
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

    /// The VLAN for which an interface on top of a bridge may be a gateway, by what it is.
    fn gateway_vlan(&self, bridge: &Link, options: &Bridge, upper: &Upper<'_>) -> Option<u16> {
        let vlan_device = |link: &Link| match &link.kind {
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
        let link = upper.link;
        match &link.kind {
            LinkKind::Vlan(_) => vlan_device(link).then_some(upper.vlan),
            LinkKind::Other(kind) if kind == "macvlan" && !link.takes_more => {
                let lower = link.lower.and_then(|lower| self.network.link(lower))?;
                match lower.ifindex == bridge.ifindex {
                    // It gets what the bridge itself does; of the frames of other VLANs, with their tags, nothing is for it.
                    true => self.own_vlan(bridge, options),
                    false => vlan_device(lower).then_some(upper.vlan),
                }
            }
            _ => None,
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
