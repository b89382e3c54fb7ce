//! One box's networks, out of the kernel's tables and FRR's.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{Leaf, Network, Routes, Tenant};
use crate::{
    audit::{
        model::Vrf,
        networks::{contains, is_local, normal, width},
    },
    facts::Facts,
    frr::facts::{Frr, VniKind},
    hashed::HashMap,
    observe::{Event, Link, LinkKind, Neighbour, PortVlan, Prefix, Route, RouteKind},
};

/// Routing tables of what is in no VRF (`RT_TABLE_MAIN`, `RT_TABLE_LOCAL`).
const MAIN: u32 = 254;
const LOCAL: u32 = 255;
/// `RTPROT_KERNEL`: the route of an address.
const KERNEL: u8 = 2;

/// What a box forwards.
pub(super) fn leaf(name: String, facts: &Facts) -> Leaf {
    let tables = Tables::of(&facts.network);
    let none = Frr::default();
    let frr = facts.frr.as_ref().unwrap_or(&none);
    let networks = tables.networks(frr);
    let is_asked = facts.frr.as_ref().is_some_and(|frr| !frr.missing.contains_key("zebra"));
    let tenant = |link: &&Link| Tenant {
        device: link.name.clone(),
        l3vni: frr.vrfs.get(&link.name).map(|entry| entry.l3vni).filter(|vni| *vni != 0),
        is_asked,
    };
    let vrfs = tables.links.values().filter(|link| matches!(link.kind, LinkKind::Vrf { .. }));
    Leaf {
        name,
        site: None,
        vrfs: vrfs.map(|link| (Vrf::named(&link.name), tenant(link))).collect(),
        networks,
        own: tables.own.iter().map(|((_, address), vrf)| (vrf.clone(), *address)).collect(),
        routes: tables.routes.into_iter().map(|(vrf, routes)| (vrf, Routes::of(routes))).collect(),
    }
}

/// The kernel's tables, as far as an audit asks for them.
#[derive(Default)]
struct Tables<'a> {
    links: BTreeMap<u32, &'a Link>,
    /// Links by what they are members of.
    members: HashMap<u32, Vec<&'a Link>>,
    /// Links by the one beneath.
    uppers: HashMap<u32, Vec<&'a Link>>,
    /// VLANs of bridge ports, and of bridges themselves.
    vlans: BTreeMap<u32, &'a [PortVlan]>,
    neighbours: HashMap<u32, Vec<&'a Neighbour>>,
    /// The box's own addresses, by interface.
    own: BTreeMap<(u32, IpAddr), Vrf>,
    /// Networks that interfaces are connected to.
    connected: BTreeMap<u32, Vec<Prefix>>,
    routes: BTreeMap<Vrf, Vec<(Prefix, bool)>>,
}

impl<'a> Tables<'a> {
    fn of(events: &'a [Event]) -> Self {
        let mut this = Self::default();
        for event in events {
            match event {
                Event::Link(link) => drop(this.links.insert(link.ifindex, link)),
                Event::BridgePort(port) => drop(this.vlans.insert(port.ifindex, &port.vlans)),
                Event::BridgeVlans { ifindex, vlans } => drop(this.vlans.insert(*ifindex, vlans)),
                Event::Neighbour(neighbour) => {
                    this.neighbours.entry(neighbour.ifindex).or_default().push(neighbour);
                }
                _ => {}
            }
        }
        for link in this.links.values().copied() {
            if let Some(master) = link.master {
                this.members.entry(master).or_default().push(link);
            }
            if let Some(lower) = link.lower.filter(|_| !link.lower_elsewhere) {
                this.uppers.entry(lower).or_default().push(link);
            }
        }
        // Which VRF a table is of, links say.
        let vrfs = this.links.values().filter_map(|link| match link.kind {
            LinkKind::Vrf { table } => Some((table, Vrf::named(&link.name))),
            _ => None,
        });
        let mut vrfs: BTreeMap<u32, Vrf> = vrfs.collect();
        vrfs.extend([(MAIN, Vrf::DEFAULT), (LOCAL, Vrf::DEFAULT)]);
        for event in events {
            if let Event::Route(route) | Event::RouteAppended(route) | Event::RoutePrepended(route) =
                event
                && let Some(vrf) = vrfs.get(&route.key.table)
            {
                this.add_route(route, vrf);
            }
        }
        this
    }

