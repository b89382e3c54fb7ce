//! Host routes and neighbours: `hosts`, and `hosts6` with `addresses6`.
//!
//! What finds no room there goes to the trie, as a prefix of full length.

use std::net::{IpAddr, Ipv4Addr};

use fabric_common::{
    halves,
    schema::{
        hosts,
        hosts6::{self, Address6},
        routes::{KIND_NEXTHOP, split_target},
    },
};

use super::{nexthops::Nexthops, pass::Pass, pool::Pool, rest::Freed};
use crate::{hashed::HashMap, kernel::maps::Maps};

/// An address in a view, which is given by its index in the map.
pub(super) type Host = (u16, IpAddr);

/// The maps of hosts, and those for which there was no room.
#[derive(Debug)]
pub(super) struct Hosts {
    addresses: Pool,
    /// How many are in `hosts`.
    v4: usize,
    /// How many are in `hosts6`.
    v6: usize,
    /// Those for which there was no room, with their targets.
    in_trie: HashMap<Host, u32>,
}

/// An address as it stands in a packet.
pub(super) fn be(address: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(address.octets())
}

impl Hosts {
    /// Takes over the addresses of an earlier daemon, and the next hops that they lead to.
    pub(super) fn recover(maps: &Maps, nexthops: &mut Nexthops) -> Self {
        let mut addresses = Pool::new(maps.addresses6.len());
        let (hosts, hosts6) = (maps.hosts_table(), maps.hosts6_table());
        let (v4, mut v6) = (hosts.recover(), hosts6.recover());
        let mut targets: Vec<u32> = hosts.iter().map(|(_, target, _)| target).collect();
        let mut unusable = Vec::new();
        for (key, index, _) in hosts6.iter() {
            let known = index < maps.addresses6.len();
            let entry = if known { maps.addresses6.get(index) } else { Address6::default() };
            let right = known && hosts6::key(entry.view as u16, entry.address) == key;
            if right && addresses.adopt(index, 1) {
                targets.push(entry.target);
            } else {
                unusable.push(key);
            }
        }
        for key in unusable {
            v6 -= usize::from(hosts6.remove(key));
        }
        for target in targets {
            hold(nexthops, target);
        }
        Self { addresses, v4, v6, in_trie: HashMap::default() }
    }

    /// Where packets to a host go, if something is known about it alone.
    pub(super) fn present(&self, maps: &Maps, host: Host) -> Option<u32> {
        maps.host(host.0, host.1).or_else(|| self.in_trie.get(&host).copied())
    }

    /// Those that had to go to the trie.
    pub(super) fn in_trie(&self) -> impl Iterator<Item = (Host, u32)> {
        self.in_trie.iter().map(|(host, target)| (*host, *target))
    }

    /// Says where packets to a host go, or that nothing special holds for it any more.
    ///
    /// # Returns
    /// What the trie has to say about the host, if that has changed: a target, or that it has none.
    pub(super) fn set(
        &mut self,
        pass: &mut Pass<'_>,
        nexthops: &mut Nexthops,
        host: Host,
        target: Option<u32>,
    ) -> Option<Option<u32>> {
        let in_trie = self.in_trie.get(&host).copied();
        let old = pass.maps.host(host.0, host.1).or(in_trie);
        if old == target {
            return None;
        }
        pass.changed(true);
        let mut said = None;
        if let Some(target) = target {
            hold(nexthops, target);
            if in_trie.is_some() || !self.place(pass.maps, host, target) {
                self.in_trie.insert(host, target);
                said = Some(Some(target));
            }
        } else if self.in_trie.remove(&host).is_some() {
            said = Some(None);
        } else {
            self.displace(pass, host);
        }
        if let Some(old) = old {
            release(pass, nexthops, old);
        }
        said
    }

    /// Makes the tables hold exactly `wanted` for the views that `chosen` accepts. What finds no
    /// room is among [`Self::in_trie`] afterwards.
    pub(super) fn sync(
        &mut self,
        pass: &mut Pass<'_>,
        nexthops: &mut Nexthops,
        wanted: &HashMap<Host, u32>,
        chosen: impl Fn(u16) -> bool,
    ) {
        let is_stale = |host: &Host| chosen(host.0) && !wanted.contains_key(host);
        let mut gone: Vec<Host> = all(pass.maps).map(|(host, _)| host).filter(&is_stale).collect();
        gone.extend(self.in_trie.keys().filter(|host| is_stale(host)));
        // A next hop does not go with its hosts if others come to it.
        wanted.values().for_each(|target| hold(nexthops, *target));
        for host in gone {
            self.set(pass, nexthops, host, None);
        }
        self.move_from_trie(pass, chosen);
        for (host, target) in wanted {
            self.set(pass, nexthops, *host, Some(*target));
        }
        wanted.values().for_each(|target| release(pass, nexthops, *target));
        // Filters without the marks of all those that have gone since the last time.
        pass.maps.hosts_table().table().settle();
        pass.maps.hosts6_table().table().settle();
    }

