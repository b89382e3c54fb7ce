//! Routes: where packets to hosts and prefixes go.

use std::{collections::BTreeSet, net::IpAddr};

use fabric_common::{
    halves,
    schema::{
        groups, local_addresses,
        routes::{
            KIND_BLACKHOLE, KIND_CONNECTED, KIND_GROUP, KIND_KERNEL, KIND_LOCAL, KIND_NEXTHOP,
            KIND_UNREACHABLE, KIND_VIEW, split_target, target,
        },
    },
    table::Moves as _,
};

use super::{
    groups::Groups,
    hosts::{self, Host, Hosts, be},
    nexthops::Nexthops,
    pass::Pass,
    ports::Ports,
    rest::Resting,
    views::{Prefixes, Views},
};
use crate::{
    hashed::HashMap,
    kernel::maps::Maps,
    model::{GroupKey, RoutePlace, Routes, Way},
    observe::Prefix,
};

/// The places that are to be written, with where they lead.
pub(super) fn places(routes: &Routes) -> impl Iterator<Item = (&RoutePlace, Option<&Way>)> {
    let (all, some) = match routes {
        Routes::All(all) => (Some(all), None),
        Routes::Some(some) => (None, Some(some)),
    };
    let all = all.into_iter().flatten().map(|(place, way)| (place, Some(way)));
    all.chain(some.into_iter().flatten().map(|(place, way)| (place, way.as_ref())))
}

pub(super) const fn group_of(way: &Way) -> Option<&GroupKey> {
    match way {
        Way::Group(key) => Some(key),
        _ => None,
    }
}

/// Indexes of the groups that VTEPs, segments and routes in the maps refer to.
pub(super) fn referenced_groups(maps: &Maps) -> BTreeSet<u32> {
    let vteps = maps.vteps.iter().map(|(_, vtep)| vtep.group);
    let segments = maps.segments.iter().map(|(_, segment)| segment.group);
    // A leaf's lower half is 0, and the upper half is its target.
    let leaves = maps.trie.iter().map(|(_, word)| match word.word as u32 {
        0 => (word.word >> 32) as u32,
        _ => 0,
    });
    let groups = hosts::targets(maps).chain(leaves).map(split_target);
    let groups = groups.filter(|(kind, _)| *kind == KIND_GROUP).map(|(_, index)| index);
    vteps.chain(segments).chain(groups).filter(|index| *index < groups::MAX).collect()
}

/// Everything that destinations are looked up in.
pub(super) struct Routing {
    pub(super) views: Views,
    pub(super) hosts: Hosts,
}

impl Routing {
    /// Takes over what an earlier daemon has written.
    pub(super) fn recover(maps: &Maps, nexthops: &mut Nexthops, resting: &mut Resting) -> Self {
        Self { views: Views::recover(maps, resting), hosts: Hosts::recover(maps, nexthops) }
    }

    /// Where packets to a place go by the maps as they are.
    pub(super) fn present(&self, maps: &Maps, place: &RoutePlace) -> Option<u32> {
        if place.prefix.is_host() {
            let view = self.views.get(place.view)?;
            return self.hosts.present(maps, (view, place.prefix.address));
        }
        self.views.present(maps, place)
    }

    /// Writes routes. What they lead to is in the maps already.
    pub(super) fn write(
        &mut self,
        pass: &mut Pass<'_>,
        routes: &Routes,
        ports: &Ports,
        groups: &Groups,
        nexthops: &mut Nexthops,
    ) {
        match routes {
            Routes::All(all) => self.sync(pass, all, ports, groups, nexthops),
            Routes::Some(some) => {
                for (place, way) in some {
                    let Some(view) = self.views.get(place.view) else { continue };
                    let target =
                        way.as_ref().map(|way| self.target_of(pass, way, ports, groups, nexthops));
                    self.set(pass, nexthops, view, place.prefix, target);
                }
            }
        }
    }

