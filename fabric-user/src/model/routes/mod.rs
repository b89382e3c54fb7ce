//! All routes of all tables, with longest-prefix match.
//!
//! A change of one route costs a few steps in an ordered map, whatever the number of routes. Next
//! hops are kept once for all routes that share them, and uses are counted, so that nobody has to
//! walk the routes to know which groups they need.

mod address;
mod entry;
mod hops;
mod table;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use address::Address;
pub(super) use address::{host, last, never_forwarded, normal};
use entry::Entry;
pub(super) use entry::{Position, Stored, Via};
use hops::HopLists;
pub(super) use hops::{HopsId, HopsKind};
use table::Table;

use crate::{
    hashed::HashMap,
    observe::{Hop, Prefix, Route, RouteKind},
};

/// `RT_TABLE_LOCAL`
pub(super) const LOCAL: u32 = 255;

/// What a message changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// The routes of the prefix.
    pub(super) routes: bool,
    /// The prefix came into the table or left it.
    pub(super) shadow: bool,
    /// Next hops came into use or went out of use.
    pub(super) uses: bool,
    /// The addresses of this box.
    pub(super) own: bool,
}

/// The answer to a lookup.
pub(super) struct Found<'a> {
    /// The prefix that matched.
    pub(super) prefix: Prefix,
    /// The route; none if it depends on more than the destination.
    pub(super) route: Option<&'a Stored>,
}

/// Routes by table.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes {
    v4: BTreeMap<u32, Table<u32>>,
    v6: BTreeMap<u32, Table<u128>>,
    lists: HopLists,
    /// By table: how many routes that may forward use it.
    uses: BTreeMap<u32, HashMap<Via, u32>>,
    /// Addresses of this box, and how many routes say so.
    own: BTreeMap<IpAddr, u32>,
}

impl Routes {
    /// Adds or replaces a route.
    pub(super) fn insert(&mut self, route: &Route, position: Position) -> Change {
        let Some(prefix) = normal(route.key.prefix) else {
            return Change::default();
        };
        let new = self.store(route);
        let mut list = self.list(route.key.table, prefix).to_vec();
        entry::put(&mut list, new.clone(), position, prefix.address.is_ipv6());
        let change = self.update(route.key.table, prefix, list);
        self.release(new.via);
        change
    }

    /// Removes a route, or some of an IPv6 route's next hops.
    pub(super) fn remove(&mut self, route: &Route) -> Change {
        let Some(prefix) = normal(route.key.prefix) else {
            return Change::default();
        };
        let old = self.store(route);
        let mut list = self.list(route.key.table, prefix).to_vec();
        let index = if old.joins {
            list.iter().position(|each| each.joins && each.same_key(&old))
        } else if old.via == Via::Nothing && old.kind == RouteKind::Unicast {
            list.iter().position(|each| each.same_key(&old))
        } else {
            let same = list.iter().position(|each| each.same_route(&old));
            same.or_else(|| list.iter().position(|each| self.same_but_for_life(each, &old)))
        };
        let mut rest = Via::Nothing;
        if let Some(index) = index {
            if let (true, Via::Hops(id)) = (old.joins, list[index].via) {
                rest = self.without(id, &route.hops);
            }
            match rest {
                Via::Nothing => drop(list.remove(index)),
                via => list[index].via = via,
            }
        }
        let change = self.update(route.key.table, prefix, list);
        self.release(rest);
        self.release(old.via);
        change
    }

