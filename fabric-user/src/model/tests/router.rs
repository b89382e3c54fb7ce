//! A router to start from: two underlay ports `swp1` and `swp2` with a group of both, and a rack behind
//! `swp3`, all of them routed.

use super::{incremental::Incremental, world::*};
use crate::{model::*, observe::*};

pub(super) const SWP1: u32 = 51;
pub(super) const SWP2: u32 = 52;
pub(super) const SWP3: u32 = 53;
/// Group of the objects 101 (`swp1`) and 102 (`swp2`).
pub(super) const GROUP: u32 = 110;

pub(super) fn swp(ifindex: u32) -> Link {
    Link { mtu: 9000, ..link(ifindex, &format!("swp{}", ifindex - 50), LinkKind::Device) }
}

pub(super) fn mac(number: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, number])
}

pub(super) fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix { address: ip(address), length: length.parse().unwrap() }
}

/// A route of a table and kind without next hops.
pub(super) fn route_of(table: u32, destination: &str, kind: RouteKind) -> Route {
    Route {
        key: RouteKey { table, prefix: prefix(destination), source: None, tos: 0, priority: 20 },
        kind,
        protocol: 186,
        nexthop: None,
        hops: Vec::new(),
        mtu: None,
        hop_limit: None,
    }
}

pub(super) fn via_object(table: u32, destination: &str, id: u32) -> Route {
    Route { nexthop: Some(id), ..route_of(table, destination, RouteKind::Unicast) }
}

pub(super) fn via_hops(table: u32, destination: &str, hops: &[(u32, Option<&str>)]) -> Route {
    let hop = |&(ifindex, gateway): &(u32, Option<&str>)| Hop {
        ifindex,
        gateway: gateway.map(ip),
        weight: 1,
        encap: None,
        dead: false,
    };
    Route {
        hops: hops.iter().map(hop).collect(),
        ..route_of(table, destination, RouteKind::Unicast)
    }
}

/// An address of this box, as the kernel writes it into a table.
pub(super) fn own_address(table: u32, address: &str, ifindex: u32) -> Event {
    let length = if address.contains(':') { 128 } else { 32 };
    let mut route = via_hops(table, &format!("{address}/{length}"), &[(ifindex, None)]);
    route.kind = RouteKind::Local;
    route.key.priority = 0;
    Event::RouteAppended(route)
}

/// A connected prefix, as the kernel writes it into a table.
pub(super) fn connected(table: u32, destination: &str, ifindex: u32) -> Event {
    let mut route = via_hops(table, destination, &[(ifindex, None)]);
    route.key.priority = 0;
    Event::RouteAppended(route)
}

pub(super) fn rule(v6: bool, priority: u32, action: RuleAction) -> Rule {
    Rule::new(v6, priority, action)
}

pub(super) fn forwarding(v6: bool, ifindex: Option<u32>, on: bool) -> Event {
    Netconf { v6, ifindex, forwarding: Some(on), rp_filter: (!v6).then_some(0), proxy: None }.into()
}

pub(super) fn host_key(ifindex: u32, address: &str) -> NexthopKey {
    NexthopKey { ifindex, gateway: ip(address) }
}

/// The rules that every kernel starts with.
pub(super) fn default_rules() -> Vec<Event> {
    let lookup = |(v6, priority, table)| Event::Rule(rule(v6, priority, RuleAction::Lookup(table)));
    [(false, 0, 255), (false, 32766, 254), (false, 32767, 253), (true, 0, 255), (true, 32766, 254)]
        .map(lookup)
        .into()
}

/// Everything about the router, in the order in which it would be set up.
pub(super) fn router_events() -> Vec<Event> {
    let mut events = vec![Event::Link(Link { loopback: true, ..link(1, "lo", LinkKind::Device) })];
    events.extend(default_rules());
    events.extend([forwarding(false, None, true), forwarding(true, None, true)]);
    for ifindex in [1, SWP1, SWP2, SWP3] {
        events.extend([
            forwarding(false, Some(ifindex), true),
            forwarding(true, Some(ifindex), true),
        ]);
    }
    events.extend([SWP1, SWP2, SWP3].map(|ifindex| Event::Link(swp(ifindex))));
    events.extend([
        own_address(255, "10.0.0.9", 1),
        own_address(255, "192.0.2.1", SWP1),
        connected(254, "192.0.2.0/31", SWP1),
        own_address(255, "10.1.0.1", SWP3),
        connected(254, "10.1.0.0/24", SWP3),
        own_address(255, "2001:db8:1::1", SWP3),
        connected(254, "2001:db8:1::/64", SWP3),
        neighbour(SWP1, "192.0.2.0", Some(mac(0x51))),
        neighbour(SWP2, "fe80::2", Some(mac(0x52))),
        neighbour(SWP3, "10.1.0.7", Some(mac(0x07))),
        neighbour(SWP3, "2001:db8:1::7", Some(mac(0x07))),
        single(101, SWP1, Some("192.0.2.0")),
        single(102, SWP2, Some("fe80::2")),
        group(GROUP, &[(101, 1), (102, 3)]),
        Event::Route(via_object(254, "10.9.0.0/16", GROUP)),
        Event::RouteAppended(via_object(254, "2001:db8:9::/48", GROUP)),
    ]);
    events
}

pub(super) fn router() -> Incremental {
    router_with(Policy::default())
}

/// The router as the daemon sees it after a pass: its ports stay ports.
pub(super) fn sticky_router() -> Incremental {
    router_with(Policy { sticky_routed: [SWP1, SWP2, SWP3].into(), ..Policy::default() })
}

pub(super) fn router_with(policy: Policy) -> Incremental {
    let mut follower = Incremental::new(policy);
    for event in router_events() {
        follower.apply(event);
    }
    follower
}

impl Incremental {
    /// The way of a prefix in the first view.
    pub(super) fn way(&self, destination: &str) -> Option<Way> {
        self.way_in(0, destination)
    }

    pub(super) fn way_in(&self, view: u16, destination: &str) -> Option<Way> {
        let place = RoutePlace { view, prefix: prefix(destination) };
        self.desired().routes.get(&place).cloned()
    }
}
