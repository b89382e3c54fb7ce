//! Next hops: entries whose content never changes while something refers to them. Only whether they
//! live does, with one store.

use std::{collections::BTreeMap, net::IpAddr};

use fabric_common::schema::nexthops::{self, FLAG_DOWN, Nexthop};

use super::{Outcome, Reconciler, pool::Pool, rest::Freed};
use crate::{
    hashed::HashMap,
    model::{self, NexthopKey, Structure},
};

/// What a packet gets from an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    /// Destination and source; the destination is zero as long as none was known.
    macs: [u8; 12],
    port: u16,
    mtu: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: NexthopKey,
    content: Content,
    /// Number of hosts that refer to it without a group.
    hosts: u32,
}

/// Which index belongs to which next hop. An entry that another one has replaced stays until nothing
/// refers to it.
#[derive(Debug)]
pub(super) struct Nexthops {
    current: HashMap<NexthopKey, u32>,
    entries: BTreeMap<u32, Entry>,
    indexes: Pool,
}

impl Nexthops {
    pub(super) fn new() -> Self {
        Self {
            current: HashMap::default(),
            entries: BTreeMap::new(),
            indexes: Pool::new(nexthops::MAX),
        }
    }

    /// The entry that stands for what an index stood for: itself, or the one that replaced it.
    pub(super) fn successor(&self, index: u32) -> Option<u32> {
        self.current.get(&self.entries.get(&index)?.key).copied()
    }

    /// Notes that one host more refers to an entry.
    pub(super) fn hold(&mut self, index: u32) {
        if let Some(entry) = self.entries.get_mut(&index) {
            entry.hosts += 1;
        }
    }

    /// Notes that one host less refers to an entry; true if it can go.
    fn let_go(&mut self, index: u32, wanted: impl Fn(&NexthopKey) -> bool) -> bool {
        let Some(entry) = self.entries.get_mut(&index) else { return false };
        entry.hosts = entry.hosts.saturating_sub(1);
        let superseded = self.current.get(&entry.key) != Some(&index);
        entry.hosts == 0 && (superseded || !wanted(&entry.key))
    }

    /// Frees an index that has rested.
    pub(super) fn give_back(&mut self, index: u32) {
        self.indexes.give_back(index, 1);
    }

    fn forget(&mut self, index: u32) {
        if let Some(entry) = self.entries.remove(&index)
            && self.current.get(&entry.key) == Some(&index)
        {
            self.current.remove(&entry.key);
        }
    }
}

fn gateway(key: &NexthopKey) -> (u32, [u8; 16]) {
    match key.gateway {
        IpAddr::V4(v4) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&v4.octets());
            (4, bytes)
        }
        IpAddr::V6(v6) => (6, v6.octets()),
    }
}

fn address(nexthop: &Nexthop) -> IpAddr {
    let [a, b, c, d, ..] = nexthop.gateway;
    match nexthop.family {
        4 => IpAddr::from([a, b, c, d]),
        _ => IpAddr::from(nexthop.gateway),
    }
}

impl Reconciler {
    /// Reads from the map which index belongs to which next hop.
    pub(super) fn recover_nexthops(&mut self) {
        for (index, n) in self.maps.nexthops.iter().filter(|(_, n)| n.port != 0) {
            let ifindex = self.maps.ports.get(n.port.into()).ifindex;
            let key = NexthopKey { ifindex, gateway: address(&n) };
            let content = Content { macs: n.macs, port: n.port, mtu: n.mtu };
            if self.nexthops.indexes.adopt(index, 1) {
                self.nexthops.entries.insert(index, Entry { key, content, hosts: 0 });
                self.nexthops.current.insert(key, index);
            }
        }
    }

    /// The index of a next hop whose entry says what `wanted` says. A neighbour that does not answer
    /// any more is one store, and so is one that answers again as before. Anything else is a new
    /// entry, and whoever referred to the old one has to be written. `None` if its port is not one
    /// of ours, or the map is full.
    pub(super) fn add_nexthop(
        &mut self,
        key: &NexthopKey,
        wanted: &model::Nexthop,
        outcome: &mut Outcome,
    ) -> Option<u32> {
        let port = *self.ports.get(&key.ifindex)? as u16;
        let known = self.nexthops.current.get(key).copied();
        let old = known.and_then(|index| self.nexthops.entries.get(&index)).map(|e| e.content);
        let mut macs = [0; 12];
        match (wanted.destination, old) {
            (Some(mac), _) => macs[..6].copy_from_slice(&mac.0),
            // Nobody answers: what was known about it stays for when somebody does.
            (None, Some(old)) => macs = old.macs,
            (None, None) => {}
        }
        macs[6..].copy_from_slice(&wanted.source.0);
        let content = Content { macs, port, mtu: wanted.mtu };
        let flags = if wanted.destination.is_some() { 0 } else { FLAG_DOWN };
        if let (Some(index), true) = (known, old == Some(content)) {
            let stored = self.maps.nexthops.update(index, |entry| entry.flags = flags);
            outcome.changes += usize::from(stored);
            return Some(index);
        }
        let Some(index) = self.nexthops.indexes.allocate(1) else {
            outcome.full("nexthops", nexthops::MAX as usize - 1, "");
            return None;
        };
        let (family, gateway) = gateway(key);
        let Content { macs, port, mtu } = content;
        self.maps.nexthops.set(index, &Nexthop { macs, port, flags, mtu, family, gateway });
        outcome.changes += 1;
        self.nexthops.entries.insert(index, Entry { key: *key, content, hosts: 0 });
        self.nexthops.current.insert(*key, index);
        Some(index)
    }

    /// Says that a host does not refer to an entry any more.
    pub(super) fn release_nexthop(&mut self, index: u32, structure: &Structure) {
        if self.nexthops.let_go(index, |key| structure.nexthops.contains_key(key)) {
            self.nexthops.forget(index);
            self.resting.add(Freed::Nexthop(index));
        }
    }

    /// Frees all entries that neither groups nor hosts refer to.
    pub(super) fn remove_nexthops(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let Nexthops { current, entries, .. } = &self.nexthops;
        let idle = |(index, entry): (&u32, &Entry)| {
            let superseded = current.get(&entry.key) != Some(index);
            let wanted = structure.nexthops.contains_key(&entry.key);
            (entry.hosts == 0 && (superseded || !wanted)).then_some(*index)
        };
        let gone: Vec<u32> = entries.iter().filter_map(idle).collect();
        for index in gone {
            self.nexthops.forget(index);
            self.resting.add(Freed::Nexthop(index));
            outcome.changes += 1;
        }
    }
}
