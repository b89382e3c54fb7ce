//! What vxlan devices know: VTEPs of stations, and which VNIs and VLANs belong together.
//!
//! A device of one VNI belongs to one domain, or in a VLAN-aware bridge to one for each VLAN that it carries, and its
//! entries name no VNI: a MAC has the same VTEP in all of them. One in external mode, the single
//! vxlan device, belongs to many: it sends a VLAN's frames with the tunnel ID that the VLAN has on its port
//! (`br_handle_egress_vlan_tunnel` of `net/bridge/br_vlan_tunnel.c`), and looks a MAC up among the entries
//! with this source VNI (`vxlan_find_mac` of `drivers/net/vxlan/vxlan_core.c`).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::Network;
use crate::{
    model::{Dirty, DomainKey, FdbKey},
    observe::{Bridge, LinkKind, Mac, PortVlan, TunnelMac, TunnelTarget, VniFilter},
};

/// Identity of a vxlan device's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TunnelKey {
    /// Interface index of the vxlan device.
    pub(super) vxlan: u32,
    /// VNI whose frames it is for, 0 where the device has only one.
    pub(super) source_vni: u32,
    pub(super) mac: Mac,
}

impl Network {
    pub(super) fn set_tunnel_mac(&mut self, entry: TunnelMac, dirty: &mut Dirty) {
        let TunnelMac { vxlan, mac, target, source_vni } = entry;
        let source_vni = source_vni.unwrap_or_default();
        dirty.bridges_stale |= self.may_have_come(vxlan, source_vni);
        if mac.is_zero() {
            if self.floods.entry((vxlan, source_vni)).or_default().insert(target) {
                dirty.underlay |= vtep_of(target).is_none();
                self.count_vtep(vxlan, target, dirty);
            }
            return;
        }
        let key = TunnelKey { vxlan, source_vni, mac };
        let number = self.targets.number(target);
        let before = self.tunnel_macs.insert(key, number);
        if before == Some(number) {
            return;
        }
        self.count_vtep(vxlan, target, dirty);
        if let Some(before) = before {
            self.release_vtep(vxlan, *self.targets.get(before), dirty);
        }
        dirty.macs.extend(self.tunnel_keys(key));
    }

    pub(super) fn remove_tunnel_mac(&mut self, entry: TunnelMac, dirty: &mut Dirty) {
        let TunnelMac { vxlan, mac, target, source_vni } = entry;
        let source_vni = source_vni.unwrap_or_default();
        let key = TunnelKey { vxlan, source_vni, mac };
        if mac.is_zero() {
            let floods = self.floods.get_mut(&(vxlan, source_vni));
            if floods.is_some_and(|targets| targets.remove(&target)) {
                dirty.underlay |= vtep_of(target).is_none();
                self.release_vtep(vxlan, target, dirty);
            }
        } else if let Some(before) = self.tunnel_macs.remove(&key) {
            self.release_vtep(vxlan, *self.targets.get(before), dirty);
            dirty.macs.extend(self.tunnel_keys(key));
        }
    }

