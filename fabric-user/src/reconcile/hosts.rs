//! Host routes and neighbours: `hosts`, and `hosts6` with `addresses6`.
//!
//! What finds no room there goes to the trie, as a prefix of full length.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fabric_common::schema::{
    hosts,
    hosts6::{self, Address6},
    routes::{KIND_NEXTHOP, split_target},
};

use super::{Reconciler, pool::Pool, rest::Freed};
use crate::{hashed::HashMap, model::Structure};

/// An address in a view, which is given by its index in the map.
pub(super) type Host = (u16, IpAddr);

/// What is known about hosts beside the maps.
#[derive(Debug)]
pub(super) struct Hosts {
    addresses: Pool,
    /// Those for which there was no room, with their targets.
    pub(super) in_trie: HashMap<Host, u32>,
}

impl Hosts {
    pub(super) fn new(addresses: u32) -> Self {
        Self { addresses: Pool::new(addresses), in_trie: HashMap::default() }
    }

    /// Frees an index of `addresses6` that nothing refers to.
    pub(super) fn give_back(&mut self, index: u32) {
        self.addresses.give_back(index, 1);
    }
}

/// An address as it stands in a packet.
pub(super) fn be(address: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(address.octets())
}

/// The halves of an address as they stand in a packet.
pub(super) fn halves(address: Ipv6Addr) -> [u64; 2] {
    let [a, b] = [0, 8].map(|at| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&address.octets()[at..at + 8]);
        u64::from_ne_bytes(bytes)
    });
    [a, b]
}

fn joined([a, b]: [u64; 2]) -> Ipv6Addr {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&a.to_ne_bytes());
    bytes[8..].copy_from_slice(&b.to_ne_bytes());
    bytes.into()
}

impl Reconciler {
    /// Takes over the addresses of an earlier daemon, and the next hops that they lead to.
    pub(super) fn recover_hosts(&mut self) {
        let mut targets: Vec<u32> =
            self.maps.hosts.table().iter().map(|(_, target, _)| target).collect();
        let mut unusable = Vec::new();
        for (key, index, _) in self.maps.hosts6.table().iter() {
            let known = index < self.maps.addresses6.len();
            let entry = if known { self.maps.addresses6.get(index) } else { Address6::default() };
            let right = known && hosts6::key(entry.view as u16, entry.address) == key;
            if right && self.hosts.addresses.adopt(index, 1) {
                targets.push(entry.target);
            } else {
                unusable.push(key);
            }
        }
        for key in unusable {
            self.maps.hosts6.table().remove(key);
        }
        for target in targets {
            self.hold(target);
        }
    }

    /// Targets of all hosts in the maps.
    pub(super) fn host_targets(&self) -> Vec<u32> {
        let v4 = self.maps.hosts.table().iter().map(|(_, target, _)| target);
        let v6 =
            self.maps.hosts6.table().iter().map(|(_, i, _)| self.maps.addresses6.get(i).target);
        v4.chain(v6).collect()
    }

    fn hold(&mut self, target: u32) {
        if let (KIND_NEXTHOP, index) = split_target(target) {
            self.nexthops.hold(index);
        }
    }

    fn release(&mut self, target: u32, structure: &Structure) {
        if let (KIND_NEXTHOP, index) = split_target(target) {
            self.release_nexthop(index, structure);
        }
    }

    /// Index in `addresses6` of an address, if it is there.
    fn address6(&self, view: u16, address: Ipv6Addr) -> Option<u32> {
        let index = self.maps.hosts6.table().get(hosts6::key(view, halves(address)))?;
        let entry = self.maps.addresses6.get(index);
        (entry.view == u32::from(view) && entry.address == halves(address)).then_some(index)
    }

    /// Where packets to a host go, unless the trie says so.
    pub(super) fn host_target(&self, (view, address): Host) -> Option<u32> {
        match address {
            IpAddr::V4(v4) => self.maps.hosts.table().get(hosts::key(view, be(v4))),
            IpAddr::V6(v6) => Some(self.maps.addresses6.get(self.address6(view, v6)?).target),
        }
    }

    /// All hosts of a view that `chosen` accepts, with their targets.
    fn hosts(&self, chosen: impl Fn(u16) -> bool) -> Vec<(Host, u32)> {
        let v4 = self.maps.hosts.table().iter().map(|(key, target, _)| {
            let (view, address) = hosts::split_key(key);
            ((view, IpAddr::from(address.to_ne_bytes())), target)
        });
        let v6 = self.maps.hosts6.table().iter().map(|(_, index, _)| {
            let entry = self.maps.addresses6.get(index);
            ((entry.view as u16, IpAddr::from(joined(entry.address))), entry.target)
        });
        v4.chain(v6).filter(|((view, _), _)| chosen(*view)).collect()
    }