    /// Removes the hosts of views that are gone.
    pub(super) fn remove(&mut self, pass: &mut Pass<'_>, nexthops: &mut Nexthops, gone: &[u16]) {
        if !gone.is_empty() {
            self.sync(pass, nexthops, &HashMap::default(), |view| gone.contains(&view));
        }
    }

    /// Empties and frees an index of `addresses6` that has rested.
    pub(super) fn give_back(&mut self, maps: &Maps, index: u32) {
        maps.addresses6.set(index, &Address6::default());
        self.addresses.give_back(index, 1);
    }

    /// Gives hosts of the trie the room in the tables that there is by now. The tables are asked first, and
    /// the trie loses the hosts when it is written after this and after readers were told that hosts move.
    fn move_from_trie(&mut self, pass: &mut Pass<'_>, chosen: impl Fn(u16) -> bool) {
        let hosts: Vec<(Host, u32)> = self.in_trie().collect();
        for (host, target) in hosts {
            if chosen(host.0) && self.place(pass.maps, host, target) {
                self.in_trie.remove(&host);
                pass.changed(true);
            }
        }
    }

    /// Gives a host a target in the tables; false if it has to go to the trie.
    fn place(&mut self, maps: &Maps, (view, address): Host, target: u32) -> bool {
        match address {
            IpAddr::V4(v4) => {
                let (table, key) = (maps.hosts_table(), hosts::key(view, be(v4)));
                let new = usize::from(table.get(key).is_none());
                table.fit(self.v4 + new);
                let placed = table.insert(key, target);
                self.v4 += if placed { new } else { 0 };
                placed
            }
            IpAddr::V6(v6) => {
                if let Some(index) = maps.address6(view, v6) {
                    // View and target are one word.
                    maps.addresses6.update(index, |entry| entry.target = target);
                    return true;
                }
                let address = halves::of(v6);
                let key = hosts6::key(view, address);
                let table = maps.hosts6_table();
                if table.get(key).is_some() {
                    // Another address has the same fingerprint.
                    return false;
                }
                let Some(index) = self.addresses.allocate(1) else { return false };
                let entry = Address6 { address, view: view.into(), target };
                maps.addresses6.set(index, &entry);
                table.fit(self.v6 + 1);
                let placed = table.insert(key, index);
                self.v6 += usize::from(placed);
                if !placed {
                    // Nothing has referred to it.
                    self.give_back(maps, index);
                }
                placed
            }
        }
    }

    fn displace(&mut self, pass: &mut Pass<'_>, (view, address): Host) {
        match address {
            IpAddr::V4(v4) => {
                let removed = pass.maps.hosts_table().remove(hosts::key(view, be(v4)));
                self.v4 -= usize::from(removed);
            }
            IpAddr::V6(v6) => {
                if let Some(index) = pass.maps.address6(view, v6) {
                    let key = hosts6::key(view, halves::of(v6));
                    self.v6 -= usize::from(pass.maps.hosts6_table().remove(key));
                    pass.rest(Freed::Address6(index));
                }
            }
        }
    }
}

/// All hosts of the tables with their targets.
fn all(maps: &Maps) -> impl Iterator<Item = (Host, u32)> {
    let v4 = maps.hosts_table().iter().map(|(key, target, _)| {
        let (view, address) = hosts::split_key(key);
        ((view, IpAddr::from(address.to_ne_bytes())), target)
    });
    let v6 = maps.hosts6_table().iter().map(|(_, index, _)| {
        let entry = maps.addresses6.get(index);
        ((entry.view as u16, IpAddr::from(halves::address(entry.address))), entry.target)
    });
    v4.chain(v6)
}

/// Targets of all hosts in the tables.
pub(super) fn targets(maps: &Maps) -> impl Iterator<Item = u32> {
    all(maps).map(|(_, target)| target)
}

fn hold(nexthops: &mut Nexthops, target: u32) {
    if let (KIND_NEXTHOP, index) = split_target(target) {
        nexthops.hold(index);
    }
}

fn release(pass: &mut Pass<'_>, nexthops: &mut Nexthops, target: u32) {
    if let (KIND_NEXTHOP, index) = split_target(target) {
        nexthops.release(pass, index);
    }
}
