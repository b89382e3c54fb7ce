//! Where packets to each prefix go.
//!
//! A port's packets are looked up in several tables, of which the first that matches decides. The
//! packet path has one longest-prefix match for all of them. So a prefix has an entry unless an
//! earlier table has a prefix around it: that one's table matches all of its addresses first.

use std::collections::BTreeSet;

use super::{
    Dirty, GroupKey, Network, Nexthop, NexthopKey, RoutePlace, Structure, View, Way,
    routes::{HopsKind, Stored, Via, host, never_forwarded},
    routing::on_link,
};
use crate::observe::{Prefix, RouteKind};

/// The way of every place that has one, each once. Costs one or two lookups per known route.
pub fn compile_routes<'a>(
    network: &'a Network,
    structure: &'a Structure,
) -> impl Iterator<Item = (RoutePlace, Way)> + use<'a> {
    let routes = &network.routing().routes;
    views(structure).flat_map(move |(view, tables)| {
        let of_tables = [false, true].into_iter().flat_map(move |v6| {
            let list = tables.of(v6);
            list.iter().enumerate().flat_map(move |(position, table)| {
                let earlier = &list[..position];
                let prefixes = routes.prefixes(*table, v6);
                prefixes.filter(move |prefix| routes.find(earlier, *prefix).is_none())
            })
        });
        let entry = move |prefix| {
            let place = RoutePlace { view, prefix };
            Some((place, compile_route(network, structure, place)?))
        };
        let hosts = connected(network, structure).filter_map(move |host_key| {
            let prefix = host(host_key.gateway);
            let found = routes.find(tables.of(prefix.address.is_ipv6()), prefix)?;
            // Those with a route of their own are among the others.
            let (place, way) = entry(prefix).filter(|_| found.prefix != prefix)?;
            let is_it = matches!(way, Way::Nexthop { key, .. } if key == host_key);
            is_it.then_some((place, way))
        });
        // Those that are a route's prefix as well are among the others.
        let guarded = [false, true].into_iter().flat_map(|v6| structure.guarded.of(v6));
        let guarded = guarded.filter(move |prefix| {
            let found = routes.find(tables.of(prefix.address.is_ipv6()), *prefix);
            found.is_none_or(|found| found.prefix != *prefix)
        });
        of_tables.filter_map(entry).chain(hosts).chain(guarded.filter_map(entry))
    })
}

/// The way of one place; `None` if there is no entry for it, so that a shorter prefix decides.
#[must_use]
pub fn compile_route(network: &Network, structure: &Structure, place: RoutePlace) -> Option<Way> {
    let RoutePlace { view, prefix } = place;
    if never_forwarded(prefix) {
        return None;
    }
    let tables = structure.views.get(usize::from(view))?.of(prefix.address.is_ipv6());
    let way = by_routes(network, structure, tables, prefix);
    if !structure.guarded.covers(prefix) {
        return way.map(|(way, _)| way);
    }
    match way {
        Some((Way::Group(_) | Way::Nexthop { .. } | Way::Connected | Way::View(_), true)) => {
            Some(Way::Kernel)
        }
        Some((way @ (Way::Local | Way::Kernel | Way::Blackhole | Way::Unreachable), true)) => {
            Some(way)
        }
        // Of the guarded prefix itself, or nothing: a shorter one decides, which is not left out.
        None | Some((_, false)) => {
            (structure.guarded.contains(prefix) && !tables.is_empty()).then_some(Way::Kernel)
        }
    }
}

/// What routes and neighbours say about a prefix, and whether it is one of a route's own.
fn by_routes(
    network: &Network,
    structure: &Structure,
    tables: &[u32],
    prefix: Prefix,
) -> Option<(Way, bool)> {
    let found = network.routing().routes.find(tables, prefix)?;
    let own_route = found.prefix == prefix;
    let Some(route) = found.route else {
        return own_route.then_some((Way::Kernel, true));
    };
    let v6 = prefix.address.is_ipv6();
    let way = match way(network, structure, route, v6) {
        way if v6 && way.drops_ipv6(structure) => Resolved::Way(Way::Kernel),
        way => way,
    };
    if let Resolved::OnLink(ifindex) = way
        && prefix == host(prefix.address)
    {
        let key = NexthopKey { ifindex, gateway: prefix.address };
        if let Some(nexthop) = connected_host(network, structure, key) {
            return Some((Way::Nexthop { key, nexthop }, own_route));
        }
    }
    own_route.then_some(match way {
        Resolved::Way(way) => (way, true),
        Resolved::OnLink(_) => (Way::Connected, true),
    })
}

/// Neighbours on routed ports that the kernel no longer knows to answer, and no next hops: packets to them
/// by XDP would not confirm them.
pub fn stale_neighbours<'a>(
    network: &'a Network,
    structure: &'a Structure,
) -> impl Iterator<Item = NexthopKey> + use<'a> {
    let stale = |key: &NexthopKey| network.neighbour(*key).is_some_and(|each| each.is_stale());
    connected(network, structure).filter(|key| !structure.watched.contains(key)).filter(stale)
}

/// Whether packets to a neighbour's address are routed to it.
pub fn is_host(network: &Network, structure: &Structure, key: NexthopKey) -> bool {
    let prefix = host(key.gateway);
    let mut places = views(structure).map(|(view, _)| RoutePlace { view, prefix });
    places.any(|place| {
        let way = compile_route(network, structure, place);
        matches!(way, Some(Way::Nexthop { key: used, .. }) if used == key)
    })
}

