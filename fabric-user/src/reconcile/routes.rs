//! Routes: where packets to hosts and prefixes go.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Instant,
};

use fabric_common::{
    schema::{
        groups, local_addresses,
        routes::{
            KIND_BLACKHOLE, KIND_CONNECTED, KIND_GROUP, KIND_KERNEL, KIND_LOCAL, KIND_NEXTHOP,
            KIND_UNREACHABLE, split_target, target,
        },
    },
    trie::{lookup4, lookup6},
};

use super::{
    Macs, Outcome, Reconciler,
    groups::Inheritance,
    hosts::{Host, be, halves},
    trie::Full,
};
use crate::{
    hashed::HashMap,
    model::{GroupKey, RoutePlace, Structure, Way},
    observe::Prefix,
};

/// What of the routes is to be written.
#[derive(Clone, Debug)]
pub enum Routes {
    /// These are all.
    All(HashMap<RoutePlace, Way>),
    /// These have changed; `None` has gone.
    Some(Vec<(RoutePlace, Option<Way>)>),
}

impl Routes {
    fn iter(&self) -> impl Iterator<Item = (&RoutePlace, Option<&Way>)> {
        let (all, some) = match self {
            Self::All(all) => (Some(all), None),
            Self::Some(some) => (None, Some(some)),
        };
        let all = all.into_iter().flatten().map(|(place, way)| (place, Some(way)));
        all.chain(some.into_iter().flatten().map(|(place, way)| (place, way.as_ref())))
    }
}

/// A host has a prefix of full length.
const fn is_host(prefix: &Prefix) -> bool {
    match prefix.address {
        IpAddr::V4(_) => prefix.length >= 32,
        IpAddr::V6(_) => prefix.length >= 128,
    }
}

const fn group_of(way: &Way) -> Option<&GroupKey> {
    match way {
        Way::Group(key) => Some(key),
        _ => None,
    }
}

impl Reconciler {
    /// Indexes of the groups that something in the maps refers to.
    pub(super) fn referenced_groups(&self) -> BTreeSet<u32> {
        let vteps = self.maps.vteps.iter().map(|(_, vtep)| vtep.group);
        // A leaf's lower half is 0, and the upper half is its target.
        let leaves = self.maps.trie.iter().map(|(_, word)| match word.word as u32 {
            0 => (word.word >> 32) as u32,
            _ => 0,
        });
        let targets = self.host_targets().into_iter().chain(leaves);
        let groups = targets.map(split_target).filter(|(kind, _)| *kind == KIND_GROUP);
        let all = vteps.chain(groups.map(|(_, index)| index));
        all.filter(|index| *index < groups::MAX).collect()
    }

    /// Which groups are to take whose place.
    pub(super) fn inheritance(&self, structure: &Structure, routes: &Routes) -> Inheritance {
        let mut inheritance = Inheritance::default();
        if structure.groups.keys().all(|key| self.groups.get(key).is_some()) {
            return inheritance;
        }
        let mut moves = |old: u32, new: Option<&GroupKey>| {
            let index = new.and_then(|key| self.groups.get(key));
            if index != Some(old) {
                inheritance.moves(old, new);
            }
        };
        for (vtep, group) in &structure.vteps {
            if let Some(index) = self.vteps.get(vtep) {
                moves(self.maps.vteps.get(index).group, group.as_ref());
            }
        }
        for (place, way) in routes.iter() {
            if let Some((KIND_GROUP, old)) = self.present(place).map(split_target) {
                moves(old, way.and_then(group_of));
            }
        }
        inheritance
    }