    /// Gives a host a target in the tables; false if it has to go to the trie.
    fn place_host(&mut self, (view, address): Host, target: u32) -> bool {
        match address {
            IpAddr::V4(v4) => self.maps.hosts.table().insert(hosts::key(view, be(v4)), target),
            IpAddr::V6(v6) => {
                if let Some(index) = self.address6(view, v6) {
                    // View and target are one word.
                    self.maps.addresses6.update(index, |entry| entry.target = target);
                    return true;
                }
                let address = halves(v6);
                let key = hosts6::key(view, address);
                let table = self.maps.hosts6.table();
                if table.get(key).is_some() {
                    // Another address has the same fingerprint.
                    return false;
                }
                let Some(index) = self.hosts.addresses.allocate(1) else { return false };
                let entry = Address6 { address, view: view.into(), target };
                self.maps.addresses6.set(index, &entry);
                let placed = table.insert(key, index);
                if !placed {
                    self.maps.addresses6.set(index, &Address6::default());
                    // Nothing has referred to it.
                    self.hosts.give_back(index);
                }
                placed
            }
        }
    }

    fn displace_host(&mut self, (view, address): Host) {
        match address {
            IpAddr::V4(v4) => {
                self.maps.hosts.table().remove(hosts::key(view, be(v4)));
            }
            IpAddr::V6(v6) => {
                if let Some(index) = self.address6(view, v6) {
                    self.maps.hosts6.table().remove(hosts6::key(view, halves(v6)));
                    self.resting.add(Freed::Address6(index));
                }
            }
        }
    }

    /// Says where packets to a host go, or that nothing special holds for it any more.
    ///
    /// # Returns
    /// What the trie has to say about the host, if that has changed: a target, or that it has none.
    pub(super) fn set_host(
        &mut self,
        host: Host,
        target: Option<u32>,
        structure: &Structure,
        changes: &mut usize,
    ) -> Option<Option<u32>> {
        let in_table = self.host_target(host);
        let in_trie = self.hosts.in_trie.get(&host).copied();
        let old = in_table.or(in_trie);
        if old == target {
            return None;
        }
        *changes += 1;
        let mut said = None;
        if let Some(target) = target {
            self.hold(target);
            if in_trie.is_none() && self.place_host(host, target) {
                // Nothing to say.
            } else {
                self.hosts.in_trie.insert(host, target);
                said = Some(Some(target));
            }
        } else if in_trie.is_some() {
            self.hosts.in_trie.remove(&host);
            said = Some(None);
        } else {
            self.displace_host(host);
        }
        if let Some(old) = old {
            self.release(old, structure);
        }
        said
    }

    /// Gives hosts of the trie the room in the tables that there is by now. The tables are asked first, and
    /// the trie loses the hosts when it is written after this.
    fn move_from_trie(&mut self, chosen: impl Fn(u16) -> bool) -> usize {
        let hosts: Vec<(Host, u32)> = self.hosts.in_trie.iter().map(|(h, t)| (*h, *t)).collect();
        let mut moved = 0;
        for (host, target) in hosts {
            if chosen(host.0) && self.place_host(host, target) {
                self.hosts.in_trie.remove(&host);
                moved += 1;
            }
        }
        moved
    }

    /// Makes the tables hold exactly `wanted` for the views that `chosen` accepts. What finds no
    /// room is in [`Hosts::in_trie`] afterwards.
    pub(super) fn sync_hosts(
        &mut self,
        wanted: &HashMap<Host, u32>,
        structure: &Structure,
        chosen: impl Fn(u16) -> bool,
    ) -> usize {
        let mut changes = 0;
        let stale = |host: &Host| chosen(host.0) && !wanted.contains_key(host);
        let mut gone: Vec<Host> =
            self.hosts(&chosen).into_iter().map(|(h, _)| h).filter(&stale).collect();
        gone.extend(self.hosts.in_trie.keys().filter(|host| stale(host)));
        // A next hop does not go with its hosts if others come to it.
        wanted.values().for_each(|target| self.hold(*target));
        for host in gone {
            self.set_host(host, None, structure, &mut changes);
        }
        changes += self.move_from_trie(chosen);
        for (host, target) in wanted {
            self.set_host(*host, Some(*target), structure, &mut changes);
        }
        wanted.values().for_each(|target| self.release(*target, structure));
        changes
    }

    /// Removes the hosts of views that are gone.
    pub(super) fn remove_hosts(&mut self, gone: &[u16], structure: &Structure) -> usize {
        let wanted = HashMap::default();
        self.sync_hosts(&wanted, structure, |view| gone.contains(&view))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_halves_of_an_address_make_it_whole_again() {
        let address: Ipv6Addr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        assert_eq!(halves(address)[0].to_ne_bytes()[..4], [0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!(joined(halves(address)), address);
    }
}