    /// The first of `tables` that has a prefix around this one decides, by the longest of them.
    pub(super) fn find(&self, tables: &[u32], prefix: Prefix) -> Option<Found<'_>> {
        let Prefix { address, length } = prefix;
        match address {
            IpAddr::V4(v4) => {
                let mut tables = tables.iter().filter_map(|table| self.v4.get(table));
                tables.find_map(|table| found(table.longest(v4.to_bits(), length)?, false))
            }
            IpAddr::V6(v6) => {
                let mut tables = tables.iter().filter_map(|table| self.v6.get(table));
                tables.find_map(|table| found(table.longest(v6.to_bits(), length)?, true))
            }
        }
    }

    /// Number of prefixes in all tables.
    pub(super) fn len(&self) -> usize {
        let v4: usize = self.v4.values().map(Table::len).sum();
        v4 + self.v6.values().map(Table::len).sum::<usize>()
    }

    /// All prefixes of a table.
    pub(super) fn prefixes(&self, table: u32, v6: bool) -> Box<dyn Iterator<Item = Prefix> + '_> {
        match v6 {
            false => Box::new(prefixes(self.v4.get(&table))),
            true => Box::new(prefixes(self.v6.get(&table))),
        }
    }

    /// The prefixes of a table that are equal to `prefix` or inside it.
    pub(super) fn within(
        &self,
        table: u32,
        prefix: Prefix,
    ) -> Box<dyn Iterator<Item = Prefix> + '_> {
        let Prefix { address, length } = prefix;
        match address {
            IpAddr::V4(v4) => Box::new(within(self.v4.get(&table), v4.to_bits(), length)),
            IpAddr::V6(v6) => Box::new(within(self.v6.get(&table), v6.to_bits(), length)),
        }
    }

    /// The next hops that forwarding routes of a table use.
    pub(super) fn uses(&self, table: u32) -> impl Iterator<Item = Via> {
        self.uses.get(&table).into_iter().flat_map(|uses| uses.keys().copied())
    }

    /// Whether a forwarding route uses a nexthop object.
    pub(super) fn uses_object(&self, id: u32) -> bool {
        self.uses.values().any(|uses| uses.contains_key(&Via::Object(id)))
    }

    /// What a list of next hops amounts to.
    pub(super) fn kind(&self, id: HopsId) -> &HopsKind {
        self.lists.kind(id)
    }

    /// A list of next hops, ordered.
    pub(super) fn hops(&self, id: HopsId) -> &[Hop] {
        self.lists.hops(id)
    }

    /// The addresses of this box that may be seen on other links.
    pub(super) fn own(&self) -> impl Iterator<Item = IpAddr> {
        self.own.keys().copied()
    }

    /// Whether an address is among [`own`](Self::own).
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.own.contains_key(&address)
    }

    /// What is different in `other`: prefixes by table, and whether they exist in only one of both.
    pub(super) fn differences(&self, other: &Self) -> Vec<(u32, Prefix, Change)> {
        let mut all = Vec::new();
        let tables: BTreeSet<(u32, bool)> = [self, other]
            .iter()
            .flat_map(|each| {
                let v4 = each.v4.keys().map(|table| (*table, false));
                v4.chain(each.v6.keys().map(|table| (*table, true)))
            })
            .collect();
        for (table, v6) in tables {
            for prefix in self.prefixes(table, v6) {
                let (before, after) = (self.list(table, prefix), other.list(table, prefix));
                let same = before.len() == after.len()
                    && before.iter().zip(after).all(|(a, b)| self.same(a, other, b));
                if !same {
                    let change =
                        Change { routes: true, shadow: after.is_empty(), ..Change::default() };
                    all.push((table, prefix, change));
                }
            }
            for prefix in other.prefixes(table, v6) {
                if self.list(table, prefix).is_empty() {
                    all.push((
                        table,
                        prefix,
                        Change { routes: true, shadow: true, ..Change::default() },
                    ));
                }
            }
        }
        all
    }

    /// Whether two routes are the same though their lists have other numbers.
    fn same(&self, route: &Stored, other: &Self, there: &Stored) -> bool {
        let via = match (route.via, there.via) {
            (Via::Hops(here), Via::Hops(id)) => self.hops(here) == other.hops(id),
            (a, b) => a == b,
        };
        via && Stored { via: there.via, ..route.clone() } == *there
    }

    /// Whether two routes differ in nothing but which of their next hops are dead.
    fn same_but_for_life(&self, one: &Stored, other: &Stored) -> bool {
        let living = |via| match via {
            Via::Hops(id) => {
                let mut hops = self.hops(id).to_vec();
                hops.iter_mut().for_each(|hop| hop.dead = false);
                hops.sort_unstable();
                Some(hops)
            }
            Via::Nothing | Via::Object(_) => None,
        };
        let same = Stored { via: other.via, ..one.clone() }.same_route(other);
        same && living(one.via).is_some_and(|hops| Some(hops) == living(other.via))
    }

    /// The routes of a prefix.
    fn list(&self, table: u32, prefix: Prefix) -> &[Stored] {
        let Prefix { address, length } = prefix;
        let entry = match address {
            IpAddr::V4(v4) => self.v4.get(&table).and_then(|t| t.get(v4.to_bits(), length)),
            IpAddr::V6(v6) => self.v6.get(&table).and_then(|t| t.get(v6.to_bits(), length)),
        };
        entry.map_or(&[], Entry::as_slice)
    }

    /// Writes the routes of a prefix and keeps all counts.
    fn update(&mut self, table: u32, prefix: Prefix, list: Vec<Stored>) -> Change {
        let before = self.list(table, prefix).to_vec();
        if before == list {
            return Change::default();
        }
        let mut change = Change {
            routes: !never_forwarded(prefix),
            shadow: before.is_empty() || list.is_empty(),
            ..Change::default()
        };
        for route in &list {
            self.keep(route.via);
            self.count(table, prefix, route, true, &mut change);
        }
        for route in &before {
            self.count(table, prefix, route, false, &mut change);
            self.release(route.via);
        }
        let Prefix { address, length } = prefix;
        match address {
            IpAddr::V4(v4) => set(&mut self.v4, table, v4.to_bits(), length, list),
            IpAddr::V6(v6) => set(&mut self.v6, table, v6.to_bits(), length, list),
        }
        change
    }

    /// Counts what a route uses, or one use less.
    fn count(&mut self, table: u32, prefix: Prefix, route: &Stored, more: bool, to: &mut Change) {
        if route.kind == RouteKind::Local && prefix == host(prefix.address) {
            if !never_forwarded(prefix) {
                to.own |= step(&mut self.own, prefix.address, more);
            }
        } else if route.kind == RouteKind::Unicast && !never_forwarded(prefix) {
            let uses = self.uses.entry(table).or_default();
            let count = uses.entry(route.via).or_default();
            if more {
                to.uses |= *count == 0;
                *count += 1;
            } else {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    uses.remove(&route.via);
                    to.uses = true;
                }
            }
        }
    }

    /// A route as it is kept. Its list of next hops is used once more until it is released.
    fn store(&mut self, route: &Route) -> Stored {
        let via = match route.nexthop {
            Some(id) => Via::Object(id),
            None if route.hops.is_empty() => Via::Nothing,
            None => Via::Hops(self.lists.take(&route.hops)),
        };
        // A route whose object discards is called a blackhole at that moment. The object may change
        // without another word about the route.
        let kind = match (route.kind, via) {
            (RouteKind::Blackhole, Via::Object(_)) => RouteKind::Unicast,
            (kind, _) => kind,
        };
        Stored {
            priority: route.key.priority,
            mtu: route.mtu.unwrap_or_default(),
            hop_limit: route.hop_limit.unwrap_or_default(),
            via,
            kind,
            tos: route.key.tos,
            joins: route.joins_siblings(),
            source: route.key.source.map(Box::new),
        }
    }

    /// The rest of a list without some of its next hops, used once more until it is released.
    fn without(&mut self, id: HopsId, gone: &[Hop]) -> Via {
        let is_gone = |hop: &&Hop| {
            gone.iter().any(|each| each.ifindex == hop.ifindex && each.gateway == hop.gateway)
        };
        let rest: Vec<Hop> = self.hops(id).iter().filter(|hop| !is_gone(hop)).copied().collect();
        if rest.is_empty() { Via::Nothing } else { Via::Hops(self.lists.take(&rest)) }
    }

    fn keep(&mut self, via: Via) {
        if let Via::Hops(id) = via {
            self.lists.keep(id);
        }
    }

    fn release(&mut self, via: Via) {
        if let Via::Hops(id) = via {
            self.lists.release(id);
        }
    }
}

