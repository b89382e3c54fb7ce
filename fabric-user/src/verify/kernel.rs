//! The kernel's tables by what FRR names things by: VNIs, VRFs, interfaces.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    hashed::{HashMap, HashSet},
    observe::{
        BridgeMac, Event, Link, LinkKind, Mac, Neighbour, Nexthop, NexthopKind, PortVlan, Prefix,
        Route, RouteKind, TunnelTarget, Vxlan,
    },
};

/// Routing table of what is in no VRF (`RT_TABLE_MAIN`).
const MAIN: u32 = 254;

/// What facts have of the kernel.
#[derive(Debug, Default)]
pub(crate) struct Kernel<'a> {
    links: BTreeMap<u32, &'a Link>,
    names: HashMap<&'a str, &'a Link>,
    /// Addresses of this box, in whatever VRF.
    own: HashSet<IpAddr>,
    /// The entries of each bridge and VLAN.
    stations: HashMap<(u32, u16), Vec<&'a BridgeMac>>,
    port_vlans: BTreeMap<u32, &'a [PortVlan]>,
    /// VLANs of a port of which it is said that ARP is suppressed there, where that is said for each.
    suppressed: HashSet<(u32, u16)>,
    bridge_macs: HashMap<(u32, u16, Mac), &'a BridgeMac>,
    /// By vxlan device and, of one in external mode, VNI.
    tunnel_macs: HashMap<(u32, Option<u32>, Mac), &'a TunnelTarget>,
    floods: HashMap<(u32, Option<u32>), BTreeSet<IpAddr>>,
    /// All VTEPs that a vxlan device has entries for.
    remotes: HashMap<u32, BTreeSet<IpAddr>>,
    neighbours: HashMap<(u32, IpAddr), &'a Neighbour>,
    /// The same by interface.
    at: HashMap<u32, Vec<&'a Neighbour>>,
    routes: HashMap<(u32, Prefix), Vec<&'a Route>>,
    nexthops: BTreeMap<u32, &'a Nexthop>,
    /// By VNI.
    pub(crate) tunnels: BTreeMap<u32, Tunnel<'a>>,
}

/// What carries a VNI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tunnel<'a> {
    /// The vxlan device.
    pub(crate) vxlan: &'a Link,
    /// The VNI, of a device in external mode.
    pub(crate) source_vni: Option<u32>,
    /// The bridge that it is a port of.
    pub(crate) bridge: Option<&'a Link>,
    /// The VLAN there, 0 in a bridge without VLANs.
    pub(crate) vlan: u16,
    /// By which the bridge is routed: itself, or a VLAN device on it.
    pub(crate) svi: Option<&'a Link>,
}

/// Where the kernel has a MAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At a port of the bridge.
    Port(String),
    Vtep(IpAddr),
    Segment(u32),
    /// At the vxlan device, which knows no VTEP.
    NoVtep,
}

/// Where the kernel routes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hop {
    /// To a router or, without one, whoever is there, by an interface.
    To(Option<IpAddr>, String),
    Discards,
}

