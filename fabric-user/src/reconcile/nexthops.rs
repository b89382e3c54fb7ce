//! Next hops: entries whose content never changes while something refers to them. Only whether they
//! live does, with one store, and where the FDB has their MAC address ([`super::stations`]).

use std::{cell::LazyCell, collections::BTreeMap};

use fabric_common::schema::{
    nexthop_addresses::NexthopAddress,
    nexthops::{self, FLAG_DOWN, Nexthop},
};

use super::{
    domains::Domains,
    pass::Pass,
    pool::Pool,
    ports::Ports,
    rest::Freed,
    stations::{Station, Stations},
};
use crate::{
    hashed::HashMap,
    kernel::{clock, maps::Maps},
    model::{self, NexthopKey, Structure},
};

/// What a packet gets from an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    /// Destination and source; the destination is zero as long as none was known.
    macs: [u8; 12],
    port: u16,
    mtu: u16,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: NexthopKey,
    content: Content,
    /// Number of hosts that refer to it without a group.
    hosts: u32,
}

impl Entry {
    fn station(&self, index: u32) -> Station {
        let [a, b, c, d, e, f, ..] = self.content.macs;
        Station { index, ifindex: self.key.ifindex, mac: [a, b, c, d, e, f] }
    }
}

/// The maps `nexthops` and `nexthop_addresses`: which index belongs to which next hop. An entry that another one has replaced stays
/// until nothing refers to it.
#[derive(Debug)]
pub(super) struct Nexthops {
    current: HashMap<NexthopKey, u32>,
    entries: BTreeMap<u32, Entry>,
    indexes: Pool,
    stations: Stations,
}

impl Nexthops {
    /// Reads from the map which index belongs to which next hop.
    pub(super) fn recover(maps: &Maps) -> Self {
        let mut this = Self {
            current: HashMap::default(),
            entries: BTreeMap::new(),
            indexes: Pool::new(nexthops::MAX),
            stations: Stations::recover(maps),
        };
        for (index, n) in maps.nexthops.iter().filter(|(_, n)| n.port != 0) {
            let ifindex = maps.ports.get(n.port.into()).ifindex;
            let key = NexthopKey { ifindex, gateway: maps.gateway(index) };
            let content = Content { macs: n.macs, port: n.port, mtu: n.mtu };
            if this.indexes.adopt(index, 1) {
                let entry = Entry { key, content, hosts: 0 };
                // The place that it has is looked at when the FDB is written.
                this.stations.add(maps, entry.station(index));
                this.entries.insert(index, entry);
                this.current.insert(key, index);
            }
        }
        this
    }

    /// The entry that stands for what an index stood for: itself, or the one that replaced it.
    pub(super) fn successor(&self, index: u32) -> Option<u32> {
        self.current.get(&self.entries.get(&index)?.key).copied()
    }

    /// Whether packets were routed to hosts within the last two seconds. For many that are asked
    /// about at one moment: to read the clock takes some 100 µs, which the first question does.
    pub(super) fn uses<'a>(&'a self, maps: &'a Maps) -> impl Fn(&NexthopKey) -> bool + use<'a> {
        let hz = maps.settings.get(0).hz;
        let now = LazyCell::new(move || clock::jiffies(hz));
        move |key| {
            let used = self.current.get(key).map(|index| maps.nexthops.get(*index).used);
            used.is_some_and(|used| now.is_none_or(|now| nexthops::is_recent(used, now, hz)))
        }
    }

    /// Notes that one host more refers to an entry.
    pub(super) fn hold(&mut self, index: u32) {
        if let Some(entry) = self.entries.get_mut(&index) {
            entry.hosts += 1;
        }
    }

    /// Writes the members of groups; which index each has that found room.
    pub(super) fn write(&mut self, pass: &mut Pass<'_>, ports: &Ports) -> HashMap<NexthopKey, u32> {
        let members = pass.structure.nexthops.iter();
        members.filter_map(|(key, hop)| Some((*key, self.add(pass, ports, key, hop)?))).collect()
    }

