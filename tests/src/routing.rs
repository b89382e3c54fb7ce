//! Routes as the test gave them, and in the maps.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Instant,
};

use fabric_common::schema::{hosts, hosts6, hosts6::Address6, local_addresses, views::View};
use fabric_user::{
    kernel::maps::Maps,
    reconcile::trie::{Recovery, Table, Tries},
};

/// A prefix: an address and how many of its bits count.
pub(crate) type Prefix = (IpAddr, u8);

/// Routes of all views.
#[derive(Debug, Default)]
pub(crate) struct Routing {
    /// What the test added, as it added it.
    routes: BTreeMap<(u16, Prefix), u32>,
    own: Vec<IpAddr>,
    addresses6: u32,
    tries: Option<Tries>,
    tables4: BTreeMap<u16, Table<Ipv4Addr>>,
    tables6: BTreeMap<u16, Table<Ipv6Addr>>,
}

impl Routing {
    /// Adds a route or changes it.
    pub(crate) fn add(&mut self, maps: &Maps, view: u16, prefix: Prefix, target: u32) {
        let known = self.routes.insert((view, prefix), target).is_some();
        match prefix {
            (IpAddr::V4(address), 32) => {
                let key = hosts::key(view, u32::from_ne_bytes(address.octets()));
                assert!(maps.hosts_table().insert(key, target), "the table of hosts is full");
            }
            (IpAddr::V6(address), 128) => self.add_host6(maps, view, address, target, known),
            (IpAddr::V4(address), length) => self.add_prefix4(maps, view, address, length, target),
            (IpAddr::V6(address), length) => self.add_prefix6(maps, view, address, length, target),
        }
    }

    fn add_host6(&mut self, maps: &Maps, view: u16, address: Ipv6Addr, target: u32, known: bool) {
        let address = halves(address);
        let key = hosts6::key(view, address);
        let index = if known {
            maps.hosts6_table().get(key).expect("a known host is in the table")
        } else {
            self.addresses6 += 1;
            self.addresses6
        };
        maps.addresses6.set(index, &Address6 { address, view: view.into(), target });
        assert!(maps.hosts6_table().insert(key, index), "the table of hosts is full");
    }

    fn add_prefix4(&mut self, maps: &Maps, view: u16, address: Ipv4Addr, length: u8, target: u32) {
        let tries = self.tries.get_or_insert_with(|| Recovery::new(&maps.trie).finish());
        let table = self.tables4.entry(view).or_default();
        let done = tries.set(&maps.trie, table, (address, length), Some(target), Instant::now());
        done.expect("the trie has room");
        let root4 = table.root();
        maps.views.update(view.into(), |entry| *entry = View { root4, ..*entry });
    }

    fn add_prefix6(&mut self, maps: &Maps, view: u16, address: Ipv6Addr, length: u8, target: u32) {
        let tries = self.tries.get_or_insert_with(|| Recovery::new(&maps.trie).finish());
        let table = self.tables6.entry(view).or_default();
        let done = tries.set(&maps.trie, table, (address, length), Some(target), Instant::now());
        done.expect("the trie has room");
        let root6 = table.root();
        maps.views.update(view.into(), |entry| *entry = View { root6, ..*entry });
    }

    /// Enters an address in the filter of own ones.
    pub(crate) fn add_own(&mut self, maps: &Maps, address: IpAddr) {
        self.own.push(address);
        let place = match address {
            IpAddr::V4(address) => {
                local_addresses::place(u32::from_ne_bytes(address.octets()).into())
            }
            IpAddr::V6(address) => {
                let [high, low] = halves(address);
                local_addresses::place(high ^ low)
            }
        };
        maps.local_addresses.update(0, |filter| filter.words[place.0] |= 1 << place.1);
    }

    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.own.contains(&address)
    }

    /// One route after the other; the longest wins.
    pub(crate) fn longest_match(&self, view: u16, address: IpAddr) -> u32 {
        let inside = |(of, prefix): &(u16, Prefix)| *of == view && contains(*prefix, address);
        let routes = self.routes.iter().filter(|(route, _)| inside(route));
        routes.max_by_key(|((_, (_, length)), _)| *length).map_or(0, |(_, target)| *target)
    }
}

fn contains(prefix: Prefix, address: IpAddr) -> bool {
    match (prefix, address) {
        ((IpAddr::V4(network), length), IpAddr::V4(address)) => {
            (network.to_bits() ^ address.to_bits()).leading_zeros() >= length.into()
        }
        ((IpAddr::V6(network), length), IpAddr::V6(address)) => {
            (network.to_bits() ^ address.to_bits()).leading_zeros() >= length.into()
        }
        _ => false,
    }
}

/// The halves of an address as they stand in a packet.
fn halves(address: Ipv6Addr) -> [u64; 2] {
    let octets = address.octets();
    let half = |at: usize| u64::from_ne_bytes(octets[at..at + 8].try_into().expect("eight bytes"));
    [half(0), half(8)]
}
