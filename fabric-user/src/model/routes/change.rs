//! What a message about a route changes, and what it brings into use or takes out of it.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    Change, Routes,
    address::{Address, host, never_forwarded, normal},
    entry::{self, Entry, Position, Stored, Via},
    hops::HopsId,
    table::Table,
};
use crate::observe::{Hop, Prefix, Route, RouteKind};

impl Routes {
    /// Adds or replaces a route.
    pub(in crate::model) fn insert(&mut self, route: &Route, position: Position) -> Change {
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
    pub(in crate::model) fn remove(&mut self, route: &Route) -> Change {
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
            let uses = self.uses.entry((table, prefix.address.is_ipv6())).or_default();
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
            gone.iter().any(|each| {
                (each.ifindex, each.gateway, each.encap) == (hop.ifindex, hop.gateway, hop.encap)
            })
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
