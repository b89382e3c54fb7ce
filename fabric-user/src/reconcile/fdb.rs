//! MAC addresses.

use fabric_common::{
    schema::fdb::{
        INDEXES, KIND_LOCAL, KIND_OWN, KIND_REMOTE, KIND_SEGMENT, key, mac_number, target,
    },
    table::{Bucket as _, Narrow},
};

use super::{
    circuits::Circuits, domains::Domains, pass::Pass, ports::Ports, segments::Segments,
    stations::Stations, vteps::Vteps,
};
use crate::{
    hashed::HashMap,
    kernel::maps::Maps,
    model::{FdbKey, Macs, Target},
};

/// The map `fdb`.
pub(super) struct Fdb {
    /// MAC addresses for which there is room in the part of the map that is in use.
    macs: usize,
}

/// What entries refer to.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) domains: &'a Domains,
    pub(super) circuits: &'a Circuits,
    pub(super) vteps: &'a Vteps,
    pub(super) segments: &'a Segments,
    pub(super) ports: &'a Ports,
}

impl Places<'_> {
    fn key(self, mac: &FdbKey) -> Option<u64> {
        Some(key(self.domains.get(&mac.domain)? as u16, mac_number(mac.mac.0)))
    }

    fn target(self, place: &Target) -> Option<u32> {
        Some(match place {
            Target::Local(circuit) => target(KIND_LOCAL, self.circuits.get(circuit)?),
            Target::Remote(vtep) => target(KIND_REMOTE, self.vteps.get(vtep)?),
            Target::Segment(segment) => target(KIND_SEGMENT, self.segments.get(segment)?),
            Target::Own => target(KIND_OWN, 0),
            // One whose slot has no room in an entry is the kernel's.
            Target::Gateway(ifindex) => {
                let slot = self.ports.slot(*ifindex).filter(|slot| *slot < INDEXES);
                target(KIND_OWN, slot.unwrap_or(0))
            }
        })
    }
}

impl Fdb {
    /// Takes over the entries of an earlier daemon.
    pub(super) fn recover(maps: &Maps) -> Self {
        Self { macs: maps.fdb_table().recover() }
    }

    pub(super) fn write(
        &mut self,
        pass: &mut Pass<'_>,
        macs: Macs,
        places: Places<'_>,
        stations: &mut Stations,
    ) {
        match macs {
            Macs::All(all) => self.sync(pass, all, places, stations),
            Macs::Some(some) => self.change(pass, some, places, stations),
        }
        stations.settle(pass);
    }

    /// Makes the FDB hold exactly `fdb`.
    fn sync(
        &mut self,
        pass: &mut Pass<'_>,
        fdb: Vec<(FdbKey, Target)>,
        places: Places<'_>,
        stations: &Stations,
    ) {
        let mut wanted = HashMap::with_capacity_and_hasher(fdb.len(), Default::default());
        for (mac, place) in fdb {
            if let (Some(key), Some(target)) = (places.key(&mac), places.target(&place)) {
                wanted.insert(key, target);
            }
        }
        self.macs = wanted.len();
        let growing = pass.maps.fdb_table();
        growing.fit(self.macs);
        let table = growing.table();
        let mut stale = Vec::new();
        for (key, target, _) in table.iter() {
            match wanted.get(&key) {
                Some(same) if *same == target => {
                    wanted.remove(&key);
                }
                Some(_) => {}
                None => stale.push(key),
            }
        }
        for key in stale {
            pass.changed(table.remove(key));
            stations.follow(pass, key, None);
        }
        // Filters without the marks of all those that have gone since the last time.
        table.settle();
        for (key, target) in wanted {
            let stored = insert(pass, key, target);
            stations.follow(pass, key, stored.then_some(target));
        }
    }

    /// Room is looked for and the table found once for all of them.
    fn change(
        &mut self,
        pass: &mut Pass<'_>,
        changes: Vec<(FdbKey, Option<Target>)>,
        places: Places<'_>,
        stations: &Stations,
    ) {
        let growing = pass.maps.fdb_table();
        let mut table = growing.table();
        for (mac, place) in changes {
            let Some(key) = places.key(&mac) else { continue };
            let Some(target) = place.and_then(|place| places.target(&place)) else {
                let removed = table.remove(key);
                self.macs -= usize::from(removed);
                pass.changed(removed);
                stations.follow(pass, key, None);
                continue;
            };
            match table.get(key) {
                Some(old) if old == target => {}
                Some(_) => {
                    pass.changed(table.insert(key, target));
                    stations.follow(pass, key, Some(target));
                }
                None => {
                    growing.fit(self.macs + 1);
                    let stored = insert(pass, key, target);
                    self.macs += usize::from(stored);
                    table = growing.table();
                    stations.follow(pass, key, stored.then_some(target));
                }
            }
        }
    }
}

/// Adds an entry or changes its target; false if there is no room.
fn insert(pass: &mut Pass<'_>, key: u64, target: u32) -> bool {
    let stored = pass.maps.fdb_table().insert(key, target);
    pass.changed(stored);
    if !stored {
        let slots = pass.maps.fdb.len() as usize * Narrow::SLOTS as usize;
        pass.full("fdb", slots, "; raise `fdb_entries` in the settings");
    }
    stored
}
