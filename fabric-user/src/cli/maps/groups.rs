//! `maps groups`: one row per member.

use serde_json::json;

use crate::{
    cli::{
        format::share,
        sheet::{Cell, Column, Sheet},
        view::{View, gateway},
    },
    observe::Mac,
};

const COLUMNS: &[Column] = &[
    Column::number("group", "GROUP"),
    Column::text("port", "PORT"),
    Column::text("gateway", "GATEWAY"),
    Column::text("mac", "MAC"),
    Column::number("buckets", "BUCKETS"),
    Column::number("share_percent", "SHARE"),
    Column::number("vteps", "VTEPS"),
    Column::number("nexthop", "NEXTHOP").detail(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no path to any VTEP is known");
    for (group, members) in &view.contents.groups {
        let all: u32 = members.values().sum();
        let users = view.contents.vteps.values().filter(|vtep| vtep.group == *group).count();
        for (nexthop, buckets) in members {
            let hop = view.contents.nexthops.get(nexthop);
            let mac = hop.and_then(|hop| hop.macs.first_chunk().copied()).map(Mac);
            let percent = f64::from(*buckets) * 100.0 / f64::from(all);
            sheet.row([
                (*group).into(),
                hop.map(|hop| view.port(hop.port.into())).into(),
                hop.map(|hop| gateway(hop).to_string()).into(),
                mac.map(|mac| mac.to_string()).into(),
                (*buckets).into(),
                Cell::new(share((*buckets).into(), all.into()), json!(percent)),
                users.into(),
                (*nexthop).into(),
            ]);
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{sheet::Look, view::tests::leaf};

    #[test]
    fn a_group_is_shown_with_each_member_and_its_share_of_the_buckets() {
        let expected = "\
GROUP  PORT  GATEWAY    MAC                BUCKETS  SHARE  VTEPS
    1  swp1  192.0.2.1  02:00:00:00:00:51      192  75.0%      1
    1  swp2  fe80::1    02:00:00:00:00:52       64  25.0%      1
";
        assert_eq!(sheet(&leaf()).text(Look::default()), expected);
    }
}
