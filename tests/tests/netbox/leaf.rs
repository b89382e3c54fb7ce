//! What a leaf forwards, as its facts say it: a test makes them up, because faults of all kinds at once need no traffic.

use std::net::IpAddr;

use fabric_user::{
    facts::{Facts, SCHEMA},
    frr::facts::{Frr, NeighbourEntry, VrfEntry},
    observe::{
        Bridge, Event, Hop, Link, LinkKind, Mac, Prefix, Route, RouteKey, RouteKind, Vlan, Vxlan,
    },
};

/// Tables of what is in no VRF, and of VRF `red`.
const MAIN: u32 = 254;
const LOCAL: u32 = 255;
const FIRST_VRF: u32 = 1000;
/// Who has made a route: the kernel, for an address; BGP.
const KERNEL: u8 = 2;
const BGP: u8 = 186;

/// A leaf.
pub(crate) struct Leaf {
    name: &'static str,
    links: Vec<Event>,
    routes: Vec<Event>,
    frr: Frr,
    /// Names of VRFs with their devices; tables go by their places.
    vrfs: Vec<(&'static str, u32)>,
}

/// A bridge, by which its network is routed.
#[derive(Clone, Copy)]
pub(crate) struct Network {
    ifindex: u32,
    /// Tables of its networks and of its own addresses.
    tables: (u32, u32),
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').expect("it has a length");
    let address = address.parse().expect("it is an address");
    Prefix { address, length: length.parse().expect("it is a length") }
}

/// The network of an address with a length that is a multiple of 8.
fn network(of: Prefix) -> Prefix {
    let keep = usize::from(of.length / 8);
    let address = match of.address {
        IpAddr::V4(address) => {
            let mut bytes = address.octets();
            bytes[keep..].fill(0);
            IpAddr::from(bytes)
        }
        IpAddr::V6(address) => {
            let mut bytes = address.octets();
            bytes[keep..].fill(0);
            IpAddr::from(bytes)
        }
    };
    Prefix { address, ..of }
}

impl Leaf {
    pub(crate) fn new(name: &'static str) -> Self {
        let (links, routes, vrfs) = (Vec::new(), Vec::new(), Vec::new());
        Self { name, links, routes, frr: Frr::default(), vrfs }
    }

    fn link(&mut self, name: &str, kind: LinkKind, master: Option<u32>) -> u32 {
        let ifindex = self.links.len() as u32 + 1;
        let link =
            Link { ifindex, name: name.to_owned(), kind, master, up: true, ..Link::default() };
        self.links.push(Event::Link(link));
        ifindex
    }

    /// A VRF with its L3VNI, if it has one.
    pub(crate) fn vrf(&mut self, name: &'static str, l3vni: Option<u32>) {
        let table = FIRST_VRF + self.vrfs.len() as u32;
        let device = self.link(name, LinkKind::Vrf { table }, None);
        self.vrfs.push((name, device));
        if let Some(l3vni) = l3vni {
            self.frr.vrfs.insert(name.into(), VrfEntry { l3vni, ..VrfEntry::default() });
            let bridge = self.bridge(&format!("br-{name}"), Some(name));
            self.tunnel(bridge, l3vni);
        }
    }

    fn bridge(&mut self, name: &str, vrf: Option<&str>) -> Network {
        let place = vrf.map(|vrf| self.vrfs.iter().position(|(name, _)| *name == vrf));
        let place = place.map(|place| place.expect("the leaf has that VRF"));
        let bridge = Bridge {
            vlan_filtering: false,
            vlan_protocol: 0x8100,
            ageing_ms: 300_000,
            stp: false,
            forward_delay_ms: 0,
            mst: false,
            promiscuity: 0,
            nf_call_ip: false,
            nf_call_ip6: false,
        };
        let master = place.map(|place| self.vrfs[place].1);
        let ifindex = self.link(name, LinkKind::Bridge(bridge), master);
        let table = place.map(|place| FIRST_VRF + place as u32);
        Network { ifindex, tables: table.map_or((MAIN, LOCAL), |table| (table, table)) }
    }

    fn tunnel(&mut self, bridge: Network, vni: u32) {
        let vxlan = LinkKind::Vxlan(Vxlan { vni, ..Vxlan::default() });
        self.link(&format!("vxlan{vni}"), vxlan, Some(bridge.ifindex));
    }

    /// A bridge with a port in a VLAN, and a tunnel if it has a VNI.
    pub(crate) fn network(&mut self, vid: u16, vni: Option<u32>, vrf: Option<&str>) -> Network {
        let bridge = self.bridge(&format!("br{vid}"), vrf);
        let vlan = LinkKind::Vlan(Vlan { id: vid, protocol: 0x8100, maps_priorities: false });
        self.link(&format!("swp1.{vid}"), vlan, Some(bridge.ifindex));
        if let Some(vni) = vni {
            self.tunnel(bridge, vni);
        }
        bridge
    }

    fn route(&mut self, table: u32, prefix: Prefix, kind: RouteKind, protocol: u8, hop: Hop) {
        let key = RouteKey { table, prefix, source: None, tos: 0, priority: 0 };
        let (nexthop, mtu, hop_limit, hops) = (None, None, None, vec![hop]);
        let route = Route { key, kind, protocol, nexthop, hops, mtu, hop_limit };
        self.routes.push(Event::Route(route));
    }

    /// An address with its network, as the kernel makes routes of it.
    pub(crate) fn gateway(&mut self, at: Network, address: &str) {
        let address = prefix(address);
        let width = if address.address.is_ipv4() { 32 } else { 128 };
        let host = Prefix { length: width, ..address };
        let hop = Hop { ifindex: at.ifindex, gateway: None, weight: 1, encap: None, dead: false };
        self.route(at.tables.1, host, RouteKind::Local, KERNEL, hop.clone());
        self.route(at.tables.0, network(address), RouteKind::Unicast, KERNEL, hop);
    }

    /// A route to another box.
    pub(crate) fn route_away(&mut self, vrf: Option<&str>, to: &str) {
        let place = vrf.map(|vrf| self.vrfs.iter().position(|(name, _)| *name == vrf));
        let table = place.flatten().map_or(MAIN, |place| FIRST_VRF + place as u32);
        let gateway = Some(IpAddr::from([10, 255, 0, 1]));
        let hop = Hop { ifindex: 99, gateway, weight: 1, encap: None, dead: false };
        self.route(table, prefix(to), RouteKind::Unicast, BGP, hop);
    }

    /// A host that zebra knows, in a VNI.
    pub(crate) fn host(&mut self, vni: u32, address: &str) {
        let mac = Mac::derived_from(address);
        let address = address.parse().expect("it is an address");
        self.frr.neighbours.push(NeighbourEntry { vni, address, mac, ..NeighbourEntry::default() });
    }

    /// Its name, and its facts.
    pub(crate) fn facts(self) -> (&'static str, Facts) {
        let network = [self.links, self.routes].concat();
        let (host, frr) = (self.name.to_owned(), Some(self.frr));
        (self.name, Facts { schema: SCHEMA, host, network, frr, ..Facts::default() })
    }
}
