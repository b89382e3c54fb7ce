//! `maps groups`: one row per member.

use fabric_common::schema::groups::Choice;
use serde_json::json;

use crate::{
    cli::{
        format::share,
        sheet::{Cell, Column, Sheet},
        uses::Uses,
        view::{View, gateway},
        ways::{alive, why_not},
        weights::weights,
    },
    observe::Mac,
};

const COLUMNS: &[Column] = &[
    Column::number("group", "GROUP"),
    Column::text("kind", "KIND"),
    Column::text("port", "PORT"),
    Column::text("gateway", "GATEWAY"),
    Column::text("mac", "MAC"),
    Column::number("weight", "WEIGHT"),
    Column::number("buckets", "BUCKETS"),
    Column::number("share_percent", "SHARE"),
    Column::text("alive", "ALIVE"),
    Column::text("used_by", "USED BY"),
    Column::number("nexthop", "NEXTHOP").detail(),
    Column::number("chunk", "CHUNK").detail(),
    Column::json_only("why_not"),
    Column::json_only("vteps"),
    Column::json_only("hosts"),
    Column::json_only("prefixes"),
];

/// Weights are not in the maps: they are what explains the shares.
pub(super) fn sheet(view: &View, uses: &Uses) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no group is known");
    for (index, group) in &view.contents.groups {
        let (kind, chunk) = kind(group.choice);
        let users = uses.group(*index);
        let counts: Vec<u32> = group.shares.values().copied().collect();
        let all: u32 = counts.iter().sum();
        let weights = weights(&counts);
        let mut row = |nexthop: Option<u32>, weight: Option<u32>, buckets: Option<u32>| {
            let hop = nexthop.and_then(|nexthop| view.contents.nexthops.get(&nexthop));
            let mac = hop.and_then(|hop| hop.macs.first_chunk().copied());
            let percent = buckets.map(|buckets| f64::from(buckets) * 100.0 / f64::from(all));
            sheet.row([
                (*index).into(),
                kind.into(),
                hop.map(|hop| view.port(hop.port.into())).into(),
                hop.map(|hop| gateway(hop).to_string()).into(),
                mac.filter(|mac| *mac != [0; 6]).map(|mac| Mac(mac).to_string()).into(),
                weight.into(),
                buckets.into(),
                Cell::new(
                    buckets.map_or_else(|| "-".into(), |n| share(n.into(), all.into())),
                    json!(percent),
                ),
                hop.map_or_else(Cell::none, |hop| alive(view, hop)),
                users.text().into(),
                nexthop.into(),
                chunk.into(),
                hop.map_or_else(Cell::none, |hop| why_not(view, hop)),
                users.vteps.into(),
                users.hosts.into(),
                users.prefixes.into(),
            ]);
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
    sheet
}

/// What a group is called, and where its buckets begin.
const fn kind(choice: Choice) -> (&'static str, Option<u32>) {
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
    use crate::cli::{contents::GroupEntry, sheet::Look, view::tests::leaf};

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
        let sheet = sheet(&view, &Uses::without_routes(&view));
        assert_eq!(sheet.text(Look::default()), expected);
    }
}