impl<'a> Kernel<'a> {
    pub(crate) fn of(events: &'a [Event]) -> Self {
        let mut this = Self::default();
        for event in events {
            this.add(event);
        }
        let found: Vec<(u32, Tunnel<'a>)> =
            this.links.values().flat_map(|link| this.tunnels_of(link)).collect();
        this.tunnels.extend(found);
        this
    }

    fn add(&mut self, event: &'a Event) {
        match event {
            Event::Link(link) => {
                self.links.insert(link.ifindex, link);
                self.names.insert(&link.name, link);
            }
            Event::BridgePort(port) => drop(self.port_vlans.insert(port.ifindex, &port.vlans)),
            Event::VlanStates(states) => {
                let suppressed = states.ranges.iter().filter(|range| range.neigh_suppress);
                let vlans = suppressed.flat_map(|range| range.first..=range.last);
                self.suppressed.extend(vlans.map(|vlan| (states.ifindex, vlan)));
            }
            Event::BridgeMac(entry) => {
                self.bridge_macs.insert((entry.bridge, entry.vlan, entry.mac), entry);
                self.stations.entry((entry.bridge, entry.vlan)).or_default().push(entry);
            }
            Event::TunnelMac(entry) => {
                // A multicast group is what the underlay copies for, and no VTEP.
                let vtep = match entry.target {
                    TunnelTarget::Vtep { address, .. } => Some(address),
                    TunnelTarget::NexthopGroup(_) => None,
                };
                let vtep = vtep.filter(|address| !address.is_multicast());
                self.remotes.entry(entry.vxlan).or_default().extend(vtep);
                if entry.mac.is_zero() {
                    self.floods.entry((entry.vxlan, entry.source_vni)).or_default().extend(vtep);
                } else {
                    let key = (entry.vxlan, entry.source_vni, entry.mac);
                    self.tunnel_macs.insert(key, &entry.target);
                }
            }
            Event::Neighbour(neighbour) => {
                self.neighbours.insert((neighbour.ifindex, neighbour.address), neighbour);
                self.at.entry(neighbour.ifindex).or_default().push(neighbour);
            }
            Event::Route(route) | Event::RouteAppended(route) | Event::RoutePrepended(route) => {
                let key = (route.key.table, route.key.prefix);
                if route.kind == RouteKind::Local && route.key.prefix.is_host() {
                    self.own.insert(route.key.prefix.address);
                }
                self.routes.entry(key).or_default().push(route);
            }
            Event::Nexthop(nexthop) => drop(self.nexthops.insert(nexthop.id, nexthop)),
            _ => {}
        }
    }

    fn tunnels_of(&self, link: &'a Link) -> Vec<(u32, Tunnel<'a>)> {
        let LinkKind::Vxlan(vxlan) = &link.kind else { return Vec::new() };
        let bridge = link.master.and_then(|master| self.links.get(&master)).copied();
        let aware = bridge.is_some_and(is_vlan_aware);
        let tunnel = |source_vni, vlan| {
            let svi = bridge.and_then(|bridge| self.svi(bridge, vlan));
            Tunnel { vxlan: link, source_vni, bridge, vlan, svi }
        };
        let vlans = self.port_vlans.get(&link.ifindex).copied().unwrap_or_default();
        if vxlan.external {
            let mapped = vlans.iter().filter_map(|vlan| Some((vlan.tunnel?, vlan.id)));
            return mapped.map(|(vni, vlan)| (vni, tunnel(Some(vni), vlan))).collect();
        }
        let vlan = vlans.iter().find(|vlan| vlan.pvid && aware).map_or(0, |vlan| vlan.id);
        vec![(vxlan.vni, tunnel(None, vlan))]
    }

    /// The interface by which a network of a bridge is routed.
    fn svi(&self, bridge: &'a Link, vlan: u16) -> Option<&'a Link> {
        if vlan == 0 {
            return Some(bridge);
        }
        self.links.values().copied().find(|link| {
            link.lower == Some(bridge.ifindex)
                && matches!(&link.kind, LinkKind::Vlan(device) if device.id == vlan)
        })
    }

    /// An interface by its name.
    pub(crate) fn named(&self, name: &str) -> Option<&'a Link> {
        self.names.get(name).copied()
    }

    /// The VRF that an interface is in; none outside VRFs.
    pub(crate) fn vrf_of(&self, link: &Link) -> Option<&'a Link> {
        let master = self.links.get(&link.master?).copied()?;
        matches!(master.kind, LinkKind::Vrf { .. }).then_some(master)
    }

