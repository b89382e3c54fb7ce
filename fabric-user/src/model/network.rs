//! All observed objects.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr},
};

use super::{Dirty, DomainKey, FdbKey, NexthopKey, routes::Routes};
use crate::observe::{
    BridgeMac, BridgePort, Event, Link, LinkKind, Mac, Neighbour, Nexthop, NexthopKind, PortVlan,
    Scope, Snapshot, TunnelMac, TunnelTarget,
};

/// Every object that was observed and not yet removed.
///
/// Objects are kept whether or not what they refer to is known, so that the order in which
/// messages about different objects arrive makes no difference.
#[derive(Clone, Debug, Default)]
pub struct Network {
    links: BTreeMap<u32, Link>,
    port_vlans: BTreeMap<u32, Vec<PortVlan>>,
    macs: HashMap<FdbKey, BridgeMac>,
    tunnel_macs: HashMap<(u32, Mac), TunnelTarget>,
    floods: BTreeMap<u32, BTreeSet<TunnelTarget>>,
    /// Per vxlan device: VTEPs and how many entries name them.
    remotes: BTreeMap<u32, BTreeMap<Ipv4Addr, u32>>,
    /// All VTEPs, to tell whether a route matters.
    vteps: BTreeMap<Ipv4Addr, u32>,
    neighbours: HashMap<NexthopKey, Neighbour>,
    routes: Routes,
    nexthops: BTreeMap<u32, Nexthop>,
}

impl Network {
    /// An empty network.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one change and says what it affects.
    pub fn apply(&mut self, event: Event) -> Dirty {
        let mut dirty = Dirty::default();
        match event {
            Event::Link(link) => self.set_link(link, &mut dirty),
            Event::LinkGone { ifindex } => self.remove_link(ifindex, &mut dirty),
            Event::BridgePort(port) => self.set_bridge_port(port, &mut dirty),
            Event::BridgePortGone { ifindex } => self.remove_bridge_port(ifindex, &mut dirty),
            Event::BridgeMac(entry) => {
                let key = FdbKey {
                    domain: DomainKey { bridge: entry.bridge, vlan: entry.vlan },
                    mac: entry.mac,
                };
                if self.macs.insert(key, entry) != Some(entry) {
                    dirty.macs.insert(key);
                }
            }
            Event::BridgeMacGone { bridge, vlan, mac } => {
                let key = FdbKey { domain: DomainKey { bridge, vlan }, mac };
                if self.macs.remove(&key).is_some() {
                    dirty.macs.insert(key);
                }
            }
            Event::TunnelMac(entry) => self.set_tunnel_mac(entry, &mut dirty),
            Event::TunnelMacGone(entry) => self.remove_tunnel_mac(entry, &mut dirty),
            Event::Neighbour(neighbour) => {
                let key = NexthopKey { ifindex: neighbour.ifindex, gateway: neighbour.address };
                let before = self.neighbours.insert(key, neighbour);
                // Most messages only say that a neighbour became stale or was confirmed.
                if before.and_then(|before| before.mac) != neighbour.mac {
                    dirty.neighbours.insert(key);
                }
            }
            Event::NeighbourGone { ifindex, address } => {
                let key = NexthopKey { ifindex, gateway: address };
                if self.neighbours.remove(&key).is_some() {
                    dirty.neighbours.insert(key);
                }
            }
            Event::Route(route) => {
                let key = route.key;
                if self.routes.insert(route) {
                    dirty.underlay |= self.reaches_vtep(key.prefix);
                }
            }
            Event::RouteGone(key) => {
                if self.routes.remove(&key) {
                    dirty.underlay |= self.reaches_vtep(key.prefix);
                }
            }
            Event::Nexthop(nexthop) => {
                let id = nexthop.id;
                if self.nexthops.insert(id, nexthop.clone()).as_ref() != Some(&nexthop) {
                    dirty.underlay = true;
                }
            }
            Event::NexthopGone { id } => {
                dirty.underlay |= self.nexthops.remove(&id).is_some();
                self.leave_groups(&BTreeSet::from([id]));
            }
        }
        dirty
    }

    /// Replaces everything that a dump covers, so that nothing stale stays.
    pub fn replace(&mut self, snapshot: Snapshot) -> Dirty {
        let mut dirty = match snapshot.scope {
            Scope::All => {
                *self = Self::default();
                Dirty::everything()
            }
            Scope::Routing => {
                self.neighbours.clear();
                self.routes = Routes::default();
                self.nexthops.clear();
                Dirty { underlay: true, ..Dirty::default() }
            }
        };
        for event in snapshot.events {
            self.apply(event);
        }
        // A dump is the answer to what went silently, not another reason to ask.
        dirty.routing_stale = false;
        dirty
    }

