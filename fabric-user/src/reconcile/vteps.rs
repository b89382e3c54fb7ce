//! VTEPs and the peers table.

use std::collections::BTreeSet;

use fabric_common::schema::{
    reverse_paths::ReversePath,
    vteps::{self, Vtep},
};

use super::{
    arrivals::Numbers,
    groups::Groups,
    indexes::Indexes,
    pass::Pass,
    rest::{Freed, Resting},
};
use crate::{kernel::maps::Maps, model::VtepKey};

/// The map `vteps`, with `peers` and `reverse_paths`.
pub(super) struct Vteps {
    indexes: Indexes<VtepKey>,
}

impl Vteps {
    /// Reads from the map which index belongs to which VTEP.
    pub(super) fn recover(maps: &Maps, resting: &mut Resting) -> Self {
        let peers = maps.peers.table();
        peers.settle();
        let used = maps.vteps.iter().filter(|(_, vtep)| vtep.in_use());
        // Of two for the same VTEP one rested, to which this does not lead: the other one comes later.
        let (found, others): (Vec<_>, Vec<_>) =
            used.partition(|(index, vtep)| peers.get(vtep.peer()) == Some(*index));
        let mut indexes = Indexes::new(vteps::MAX);
        for (index, vtep) in others.into_iter().chain(found) {
            indexes.adopt(VtepKey { local: vtep.local(), remote: vtep.remote() }, index);
        }
        resting.add_all(indexes.gaps(), Freed::Vtep);
        Self { indexes }
    }

    pub(super) fn get(&self, key: &VtepKey) -> Option<u32> {
        self.indexes.get(key)
    }

    /// All that there are.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&VtepKey, u32)> {
        self.indexes.iter()
    }

    pub(super) fn write(&mut self, pass: &mut Pass<'_>, groups: &Groups, numbers: &Numbers) {
        let (maps, structure) = (pass.maps, pass.structure);
        let checked = numbers.checked(structure);
        for (key, group) in &structure.vteps {
            let group = group.as_ref().and_then(|g| groups.get(g)).unwrap_or(0);
            let Some(value) = Vtep::between(key.local, key.remote, group) else { continue };
            let Some((index, new)) = self.indexes.allocate(key) else {
                pass.full("vteps", self.indexes.capacity(), "");
                continue;
            };
            if new {
                maps.vtep_traffic.reset(index);
            }
            // Of one that is known only the group changes: one word.
            pass.changed(maps.vteps.set(index, &value));
            pass.changed(maps.reverse_paths.set(index, &checked.accept(key)));
            write_peer(pass, key, &value, index);
        }
        for (alias, key) in &structure.aliases {
            let Some(index) = self.indexes.get(key) else { continue };
            if let Some(value) = Vtep::between(alias.local, alias.remote, 0) {
                write_peer(pass, alias, &value, index);
            }
        }
    }

    pub(super) fn remove(&mut self, pass: &mut Pass<'_>) {
        let gone = self.indexes.retain(|key| pass.structure.vteps.contains_key(key));
        pass.outcome.changes += gone.len();
        pass.rest_all(gone, Freed::Vtep);
        pass.rest_all(self.indexes.take_superseded(), Freed::Vtep);
        let aliases = pass.structure.aliases.iter().filter_map(|(alias, key)| {
            let peer = Vtep::between(alias.local, alias.remote, 0)?.peer();
            Some((peer, self.indexes.get(key)?))
        });
        let aliases: BTreeSet<(u64, u32)> = aliases.collect();
        let table = pass.maps.peers.table();
        for (key, value, _) in table.iter() {
            let is_wanted = self.indexes.key_of(value).is_some()
                && (pass.maps.vteps.get(value).peer() == key || aliases.contains(&(key, value)));
            if !is_wanted {
                pass.changed(table.remove(key));
            }
        }
    }

    /// Empties and frees an index that has rested.
    pub(super) fn give_back(&mut self, maps: &Maps, index: u32) {
        maps.vteps.set(index, &Vtep::default());
        maps.reverse_paths.set(index, &ReversePath::default());
        self.indexes.give_back(index);
    }
}

/// Says by its addresses which VTEP sent a packet, unless such packets are left to the kernel.
fn write_peer(pass: &mut Pass<'_>, key: &VtepKey, value: &Vtep, index: u32) {
    let (maps, table) = (pass.maps, pass.maps.peers.table());
    let peer = value.peer();
    let known = table.get(peer);
    if pass.structure.unheard.contains(key) {
        if known == Some(index) {
            pass.changed(table.remove(peer));
        }
        return;
    }
    if known == Some(index) {
        return;
    }
    let clashes = |known: u32| {
        let other = maps.vteps.get(known);
        let same = other.local() == key.local && other.remote() == key.remote;
        other.peer() == peer && !same
    };
    if known.is_some_and(clashes) {
        pass.left_out(format!(
            "the tunnel from {} to {} has the fingerprint of another one in the map peers, so what \
             arrives by it is left to the kernel",
            key.remote, key.local
        ));
        return;
    }
    match table.insert(peer, index) {
        true => pass.changed(true),
        false => pass.full("peers", maps.peers.len() as usize * 4, ""),
    }
}

#[cfg(test)]
impl Vteps {
    pub(super) fn allocate(&mut self, key: &VtepKey) -> Option<(u32, bool)> {
        self.indexes.allocate(key)
    }
}