    /// The other end of a veth, if it is in this namespace.
    pub(super) fn peer(&self, link: &Link) -> Option<&'a Link> {
        let peer = link.lower.filter(|_| link.is_veth() && !link.lower_elsewhere)?;
        self.links.get(&peer).copied()
    }

    /// Whether a network's tunnel suppresses ARP and neighbour discovery (`br_is_neigh_suppress_enabled`).
    pub(super) fn suppresses(&self, tunnel: &Tunnel<'_>) -> bool {
        let port = tunnel.vxlan.port.unwrap_or_default();
        match tunnel.vlan != 0 && port.neigh_vlan_suppress {
            true => self.suppressed.contains(&(tunnel.vxlan.ifindex, tunnel.vlan)),
            false => port.neigh_suppress,
        }
    }

    /// Where a network has a MAC.
    pub(crate) fn place(&self, tunnel: &Tunnel<'_>, mac: Mac) -> Option<Place> {
        let bridge = tunnel.bridge?.ifindex;
        let entry = self.bridge_macs.get(&(bridge, tunnel.vlan, mac))?;
        if entry.port != tunnel.vxlan.ifindex {
            return Some(Place::Port(self.name(entry.port)));
        }
        let target = self.tunnel_macs.get(&(tunnel.vxlan.ifindex, tunnel.source_vni, mac));
        Some(match target {
            Some(TunnelTarget::Vtep { address, .. }) => Place::Vtep(*address),
            Some(TunnelTarget::NexthopGroup(group)) => Place::Segment(*group),
            None => Place::NoVtep,
        })
    }

    /// The entries of a network's bridge.
    pub(crate) fn macs(&self, tunnel: &Tunnel<'_>) -> impl Iterator<Item = &'a BridgeMac> {
        let key = tunnel.bridge.map(|bridge| (bridge.ifindex, tunnel.vlan));
        let stations = key.and_then(|key| self.stations.get(&key));
        stations.into_iter().flatten().copied()
    }

    /// The VTEP that a vxlan device alone has for a MAC.
    pub(crate) fn router(&self, tunnel: &Tunnel<'_>, mac: Mac) -> Option<IpAddr> {
        match self.tunnel_macs.get(&(tunnel.vxlan.ifindex, tunnel.source_vni, mac))? {
            TunnelTarget::Vtep { address, .. } => Some(*address),
            TunnelTarget::NexthopGroup(_) => None,
        }
    }

    /// The VTEPs that a network floods to.
    pub(crate) fn flood(&self, tunnel: &Tunnel<'_>) -> BTreeSet<IpAddr> {
        self.floods.get(&(tunnel.vxlan.ifindex, tunnel.source_vni)).cloned().unwrap_or_default()
    }

    /// The VTEPs that a vxlan device may send to.
    pub(super) fn remotes(&self, vxlan: &Link) -> impl Iterator<Item = IpAddr> {
        self.remotes.get(&vxlan.ifindex).into_iter().flatten().copied()
    }

    /// Whether frames of some VLAN keep their tag in a tunnel.
    pub(super) fn keeps_tags(&self, tunnel: &Tunnel<'_>) -> bool {
        let vlans = self.port_vlans.get(&tunnel.vxlan.ifindex).copied().unwrap_or_default();
        tunnel.bridge.is_some_and(is_vlan_aware)
            && vlans.iter().any(|vlan| !vlan.untagged && vlan.tunnel.is_none())
    }

    /// The routing table by which a vxlan device finds its VTEPs.
    pub(super) fn underlay(&self, vxlan: &Vxlan) -> u32 {
        let device = vxlan.bound_to.and_then(|bound| self.links.get(&bound)).copied();
        let vrf = |device| match &self.vrf_of(device).unwrap_or(device).kind {
            LinkKind::Vrf { table } => Some(*table),
            _ => None,
        };
        device.and_then(vrf).unwrap_or(MAIN)
    }

    /// Where a table leads to with packets for an address; nowhere without a route.
    pub(super) fn way(&self, table: u32, address: IpAddr) -> BTreeSet<Hop> {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let mut around = (0..=longest).rev().map(|length| around(address, length));
        around.find_map(|prefix| self.route(table, prefix)).unwrap_or_default()
    }

    /// The MAC of a neighbour; none if there is no such neighbour, or the kernel would not send to it.
    pub(crate) fn neighbour(&self, interface: &Link, address: IpAddr) -> Option<Mac> {
        self.neighbours.get(&(interface.ifindex, address))?.mac
    }

    /// The MAC addresses of the neighbours at an interface.
    pub(super) fn neighbours(&self, ifindex: u32) -> impl Iterator<Item = Mac> {
        let here = self.at.get(&ifindex).into_iter().flatten();
        here.filter_map(|neighbour| neighbour.mac)
    }

    /// The routing table of a VRF by its name, of the default one without.
    pub(crate) fn table(&self, vrf: Option<&str>) -> Option<u32> {
        let Some(name) = vrf.filter(|name| *name != "default") else { return Some(MAIN) };
        match self.named(name)?.kind {
            LinkKind::Vrf { table } => Some(table),
            _ => None,
        }
    }

    /// All routes of all tables.
    pub(super) fn routes(&self) -> impl Iterator<Item = &'a Route> {
        self.routes.values().flatten().copied()
    }

    /// Where the routes of lowest metric lead that a table has for a prefix; none if there is none.
    pub(crate) fn route(&self, table: u32, prefix: Prefix) -> Option<BTreeSet<Hop>> {
        let routes = self.routes.get(&(table, prefix))?;
        let lowest = routes.iter().map(|route| route.key.priority).min()?;
        let best = routes.iter().filter(|route| route.key.priority == lowest);
        Some(best.flat_map(|route| self.hops(route)).collect())
    }

    /// The prefixes that a table has routes for.
    pub(crate) fn prefixes(&self, table: u32) -> impl Iterator<Item = Prefix> {
        self.routes.keys().filter(move |(of, _)| *of == table).map(|(_, prefix)| *prefix)
    }

    fn hops(&self, route: &Route) -> BTreeSet<Hop> {
        if route.kind != RouteKind::Unicast {
            return [Hop::Discards].into();
        }
        if let Some(id) = route.nexthop {
            return self.object(id);
        }
        route.hops.iter().map(|hop| Hop::To(hop.gateway, self.name(hop.ifindex))).collect()
    }

    /// Members of groups are no groups (`nh_check_attr_group` of `net/ipv4/nexthop.c`).
    fn object(&self, id: u32) -> BTreeSet<Hop> {
        let kind = |id: u32| self.nexthops.get(&id).map(|nexthop| &nexthop.kind);
        let single = |kind: Option<&NexthopKind>| match kind {
            Some(NexthopKind::Single { ifindex, gateway, .. }) => {
                Some(Hop::To(*gateway, self.name(*ifindex)))
            }
            Some(NexthopKind::Blackhole) => Some(Hop::Discards),
            _ => None,
        };
        match kind(id) {
            Some(NexthopKind::Group { members, .. }) => {
                members.iter().filter_map(|member| single(kind(member.id))).collect()
            }
            other => single(other).into_iter().collect(),
        }
    }

    /// Whether an address is one of this box, in any VRF.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.own.contains(&address)
    }

    pub(crate) fn name(&self, ifindex: u32) -> String {
        self.links.get(&ifindex).map_or_else(|| format!("if{ifindex}"), |link| link.name.clone())
    }
}

fn is_vlan_aware(bridge: &Link) -> bool {
    matches!(&bridge.kind, LinkKind::Bridge(bridge) if bridge.vlan_filtering)
}

/// The prefix of so many bits that an address is in.
fn around(address: IpAddr, length: u8) -> Prefix {
    let address = match address {
        IpAddr::V4(address) => {
            let rest = u32::MAX.checked_shr(length.into()).unwrap_or_default();
            IpAddr::V4((u32::from(address) & !rest).into())
        }
        IpAddr::V6(address) => {
            let rest = u128::MAX.checked_shr(length.into()).unwrap_or_default();
            IpAddr::V6((u128::from(address) & !rest).into())
        }
    };
    Prefix { address, length }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Port(port) => write!(f, "port {port}"),
            Self::Vtep(vtep) => write!(f, "VTEP {vtep}"),
            Self::Segment(group) => write!(f, "Ethernet segment (nexthop group {group})"),
            Self::NoVtep => f.write_str("the vxlan device, without a VTEP"),
        }
    }
}

impl std::fmt::Display for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::To(Some(gateway), interface) => write!(f, "{interface} {gateway}"),
            Self::To(None, interface) => write!(f, "{interface}"),
            Self::Discards => f.write_str("dropped"),
        }
    }
}