    /// An interface.
    #[must_use]
    pub fn link(&self, ifindex: u32) -> Option<&Link> {
        self.links.get(&ifindex)
    }

    /// All interfaces by index.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// An interface's name, or a stand-in with its number.
    #[must_use]
    pub fn name(&self, ifindex: u32) -> String {
        match self.link(ifindex) {
            Some(link) => link.name.clone(),
            None => format!("if{ifindex}"),
        }
    }

    /// Number of MAC addresses in bridges.
    #[must_use]
    pub fn mac_count(&self) -> usize {
        self.macs.len()
    }

    /// A bridge's entry.
    #[must_use]
    pub fn bridge_mac(&self, key: FdbKey) -> Option<&BridgeMac> {
        self.macs.get(&key)
    }

    /// Keys of all bridges' entries.
    pub fn bridge_macs(&self) -> impl Iterator<Item = FdbKey> {
        self.macs.keys().copied()
    }

    /// A vxlan device's entry for one station.
    #[must_use]
    pub fn tunnel_mac(&self, vxlan: u32, mac: Mac) -> Option<&TunnelTarget> {
        self.tunnel_macs.get(&(vxlan, mac))
    }

    /// A vxlan device's flood list.
    pub fn floods(&self, vxlan: u32) -> impl Iterator<Item = &TunnelTarget> {
        self.floods.get(&vxlan).into_iter().flatten()
    }

    /// VTEPs that a vxlan device's entries name, for stations or for flooding.
    pub(super) fn remotes(&self, vxlan: u32) -> impl Iterator<Item = Ipv4Addr> {
        self.remotes.get(&vxlan).into_iter().flat_map(|remotes| remotes.keys().copied())
    }

    /// VLANs of a bridge port.
    pub(super) fn vlans(&self, ifindex: u32) -> &[PortVlan] {
        self.port_vlans.get(&ifindex).map_or(&[], Vec::as_slice)
    }

    /// An IP neighbour.
    #[must_use]
    pub fn neighbour(&self, key: NexthopKey) -> Option<&Neighbour> {
        self.neighbours.get(&key)
    }

    /// A nexthop object.
    #[must_use]
    pub fn nexthop(&self, id: u32) -> Option<&Nexthop> {
        self.nexthops.get(&id)
    }

    /// Routes by destination.
    pub(super) fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Whether a prefix covers a known VTEP.
    fn reaches_vtep(&self, prefix: crate::observe::Prefix) -> bool {
        super::routes::range(prefix).is_some_and(|range| self.vteps.range(range).next().is_some())
    }

    fn set_link(&mut self, link: Link, dirty: &mut Dirty) {
        let ifindex = link.ifindex;
        if !link.up || !link.carrier {
            self.drop_dead_nexthops(&link, dirty);
        }
        if link.port.is_none() {
            self.port_vlans.remove(&ifindex);
        }
        if self.links.get(&ifindex) != Some(&link) {
            let was_alive =
                self.links.insert(ifindex, link.clone()).is_some_and(|old| old.up && old.carrier);
            dirty.bridging = true;
            dirty.routing_stale |= was_alive && !(link.up && link.carrier);
        }
    }

    /// The kernel removes nexthop objects of a dead link, and routes of one that is administratively
    /// down, without a message (`nexthop_flush_dev`, `fib_sync_down_dev`).
    fn drop_dead_nexthops(&mut self, link: &Link, dirty: &mut Dirty) {
        let on_link = |nexthop: &Nexthop| matches!(nexthop.kind, NexthopKind::Single { ifindex, .. } if ifindex == link.ifindex);
        let dead: BTreeSet<u32> =
            self.nexthops.values().filter(|each| on_link(each)).map(|each| each.id).collect();
        if !dead.is_empty() {
            self.nexthops.retain(|id, _| !dead.contains(id));
            self.leave_groups(&dead);
            dirty.underlay = true;
        }
        if !link.up && self.routes.remove_hops(link.ifindex) {
            dirty.underlay = true;
        }
    }

    /// Removes members from groups, and groups without members.
    fn leave_groups(&mut self, gone: &BTreeSet<u32>) {
        self.nexthops.retain(|_, nexthop| {
            let NexthopKind::Group { members, .. } = &mut nexthop.kind else {
                return true;
            };
            members.retain(|member| !gone.contains(&member.id));
            !members.is_empty()
        });
    }

