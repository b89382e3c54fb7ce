//! A leaf to start from: bridge `br10` with the access ports `h1` and `h2` and the vxlan device
//! `vx10`; underlay ports `u1` and `u2` with a weighted group towards the VTEP 10.0.0.2.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    incremental::Incremental,
    router::{default_rules, own_address, route_of},
};
use crate::{model::*, observe::*};

pub(super) const BR10: u32 = 10;
pub(super) const VX10: u32 = 11;
pub(super) const H1: u32 = 21;
pub(super) const H2: u32 = 22;
pub(super) const U1: u32 = 31;
pub(super) const U2: u32 = 32;
pub(super) const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
pub(super) const REMOTE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
pub(super) const DOMAIN: DomainKey = DomainKey { bridge: BR10, vlan: 0 };
pub(super) const VTEP: VtepKey = VtepKey { local: LOCAL, remote: REMOTE };

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn host(number: u8) -> Mac {
    Mac([2, 0xaa, 0, 0, 0, number])
}

/// An interface that is up.
pub(super) fn link(ifindex: u32, name: &str, kind: LinkKind) -> Link {
    let mac = Some(Mac([2, 0, 0, 0, 1, ifindex as u8]));
    let name = name.into();
    Link { ifindex, name, mac, mtu: 1500, up: true, carrier: true, kind, ..Link::default() }
}

/// A forwarding port of a bridge, as the kernel makes it.
fn forwarding_port(learning: bool) -> PortOptions {
    PortOptions { state: PortState::Forwarding, learning, ..PortOptions::default() }
}

/// The same as a forwarding port of a bridge.
pub(super) fn port_of(bridge: u32, link: Link) -> Link {
    Link { master: Some(bridge), port: Some(forwarding_port(true)), ..link }
}

/// The same with other options as a bridge port.
pub(super) fn with_port(mut link: Link, change: impl FnOnce(&mut PortOptions)) -> Link {
    change(link.port.as_mut().expect("a bridge port"));
    link
}

pub(super) fn bridge(vlan_filtering: bool) -> LinkKind {
    LinkKind::Bridge(bridge_options(vlan_filtering))
}

pub(super) fn bridge_options(vlan_filtering: bool) -> Bridge {
    Bridge { vlan_filtering, ..Bridge::default() }
}

pub(super) fn vlan_of(lower: u32, id: u16, protocol: u16, link: Link) -> Link {
    let kind = LinkKind::Vlan(Vlan { id, protocol, maps_priorities: false });
    Link { lower: Some(lower), kind, ..link }
}

pub(super) fn vxlan(vni: u32) -> Vxlan {
    Vxlan { vni, local: Some(LOCAL), port: 4789, ..Vxlan::default() }
}

/// `vx10` as a port of `br10` that does not learn, as FRR wants it.
pub(super) fn vx10(options: Vxlan) -> Link {
    let link = port_of(BR10, link(VX10, "vx10", LinkKind::Vxlan(options)));
    with_port(link, |port| port.learning = false)
}

pub(super) fn veth(ifindex: u32, name: &str) -> Link {
    link(ifindex, name, LinkKind::Other("veth".into()))
}

pub(super) fn vlans(ifindex: u32, bridge: u32, vlans: &[(u16, bool, bool)]) -> Event {
    let vlans =
        vlans.iter().map(|&(id, pvid, untagged)| PortVlan { id, pvid, untagged, tunnel: None });
    let vlans = vlans.collect();
    BridgePort { ifindex, bridge, options: forwarding_port(ifindex != VX10), vlans }.into()
}

pub(super) fn neighbour(ifindex: u32, address: &str, mac: Option<Mac>) -> Event {
    let state = if mac.is_some() { 2 } else { 0x20 };
    Event::Neighbour(Neighbour {
        ifindex,
        address: ip(address),
        mac,
        state,
        extern_learn: false,
        router: false,
    })
}

pub(super) fn nexthop(id: u32, kind: NexthopKind) -> Event {
    Event::Nexthop(crate::observe::Nexthop { id, fdb: false, kind })
}

pub(super) fn single(id: u32, ifindex: u32, gateway: Option<&str>) -> Event {
    let gateway = gateway.map(ip);
    nexthop(id, NexthopKind::Single { ifindex, gateway, encap: None })
}

pub(super) fn group(id: u32, members: &[(u32, u16)]) -> Event {
    let members = members.iter().map(|&(id, weight)| GroupMember { id, weight }).collect();
    nexthop(id, NexthopKind::Group { members, resilient: None })
}

