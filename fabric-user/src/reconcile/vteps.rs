//! VTEPs and the peers table.

use fabric_common::schema::vteps::Vtep;

use super::{Outcome, Reconciler, rest::Freed};
use crate::model::{Structure, VtepKey};

impl Reconciler {
    /// Reads from the map which index belongs to which VTEP.
    pub(super) fn recover_vteps(&mut self) {
        let peers = self.maps.peers.table();
        let used = self.maps.vteps.iter().filter(|(_, vtep)| vtep.in_use());
        // Of two for the same VTEP one rested, to which this does not lead: the other one comes later.
        let (found, others): (Vec<_>, Vec<_>) =
            used.partition(|(index, vtep)| peers.get(vtep.peer()) == Some(*index));
        for (index, vtep) in others.into_iter().chain(found) {
            self.vteps.adopt(VtepKey { local: vtep.local(), remote: vtep.remote() }, index);
        }
    }

    pub(super) fn add_vteps(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let checked = self.checked_ports(structure);
        for (key, group) in &structure.vteps {
            let group = group.as_ref().and_then(|g| self.groups.get(g)).unwrap_or(0);
            let Some(value) = Vtep::between(key.local, key.remote, group) else { continue };
            let Some((index, new)) = self.vteps.allocate(key) else {
                outcome.full("vteps", self.vteps.capacity(), "");
                continue;
            };
            if new {
                self.maps.vtep_traffic.reset(index);
            }
            // Of one that is known only the group changes: one word.
            outcome.changes += usize::from(self.maps.vteps.set(index, &value));
            let path = checked.accept(key);
            outcome.changes += usize::from(self.maps.reverse_paths.set(index, &path));
            let table = self.maps.peers.table();
            let peer = value.peer();
            let known = table.get(peer);
            if structure.unheard.contains(key) {
                if known == Some(index) {
                    outcome.changes += usize::from(table.remove(peer));
                }
                continue;
            }
            if known == Some(index) {
                continue;
            }
            let clashes = |known: u32| {
                let other = self.maps.vteps.get(known);
                let same = other.local() == key.local && other.remote() == key.remote;
                other.peer() == peer && !same
            };
            if known.is_some_and(clashes) {
                outcome.full.insert(format!(
                    "the tunnel from {} to {} has the fingerprint of another one in the map peers, \
                     so what arrives by it is left to the kernel",
                    key.remote, key.local
                ));
                continue;
            }
            if table.insert(peer, index) {
                outcome.changes += 1;
            } else {
                outcome.full("peers", self.maps.peers.len() as usize * 4, "");
            }
        }
    }

    pub(super) fn remove_vteps(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let table = self.maps.peers.table();
        for index in self.vteps.retain(|key| structure.vteps.contains_key(key)) {
            self.resting.add(Freed::Vtep(index));
            outcome.changes += 1;
        }
        for (key, value, _) in table.iter() {
            if self.vteps.key_of(value).is_none() || self.maps.vteps.get(value).peer() != key {
                outcome.changes += usize::from(table.remove(key));
            }
        }
    }
}