    fn remove_link(&mut self, ifindex: u32, dirty: &mut Dirty) {
        let Some(mut link) = self.links.remove(&ifindex) else {
            return;
        };
        link.up = false;
        self.drop_dead_nexthops(&link, dirty);
        // Interface indexes are used again: nothing of the old interface may stay.
        self.port_vlans.remove(&ifindex);
        self.neighbours.retain(|key, _| key.ifindex != ifindex);
        match link.kind {
            LinkKind::Bridge(_) => self.macs.retain(|key, _| key.domain.bridge != ifindex),
            LinkKind::Vxlan(_) => {
                self.tunnel_macs.retain(|(vxlan, _), _| *vxlan != ifindex);
                self.floods.remove(&ifindex);
                for (remote, _) in self.remotes.remove(&ifindex).unwrap_or_default() {
                    release(&mut self.vteps, remote);
                }
            }
            _ => {}
        }
        if link.port.is_some() {
            self.macs.retain(|_, entry| entry.port != ifindex);
        }
        dirty.bridging = true;
        dirty.underlay = true;
        dirty.routing_stale = true;
    }

    fn set_bridge_port(&mut self, port: BridgePort, dirty: &mut Dirty) {
        if self.vlans(port.ifindex) != port.vlans {
            self.port_vlans.insert(port.ifindex, port.vlans);
            dirty.bridging = true;
        }
        let Some(link) = self.links.get_mut(&port.ifindex) else {
            return;
        };
        if link.port != Some(port.options) || link.master != Some(port.bridge) {
            link.port = Some(port.options);
            link.master = Some(port.bridge);
            dirty.bridging = true;
        }
    }

    fn remove_bridge_port(&mut self, ifindex: u32, dirty: &mut Dirty) {
        self.port_vlans.remove(&ifindex);
        if let Some(link) = self.links.get_mut(&ifindex)
            && link.port.take().is_some()
        {
            link.master = None;
        }
        dirty.bridging = true;
    }

    fn set_tunnel_mac(&mut self, entry: TunnelMac, dirty: &mut Dirty) {
        let TunnelMac { vxlan, mac, target, .. } = entry;
        if mac.is_zero() {
            if self.floods.entry(vxlan).or_default().insert(target) {
                dirty.underlay |= vtep_of(target).is_none();
                self.count_vtep(vxlan, target, dirty);
            }
            return;
        }
        let before = self.tunnel_macs.insert((vxlan, mac), target);
        if before == Some(target) {
            return;
        }
        self.count_vtep(vxlan, target, dirty);
        if let Some(before) = before {
            self.release_vtep(vxlan, before, dirty);
        }
        dirty.macs.extend(self.tunnel_key(vxlan, mac));
    }

    fn remove_tunnel_mac(&mut self, entry: TunnelMac, dirty: &mut Dirty) {
        let TunnelMac { vxlan, mac, target, .. } = entry;
        if mac.is_zero() {
            if self.floods.get_mut(&vxlan).is_some_and(|targets| targets.remove(&target)) {
                dirty.underlay |= vtep_of(target).is_none();
                self.release_vtep(vxlan, target, dirty);
            }
        } else if let Some(before) = self.tunnel_macs.remove(&(vxlan, mac)) {
            self.release_vtep(vxlan, before, dirty);
            dirty.macs.extend(self.tunnel_key(vxlan, mac));
        }
    }

    /// The FDB key that a vxlan device's entry contributes to.
    fn tunnel_key(&self, vxlan: u32, mac: Mac) -> Option<FdbKey> {
        let bridge = self.link(vxlan)?.master?;
        let LinkKind::Bridge(options) = &self.link(bridge)?.kind else {
            return None;
        };
        let vlan = match options.vlan_filtering {
            true => self.vlans(vxlan).iter().find(|vlan| vlan.pvid)?.id,
            false => 0,
        };
        Some(FdbKey { domain: DomainKey { bridge, vlan }, mac })
    }

    fn count_vtep(&mut self, vxlan: u32, target: TunnelTarget, dirty: &mut Dirty) {
        let Some(remote) = vtep_of(target) else {
            return;
        };
        let count = self.remotes.entry(vxlan).or_default().entry(remote).or_default();
        *count += 1;
        if *count == 1 {
            *self.vteps.entry(remote).or_default() += 1;
            dirty.underlay = true;
        }
    }

    fn release_vtep(&mut self, vxlan: u32, target: TunnelTarget, dirty: &mut Dirty) {
        let Some(remote) = vtep_of(target) else {
            return;
        };
        let Some(remotes) = self.remotes.get_mut(&vxlan) else {
            return;
        };
        if release(remotes, remote) {
            release(&mut self.vteps, remote);
            dirty.underlay = true;
        }
    }
}

/// The VTEP that an entry names, if it is one of IPv4. What is none cannot be reached, but it may
/// have to be reported.
fn vtep_of(target: TunnelTarget) -> Option<Ipv4Addr> {
    match target {
        TunnelTarget::Vtep { address: IpAddr::V4(address), .. } => {
            (!address.is_multicast() && !address.is_unspecified()).then_some(address)
        }
        _ => None,
    }
}

/// Counts down; returns whether it was the last.
fn release(counts: &mut BTreeMap<Ipv4Addr, u32>, key: Ipv4Addr) -> bool {
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
