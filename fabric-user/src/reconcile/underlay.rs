//! Nexthops, groups, VTEPs and the peers table.

use std::collections::BTreeSet;

use aya::{
    Pod,
    maps::{MapData, MapError, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use fabric_common::{
    bucket::Member,
    schema::{
        counters::Traffic,
        fdb::{split_target, target},
        nexthops::Nexthop,
        peers,
        vteps::Vtep,
    },
};

use super::{Outcome, Reconciler};
use crate::model::{Group, GroupKey, NexthopKey, Structure, VtepKey};

/// A nexthop as the packet path sees it: entries are never changed, so their content is their name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Content {
    macs: [u8; 12],
    port: u16,
    mtu: u32,
    family: u32,
    gateway: [u8; 16],
}

/// Sets a per-CPU counter to zero.
pub(super) fn reset<T: Pod + Default>(
    map: &mut PerCpuArray<MapData, T>,
    index: u32,
) -> Result<(), MapError> {
    let cpus = nr_cpus().map_err(|(_, error)| MapError::IoError(error))?;
    let zeros = PerCpuValues::try_from(vec![T::default(); cpus]).map_err(MapError::IoError)?;
    map.set(index, zeros, 0)
}

/// Stands for a group of an earlier daemon until the first round knows whose it is. The kernel has
/// no weight 0, so it equals no other key.
fn left_over(index: u32) -> GroupKey {
    let gateway = std::net::Ipv4Addr::UNSPECIFIED.into();
    GroupKey::Hops([(NexthopKey { ifindex: index, gateway }, 0)].into())
}

impl Reconciler {
    /// Reads from the maps which index belongs to which VTEP and nexthop.
    pub(super) fn recover_underlay(&mut self) {
        for (index, n) in self.maps.nexthops.iter().filter(|(_, n)| n.port != 0) {
            let Nexthop { macs, port, mtu, family, gateway, .. } = n;
            self.nexthops.adopt(Content { macs, port, mtu, family, gateway }, index);
        }
        for (index, v) in self.maps.vteps.iter().filter(|(_, v)| v.remote_be != 0) {
            let address = |be: u32| u32::from_be(be).into();
            let key = VtepKey { local: address(v.local_be), remote: address(v.remote_be) };
            self.vteps.adopt(key, index);
        }
        let groups: BTreeSet<u32> = self.maps.vteps.iter().map(|(_, vtep)| vtep.group).collect();
        self.recover_groups(&groups);
        for index in groups.into_iter().filter(|index| *index != 0) {
            self.groups.adopt(left_over(index), index);
        }
    }

    pub(super) fn add_underlay(&mut self, structure: &Structure, outcome: &mut Outcome) {
        self.inherit_groups(structure);
        for (key, Group { members, .. }) in &structure.groups {
            let mut list = Vec::with_capacity(members.len());
            for (nexthop, weight) in members {
                if let Some(index) = self.add_nexthop(structure, nexthop, outcome) {
                    list.push(Member { nexthop: index as u16, weight: *weight });
                }
            }
            let Some((index, _)) = self.groups.allocate(key) else {
                outcome.full("groups", self.groups.capacity(), "");
                continue;
            };
            self.write_group(index, &list, outcome);
        }
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

    /// A group that takes the place of another one goes on with the buckets that its VTEPs use, so
    /// that flows stay on their paths: after a restart, and when the same next hops get a nexthop
    /// object of another ID.
    fn inherit_groups(&mut self, structure: &Structure) {
        for key in structure.groups.keys() {
            if self.groups.get(key).is_some() {
                continue;
            }
            let old = structure
                .vteps
                .iter()
                .filter(|(_, group)| group.as_ref() == Some(key))
                .filter_map(|(vtep, _)| self.vteps.get(vtep))
                .filter_map(|index| self.groups.key_of(self.maps.vteps.get(index).group))
                .find(|old| !structure.groups.contains_key(old))
                .cloned();
            if let Some(old) = old {
                self.groups.pass_on(&old, key.clone());
            }
        }
    }

    fn add_nexthop(
        &mut self,
        structure: &Structure,
        key: &NexthopKey,
        outcome: &mut Outcome,
    ) -> Option<u32> {
        let content = self.content(structure, key)?;
        let Some((index, new)) = self.nexthops.allocate(&content) else {
            outcome.full("nexthops", self.nexthops.capacity(), "");
            return None;
        };
        if new {
            let Content { macs, port, mtu, family, gateway } = content;
            self.maps.nexthops.set(index, &Nexthop { macs, port, flags: 0, mtu, family, gateway });
            outcome.changes += 1;
        }
        Some(index)
    }

    fn content(&self, structure: &Structure, key: &NexthopKey) -> Option<Content> {
        let nexthop = structure.nexthops.get(key)?;
        let port = *self.ports.get(&key.ifindex)? as u16;
        let mut macs = [0; 12];
        macs[..6].copy_from_slice(&nexthop.destination?.0);
        macs[6..].copy_from_slice(&nexthop.source.0);
        let (family, gateway) = match key.gateway {
            std::net::IpAddr::V4(v4) => {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&v4.octets());
                (4, bytes)
            }
            std::net::IpAddr::V6(v6) => (6, v6.octets()),
        };
        Some(Content { macs, port, mtu: nexthop.mtu, family, gateway })
    }

    pub(super) fn remove_underlay(&mut self, structure: &Structure, outcome: &mut Outcome) {
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
        for (_, index) in self.groups.retain(|key| structure.groups.contains_key(key)) {
            self.clear_group(index);
            outcome.changes += 1;
        }
        let wanted: BTreeSet<u32> = structure
            .nexthops
            .keys()
            .filter_map(|key| self.nexthops.get(&self.content(structure, key)?))
            .collect();
        let gone: Vec<Content> = {
            let indexes = &self.nexthops;
            indexes
                .keys()
                .filter(|k| indexes.get(k).is_some_and(|i| !wanted.contains(&i)))
                .cloned()
                .collect()
        };
        for content in gone {
            if let Some(index) = self.nexthops.get(&content) {
                self.maps.nexthops.set(index, &Nexthop::default());
                self.nexthops.free(&content);
                outcome.changes += 1;
            }
        }
    }
}