/// A unicast route of the main table.
pub(super) fn route(address: &str, length: u8, nexthop: Option<u32>) -> Route {
    let destination = format!("{address}/{length}");
    Route { nexthop, ..route_of(254, &destination, RouteKind::Unicast) }
}

pub(super) fn bridge_mac(port: u32, mac: Mac) -> BridgeMac {
    BridgeMac {
        bridge: BR10,
        vlan: 0,
        mac,
        port,
        permanent: false,
        locked: false,
        extern_learn: false,
        sticky: false,
        fixed: false,
    }
}

pub(super) fn tunnel_mac(mac: Mac, address: IpAddr) -> TunnelMac {
    let target = TunnelTarget::Vtep { address, port: None, vni: None, via: None };
    TunnelMac { vxlan: VX10, mac, source_vni: None, target }
}

/// Everything about the leaf, in the order in which it would be set up.
pub(super) fn leaf_events() -> Vec<Event> {
    let router = |number| Some(Mac([2, 0, 0, 0, 0, number]));
    let mut events = default_rules();
    events.extend([
        Event::Link(Link { loopback: true, ..link(1, "lo", LinkKind::Device) }),
        own_address(255, "10.0.0.1", 1),
        Event::Link(link(BR10, "br10", bridge(false))),
        Event::Link(vx10(vxlan(10_010))),
        Event::Link(port_of(BR10, veth(H1, "h1"))),
        Event::Link(port_of(BR10, veth(H2, "h2"))),
        Event::Link(Link { mtu: 9000, ..veth(U1, "u1") }),
        Event::Link(Link { mtu: 9000, ..veth(U2, "u2") }),
        neighbour(U1, "192.0.2.0", router(0x51)),
        neighbour(U2, "fe80::52", router(0x52)),
        single(11, U1, Some("192.0.2.0")),
        single(12, U2, Some("fe80::52")),
        group(20, &[(11, 1), (12, 3)]),
        Event::Route(route("10.0.0.2", 32, Some(20))),
        Event::TunnelMac(tunnel_mac(Mac::ZERO, REMOTE)),
        Event::BridgeMac(bridge_mac(H1, host(1))),
        Event::BridgeMac(bridge_mac(VX10, host(2))),
        Event::TunnelMac(tunnel_mac(host(2), REMOTE)),
    ]);
    events
}

pub(super) fn leaf() -> Incremental {
    leaf_with(Policy::default())
}

pub(super) fn leaf_with(policy: Policy) -> Incremental {
    let mut follower = Incremental::new(policy);
    for event in leaf_events() {
        follower.apply(event);
    }
    follower
}

pub(super) fn circuit(bridge_port: u32) -> CircuitKey {
    CircuitKey { bridge_port, domain: DOMAIN }
}

/// What a test says of an object of the kernel is a message about it.
macro_rules! messages {
    ($($object:ident)*) => {
        $(impl From<crate::observe::$object> for Event {
            fn from(object: crate::observe::$object) -> Self {
                Self::$object(object)
            }
        })*
    };
}

messages! {
    BridgeMac BridgePort Chain IpsecDefaults IpsecPolicy Learned Link Neighbour Netconf Nexthop Route
    Rule TunnelMac VlanStates VniFilter
}

/// The message that takes back what another one said.
pub(super) fn gone(event: impl Into<Event>) -> Event {
    match event.into() {
        Event::Route(route) | Event::RouteAppended(route) => Event::RouteGone(route),
        Event::Rule(rule) => Event::RuleGone(rule),
        Event::TunnelMac(entry) => Event::TunnelMacGone(entry),
        other => panic!("{other:?}"),
    }
}

impl Incremental {
    /// Where a host of the leaf's domain is.
    pub(super) fn place(&self, number: u8) -> Option<Target> {
        self.desired().fdb.get(&FdbKey { domain: DOMAIN, mac: host(number) }).copied()
    }

    /// All problems as text, one per line.
    pub(super) fn problems(&self) -> String {
        let problems = self.structure().problems;
        problems.iter().map(|problem| format!("{problem}\n")).collect()
    }

    /// One of the problems has this in its text.
    #[track_caller]
    pub(super) fn assert_named(&self, sentence: impl AsRef<str>) {
        let (sentence, problems) = (sentence.as_ref(), self.problems());
        assert!(problems.contains(sentence), "{sentence:?} is not in: {problems}");
    }
}