    /// The FDB keys that a vxlan device's entry contributes to.
    fn tunnel_keys(&self, key: TunnelKey) -> impl Iterator<Item = FdbKey> + '_ {
        let domains = self.domains_of_vni(key.vxlan, key.source_vni);
        domains.map(move |domain| FdbKey { domain, mac: key.mac })
    }

    /// The domains that a vxlan device's entries of a VNI belong to.
    fn domains_of_vni(&self, vxlan: u32, source_vni: u32) -> impl Iterator<Item = DomainKey> + '_ {
        let bridge = self.bridge_of(vxlan);
        let (one, many) = match bridge.map(|(_, options)| options.vlan_filtering) {
            None => (None, &[][..]),
            _ if self.is_external(vxlan) => {
                (self.tunnel_vlans.get(&(vxlan, source_vni)).copied(), &[][..])
            }
            Some(true) => (None, self.vlans(vxlan)),
            Some(false) => (Some(0), &[][..]),
        };
        let vlans = one.into_iter().chain(many.iter().map(|vlan| vlan.id));
        vlans.filter_map(move |vlan| Some(DomainKey { bridge: bridge?.0, vlan }))
    }

    /// The domains that a vxlan device may belong to.
    pub(in crate::model) fn tunnel_domains(
        &self,
        vxlan: u32,
    ) -> impl Iterator<Item = DomainKey> + '_ {
        let bridge =
            self.link(vxlan).and_then(|link| link.master).filter(|_| self.is_external(vxlan));
        let vlans = self.tunnel_vlans.range((vxlan, 0)..=(vxlan, u32::MAX));
        let many =
            vlans.filter_map(move |(_, vlan)| Some(DomainKey { bridge: bridge?, vlan: *vlan }));
        let others = self.domains_of_vni(vxlan, 0).filter(move |_| bridge.is_none());
        others.chain(many)
    }

    fn bridge_of(&self, port: u32) -> Option<(u32, &Bridge)> {
        let bridge = self.link(port)?.master?;
        match &self.link(bridge)?.kind {
            LinkKind::Bridge(options) => Some((bridge, options)),
            _ => None,
        }
    }

    /// Whether a vxlan device gets the VNI of each frame from the bridge.
    fn is_external(&self, vxlan: u32) -> bool {
        let kind = self.link(vxlan).map(|link| &link.kind);
        matches!(kind, Some(LinkKind::Vxlan(vxlan)) if vxlan.external)
    }

    /// Takes in the tunnel IDs of a bridge port's VLANs.
    pub(super) fn set_tunnel_vlans(&mut self, port: u32, vlans: &[PortVlan], dirty: &mut Dirty) {
        self.forget_tunnel_vlans(port);
        for vlan in vlans {
            if let Some(tunnel) = vlan.tunnel {
                self.tunnel_vlans.insert((port, tunnel), vlan.id);
                dirty.bridges_stale |= self.may_have_come(port, tunnel);
            }
        }
    }

    pub(super) fn forget_tunnel_vlans(&mut self, port: u32) {
        self.tunnel_vlans.retain(|(ifindex, _), _| *ifindex != port);
    }

    /// Whether a vxlan device hears of a VNI, if it has a filter.
    pub(in crate::model) fn hears_of(&self, vxlan: u32, vni: u32) -> bool {
        self.vni_filters.get(&vxlan).is_some_and(|vnis| vnis.contains(&vni))
    }

    pub(super) fn add_vnis(&mut self, filter: &VniFilter, dirty: &mut Dirty) {
        let vnis = self.vni_filters.entry(filter.vxlan).or_default();
        for (first, last) in &filter.ranges {
            for vni in *first..=*last {
                dirty.bridging |= vnis.insert(vni);
            }
        }
    }

    pub(super) fn remove_vnis(&mut self, filter: &VniFilter, dirty: &mut Dirty) {
        let Some(vnis) = self.vni_filters.get_mut(&filter.vxlan) else {
            return;
        };
        for (first, last) in &filter.ranges {
            for vni in *first..=*last {
                dirty.bridging |= vnis.remove(&vni);
            }
        }
    }

    /// Whether a VNI may be in a vxlan device's filter by now: many kernels say that only of one with a
    /// remote (`vxlan_vni_add`). Whoever adds one uses it sooner or later.
    fn may_have_come(&self, vxlan: u32, vni: u32) -> bool {
        let kind = self.link(vxlan).map(|link| &link.kind);
        matches!(kind, Some(LinkKind::Vxlan(options)) if options.vni_filter)
            && !self.hears_of(vxlan, vni)
    }

    /// VTEPs that a vxlan device's entries name, for stations or for flooding, and those of the Ethernet segments
    /// that they name. One may come twice.
    pub(in crate::model) fn remotes(&self, vxlan: u32) -> impl Iterator<Item = IpAddr> {
        let named =
            self.remotes.get(&vxlan).into_iter().flat_map(|remotes| remotes.keys().copied());
        named.chain(self.segments(vxlan).flat_map(|group| self.routing.segment_vteps(group)))
    }

    /// Whether a VTEP is among [`Self::remotes`].
    pub(in crate::model) fn names_remote(&self, vxlan: u32, remote: IpAddr) -> bool {
        self.remotes.get(&vxlan).is_some_and(|remotes| remotes.contains_key(&remote))
            || self.routing.fdb_vteps().contains_key(&remote)
                && self
                    .segments(vxlan)
                    .any(|group| self.routing.segment_vteps(group).any(|vtep| vtep == remote))
    }

    /// Nexthop groups (Ethernet segments) that a vxlan device's entries name.
    pub(in crate::model) fn segments(&self, vxlan: u32) -> impl Iterator<Item = u32> {
        self.segments.get(&vxlan).into_iter().flat_map(|groups| groups.keys().copied())
    }

    /// Nexthop groups have gone, and with them the entries that named them, without a message
    /// (`vxlan_fdb_nh_flush` of `drivers/net/vxlan/vxlan_core.c`).
    pub(super) fn forget_segments(&mut self, groups: &BTreeSet<u32>, dirty: &mut Dirty) {
        let mut named = false;
        for segments in self.segments.values_mut() {
            let before = segments.len();
            segments.retain(|group, _| !groups.contains(group));
            named |= segments.len() < before;
        }
        if !named {
            return;
        }
        dirty.underlay = true;
        let targets = groups.iter().map(|group| TunnelTarget::NexthopGroup(*group));
        for target in targets.clone() {
            for floods in self.floods.values_mut() {
                floods.remove(&target);
            }
        }
        let numbers: BTreeSet<_> = targets.map(|target| self.targets.number(target)).collect();
        let gone = self.tunnel_macs.extract_if(|_, target| numbers.contains(target));
        let gone: Vec<TunnelKey> = gone.map(|(key, _)| key).collect();
        dirty.macs.extend(gone.into_iter().flat_map(|key| self.tunnel_keys(key)));
    }

    /// The same of all groups that a dump did not bring. One that comes later with the ID of such a one is
    /// another one, which no entry names.
    pub(super) fn forget_lost_segments(&mut self, dirty: &mut Dirty) {
        let named = self.segments.values().flat_map(|groups| groups.keys().copied());
        let lost: BTreeSet<u32> = named.filter(|id| self.nexthop(*id).is_none()).collect();
        self.forget_segments(&lost, dirty);
    }

    fn count_vtep(&mut self, vxlan: u32, target: TunnelTarget, dirty: &mut Dirty) {
        let Some(remote) = vtep_of(target) else {
            if let TunnelTarget::NexthopGroup(group) = target {
                let count = self.segments.entry(vxlan).or_default().entry(group).or_default();
                *count += 1;
                dirty.underlay |= *count == 1;
            }
            return;
        };
        let count = self.remotes.entry(vxlan).or_default().entry(remote).or_default();
        *count += 1;
        if *count == 1 {
            *self.vteps.entry(remote).or_default() += 1;
            dirty.tunnels.insert((vxlan, remote));
        }
    }

    fn release_vtep(&mut self, vxlan: u32, target: TunnelTarget, dirty: &mut Dirty) {
        let Some(remote) = vtep_of(target) else {
            if let TunnelTarget::NexthopGroup(group) = target
                && let Some(groups) = self.segments.get_mut(&vxlan)
            {
                dirty.underlay |= release(groups, group);
            }
            return;
        };
        let Some(remotes) = self.remotes.get_mut(&vxlan) else {
            return;
        };
        if release(remotes, remote) {
            release(&mut self.vteps, remote);
            dirty.tunnels.insert((vxlan, remote));
        }
    }
}

/// The VTEP that an entry names. What is none cannot be reached, but it may have to be reported.
fn vtep_of(target: TunnelTarget) -> Option<IpAddr> {
    match target {
        TunnelTarget::Vtep { address, .. } => {
            (!address.is_multicast() && !address.is_unspecified()).then_some(address)
        }
        TunnelTarget::NexthopGroup(_) => None,
    }
}

/// Counts down; returns whether it was the last.
pub(in crate::model) fn release<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) -> bool {
    let Some(count) = counts.get_mut(&key) else {
        return false;
    };
    *count -= 1;
    let last = *count == 0;
    if last {
        counts.remove(&key);
    }
    last
}