/// The places that a change may affect.
pub(super) fn changed_places(
    network: &Network,
    structure: &Structure,
    before: &Structure,
    dirty: &Dirty,
) -> BTreeSet<RoutePlace> {
    let routing = network.routing();
    let mut places = BTreeSet::new();
    if std::ptr::eq(structure, before) && dirty.routes.is_empty() && dirty.neighbours.is_empty() {
        return places;
    }
    let guarded: Vec<Prefix> = match std::ptr::eq(structure, before) {
        true => Vec::new(),
        false => structure.guarded.differences(&before.guarded).collect(),
    };
    for (view, tables) in views(structure) {
        let mut add = |prefix| {
            places.insert(RoutePlace { view, prefix });
        };
        for (table, prefix) in &dirty.routes {
            if tables.of(prefix.address.is_ipv6()).contains(table) {
                add(*prefix);
                let hosts = routing.hosts(*prefix).filter(|key| is_target(structure, key.ifindex));
                hosts.for_each(|key| add(host(key.gateway)));
            }
        }
        for (table, prefix) in &dirty.shadows {
            let later = tables.of(prefix.address.is_ipv6()).iter();
            let later = later.skip_while(|each| *each != table).skip(1);
            later.flat_map(|table| routing.routes.within(*table, *prefix)).for_each(&mut add);
        }
        for prefix in &guarded {
            let tables = tables.of(prefix.address.is_ipv6()).iter();
            tables.flat_map(|table| routing.routes.within(*table, *prefix)).for_each(&mut add);
            let hosts = routing.hosts(*prefix).filter(|key| is_target(structure, key.ifindex));
            hosts.for_each(|key| add(host(key.gateway)));
            add(*prefix);
        }
        let neighbours = dirty.neighbours.iter();
        let neighbours = neighbours.filter(|key| is_target(structure, key.ifindex));
        neighbours.for_each(|key| add(host(key.gateway)));
    }
    places
}

impl View {
    /// The tables of a family.
    #[must_use]
    pub fn of(&self, v6: bool) -> &[u32] {
        if v6 { &self.v6 } else { &self.v4 }
    }
}

/// Where a route leads.
enum Resolved {
    Way(Way),
    /// To the link of a port.
    OnLink(u32),
}

impl Resolved {
    /// The kernel drops IPv6 packets, or some of them, instead of sending them there (`ip6_output`).
    fn drops_ipv6(&self, structure: &Structure) -> bool {
        let without = &structure.without_ipv6;
        match self {
            Self::OnLink(ifindex) => without.ports.contains(ifindex),
            Self::Way(Way::Group(key)) => without.groups.contains(key),
            Self::Way(_) => false,
        }
    }
}

fn way(network: &Network, structure: &Structure, route: &Stored, v6: bool) -> Resolved {
    Resolved::Way(match route.kind {
        RouteKind::Local | RouteKind::Broadcast | RouteKind::Anycast | RouteKind::Multicast => {
            Way::Local
        }
        RouteKind::Blackhole => Way::Blackhole,
        RouteKind::Unreachable | RouteKind::Prohibit => Way::Unreachable,
        RouteKind::Throw | RouteKind::Other(_) => Way::Kernel,
        RouteKind::Unicast => return forwards(network, structure, route, v6),
    })
}

fn forwards(network: &Network, structure: &Structure, route: &Stored, v6: bool) -> Resolved {
    if route.mtu != 0 && routed(structure).any(|(_, mtu)| route.mtu < mtu) {
        return Resolved::Way(Way::Kernel);
    }
    let link = match route.via {
        Via::Nothing => None,
        Via::Object(id) => match network.nexthop(id).and_then(on_link) {
            None => return Resolved::Way(Way::Group(GroupKey::Object(id))),
            link => link,
        },
        Via::Hops(id) => match network.routing().routes.kind(id) {
            HopsKind::Routers(routers) => {
                return Resolved::Way(Way::Group(GroupKey::Hops(routers.clone())));
            }
            HopsKind::OnLink(ifindex) => Some(*ifindex),
            HopsKind::Other => None,
        },
    };
    if let Some(views) = link.and_then(|ifindex| structure.leaks.get(&ifindex)) {
        return Resolved::Way(views[usize::from(v6)].map_or(Way::Kernel, Way::View));
    }
    match link.filter(|ifindex| is_target(structure, *ifindex)) {
        Some(ifindex) => Resolved::OnLink(ifindex),
        None => Resolved::Way(Way::Kernel),
    }
}

/// What is written into packets to a neighbour, if it is resolved.
fn connected_host(network: &Network, structure: &Structure, key: NexthopKey) -> Option<Nexthop> {
    let port = structure.ports.get(&key.ifindex)?;
    let destination = network.routing().resolved(key)?;
    Some(Nexthop { source: port.mac, destination: Some(destination), mtu: port.mtu })
}

/// Resolved neighbours on routed ports.
fn connected<'a>(
    network: &'a Network,
    structure: &'a Structure,
) -> impl Iterator<Item = NexthopKey> + use<'a> {
    network.routing().all_hosts().filter(|key| is_target(structure, key.ifindex))
}

fn routed(structure: &Structure) -> impl Iterator<Item = (u32, u32)> {
    let routed = structure.ports.iter().filter(|(_, port)| port.role.routes());
    routed.map(|(ifindex, port)| (*ifindex, port.mtu))
}

/// Packets can be sent out of a port.
fn is_target(structure: &Structure, ifindex: u32) -> bool {
    let port = structure.ports.get(&ifindex);
    port.is_some_and(|port| port.role.routes() && port.is_target)
}

fn views(structure: &Structure) -> impl Iterator<Item = (u16, &View)> {
    (0..).zip(&structure.views)
}
