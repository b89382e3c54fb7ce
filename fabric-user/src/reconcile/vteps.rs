//! VTEPs and the peers table.

use fabric_common::schema::{
    counters::Traffic,
    fdb::{split_target, target},
    peers,
    vteps::Vtep,
};

use super::{Outcome, Reconciler, counters::reset};
use crate::model::{Structure, VtepKey};

impl Reconciler {
    /// Reads from the map which index belongs to which VTEP.
    pub(super) fn recover_vteps(&mut self) {
        for (index, v) in self.maps.vteps.iter().filter(|(_, v)| v.remote_be != 0) {
            let address = |be: u32| u32::from_be(be).into();
            let key = VtepKey { local: address(v.local_be), remote: address(v.remote_be) };
            self.vteps.adopt(key, index);
        }
    }

    pub(super) fn add_vteps(&mut self, structure: &Structure, outcome: &mut Outcome) {
        for (key, group) in &structure.vteps {
            let Some((index, new)) = self.vteps.allocate(key) else {
                outcome.full("vteps", self.vteps.capacity(), "");
                continue;
            };
            if new {
                reset::<Traffic>(&mut self.maps.vtep_traffic, index)
                    .unwrap_or_else(|error| tracing::warn!(%error, "cannot reset counters"));
            }
            let group = group.as_ref().and_then(|g| self.groups.get(g)).unwrap_or(0);
            let (local, remote) = (u32::from(key.local).to_be(), u32::from(key.remote).to_be());
            let value = Vtep::new(local, remote, group);
            outcome.changes += usize::from(self.maps.vteps.set(index, &value));
            let table = self.maps.peers.table();
            let peer = peers::key(local, remote);
            if table.get(peer) == Some(target(0, index)) {
                continue;
            }
            if table.insert(peer, target(0, index)) {
                outcome.changes += 1;
            } else {
                outcome.full("peers", self.maps.peers.len() as usize * 4, "");
            }
        }
    }

    pub(super) fn remove_vteps(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let table = self.maps.peers.table();
        for (key, index) in self.vteps.retain(|key| structure.vteps.contains_key(key)) {
            table.remove(peers::key(u32::from(key.local).to_be(), u32::from(key.remote).to_be()));
            self.maps.vteps.set(index, &Vtep::default());
            outcome.changes += 1;
        }
        for (key, value, _) in table.iter() {
            if self.maps.vteps.get(split_target(value).1).remote_be == 0 {
                outcome.changes += usize::from(table.remove(key));
            }
        }
    }
}
