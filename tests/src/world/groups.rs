//! Next hops, their groups, and the VTEPs behind these.

use std::net::{IpAddr, Ipv4Addr};

use fabric_common::schema::{
    buckets::{self, CHUNK, Chunk},
    groups::{Choice, Group},
    segments::Segment,
};
use fabric_user::{
    model::{self, GroupKey, NexthopKey, SegmentKey, VtepKey},
    observe::{self, Resilient},
};

use super::{NexthopId, Port, SegmentId, VtepId, World};
use crate::addresses::Mac;

impl World {
    /// Adds a nexthop of the underlay behind an underlay port.
    pub fn nexthop(&mut self, port: &Port, mac: Mac, mtu: u32) -> NexthopId {
        self.nexthops(port, [mac], mtu)
    }

    /// Adds nexthops; the first of them.
    pub fn nexthops(
        &mut self,
        port: &Port,
        macs: impl IntoIterator<Item = Mac>,
        mtu: u32,
    ) -> NexthopId {
        let first = NexthopId(self.nexthops.len() as u16 + 1);
        for mac in macs {
            let gateway = Ipv4Addr::from_bits(0x0a00_0001 + self.nexthops.len() as u32).into();
            let key = NexthopKey { ifindex: port.ifindex, gateway };
            let [source, destination] = [port.mac, mac].map(observe::Mac);
            let nexthop = model::Nexthop { source, destination: Some(destination), mtu };
            self.nexthops.push(key);
            self.desired.nexthops.insert(key, nexthop);
        }
        self.apply();
        first
    }

    pub(super) fn nexthop_key(&self, nexthop: NexthopId) -> NexthopKey {
        self.nexthops[usize::from(nexthop.0) - 1]
    }

    /// Adds a VTEP that is reached over `nexthops` in equal shares.
    pub fn vtep(
        &mut self,
        local: impl Into<IpAddr>,
        remote: impl Into<IpAddr>,
        nexthops: &[NexthopId],
    ) -> VtepId {
        let key = VtepKey { local: local.into(), remote: remote.into() };
        let members: Vec<_> = nexthops.iter().map(|nexthop| (*nexthop, 1)).collect();
        let group = self.group(&members);
        self.desired.vteps.insert(key, Some(GroupKey::Object(group)));
        self.apply();
        self.scope.vteps += 1;
        VtepId(self.scope.vteps)
    }

    pub(super) fn vtep_key(&self, vtep: VtepId) -> VtepKey {
        let entry = self.maps.vteps.get(vtep.0);
        VtepKey { local: entry.local(), remote: entry.remote() }
    }

    /// Makes VTEPs, which all have one local address, with their weights an Ethernet segment.
    pub fn segment(
        &mut self,
        members: &[(VtepId, u16)],
        resilient: Option<Resilient>,
    ) -> SegmentId {
        let segment = SegmentId(100 + self.desired.segments.len() as u32);
        let (first, _) = members.first().expect("a segment begins with a VTEP");
        let key = SegmentKey { local: self.vtep_key(*first).local, group: segment.0 };
        self.desired.segments.insert(key, model::Segment { resilient, ..Default::default() });
        self.change_segment(segment, members);
        segment
    }

    /// Gives a segment other VTEPs.
    pub fn change_segment(&mut self, segment: SegmentId, members: &[(VtepId, u16)]) {
        let members = members.iter().map(|(vtep, weight)| (self.vtep_key(*vtep), *weight));
        let members = members.collect();
        let key = self.segment_key(segment);
        self.desired.segments.get_mut(&key).expect("there is the segment").members = members;
        self.apply();
    }

    pub(super) fn segment_key(&self, segment: SegmentId) -> SegmentKey {
        let mut keys = self.desired.segments.keys();
        *keys.find(|key| key.group == segment.0).expect("there is the segment")
    }

    /// The entry of a segment in the maps.
    #[must_use]
    pub fn segment_entry(&self, segment: SegmentId) -> Segment {
        let mut entries = self.maps.segments.iter();
        entries.find(|(_, entry)| entry.id == segment.0).expect("it is in the maps").1
    }

    /// The group of nexthops towards a VTEP.
    #[must_use]
    pub fn group_of(&self, vtep: VtepId) -> u32 {
        self.maps.vteps.get(vtep.0).group
    }

    /// Makes a new group of nexthops and their weights.
    pub fn group(&mut self, members: &[(NexthopId, u16)]) -> u32 {
        let group = self.members(members);
        self.any_group(group)
    }

    /// Makes a new group of any kind.
    pub fn any_group(&mut self, group: model::Group) -> u32 {
        // Segments have groups as well.
        let index = (self.desired.groups.len() + self.desired.segments.len()) as u32 + 1;
        self.desired.groups.insert(GroupKey::Object(index), group);
        self.apply();
        index
    }

    /// Gives a group other members.
    pub fn change_group(
        &mut self,
        index: u32,
        members: &[(NexthopId, u16)],
        resilient: Option<Resilient>,
    ) {
        let group = model::Group { resilient, ..self.members(members) };
        self.desired.groups.insert(GroupKey::Object(index), group);
        self.apply();
    }

    fn members(&self, members: &[(NexthopId, u16)]) -> model::Group {
        let members = members.iter().map(|(nexthop, weight)| (self.nexthop_key(*nexthop), *weight));
        model::Group { members: members.collect(), ..model::Group::default() }
    }

    /// Gives a group these buckets, a multiple of a chunk, at the end of the map.
    pub fn set_buckets(&mut self, group: u32, nexthops: &[u16]) {
        let count = nexthops.len() as u32;
        let chunk = buckets::MAX - count / CHUNK;
        for (at, part) in (chunk..).zip(nexthops.as_chunks().0) {
            self.maps.buckets.set(at, &Chunk { nexthops: *part });
        }
        let choice = Choice::Spread { chunk, count, timed: false };
        self.maps.groups.set(group, &Group::new(choice));
    }
}