    /// Removes views that no port looks into, and what is in them.
    pub(super) fn remove(&mut self, pass: &mut Pass<'_>, nexthops: &mut Nexthops) {
        let gone = self.views.remove(pass);
        self.hosts.remove(pass, nexthops, &gone);
    }

    fn set(
        &mut self,
        pass: &mut Pass<'_>,
        nexthops: &mut Nexthops,
        view: u16,
        prefix: Prefix,
        mut target: Option<u32>,
    ) {
        if prefix.is_host() {
            let host = (view, prefix.address);
            let Some(said) = self.hosts.set(pass, nexthops, host, target) else { return };
            if said.is_some() {
                hosts_full(pass);
            }
            target = said;
        }
        self.views.set(pass, view, prefix, target);
    }

    /// Makes the maps hold exactly these routes.
    fn sync(
        &mut self,
        pass: &mut Pass<'_>,
        all: &HashMap<RoutePlace, Way>,
        ports: &Ports,
        groups: &Groups,
        nexthops: &mut Nexthops,
    ) {
        let mut hosts: HashMap<Host, u32> = HashMap::default();
        let mut prefixes = Prefixes::default();
        for (place, way) in all {
            let Some(view) = self.views.get(place.view) else { continue };
            let target = self.target_of(pass, way, ports, groups, nexthops);
            if place.prefix.is_host() {
                hosts.insert((view, place.prefix.address), target);
            } else {
                prefixes.push(view, place.prefix, target);
            }
        }
        let (views, before) = (self.views.known(), pass.maps.stores());
        self.hosts.sync(pass, nexthops, &hosts, |view| views.contains(&view));
        if pass.maps.stores() != before {
            // Some may have come from the trie, which loses them below. Of those that an earlier daemon had
            // to leave to it nobody knows.
            pass.maps.settings.moved();
        }
        for ((view, address), target) in self.hosts.in_trie() {
            hosts_full(pass);
            let length = if address.is_ipv4() { 32 } else { 128 };
            prefixes.push(view, Prefix { address, length }, target);
        }
        self.views.sync(pass, prefixes);
    }

    /// The target that says where a way leads.
    fn target_of(
        &self,
        pass: &mut Pass<'_>,
        way: &Way,
        ports: &Ports,
        groups: &Groups,
        nexthops: &mut Nexthops,
    ) -> u32 {
        let kernel = target(KIND_KERNEL, 0);
        match way {
            Way::Group(key) => groups.get(key).map_or(kernel, |index| target(KIND_GROUP, index)),
            Way::Nexthop { key, nexthop } => nexthops
                .add(pass, ports, key, nexthop)
                .map_or(kernel, |index| target(KIND_NEXTHOP, index)),
            Way::Local => target(KIND_LOCAL, 0),
            Way::Kernel => kernel,
            Way::Blackhole => target(KIND_BLACKHOLE, 0),
            Way::Unreachable => target(KIND_UNREACHABLE, 0),
            Way::Connected => target(KIND_CONNECTED, 0),
            Way::View(view) => {
                self.views.get(*view).map_or(kernel, |index| target(KIND_VIEW, index.into()))
            }
        }
    }
}

fn hosts_full(pass: &mut Pass<'_>) {
    let text = "the maps hosts and hosts6 are full, further hosts are looked up as prefixes; raise \
                `host_entries` in the settings";
    pass.left_out(text.to_owned());
}

/// Writes the filter of the box's own addresses.
pub(super) fn write_own_addresses(pass: &mut Pass<'_>) {
    let mut filter = local_addresses::LocalAddresses::default();
    for address in &pass.structure.own {
        let number = match address {
            IpAddr::V4(v4) => be(*v4).into(),
            IpAddr::V6(v6) => {
                let [a, b] = halves::of(*v6);
                a ^ b
            }
        };
        let (word, bit) = local_addresses::place(number);
        filter.words[word] |= 1 << bit;
    }
    pass.changed(pass.maps.local_addresses.set(0, &filter));
}