    /// The index of a next hop whose entry says what `wanted` says. A neighbour that does not answer
    /// any more is one store, and so is one that answers again as before. Anything else is a new
    /// entry, and whoever referred to the old one has to be written. `None` if its port is not one
    /// of ours, or the map is full.
    pub(super) fn add(
        &mut self,
        pass: &mut Pass<'_>,
        ports: &Ports,
        key: &NexthopKey,
        wanted: &model::Nexthop,
    ) -> Option<u32> {
        let port = ports.slot(key.ifindex)? as u16;
        let known = self.current.get(key).copied();
        let old = known.and_then(|index| self.entries.get(&index)).map(|e| e.content);
        let mut macs = [0; 12];
        match (wanted.destination, old) {
            (Some(mac), _) => macs[..6].copy_from_slice(&mac.0),
            // Nobody answers: what was known about it stays for when somebody does.
            (None, Some(old)) => macs = old.macs,
            (None, None) => {}
        }
        macs[6..].copy_from_slice(&wanted.source.0);
        let content = Content { macs, port, mtu: wanted.mtu.try_into().unwrap_or(u16::MAX) };
        let flags = if wanted.destination.is_some() { 0 } else { FLAG_DOWN };
        if let (Some(index), true) = (known, old == Some(content)) {
            pass.changed(pass.maps.nexthops.update(index, |entry| entry.flags = flags));
            return Some(index);
        }
        let Some(index) = self.indexes.allocate(1) else {
            pass.full("nexthops", nexthops::MAX as usize - 1, "");
            return None;
        };
        let Content { macs, port, mtu } = content;
        let known = Entry { key: *key, content, hosts: 0 };
        let place = self.stations.add(pass.maps, known.station(index));
        let entry = Nexthop { macs, port, flags, mtu, place, ..Nexthop::default() };
        // The address first: an entry that has none would be another next hop to the daemon after this one.
        pass.maps.nexthop_addresses.set(index, &key.gateway.into());
        pass.maps.nexthops.set(index, &entry);
        pass.changed(true);
        self.entries.insert(index, known);
        self.current.insert(*key, index);
        Some(index)
    }

    /// Before gateways get other domains, see [`Stations::depart`].
    pub(super) fn depart(&mut self, pass: &mut Pass<'_>, domains: &Domains) {
        let stations = self.entries.iter().map(|(index, entry)| entry.station(*index));
        self.stations.depart(pass, domains, stations);
    }

    /// Where the next hops behind bridges are.
    pub(super) const fn stations(&mut self) -> &mut Stations {
        &mut self.stations
    }

    /// Says that a host does not refer to an entry any more.
    pub(super) fn release(&mut self, pass: &mut Pass<'_>, index: u32) {
        if let Some(entry) = self.entries.get_mut(&index) {
            entry.hosts = entry.hosts.saturating_sub(1);
            if self.is_idle(index, pass.structure) {
                self.forget(pass, index);
            }
        }
    }

    /// Frees all entries that neither groups nor hosts refer to.
    pub(super) fn remove(&mut self, pass: &mut Pass<'_>) {
        let indexes = self.entries.keys().copied();
        let gone: Vec<u32> = indexes.filter(|index| self.is_idle(*index, pass.structure)).collect();
        pass.outcome.changes += gone.len();
        for index in gone {
            self.forget(pass, index);
        }
    }

    /// No host refers to an entry, nor do groups when this pass has ended.
    fn is_idle(&self, index: u32, structure: &Structure) -> bool {
        self.entries.get(&index).is_some_and(|entry| {
            let is_superseded = self.current.get(&entry.key) != Some(&index);
            entry.hosts == 0 && (is_superseded || !structure.nexthops.contains_key(&entry.key))
        })
    }

    fn forget(&mut self, pass: &mut Pass<'_>, index: u32) {
        if let Some(entry) = self.entries.remove(&index) {
            self.stations.remove(entry.station(index));
            if self.current.get(&entry.key) == Some(&index) {
                self.current.remove(&entry.key);
            }
        }
        pass.rest(Freed::Nexthop(index));
    }

    /// Empties and frees an index that has rested.
    pub(super) fn give_back(&mut self, maps: &Maps, index: u32) {
        maps.nexthops.set(index, &Nexthop::default());
        maps.nexthop_addresses.set(index, &NexthopAddress::default());
        self.indexes.give_back(index, 1);
    }
}
