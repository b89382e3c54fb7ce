//! `maps groups`: one row per member.

use std::net::IpAddr;

use fabric_common::schema::groups::Choice;

use crate::{
    cli::{
        row::{Said, percent, rows},
        uses::Uses,
        view::View,
        ways::alive,
        weights::weights,
    },
    observe::Mac,
};

rows! {
    /// A member of a group. What belongs to its next hop is null for a group without.
    pub(super) struct GroupRow, "no group is known" {
        /// Index of the group.
        "GROUP" group: u32,
        /// `single`, `spread`, `resilient`, `blackhole` or `none`.
        "KIND" kind: &'static str,
        /// The port towards the next hop.
        "PORT" port: Option<String>,
        /// The next hop's address.
        "GATEWAY" gateway: Option<IpAddr>,
        /// The next hop's MAC address; null if it is not resolved.
        "MAC" mac: Option<Mac>,
        /// The smallest whole number that explains its share of the buckets; null if none does.
        "WEIGHT" weight: Option<u32>,
        /// Number of buckets that lead to it.
        "BUCKETS" buckets: Option<u32>,
        /// Its part of the group's buckets, in percent.
        "SHARE" [right] share_percent: Said<Option<f64>>,
        /// Packets are sent there.
        "ALIVE" alive: Option<Said<bool>>,
        /// Who uses the group, in words.
        "USED BY" used_by: String,
        /// Index of the next hop.
        "NEXTHOP" [detail] nexthop: Option<u32>,
        /// The first of the group's chunks of buckets.
        "CHUNK" [detail] chunk: Option<u32>,
        /// Why nothing is sent there: `neighbour`, `port`, `BFD`.
        "" [hidden] why_not: Vec<&'static str>,
        /// Number of VTEPs that the group leads to.
        "" [hidden] vteps: usize,
        /// Number of hosts that are routed by it.
        "" [hidden] hosts: usize,
        /// Number of ranges of addresses that are routed by it.
        "" [hidden] ranges: usize,
    }
}

/// Weights are not in the maps: they are what explains the shares.
pub(super) fn rows(view: &View, uses: &Uses) -> Vec<GroupRow> {
    let mut rows = Vec::new();
    for (index, group) in &view.contents.groups {
        let (kind, chunk) = kind(group.choice);
        let users = uses.group(*index);
        let counts: Vec<u32> = group.shares.values().copied().collect();
        let all: u32 = counts.iter().sum();
        let weights = weights(&counts);
        let mut row = |nexthop: Option<u32>, weight, buckets: Option<u32>| {
            let hop = nexthop.and_then(|nexthop| view.contents.nexthops.get(&nexthop));
            let mac = hop.and_then(|hop| hop.macs.first_chunk().copied()).map(Mac);
            rows.push(GroupRow {
                group: *index,
                kind,
                port: hop.map(|hop| view.port(hop.port.into())),
                gateway: hop.and(nexthop).map(|nexthop| view.contents.gateway(nexthop)),
                mac: mac.filter(|mac| !mac.is_zero()),
                weight,
                buckets,
                share_percent: percent(buckets.unwrap_or(0).into(), all.into()),
                alive: hop.map(|hop| alive(view, hop)),
                used_by: users.text(),
                nexthop,
                chunk,
                why_not: hop.map(|hop| view.death(hop)).unwrap_or_default(),
                vteps: users.vteps,
                hosts: users.hosts,
                ranges: users.ranges,
            });
        };
        if group.shares.is_empty() {
            row(None, None, None);
        }
        for (place, (nexthop, buckets)) in group.shares.iter().enumerate() {
            let weight = weights.as_ref().and_then(|weights| weights.get(place).copied());
            // Buckets without a nexthop belong to nobody.
            row(Some(*nexthop).filter(|nexthop| *nexthop != 0), weight, Some(*buckets));
        }
    }
    rows
}

/// What a group is called, and where its buckets begin.
pub(super) const fn kind(choice: Choice) -> (&'static str, Option<u32>) {
    match choice {
        Choice::Nothing => ("none", None),
        Choice::Single { .. } => ("single", None),
        Choice::Spread { chunk, timed: false, .. } => ("spread", Some(chunk)),
        Choice::Spread { chunk, timed: true, .. } => ("resilient", Some(chunk)),
        Choice::Blackhole => ("blackhole", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{
        contents::GroupEntry,
        table::{Look, Table},
        view::tests::leaf,
    };

    #[test]
    fn a_group_is_shown_with_each_member_its_weight_and_its_share_of_the_buckets() {
        let mut view = leaf();
        view.contents.ports.get_mut(&2).unwrap().down = 1;
        let blackhole = GroupEntry { choice: Choice::Blackhole, shares: [].into() };
        view.contents.groups.insert(2, blackhole);
        let single = GroupEntry { choice: Choice::Single { nexthop: 1 }, shares: [(1, 1)].into() };
        view.contents.groups.insert(3, single);
        let expected = "\
GROUP  KIND       PORT  GATEWAY    MAC                WEIGHT  BUCKETS   SHARE  ALIVE     USED BY
    1  spread     swp1  192.0.2.1  02:00:00:00:00:51       3      192   75.0%  yes       1 VTEP
    1  spread     swp2  fe80::1    02:00:00:00:00:52       1       64   25.0%  no: port  1 VTEP
    2  blackhole  -     -          -                       -        -       -  -         -
    3  single     swp1  192.0.2.1  02:00:00:00:00:51       1        1  100.0%  yes       -
";
        let rows = rows(&view, &Uses::without_routes(&view));
        assert_eq!(Table::of(rows).text(Look::default()), expected);
    }
}
