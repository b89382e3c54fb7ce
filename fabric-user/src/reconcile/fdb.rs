//! MAC addresses.

use fabric_common::{
    schema::fdb::{KIND_LOCAL, KIND_OWN, KIND_REMOTE, key, mac_number, target},
    table::{Bucket as _, Narrow},
};

use super::{Outcome, Reconciler};
use crate::{
    hashed::HashMap,
    model::{FdbKey, Target},
};

/// What of the MAC addresses is to be written.
#[derive(Clone, Debug)]
pub enum Macs {
    /// These are all.
    All(Vec<(FdbKey, Target)>),
    /// These have changed; `None` has gone.
    Some(Vec<(FdbKey, Option<Target>)>),
}

impl Reconciler {
    pub(super) fn write_macs(&mut self, macs: Macs, outcome: &mut Outcome) {
        match macs {
            Macs::All(all) => self.sync_fdb(all, outcome),
            Macs::Some(some) => self.change_macs(some, outcome),
        }
    }

    /// Makes the FDB hold exactly `fdb`.
    fn sync_fdb(&mut self, fdb: Vec<(FdbKey, Target)>, outcome: &mut Outcome) {
        let mut wanted = HashMap::with_capacity_and_hasher(fdb.len(), Default::default());
        for (mac, place) in fdb {
            if let Some((key, target)) = self.entry(&mac, &place) {
                wanted.insert(key, target);
            }
        }
        self.maps.fit_fdb(wanted.len());
        self.macs = wanted.len();
        let table = self.maps.fdb_table();
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
            outcome.changes += usize::from(table.remove(key));
        }
        for (key, target) in wanted {
            if self.maps.insert_mac(key, target) {
                outcome.changes += 1;
            } else {
                self.fdb_full(outcome);
            }
        }
    }

    fn change_macs(&mut self, changes: Vec<(FdbKey, Option<Target>)>, outcome: &mut Outcome) {
        for (mac, place) in changes {
            let Some(domain) = self.domains.get(&mac.domain) else {
                continue;
            };
            let table = self.maps.fdb_table();
            let changed = match place.as_ref().and_then(|place| self.entry(&mac, place)) {
                None => {
                    let removed = table.remove(key(domain as u16, mac_number(mac.mac.0)));
                    self.macs -= usize::from(removed);
                    removed
                }
                Some((key, target)) => match table.get(key) {
                    Some(old) if old == target => false,
                    Some(_) => table.insert(key, target),
                    None => self.add_mac(key, target, outcome),
                },
            };
            outcome.changes += usize::from(changed);
        }
    }

    fn add_mac(&mut self, key: u64, target: u32, outcome: &mut Outcome) -> bool {
        self.maps.fit_fdb(self.macs + 1);
        let stored = self.maps.insert_mac(key, target);
        self.macs += usize::from(stored);
        if !stored {
            self.fdb_full(outcome);
        }
        stored
    }

    fn fdb_full(&self, outcome: &mut Outcome) {
        let slots = self.maps.fdb.len() as usize * Narrow::SLOTS as usize;
        outcome.full("fdb", slots, "; raise `fdb_entries` in the settings");
    }

    fn entry(&self, mac: &FdbKey, place: &Target) -> Option<(u64, u32)> {
        let domain = self.domains.get(&mac.domain)?;
        let target = match place {
            Target::Local(circuit) => target(KIND_LOCAL, self.circuits.get(circuit)?),
            Target::Remote(vtep) => target(KIND_REMOTE, self.vteps.get(vtep)?),
            Target::Own => target(KIND_OWN, 0),
        };
        Some((key(domain as u16, mac_number(mac.mac.0)), target))
    }
}
