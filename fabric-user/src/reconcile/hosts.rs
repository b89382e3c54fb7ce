//! Host routes and neighbours: `hosts` and `hosts6`.
//!
//! What finds no room there goes to the trie, as a prefix of full length.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fabric_common::{
    halves,
    schema::{
        hosts, hosts6,
        routes::{KIND_NEXTHOP, split_target},
    },
    table::Rest,
};

use super::{nexthops::Nexthops, pass::Pass, rest::Freed};
use crate::{hashed::HashMap, kernel::maps::Maps};

/// An address in a view, which is given by its index in the map.
pub(super) type Host = (u16, IpAddr);

/// The maps of hosts, and those for which there was no room.
#[derive(Debug)]
pub(super) struct Hosts {
    /// Fingerprints that have left `hosts6`, and with which no other address may come there yet: the rest of the one
    /// that had it, and how often it has left within the time.
    resting: HashMap<u64, (Rest, u32)>,
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
        let (v4, v6) = (maps.hosts_table().recover(), maps.hosts6_table().recover());
        targets(maps).for_each(|target| hold(nexthops, target));
        Self { resting: HashMap::default(), v4, v6, in_trie: HashMap::default() }
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

    /// Lets a fingerprint that has rested be that of another address.
    pub(super) fn give_back(&mut self, fingerprint: u64) {
        if let Some((_, times)) = self.resting.get_mut(&fingerprint) {
            *times -= 1;
            if *times == 0 {
                self.resting.remove(&fingerprint);
            }
        }
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
                let (key, rest) = key6(view, v6);
                let table = maps.hosts6_table();
                let new = usize::from(table.get_long(key, rest).is_none());
                let is_of_another = self.resting.get(&key).is_some_and(|(of, _)| *of != rest);
                if key == 0 || is_of_another {
                    return false;
                }
                table.fit(self.v6 + new);
                let placed = table.insert_long(key, rest, target);
                self.v6 += if placed { new } else { 0 };
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
                let (key, rest) = key6(view, v6);
                if pass.maps.hosts6_table().get_long(key, rest).is_some() {
                    self.v6 -= usize::from(pass.maps.hosts6_table().remove(key));
                    self.resting.entry(key).or_insert((rest, 0)).1 += 1;
                    pass.rest(Freed::Fingerprint6(key));
                }
            }
        }
    }
}

fn key6(view: u16, address: Ipv6Addr) -> (u64, Rest) {
    let halves = halves::of(address);
    (hosts6::key(view, halves), hosts6::rest(view, halves))
}

/// All hosts of the tables with their targets.
fn all(maps: &Maps) -> impl Iterator<Item = (Host, u32)> {
    let v4 = maps.hosts_table().iter().map(|(key, target, _)| {
        let (view, address) = hosts::split_key(key);
        ((view, IpAddr::from(address.to_ne_bytes())), target)
    });
    let v6 = maps.hosts6_table().entries().map(|entry| {
        let (view, address) = hosts6::split_key(entry.key, entry.rest);
        ((view, IpAddr::from(halves::address(address))), entry.target)
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