    /// Where packets to a place go by the maps as they are. At the start, when nobody knows which
    /// prefixes a trie was made from: where those to its first address go.
    fn present(&self, place: &RoutePlace) -> Option<u32> {
        let view = self.view_index(place)?;
        let Prefix { address, length } = place.prefix;
        if is_host(&place.prefix) {
            let host = (view, address);
            return self.host_target(host).or_else(|| self.hosts.in_trie.get(&host).copied());
        }
        let tables = self.tables.get(&view)?;
        match address {
            IpAddr::V4(v4) if tables.v4.is_empty() => {
                lookup4(&self.maps.trie, tables.v4.root(), v4.to_bits())
            }
            IpAddr::V4(v4) => tables.v4.get((v4, length)),
            IpAddr::V6(v6) if tables.v6.is_empty() => {
                let bits = v6.to_bits();
                lookup6(&self.maps.trie, tables.v6.root(), [(bits >> 64) as u64, bits as u64])
            }
            IpAddr::V6(v6) => tables.v6.get((v6, length)),
        }
    }

    fn view_index(&self, place: &RoutePlace) -> Option<u16> {
        self.view_indexes.get(usize::from(place.view)).copied().flatten()
    }

    /// The target that says where a way leads.
    fn target(&mut self, way: &Way, outcome: &mut Outcome) -> u32 {
        let kernel = target(KIND_KERNEL, 0);
        match way {
            Way::Group(key) => self.groups.get(key).map_or(kernel, |i| target(KIND_GROUP, i)),
            Way::Nexthop { key, nexthop } => match self.add_nexthop(key, nexthop, outcome) {
                Some(index) => target(KIND_NEXTHOP, index),
                None => kernel,
            },
            Way::Local => target(KIND_LOCAL, 0),
            Way::Kernel => kernel,
            Way::Blackhole => target(KIND_BLACKHOLE, 0),
            Way::Unreachable => target(KIND_UNREACHABLE, 0),
            Way::Connected => target(KIND_CONNECTED, 0),
        }
    }

    /// Writes routes. What they lead to is in the maps already.
    pub(super) fn write_routes(
        &mut self,
        structure: &Structure,
        routes: &Routes,
        outcome: &mut Outcome,
    ) {
        match routes {
            Routes::All(all) => self.sync_routes(structure, all, outcome),
            Routes::Some(some) => {
                for (place, way) in some {
                    let Some(view) = self.view_index(place) else { continue };
                    let target = way.as_ref().map(|way| self.target(way, outcome));
                    self.write_route(structure, view, place.prefix, target, outcome);
                }
            }
        }
        outcome.changes += self.show_views();
    }

    /// Changes MACs and routes. The structure is that of the last [`Self::apply`].
    pub fn apply_entries(&mut self, structure: &Structure, macs: Macs, routes: &Routes) -> Outcome {
        let mut outcome = Outcome::default();
        self.wake_at(Instant::now());
        self.write_routes(structure, routes, &mut outcome);
        self.write_macs(macs, &mut outcome);
        outcome
    }

    fn write_route(
        &mut self,
        structure: &Structure,
        view: u16,
        prefix: Prefix,
        target: Option<u32>,
        outcome: &mut Outcome,
    ) {
        let Prefix { address, length } = prefix;
        let mut target = target;
        if is_host(&prefix) {
            let host = (view, address);
            let said = self.set_host(host, target, structure, &mut outcome.changes);
            let Some(said) = said else { return };
            if said.is_some() {
                self.hosts_full(outcome);
            }
            target = said;
        }
        let (words, now) = (&self.maps.trie, Instant::now());
        let Some(tables) = self.tables.get_mut(&view) else { return };
        let before = self.tries.writes();
        let (done, broken) = match address {
            IpAddr::V4(v4) => {
                let place = (v4, length);
                (self.tries.set(words, &mut tables.v4, place, target, now), &mut tables.broken4)
            }
            IpAddr::V6(v6) => {
                let place = (v6, length);
                (self.tries.set(words, &mut tables.v6, place, target, now), &mut tables.broken6)
            }
        };
        *broken |= done.is_err();
        outcome.changes += usize::from(self.tries.writes() != before);
        if let Err(full) = done {
            self.trie_full(full, outcome);
        }
    }