    fn add_route(&mut self, route: &Route, vrf: &Vrf) {
        let prefix = route.key.prefix;
        match route.kind {
            RouteKind::Local if prefix.is_host() && !is_local(prefix.address) => {
                for hop in &route.hops {
                    self.own.insert((hop.ifindex, prefix.address), vrf.clone());
                }
            }
            RouteKind::Unicast => {
                let is_connected = route.protocol == KERNEL
                    && route.nexthop.is_none()
                    && route.hops.iter().all(|hop| hop.gateway.is_none() && hop.encap.is_none());
                if is_connected {
                    for hop in &route.hops {
                        self.connected.entry(hop.ifindex).or_default().push(normal(prefix));
                    }
                }
                self.routes.entry(vrf.clone()).or_default().push((normal(prefix), is_connected));
            }
            _ => {}
        }
    }

    fn vlans(&self, ifindex: u32) -> &'a [PortVlan] {
        self.vlans.get(&ifindex).copied().unwrap_or_default()
    }

    fn members(&self, bridge: &Link) -> &[&'a Link] {
        self.members.get(&bridge.ifindex).map_or(&[], Vec::as_slice)
    }

    /// Interfaces on another one.
    fn upon(&self, lower: u32) -> &[&'a Link] {
        self.uppers.get(&lower).map_or(&[], Vec::as_slice)
    }

    fn networks(&self, frr: &Frr) -> Vec<Network> {
        let hosts = hosts_of_frr(frr);
        let mut networks = Vec::new();
        for link in self.links.values() {
            let LinkKind::Bridge(bridge) = &link.kind else { continue };
            let found = match bridge.vlan_filtering {
                true => self.vlan_aware(link),
                false => vec![self.plain(link)],
            };
            networks.extend(found.into_iter().map(|seen| self.network(seen, frr, &hosts)));
        }
        networks
    }

    /// A bridge without VLANs of its own.
    fn plain(&self, bridge: &'a Link) -> Seen<'a> {
        let (mut vids, mut vni) = (BTreeSet::new(), None);
        for member in self.members(bridge) {
            match &member.kind {
                LinkKind::Vlan(vlan) => drop(vids.insert(vlan.id)),
                LinkKind::Vxlan(vxlan) if !vxlan.external => vni = Some(vxlan.vni),
                _ => {}
            }
        }
        Seen { name: bridge.name.clone(), vids, vni, interfaces: self.with_macvlans(bridge) }
    }

    /// The VLANs of a VLAN-aware bridge that have a tunnel or an interface. Which others ports let in says nothing:
    /// often that is all.
    fn vlan_aware(&self, bridge: &'a Link) -> Vec<Seen<'a>> {
        let mut vnis: BTreeMap<u16, u32> = BTreeMap::new();
        for member in self.members(bridge) {
            let LinkKind::Vxlan(vxlan) = &member.kind else { continue };
            let vlans = self.vlans(member.ifindex);
            if vxlan.external {
                vnis.extend(vlans.iter().filter_map(|vlan| Some((vlan.id, vlan.tunnel?))));
            } else if let Some(vlan) = vlans.iter().find(|vlan| vlan.pvid) {
                vnis.insert(vlan.id, vxlan.vni);
            } else {
                // All of them with their tags inside.
                vnis.extend(vlans.iter().map(|vlan| (vlan.id, vxlan.vni)));
            }
        }
        let mut interfaces: BTreeMap<u16, Vec<&Link>> = BTreeMap::new();
        for upper in self.upon(bridge.ifindex).iter().copied() {
            if let LinkKind::Vlan(vlan) = &upper.kind {
                interfaces.entry(vlan.id).or_default().extend(self.with_macvlans(upper));
            }
        }
        // Frames without a tag for the bridge itself are of its own untagged VLAN.
        if let Some(own) = self.vlans(bridge.ifindex).iter().find(|vlan| vlan.pvid && vlan.untagged)
            && self
                .own
                .range((bridge.ifindex, least())..)
                .next()
                .is_some_and(|((at, _), _)| *at == bridge.ifindex)
        {
            interfaces.entry(own.id).or_default().extend(self.with_macvlans(bridge));
        }
        let vids: BTreeSet<u16> = vnis.keys().chain(interfaces.keys()).copied().collect();
        let seen = |vid: u16| Seen {
            name: format!("{}.{vid}", bridge.name),
            vids: [vid].into(),
            vni: vnis.get(&vid).copied(),
            interfaces: interfaces.remove(&vid).unwrap_or_default(),
        };
        vids.into_iter().map(seen).collect()
    }

    /// An interface of a network, and those with other MAC addresses on it, as virtual routers have them.
    fn with_macvlans(&self, link: &'a Link) -> Vec<&'a Link> {
        let is_macvlan =
            |link: &&Link| matches!(&link.kind, LinkKind::Other(kind) if kind == "macvlan");
        [link]
            .into_iter()
            .chain(self.upon(link.ifindex).iter().copied().filter(is_macvlan))
            .collect()
    }

    fn network(&self, seen: Seen<'_>, frr: &Frr, of_frr: &HostsByVni) -> Network {
        let Seen { name, vids, vni, interfaces } = seen;
        let of_zebra = vni.and_then(|vni| frr.vnis.get(&vni));
        let is_l3vni = |vni: u32| frr.vrfs.values().any(|vrf| vrf.l3vni == vni);
        let gateways: Vec<Prefix> =
            interfaces.iter().flat_map(|link| self.gateways(link)).collect();
        let vrf = interfaces.iter().find_map(|link| self.vrf_of(link));
        // Where FRR says nothing: what is in a VRF and has no address is there for its tunnel.
        let seems_layer3 = || frr.vnis.is_empty() && vrf.is_some() && gateways.is_empty();
        let is_layer3 = vni.is_some_and(|vni| is_l3vni(vni) || seems_layer3())
            || of_zebra.is_some_and(|vni| vni.kind == VniKind::L3);
        let vrf = vrf.or_else(|| of_zebra?.vrf.as_deref().map(Vrf::named));
        let vrf = vrf.or_else(|| (!gateways.is_empty()).then_some(Vrf::DEFAULT));
        let mut hosts = BTreeMap::new();
        if !is_layer3 {
            hosts.extend(vni.and_then(|vni| of_frr.get(&vni)).into_iter().flatten().copied());
            for neighbour in
                interfaces.iter().filter_map(|link| self.neighbours.get(&link.ifindex)).flatten()
            {
                hosts.extend(neighbour.mac.map(|mac| (neighbour.address, mac)));
            }
            let is_own =
                |address: &IpAddr| gateways.iter().any(|gateway| gateway.address == *address);
            hosts.retain(|address, _| !is_local(*address) && !is_own(address));
        }
        Network { number: 0, name, vids, vni, is_layer3, vrf, gateways, hosts }
    }

    /// The VRF that an interface is a member of.
    fn vrf_of(&self, link: &Link) -> Option<Vrf> {
        let master = self.links.get(&link.master?)?;
        matches!(master.kind, LinkKind::Vrf { .. }).then(|| Vrf::named(&master.name))
    }

    /// Addresses of an interface, each with the length of the longest network that it is connected to by it.
    fn gateways(&self, link: &Link) -> Vec<Prefix> {
        let networks = self.connected.get(&link.ifindex).map_or(&[][..], Vec::as_slice);
        let own = self.own.range((link.ifindex, least())..);
        let own = own.take_while(|((at, _), _)| *at == link.ifindex);
        let gateway = |address: IpAddr| {
            let around = networks.iter().filter(|network| contains(**network, address));
            let length = around.map(|network| network.length).max();
            Prefix { address, length: length.unwrap_or_else(|| width(address)) }
        };
        own.map(|((_, address), _)| gateway(*address)).collect()
    }
}

/// What is seen of a network in links alone.
struct Seen<'a> {
    name: String,
    vids: BTreeSet<u16>,
    vni: Option<u32>,
    /// By which it is routed.
    interfaces: Vec<&'a Link>,
}

/// The lowest address there is.
const fn least() -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)
}

/// Hosts by VNI.
type HostsByVni = BTreeMap<u32, Vec<(IpAddr, crate::mac::Mac)>>;

/// Hosts that zebra knows of, gateways left out.
fn hosts_of_frr(frr: &Frr) -> HostsByVni {
    let mut hosts = HostsByVni::new();
    for neighbour in frr.neighbours.iter().filter(|neighbour| !neighbour.gateway) {
        hosts.entry(neighbour.vni).or_default().push((neighbour.address, neighbour.mac));
    }
    hosts
}