fn found<A: Address>(((address, length), entry): ((A, u8), &Entry), v6: bool) -> Option<Found<'_>> {
    Some(Found { prefix: address.prefix(length), route: entry.best(v6) })
}

fn prefixes<A: Address>(table: Option<&Table<A>>) -> impl Iterator<Item = Prefix> {
    table.into_iter().flat_map(Table::keys).map(|(address, length)| address.prefix(length))
}

fn within<A: Address>(
    table: Option<&Table<A>>,
    address: A,
    length: u8,
) -> impl Iterator<Item = Prefix> {
    let keys = table.into_iter().flat_map(move |table| table.within(address, length));
    keys.map(|(address, length)| address.prefix(length))
}

fn set<A: Address>(
    tables: &mut BTreeMap<u32, Table<A>>,
    number: u32,
    address: A,
    length: u8,
    list: Vec<Stored>,
) {
    let table = tables.entry(number).or_default();
    match Entry::new(list) {
        Some(entry) => table.insert(address, length, entry),
        None => table.remove(address, length),
    }
    if table.is_empty() {
        tables.remove(&number);
    }
}

/// Counts up or down; returns whether it is the first or was the last.
fn step(counts: &mut BTreeMap<IpAddr, u32>, address: IpAddr, more: bool) -> bool {
    let count = counts.entry(address).or_default();
    if more {
        *count += 1;
        return *count == 1;
    }
    *count = count.saturating_sub(1);
    let gone = *count == 0;
    if gone {
        counts.remove(&address);
    }
    gone
}
