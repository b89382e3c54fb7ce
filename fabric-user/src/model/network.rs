//! All observed objects.

mod sockets;
mod tunnels;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use self::tunnels::TunnelKey;
pub(super) use self::tunnels::release;
use super::{
    Dirty, DomainKey, FdbKey, NexthopKey, Station,
    ipsec::Ipsec,
    macs::Targets,
    netfilter::Nftables,
    routes::{self, Change, LOCAL, Position},
    routing::Routing,
};
use crate::{
    hashed::HashMap,
    observe::{
        BridgePort, Classifiers, Event, Link, LinkKind, Mac, Neighbour, Nexthop, PortState,
        PortVlan, Prefix, Route, TunnelTarget, VlanRange, VlanStates, XdpFeatures,
    },
};

/// Every object that was observed and not yet removed.
///
/// Objects are kept whether or not what they refer to is known, so that the order in which
/// messages about different objects arrive makes no difference.
#[derive(Clone, Debug, Default)]
pub struct Network {
    links: BTreeMap<u32, Link>,
    port_vlans: BTreeMap<u32, Vec<PortVlan>>,
    /// VLANs of bridge ports by their tunnel IDs.
    tunnel_vlans: BTreeMap<(u32, u32), u16>,
    /// VNIs of vxlan devices with a filter of them.
    vni_filters: BTreeMap<u32, BTreeSet<u32>>,
    /// VLANs of bridge ports that do not forward.
    blocked_vlans: BTreeMap<u32, BTreeSet<u16>>,
    /// VLANs of bridge ports in which ARP and neighbour discovery are suppressed, where each VLAN says so.
    suppressed_vlans: BTreeMap<u32, BTreeSet<u16>>,
    macs: HashMap<FdbKey, Station>,
    /// MAC addresses that interfaces listen to beside their own.
    own_macs: BTreeMap<u32, BTreeSet<Mac>>,
    /// Numbers of `targets`.
    tunnel_macs: HashMap<TunnelKey, u32>,
    targets: Targets,
    /// By vxlan device and VNI.
    floods: BTreeMap<(u32, u32), BTreeSet<TunnelTarget>>,
    /// Per vxlan device: VTEPs and how many entries name them.
    remotes: BTreeMap<u32, BTreeMap<IpAddr, u32>>,
    /// Per vxlan device: nexthop groups (Ethernet segments) and how many entries name them.
    segments: BTreeMap<u32, BTreeMap<u32, u32>>,
    /// VTEPs that entries name, to tell whether a route matters.
    vteps: BTreeMap<IpAddr, u32>,
    /// Local addresses of vxlan devices, likewise.
    locals: BTreeMap<IpAddr, u32>,
    /// Number of vxlan devices that have none.
    sourceless: usize,
    routing: Routing,
    /// Interfaces of which `tc` classifies packets.
    classifiers: BTreeMap<u32, Classifiers>,
    ipsec: Ipsec,
    nftables: Nftables,
    features: BTreeMap<u32, XdpFeatures>,
    /// Whether the other end of a veth takes what programs send, where that is known.
    veth_peers: BTreeMap<u32, bool>,
    /// vxlan devices whose sockets may be in another VRF than what they are bound to.
    strayed: BTreeSet<u32>,
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
        self.apply_to(event, &mut dirty);
        dirty
    }

    /// As [`apply`](Self::apply) for one of many: what it affects is added to `dirty`.
    pub fn apply_to(&mut self, event: Event, dirty: &mut Dirty) {
        match event {
            Event::Link(link) => self.set_link(link, dirty),
            Event::LinkGone { ifindex } => self.remove_link(ifindex, dirty),
            Event::BridgePort(port) => self.set_bridge_port(port, dirty),
            Event::BridgeVlans { ifindex, vlans } => self.set_vlans(ifindex, vlans, dirty),
            Event::BridgePortGone { ifindex } => self.remove_bridge_port(ifindex, dirty),
            Event::VlanStates(states) => self.set_vlan_states(&states, dirty),
            Event::VniFilter(filter) => self.add_vnis(&filter, dirty),
            Event::VniFilterGone(filter) => self.remove_vnis(&filter, dirty),
            Event::BridgeMac(entry) => {
                let key = FdbKey {
                    domain: DomainKey { bridge: entry.bridge, vlan: entry.vlan },
                    mac: entry.mac,
                };
                let station = Station::from(entry);
                if self.macs.insert(key, station) != Some(station) {
                    dirty.macs.insert(key);
                }
            }
            Event::BridgeMacGone { bridge, vlan, mac } => {
                let key = FdbKey { domain: DomainKey { bridge, vlan }, mac };
                if self.macs.remove(&key).is_some() {
                    dirty.macs.insert(key);
                }
            }
            Event::OwnMac { ifindex, mac } => {
                dirty.bridging |= self.own_macs.entry(ifindex).or_default().insert(mac);
            }
            Event::OwnMacGone { ifindex, mac } => {
                let macs = self.own_macs.get_mut(&ifindex);
                dirty.bridging |= macs.is_some_and(|macs| macs.remove(&mac));
            }
            Event::TunnelMac(entry) => self.set_tunnel_mac(entry, dirty),
            Event::TunnelMacGone(entry) => self.remove_tunnel_mac(entry, dirty),
            Event::Neighbour(neighbour) => self.routing.set_neighbour(neighbour, dirty),
            Event::NeighbourGone { ifindex, address } => {
                let key = NexthopKey { ifindex, gateway: address };
                self.routing.remove_neighbour(key, dirty);
            }
            Event::Route(route) => self.add_route(&route, Position::Replace, dirty),
            Event::RouteAppended(route) => self.add_route(&route, Position::Last, dirty),
            Event::RoutePrepended(route) => self.add_route(&route, Position::First, dirty),
            Event::RouteGone(route) => {
                let change = self.routing.routes.remove(&route);
                self.route_changed(route.key.table, route.key.prefix, change, dirty);
            }
            Event::Learned(learned) => dirty.underlay |= self.routing.set_learned(learned),
            Event::Nexthop(nexthop) => self.routing.set_nexthop(nexthop, dirty),
            Event::NexthopGone { id } => {
                self.routing.remove_nexthop(id, dirty);
                self.forget_segments(&[id].into(), dirty);
            }
            Event::XdpFeatures { ifindex, features } => {
                dirty.bridging |=
                    self.features.insert(ifindex, features.clone()).as_ref() != Some(&features);
            }
            Event::XdpFeaturesGone { ifindex } => {
                dirty.bridging |= self.features.remove(&ifindex).is_some();
            }
            Event::VethPeer { ifindex, receives } => {
                let before = match receives {
                    Some(receives) => self.veth_peers.insert(ifindex, receives),
                    None => self.veth_peers.remove(&ifindex),
                };
                dirty.bridging |= before != receives;
            }
            Event::Rule(rule) => dirty.underlay |= self.routing.add_rule(rule),
            Event::RuleGone(rule) => dirty.underlay |= self.routing.remove_rule(&rule),
            // Only the messages of routes that the kernel does not send would say more.
            Event::AddressChanged { .. } => {
                dirty.routing_stale = true;
                dirty.sources = true;
            }
            Event::ClassifiersChanged => dirty.bridges_stale = true,
            Event::Classifiers(classifiers) => {
                dirty.bridging |= self.classifiers != classifiers;
                self.classifiers = classifiers;
            }
            Event::Netconf(netconf) => dirty.underlay |= self.routing.set_netconf(netconf),
            Event::NetconfGone { v6, ifindex } => {
                dirty.underlay |= self.routing.remove_netconf(v6, ifindex);
            }
            Event::IpsecPolicy(policy) => dirty.underlay |= self.ipsec.set(policy),
            Event::IpsecPolicyGone { index } => dirty.underlay |= self.ipsec.remove(index),
            Event::IpsecPoliciesGone { sub } => dirty.underlay |= self.ipsec.flush(sub),
            Event::IpsecDefaults(defaults) => dirty.underlay |= self.ipsec.set_defaults(defaults),
            Event::Chain(chain) => dirty.chains |= self.nftables.add(chain),
            Event::DormantTable { family, name } => {
                dirty.chains |= self.nftables.add_dormant(family, name);
            }
            Event::NetfilterChanged => dirty.netfilter_stale = true,
        }
    }

    /// Takes a dump of [`Scope::Routing`](crate::observe::Scope::Routing), so that nothing stale stays of
    /// what it covers.
    pub fn replace_routing(&mut self, events: Vec<Event>) -> Dirty {
        // Most of it is what it was, so that the difference is worth looking for.
        let before = self.routing.take_objects();
        for event in events {
            self.apply(event);
        }
        let mut dirty = Dirty { underlay: true, ..Dirty::default() };
        for (table, prefix, change) in before.routes.differences(&self.routing.routes) {
            self.route_changed(table, prefix, change, &mut dirty);
        }
        self.routing.compare_objects(&before, &mut dirty);
        self.forget_lost_segments(&mut dirty);
        dirty
    }

    /// Takes a dump of [`Scope::Netfilter`](crate::observe::Scope::Netfilter).
    pub fn replace_netfilter(&mut self, events: Vec<Event>) -> Dirty {
        let before = std::mem::take(&mut self.nftables);
        for event in events {
            self.apply(event);
        }
        Dirty { chains: self.nftables != before, ..Dirty::default() }
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
    pub fn bridge_mac(&self, key: FdbKey) -> Option<&Station> {
        self.macs.get(&key)
    }

    /// All bridges' entries.
    pub fn bridge_macs(&self) -> impl Iterator<Item = (FdbKey, &Station)> {
        self.macs.iter().map(|(key, entry)| (*key, entry))
    }

    /// A vxlan device's entry for one station of the VNI, which is 0 for a device of one VNI.
    #[must_use]
    pub fn tunnel_mac(&self, vxlan: u32, source_vni: u32, mac: Mac) -> Option<&TunnelTarget> {
        let key = TunnelKey { vxlan, source_vni, mac };
        self.tunnel_macs.get(&key).map(|number| self.targets.get(*number))
    }

    /// VLANs of a bridge port, or of a bridge itself.
    pub(super) fn vlans(&self, ifindex: u32) -> &[PortVlan] {
        self.port_vlans.get(&ifindex).map_or(&[], Vec::as_slice)
    }

    /// MAC addresses that an interface listens to beside its own.
    pub(super) fn own_macs(&self, ifindex: u32) -> impl Iterator<Item = Mac> {
        self.own_macs.get(&ifindex).into_iter().flatten().copied()
    }

    /// Whether a bridge port that forwards does so in a VLAN.
    pub(super) fn vlan_forwards(&self, ifindex: u32, vlan: u16) -> bool {
        self.blocked_vlans.get(&ifindex).is_none_or(|blocked| !blocked.contains(&vlan))
    }

    /// Whether ARP and neighbour discovery are suppressed at a bridge port in a VLAN, which is 0 in a plain
    /// bridge (`br_is_neigh_suppress_enabled`).
    pub(super) fn suppresses(&self, link: &Link, vlan: u16) -> bool {
        let port = link.port.unwrap_or_default();
        match vlan != 0 && port.neigh_vlan_suppress {
            true => {
                self.suppressed_vlans.get(&link.ifindex).is_some_and(|vlans| vlans.contains(&vlan))
            }
            false => port.neigh_suppress,
        }
    }

    /// Which of an interface's packets `tc` classifies.
    pub(super) fn classifiers(&self, ifindex: u32) -> Classifiers {
        self.classifiers.get(&ifindex).copied().unwrap_or_default()
    }

    /// An IP neighbour.
    #[must_use]
    pub fn neighbour(&self, key: NexthopKey) -> Option<&Neighbour> {
        self.routing.neighbours.get(&key)
    }

    /// A nexthop object.
    #[must_use]
    pub fn nexthop(&self, id: u32) -> Option<&Nexthop> {
        self.routing.nexthops.get(&id)
    }

    /// Number of prefixes in all routing tables.
    #[must_use]
    pub fn prefix_count(&self) -> usize {
        self.routing.routes.len()
    }

    /// IPsec policies.
    pub(super) fn ipsec(&self) -> &Ipsec {
        &self.ipsec
    }

    /// Chains of nftables.
    pub(super) fn nftables(&self) -> &Nftables {
        &self.nftables
    }

    /// What XDP programs may do with an interface, where it is known.
    pub(super) fn features(&self, ifindex: u32) -> Option<&XdpFeatures> {
        self.features.get(&ifindex)
    }

    /// Whether the other end of a veth takes what XDP programs send, where it is known.
    pub(super) fn veth_peer(&self, ifindex: u32) -> Option<bool> {
        self.veth_peers.get(&ifindex).copied()
    }

    /// Whether the other end of each veth takes what XDP programs send, where it is known.
    #[must_use]
    pub const fn veth_peers(&self) -> &BTreeMap<u32, bool> {
        &self.veth_peers
    }

    /// What routing is made of.
    pub(super) fn routing(&self) -> &Routing {
        &self.routing
    }

    fn add_route(&mut self, route: &Route, position: Position, dirty: &mut Dirty) {
        let change = self.routing.routes.insert(route, position);
        self.route_changed(route.key.table, route.key.prefix, change, dirty);
    }

    fn route_changed(&self, table: u32, prefix: Prefix, change: Change, dirty: &mut Dirty) {
        let Some(prefix) = routes::normal(prefix) else {
            return;
        };
        // Of addresses of link-local scope, which are no matter of routing, nothing else tells.
        if !change.routes && prefix == routes::host(prefix.address) {
            dirty.answers.extend(self.routing.hosts(prefix));
        }
        dirty.underlay |= change.uses || change.own;
        // Of a route's source address the model knows nothing, and so not whether it has changed.
        dirty.sources |= self.has_sources_to_ask() && self.leads_tunnel(table, prefix);
        if change.routes {
            dirty.underlay |= self.leads_tunnel(table, prefix);
            // Without its own address a tunnel is the kernel's, and with it every MAC behind it.
            dirty.bridging |= prefix == routes::host(prefix.address)
                && self.locals.contains_key(&prefix.address)
                && (table == LOCAL || self.is_vrf(table));
            dirty.routes.insert((table, prefix));
            if change.shadow {
                dirty.shadows.insert((table, prefix));
            }
        }
    }

    /// Whether the kernel has to be asked from which addresses it sends to VTEPs.
    pub(crate) fn has_sources_to_ask(&self) -> bool {
        self.sourceless > 0 || self.routing.chooses_tunnel(..)
    }

    /// Whether a prefix of a table covers a known VTEP, or the local end of a tunnel.
    fn leads_tunnel(&self, table: u32, prefix: Prefix) -> bool {
        let range = prefix.address..=routes::last(prefix);
        let mut ends = [&self.vteps, &self.locals, self.routing.fdb_vteps()].into_iter();
        (ends.any(|ends| ends.range(range.clone()).next().is_some())
            || self.routing.chooses_tunnel(range.clone()))
            && self.routing.looks_into(prefix.address.is_ipv6(), table, || self.is_vrf(table))
    }

    /// Whether it is the table of a VRF.
    fn is_vrf(&self, table: u32) -> bool {
        self.links().any(|link| link.kind == LinkKind::Vrf { table })
    }

    fn set_link(&mut self, link: Link, dirty: &mut Dirty) {
        let ifindex = link.ifindex;
        // A bridge has VLANs of its own.
        if link.port.is_none() && !matches!(link.kind, LinkKind::Bridge(_)) {
            self.forget_port(ifindex);
        }
        // What happens on top of a bridge makes it promiscuous or not, without a message of that.
        dirty.bridges_stale |=
            matches!(link.kind, LinkKind::Bridge(_)) || link.listens_on_its_lower();
        if matches!(&link.kind, LinkKind::Bridge(bridge) if bridge.promiscuity == 0) {
            // With any such address it would be promiscuous.
            dirty.bridging |= self.own_macs.remove(&ifindex).is_some();
        }
        if self.links.get(&ifindex) != Some(&link) {
            let alive = link.alive();
            if let Some(local) = local_end(&link) {
                *self.locals.entry(local).or_default() += 1;
            }
            self.sourceless += usize::from(is_sourceless(&link));
            let name = link.name.clone();
            let below = self.before_moves(&link);
            let old = self.links.insert(ifindex, link);
            self.after_moves(below, ifindex);
            // A chain goes with its interface, and so does its name, without a message.
            dirty.netfilter_stale |=
                self.nftables.is_at_interfaces() && old.as_ref().is_none_or(|old| old.name != name);
            if let Some(local) = old.as_ref().and_then(local_end) {
                release(&mut self.locals, local);
            }
            self.sourceless -= usize::from(old.as_ref().is_some_and(is_sourceless));
            let before = old.map(|old| old.alive());
            let was_alive = before == Some(true);
            // One that is new here was read together with its routes.
            if alive && before == Some(false) {
                self.routing.revived.insert(ifindex);
            }
            dirty.bridging = true;
            // The kernel removes nexthop objects of a dead link, and routes of one that is
            // administratively down, without a message (`nexthop_flush_dev`, `fib_sync_down_dev`).
            // They stay here until a dump says which: nothing is sent to a dead link anyway.
            // And what it did not remove it takes into use again without one.
            dirty.routing_stale |= was_alive != alive;
        }
    }

    fn remove_link(&mut self, ifindex: u32, dirty: &mut Dirty) {
        let Some(link) = self.links.remove(&ifindex) else {
            return;
        };
        if let Some(local) = local_end(&link) {
            release(&mut self.locals, local);
        }
        self.sourceless -= usize::from(is_sourceless(&link));
        // Interface indexes are used again: nothing of the old interface may stay.
        self.forget_port(ifindex);
        self.own_macs.remove(&ifindex);
        self.routing.forget_link(ifindex);
        self.classifiers.remove(&ifindex);
        self.veth_peers.remove(&ifindex);
        self.strayed.remove(&ifindex);
        match link.kind {
            LinkKind::Bridge(_) => self.macs.retain(|key, _| key.domain.bridge != ifindex),
            LinkKind::Vxlan(_) => {
                self.tunnel_macs.retain(|key, _| key.vxlan != ifindex);
                self.vni_filters.remove(&ifindex);
                self.segments.remove(&ifindex);
                self.floods.retain(|(vxlan, _), _| *vxlan != ifindex);
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
        dirty.netfilter_stale |= self.nftables.is_at_interfaces();
    }

    fn set_bridge_port(&mut self, port: BridgePort, dirty: &mut Dirty) {
        self.set_vlans(port.ifindex, port.vlans, dirty);
        let Some(link) = self.links.get_mut(&port.ifindex) else {
            return;
        };
        let by_vlan = |options: crate::observe::PortOptions| options.neigh_vlan_suppress;
        dirty.bridges_stale |= by_vlan(port.options) && !link.port.is_some_and(by_vlan);
        if link.port != Some(port.options) || link.master != Some(port.bridge) {
            link.port = Some(port.options);
            link.master = Some(port.bridge);
            dirty.bridging = true;
        }
    }

    fn set_vlans(&mut self, ifindex: u32, vlans: Vec<PortVlan>, dirty: &mut Dirty) {
        if self.vlans(ifindex) != vlans {
            self.set_tunnel_vlans(ifindex, &vlans, dirty);
            self.port_vlans.insert(ifindex, vlans);
            dirty.bridging = true;
        }
    }

    fn forget_port(&mut self, ifindex: u32) {
        if self.port_vlans.remove(&ifindex).is_some() {
            self.forget_tunnel_vlans(ifindex);
        }
        self.blocked_vlans.remove(&ifindex);
        self.suppressed_vlans.remove(&ifindex);
    }

    fn set_vlan_states(&mut self, states: &VlanStates, dirty: &mut Dirty) {
        dirty.bridges_stale |= states.instances_changed;
        for range in &states.ranges {
            self.set_suppressed(states.ifindex, *range, dirty);
            if range.state == PortState::Forwarding
                && !self.blocked_vlans.contains_key(&states.ifindex)
            {
                continue;
            }
            let blocked = self.blocked_vlans.entry(states.ifindex).or_default();
            for vlan in range.first..=range.last {
                dirty.bridging |= match range.state {
                    PortState::Forwarding => blocked.remove(&vlan),
                    _ => blocked.insert(vlan),
                };
            }
            if blocked.is_empty() {
                self.blocked_vlans.remove(&states.ifindex);
            }
        }
    }

    /// A range has what its first VLAN says, by which the kernel does not tell others apart
    /// (`br_vlan_opts_eq_range`): of those it is asked when it matters.
    fn set_suppressed(&mut self, ifindex: u32, range: VlanRange, dirty: &mut Dirty) {
        let known = self.suppressed_vlans.get(&ifindex);
        let differs =
            |vlan| known.is_some_and(|vlans| vlans.contains(&vlan)) != range.neigh_suppress;
        let options = self.links.get(&ifindex).and_then(|link| link.port);
        if options.is_some_and(|options| options.neigh_vlan_suppress) {
            dirty.bridges_stale |= (range.first..=range.last).skip(1).any(differs);
        }
        if differs(range.first) {
            dirty.bridging = true;
            let vlans = self.suppressed_vlans.entry(ifindex).or_default();
            match range.neigh_suppress {
                true => vlans.insert(range.first),
                false => vlans.remove(&range.first),
            };
        }
    }

    fn remove_bridge_port(&mut self, ifindex: u32, dirty: &mut Dirty) {
        self.forget_port(ifindex);
        if let Some(link) = self.links.get_mut(&ifindex)
            && link.port.take().is_some()
        {
            link.master = None;
        }
        dirty.bridging = true;
    }
}

/// The local address of a vxlan device.
const fn local_end(link: &Link) -> Option<IpAddr> {
    match &link.kind {
        LinkKind::Vxlan(vxlan) => vxlan.local,
        _ => None,
    }
}

/// Whether it is a vxlan device without a local address.
const fn is_sourceless(link: &Link) -> bool {
    matches!(&link.kind, LinkKind::Vxlan(vxlan) if vxlan.local.is_none())
}