    /// Makes the maps hold exactly these routes.
    fn sync_routes(
        &mut self,
        structure: &Structure,
        all: &HashMap<RoutePlace, Way>,
        outcome: &mut Outcome,
    ) {
        let mut hosts: HashMap<Host, u32> = HashMap::default();
        let mut prefixes4: HashMap<u16, Vec<(Ipv4Addr, u8, u32)>> = HashMap::default();
        let mut prefixes6: HashMap<u16, Vec<(Ipv6Addr, u8, u32)>> = HashMap::default();
        for (place, way) in all {
            let Some(view) = self.view_index(place) else { continue };
            let target = self.target(way, outcome);
            let Prefix { address, length } = place.prefix;
            match address {
                _ if is_host(&place.prefix) => {
                    hosts.insert((view, address), target);
                }
                IpAddr::V4(v4) => prefixes4.entry(view).or_default().push((v4, length, target)),
                IpAddr::V6(v6) => prefixes6.entry(view).or_default().push((v6, length, target)),
            }
        }
        let views: BTreeSet<u16> = self.view_indexes.iter().copied().flatten().collect();
        outcome.changes += self.sync_hosts(&hosts, structure, |view| views.contains(&view));
        if !self.hosts.in_trie.is_empty() {
            self.hosts_full(outcome);
        }
        for ((view, address), target) in &self.hosts.in_trie {
            match address {
                IpAddr::V4(v4) => prefixes4.entry(*view).or_default().push((*v4, 32, *target)),
                IpAddr::V6(v6) => prefixes6.entry(*view).or_default().push((*v6, 128, *target)),
            }
        }
        for view in views {
            let (words, now) = (&self.maps.trie, Instant::now());
            let Some(tables) = self.tables.get_mut(&view) else { continue };
            let before = self.tries.writes();
            let v4 = prefixes4.remove(&view).unwrap_or_default();
            let v6 = prefixes6.remove(&view).unwrap_or_default();
            // Where nothing is, nothing is needed.
            let mut done4 = Ok(());
            if !v4.is_empty() || tables.v4.root() != 0 {
                done4 = self.tries.sync(words, &mut tables.v4, v4, now);
            }
            let mut done6 = Ok(());
            if !v6.is_empty() || tables.v6.root() != 0 {
                done6 = self.tries.sync(words, &mut tables.v6, v6, now);
            }
            (tables.broken4, tables.broken6) = (done4.is_err(), done6.is_err());
            outcome.changes += (self.tries.writes() - before) as usize;
            for full in [done4.err(), done6.err()].into_iter().flatten() {
                self.trie_full(full, outcome);
            }
        }
    }

    fn hosts_full(&self, outcome: &mut Outcome) {
        outcome.full.insert(format!(
            "the maps hosts and hosts6 are full ({} addresses of each family), further hosts are \
             looked up as prefixes; raise `host_entries` in the settings",
            self.maps.addresses6.len()
        ));
    }

    fn trie_full(&self, full: Full, outcome: &mut Outcome) {
        let capacity = full.capacity as usize;
        let setting = "; raise `prefix_entries` in the settings";
        outcome.full("trie", capacity, setting);
    }

    /// Says what flows are told apart by.
    pub(super) fn write_hash(&self, structure: &Structure, outcome: &mut Outcome) {
        let flags = self.hash_options | structure.multipath.flags();
        let changed = self.maps.settings.update(0, |settings| settings.hash_flags = flags);
        outcome.changes += usize::from(changed);
    }

    /// Writes the filter of the box's own addresses.
    pub(super) fn write_own(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let mut filter = local_addresses::LocalAddresses::default();
        for address in &structure.own {
            let number = match address {
                IpAddr::V4(v4) => be(*v4).into(),
                IpAddr::V6(v6) => {
                    let [a, b] = halves(*v6);
                    a ^ b
                }
            };
            let (word, bit) = local_addresses::place(number);
            filter.words[word] |= 1 << bit;
        }
        outcome.changes += usize::from(self.maps.local_addresses.set(0, &filter));
    }
}
