//! Where the bridges of gateways have the MAC addresses of next hops: what the FDB says of them stands in their
//! entries as well, so that packets need not wait for both.
//!
//! The FDB tells of every change. What a gateway's domain becomes is found out here, before packets can see
//! it: until the FDB has been written its next hops have no place, and their packets are the kernel's.

use std::collections::{BTreeMap, BTreeSet};

use fabric_common::schema::{
    fdb::{key, mac_number},
    ports::ROLE_GATEWAY,
};

use super::{domains::Domains, pass::Pass};
use crate::{kernel::maps::Maps, model::Role};

/// Which next hops stand for which entry of the FDB, and their places.
#[derive(Debug, Default)]
pub(super) struct Stations {
    /// Index of the domain of each gateway, by its interface index.
    domains: BTreeMap<u32, u32>,
    /// Keys of the FDB with the next hops that have them, by index.
    keys: BTreeSet<(u64, u32)>,
    /// Gateways have got other domains, and their next hops are to get places.
    is_new: bool,
}

/// A next hop that may be behind a bridge.
#[derive(Clone, Copy)]
pub(super) struct Station {
    /// Its index.
    pub(super) index: u32,
    /// Interface index of its port.
    pub(super) ifindex: u32,
    /// Its MAC address.
    pub(super) mac: [u8; 6],
}

impl Stations {
    /// Reads the domains of gateways from the maps.
    pub(super) fn recover(maps: &Maps) -> Self {
        let gateways = maps.ports.iter().map(|(_, port)| port);
        let gateways = gateways.filter(|port| port.role == ROLE_GATEWAY && port.ifindex != 0);
        let domains = gateways.map(|port| (port.ifindex, port.untagged_domain.into())).collect();
        Self { domains, ..Self::default() }
    }

    /// A next hop is there; its place by the FDB as it is now.
    pub(super) fn add(&mut self, maps: &Maps, station: Station) -> u16 {
        let Some(key) = self.key(station) else { return 0 };
        self.keys.insert((key, station.index));
        place(maps.fdb_table().table().get(key))
    }

    pub(super) fn remove(&mut self, station: Station) {
        if let Some(key) = self.key(station) {
            self.keys.remove(&(key, station.index));
        }
    }

    /// Takes their places from all next hops of gateways that are to get another domain. To be called before
    /// [`super::ports::Ports::classify`].
    pub(super) fn depart(
        &mut self,
        pass: &mut Pass<'_>,
        domains: &Domains,
        stations: impl Iterator<Item = Station> + Clone,
    ) {
        let gateways = pass.structure.ports.iter().filter(|(_, port)| port.role == Role::Gateway);
        let wanted: BTreeMap<u32, u32> = gateways
            .filter_map(|(ifindex, port)| Some((*ifindex, domains.get(port.domain.as_ref()?)?)))
            .collect();
        if wanted == self.domains {
            return;
        }
        let moves =
            |station: &Station| wanted.get(&station.ifindex) != self.domains.get(&station.ifindex);
        let moved: Vec<_> = stations.filter(moves).collect();
        for station in &moved {
            self.remove(*station);
            set(pass, station.index, 0);
        }
        self.domains = wanted;
        for station in moved {
            self.keys.extend(self.key(station).map(|key| (key, station.index)));
        }
        self.is_new = true;
    }

    /// The FDB has this target for a key now, or none.
    pub(super) fn follow(&self, pass: &mut Pass<'_>, key: u64, target: Option<u32>) {
        for (_, index) in self.keys.range((key, 0)..=(key, u32::MAX)) {
            set(pass, *index, place(target));
        }
    }

    /// Compares all places with the FDB, in an audit and for gateways that are in another domain now. To be called when
    /// the FDB is written.
    pub(super) fn settle(&mut self, pass: &mut Pass<'_>) {
        if !std::mem::take(&mut self.is_new) && !pass.audit {
            return;
        }
        let table = pass.maps.fdb_table().table();
        for (key, index) in &self.keys {
            set(pass, *index, place(table.get(*key)));
        }
    }

    fn key(&self, station: Station) -> Option<u64> {
        let domain = *self.domains.get(&station.ifindex)?;
        Some(key(domain as u16, mac_number(station.mac)))
    }
}

/// A target of the FDB, of which there are 16 bits.
fn place(target: Option<u32>) -> u16 {
    target.unwrap_or(0) as u16
}

fn set(pass: &mut Pass<'_>, index: u32, place: u16) {
    pass.changed(pass.maps.nexthops.update(index, |nexthop| nexthop.place = place));
}
