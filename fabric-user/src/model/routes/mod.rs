//! All routes of all tables, with longest-prefix match.
//!
//! A change of one route costs a few steps in an ordered map, whatever the number of routes. Next
//! hops are kept once for all routes that share them, and uses are counted, so that nobody has to
//! walk the routes to know which groups they need.

mod address;
mod change;
mod differences;
mod entry;
mod hops;
mod table;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::IpAddr};

use address::Address;
pub(super) use address::{host, last, never_forwarded, normal};
use entry::Entry;
pub(super) use entry::{Position, Stored, Via};
use hops::HopLists;
pub(super) use hops::{HopsId, HopsKind};
use table::Table;

use crate::{
    hashed::HashMap,
    observe::{Hop, Prefix},
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
    /// By table and whether it is IPv6's: how many routes that may forward use it.
    uses: BTreeMap<(u32, bool), HashMap<Via, u32>>,
    /// Addresses of this box, and how many routes say so.
    own: BTreeMap<IpAddr, u32>,
}

impl Routes {
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

    /// The next hops that forwarding routes of a table use, of both families.
    pub(super) fn uses(&self, table: u32) -> impl Iterator<Item = Via> {
        [false, true].into_iter().flat_map(move |v6| self.uses_of(table, v6))
    }

    /// Those of them that routes of one family use.
    pub(super) fn uses_of(&self, table: u32, v6: bool) -> impl Iterator<Item = Via> {
        self.uses.get(&(table, v6)).into_iter().flat_map(|uses| uses.keys().copied())
    }

    /// The next hops that forwarding routes of any table use.
    pub(super) fn all_uses(&self) -> impl Iterator<Item = Via> {
        self.uses.values().flat_map(|uses| uses.keys().copied())
    }

    /// Other ends of the tunnels that spelt-out next hops choose.
    pub(super) const fn ends(&self) -> &BTreeMap<IpAddr, u32> {
        self.lists.ends()
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

    /// The routes of a prefix.
    fn list(&self, table: u32, prefix: Prefix) -> &[Stored] {
        let Prefix { address, length } = prefix;
        let entry = match address {
            IpAddr::V4(v4) => self.v4.get(&table).and_then(|t| t.get(v4.to_bits(), length)),
            IpAddr::V6(v6) => self.v6.get(&table).and_then(|t| t.get(v6.to_bits(), length)),
        };
        entry.map_or(&[], Entry::as_slice)
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
