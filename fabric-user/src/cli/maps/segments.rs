//! `maps segments`: one row per VTEP of an Ethernet segment.

use std::net::IpAddr;

use fabric_common::schema::fdb::KIND_SEGMENT;

use super::groups::kind;
use crate::cli::{
    row::{Said, percent, rows},
    view::View,
    weights::weights,
};

rows! {
    /// A VTEP of a segment. What belongs to a VTEP is null for a segment without, which is the kernel's.
    pub(super) struct SegmentRow, "no Ethernet segment is known" {
        /// The kernel's ID of the nexthop group.
        "NHID" nexthop_group: u32,
        /// The local address of tunnels; null where each VTEP has its own.
        "LOCAL" local: Option<IpAddr>,
        /// `single`, `spread`, `resilient` or `none`.
        "KIND" kind: &'static str,
        /// Number of MAC addresses behind the segment.
        "MACS" macs: usize,
        /// The VTEP's address.
        "VTEP" vtep: Option<IpAddr>,
        /// The smallest whole number that explains its share of the buckets; null if none does.
        "WEIGHT" weight: Option<u32>,
        /// Number of buckets that lead to it.
        "BUCKETS" buckets: Option<u32>,
        /// Its part of the segment's buckets, in percent.
        "SHARE" [right] share_percent: Said<Option<f64>>,
        /// Ports of next hops towards it that live.
        "REACHABLE VIA" [wrapped] via: Option<Said<Vec<String>>>,
        /// Index of its group.
        "GROUP" [detail] group: Option<u32>,
        /// The first of the group's chunks of buckets.
        "CHUNK" [detail] chunk: Option<u32>,
        /// The segment's place in the map.
        "INDEX" [detail] index: u32,
    }
}

/// Sorted by the kernel's ID.
pub(super) fn rows(view: &View) -> Vec<SegmentRow> {
    let mut segments: Vec<_> = view.contents.segments.iter().collect();
    segments.sort_by_key(|(_, entry)| (entry.segment.id, entry.segment.local()));
    let mut rows = Vec::new();
    for (index, entry) in segments {
        let behind = |kind, at| kind == KIND_SEGMENT && at == *index;
        let macs = view.contents.fdb.iter().filter(|mac| behind(mac.kind, mac.index)).count();
        let (kind, chunk) = kind(entry.group.choice);
        let counts: Vec<u32> = entry.group.shares.values().copied().collect();
        let all: u32 = counts.iter().sum();
        let weights = weights(&counts);
        let mut row = |vtep: Option<u32>, weight, buckets: Option<u32>| {
            let vtep = vtep.and_then(|vtep| view.contents.vteps.get(&vtep));
            rows.push(SegmentRow {
                nexthop_group: entry.segment.id,
                local: Some(entry.segment.local()).filter(|local| !local.is_unspecified()),
                kind,
                macs,
                vtep: vtep.map(|vtep| vtep.remote()),
                weight,
                buckets,
                share_percent: percent(buckets.unwrap_or(0).into(), all.into()),
                via: vtep.map(|vtep| view.via(vtep.group)),
                group: Some(entry.segment.group).filter(|group| *group != 0),
                chunk,
                index: *index,
            });
        };
        if counts.is_empty() {
            row(None, None, None);
        }
        for (place, (vtep, buckets)) in entry.group.shares.iter().enumerate() {
            let weight = weights.as_ref().and_then(|weights| weights.get(place).copied());
            row(Some(*vtep), weight, Some(*buckets));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::segments::Segment;

    use super::*;
    use crate::cli::{
        contents::{GroupEntry, SegmentEntry},
        table::{Look, Table},
        view::tests::leaf,
    };
    use fabric_common::schema::groups::Choice;

    #[test]
    fn a_segment_is_shown_with_its_vteps_their_shares_and_how_each_is_reached() {
        let mut view = leaf();
        let local = "10.0.0.1".parse().unwrap();
        let choice = Choice::Spread { chunk: 5, count: 256, timed: false };
        let group = GroupEntry { choice, shares: [(1, 192), (2, 64)].into() };
        let segment = Segment::new(local, 536_870_913, 3);
        view.contents.segments.insert(1, SegmentEntry { segment, group });
        let none = GroupEntry { choice: Choice::Nothing, shares: [].into() };
        let segment = Segment::new("0.0.0.0".parse().unwrap(), 7, 0);
        view.contents.segments.insert(2, SegmentEntry { segment, group: none });
        view.contents.fdb[1].kind = KIND_SEGMENT;
        let expected =
            "     NHID  LOCAL     KIND    MACS  VTEP      WEIGHT  BUCKETS  SHARE  REACHABLE VIA
        7  -         none       0  -              -        -      -  -
536870913  10.0.0.1  spread     1  10.0.0.2       3      192  75.0%  swp1, swp2
536870913  10.0.0.1  spread     1  10.0.0.9       1       64  25.0%  not reachable
";
        assert_eq!(Table::of(rows(&view)).text(Look::default()), expected);
    }
}
