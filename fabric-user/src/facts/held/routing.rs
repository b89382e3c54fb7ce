//! Routes and next hops.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use fabric_common::schema::{
    fdb,
    groups::Choice,
    nexthops::FLAG_DOWN,
    routes::{
        KIND_BLACKHOLE, KIND_CONNECTED, KIND_GROUP, KIND_LOCAL, KIND_NEXTHOP, KIND_UNREACHABLE,
        KIND_VIEW, split_target,
    },
};

use super::{Hop, Nexthop, NexthopKey, RouteKey, Share, Way, bridging};
use crate::{
    cli::{contents::GroupEntry, routes, view::View},
    kernel::maps::Maps,
    observe::Mac,
};

/// Views by name.
///
/// One is called by the VRF of its ports, `default` for those without. Where rules tell ports of one VRF apart the
/// first port stands behind that. A view that no port looks into, only routes of another one, is called by the first of these.
pub(super) struct Views(BTreeMap<u32, String>);

impl Views {
    pub(super) fn of(view: &View, maps: &Maps) -> Self {
        let mut of_vrf: BTreeMap<String, BTreeMap<u32, Vec<String>>> = BTreeMap::new();
        for (slot, port) in &view.contents.ports {
            let index = fabric_common::schema::ports::view(port.mac_and_view).into();
            if index != 0 {
                let vrf = view.vrf(*slot).unwrap_or_else(|| "default".into());
                of_vrf.entry(vrf).or_default().entry(index).or_default().push(view.port(*slot));
            }
        }
        let mut names = BTreeMap::new();
        for (vrf, views) in of_vrf {
            let several = views.len() > 1;
            for (index, ports) in views {
                let first = ports.into_iter().min().filter(|_| several);
                let first = first.map(|port| format!(" ({port})")).unwrap_or_default();
                names.entry(index).or_insert_with(|| format!("{vrf}{first}"));
            }
        }
        let mut leaks: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        let Ok(()) = routes::each(maps, |route| {
            let (kind, index) = split_target(route.target);
            if kind == KIND_VIEW
                && !names.contains_key(&index)
                && let Some(from) = names.get(&route.view)
            {
                let way = format!("what {} of {from} leads to", route.span);
                leaks.entry(index).or_default().insert(way);
            }
            Ok::<(), Infallible>(())
        });
        names.extend(
            leaks.into_iter().filter_map(|(index, ways)| Some((index, ways.into_iter().next()?))),
        );
        Self(names)
    }

    /// The name of a view by its index; none of what nothing looks into.
    pub(super) fn name(&self, index: u32) -> Option<&str> {
        self.0.get(&index).map(String::as_str)
    }
}

pub(super) fn routes(view: &View, maps: &Maps, views: &Views) -> BTreeMap<RouteKey, Way> {
    let mut held = BTreeMap::new();
    let Ok(()) = routes::each(maps, |route| {
        if let Some(name) = views.name(route.view) {
            let key = RouteKey { view: name.into(), addresses: route.span.to_string() };
            held.insert(key, way(view, views, route.target));
        }
        Ok::<(), Infallible>(())
    });
    held
}

fn way(view: &View, views: &Views, target: u32) -> Way {
    match split_target(target) {
        (KIND_GROUP, index) => group(view, index),
        (KIND_NEXTHOP, index) => {
            let hop = hop(view, index, Share { buckets: 1, of: 1 });
            Way::Hops { hops: hop.into_iter().collect(), resilient: false }
        }
        (KIND_LOCAL, _) => Way::Local,
        (KIND_BLACKHOLE, _) => Way::Dropped,
        (KIND_UNREACHABLE, _) => Way::Unreachable,
        (KIND_CONNECTED, _) => Way::Connected,
        (KIND_VIEW, index) => {
            Way::View(views.name(index).map_or_else(|| format!("view {index}"), Into::into))
        }
        _ => Way::Kernel,
    }
}

/// The members of a group by its index.
pub(super) fn group(view: &View, index: u32) -> Way {
    let none = Way::Hops { hops: Vec::new(), resilient: false };
    let Some(group) = view.contents.groups.get(&index) else { return none };
    if group.choice == Choice::Blackhole {
        return Way::Dropped;
    }
    let of = group.shares.values().sum();
    let hops = group
        .shares
        .iter()
        .filter_map(|(nexthop, buckets)| hop(view, *nexthop, Share { buckets: *buckets, of }));
    let mut hops: Vec<Hop> = hops.collect();
    hops.sort_unstable();
    Way::Hops { hops, resilient: is_resilient(group) }
}

/// Whether a group's flows move when they rest.
pub(super) const fn is_resilient(group: &GroupEntry) -> bool {
    matches!(group.choice, Choice::Spread { timed: true, .. })
}

fn hop(view: &View, index: u32, share: Share) -> Option<Hop> {
    let nexthop = view.contents.nexthops.get(&index)?;
    let port = view.port(nexthop.port.into());
    Some(Hop { port, gateway: view.contents.gateway(index), share })
}

/// Those of groups and of hosts: what nothing refers to any more rests for a while, or stays until the next change.
pub(super) fn nexthops(view: &View, maps: &Maps) -> BTreeMap<NexthopKey, Nexthop> {
    let groups = view.contents.groups.values();
    let mut used: BTreeSet<u32> = groups.flat_map(|group| group.shares.keys().copied()).collect();
    let Ok(()) = routes::each(maps, |route| {
        if let (KIND_NEXTHOP, index) = split_target(route.target) {
            used.insert(index);
        }
        Ok::<(), Infallible>(())
    });
    let nexthop = |index: u32| {
        let nexthop = view.contents.nexthops.get(&index)?;
        let port = view.port(nexthop.port.into());
        let [a, b, c, d, e, f, source @ ..] = nexthop.macs;
        let mac = Some(Mac([a, b, c, d, e, f]));
        let (kind, place) = fdb::split_target(nexthop.place.into());
        let held = Nexthop {
            mac: mac.filter(|mac| !mac.is_zero() && nexthop.flags & FLAG_DOWN == 0),
            source: Mac(source),
            mtu: nexthop.mtu,
            behind: (nexthop.place != 0).then(|| bridging::place(view, kind, place)),
        };
        Some((NexthopKey { port, gateway: view.contents.gateway(index) }, held))
    };
    used.into_iter().filter_map(nexthop).collect()
}
