//! What the maps hold, copied out of them as plain values. Free entries are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
};

use fabric_common::schema::{
    circuits::Circuit,
    domains::{Domain, FLAG_IN_USE},
    domains6::Domain6,
    fdb::{split_key, split_target},
    groups::{self, Choice, Group},
    nexthops::Nexthop,
    ports::Port,
    reverse_paths::ReversePath,
    segments::Segment,
    settings::Settings,
    vteps::Vtep,
};

use crate::{kernel::maps::Maps, observe::Mac};

/// An FDB entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FdbEntry {
    /// Index of the domain.
    pub(crate) domain: u32,
    pub(crate) mac: Mac,
    /// `KIND_` constant of the schema.
    pub(crate) kind: u32,
    /// Index of the circuit, VTEP or segment.
    pub(crate) index: u32,
    /// Low 32 bits of jiffies, 0 for never.
    pub(crate) shown: u32,
}

/// An ECMP group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupEntry {
    pub(crate) choice: Choice,
    /// Number of buckets by nexthop.
    pub(crate) shares: BTreeMap<u32, u32>,
}

/// An Ethernet segment, with its group of VTEPs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentEntry {
    pub(crate) segment: Segment,
    /// The shares are those of VTEPs.
    pub(crate) group: GroupEntry,
}

/// All but the routes, which can be a million, the counters and the device map.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) settings: Settings,
    /// By slot.
    pub(crate) ports: BTreeMap<u32, Port>,
    /// Circuit by port slot and VLAN ID.
    pub(crate) vlans: BTreeMap<(u32, u16), u32>,
    pub(crate) circuits: BTreeMap<u32, Circuit>,
    pub(crate) domains: BTreeMap<u32, Domain>,
    /// Of domains over IPv6 what stands beside, by the same index.
    pub(crate) domains6: BTreeMap<u32, Domain6>,
    pub(crate) fdb: Vec<FdbEntry>,
    pub(crate) vteps: BTreeMap<u32, Vtep>,
    pub(crate) segments: BTreeMap<u32, SegmentEntry>,
    /// Ports that accept a VTEP's packets, by the same index.
    pub(crate) reverse_paths: BTreeMap<u32, ReversePath>,
    /// Those of next hops.
    pub(crate) groups: BTreeMap<u32, GroupEntry>,
    pub(crate) nexthops: BTreeMap<u32, Nexthop>,
    /// The addresses of next hops, by the same index.
    pub(crate) nexthop_addresses: BTreeMap<u32, IpAddr>,
}

impl Contents {
    /// Copies everything. The daemon may write meanwhile: an entry can refer to one that has gone.
    pub(crate) fn read(maps: &Maps) -> Self {
        let ports: BTreeMap<_, _> = maps.ports.iter().filter(|(_, p)| p.ifindex != 0).collect();
        let mut vlans = BTreeMap::new();
        for (slot, port) in ports.iter().filter(|(_, port)| port.vlans != 0) {
            let circuits = maps.vlans.get(port.vlans.into()).circuits;
            let used = (0_u16..).zip(circuits).filter(|(_, circuit)| *circuit != 0);
            vlans.extend(used.map(|(vlan, circuit)| ((*slot, vlan), u32::from(circuit))));
        }
        let entry =
            |group: Group| GroupEntry { choice: group.choice(), shares: maps.shares(group) };
        let segments = maps.segments.iter().filter(|(_, segment)| segment.id != 0);
        let segments: BTreeMap<_, _> = segments
            .map(|(index, segment)| {
                let group = entry(maps.groups.get(segment.group & (groups::MAX - 1)));
                (index, SegmentEntry { segment, group })
            })
            .collect();
        let of_vteps: BTreeSet<u32> = segments.values().map(|entry| entry.segment.group).collect();
        let groups = maps.groups.iter().filter(|(index, group)| {
            group.choice() != Choice::Nothing && !of_vteps.contains(index)
        });
        let groups = groups.map(|(index, group)| (index, entry(group)));
        let nexthops: BTreeMap<_, _> = maps.nexthops.iter().filter(|(_, n)| n.port != 0).collect();
        Self {
            settings: maps.settings.get(0),
            vlans,
            circuits: maps.circuits.iter().filter(|(_, c)| c.port != 0).collect(),
            domains6: maps.domains6.iter().filter(|(_, d)| *d != Domain6::default()).collect(),
            domains: maps.domains.iter().filter(|(_, d)| d.flags & FLAG_IN_USE != 0).collect(),
            fdb: maps.fdb_table().iter().map(fdb_entry).collect(),
            vteps: maps.vteps.iter().filter(|(_, v)| v.in_use()).collect(),
            reverse_paths: maps.reverse_paths.iter().filter(|(_, path)| path.ports != 0).collect(),
            groups: groups.collect(),
            segments,
            nexthop_addresses: nexthops
                .keys()
                .map(|index| (*index, maps.gateway(*index)))
                .collect(),
            nexthops,
            ports,
        }
    }

    /// The address of a next hop; the unspecified one if there is no such next hop.
    pub(crate) fn gateway(&self, nexthop: u32) -> IpAddr {
        self.nexthop_addresses.get(&nexthop).copied().unwrap_or(Ipv6Addr::UNSPECIFIED.into())
    }
}

fn fdb_entry((key, target, shown): (u64, u32, u32)) -> FdbEntry {
    let (domain, mac) = split_key(key);
    let (kind, index) = split_target(target);
    FdbEntry { domain: domain.into(), mac: Mac(mac), kind, index, shown }
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::fdb;

    use super::*;

    #[test]
    fn table_keys_are_taken_apart_as_they_were_put_together() {
        let mac = [0x52, 0x54, 0, 1, 2, 3];
        let entry =
            fdb_entry((fdb::key(9, fdb::mac_number(mac)), fdb::target(fdb::KIND_REMOTE, 4), 5));
        let expected =
            FdbEntry { domain: 9, mac: Mac(mac), kind: fdb::KIND_REMOTE, index: 4, shown: 5 };
        assert_eq!(entry, expected);
    }
}
