//! `maps groups`: one row per member.

use fabric_common::bucket::BUCKETS;
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
        let users = view.contents.vteps.values().filter(|vtep| vtep.group == *group).count();
        for (nexthop, buckets) in members {
            let hop = view.contents.nexthops.get(nexthop);
            let mac = hop.and_then(|hop| hop.ethernet.first_chunk().copied()).map(Mac);
            let percent = f64::from(*buckets) * 100.0 / BUCKETS as f64;
            sheet.row([
                (*group).into(),
                hop.map(|hop| view.port(hop.port.into())).into(),
                hop.map(|hop| gateway(hop).to_string()).into(),
                mac.map(|mac| mac.to_string()).into(),
                (*buckets).into(),
                Cell::new(share((*buckets).into(), BUCKETS as u64), json!(percent)),
                users.into(),
                (*nexthop).into(),
            ]);
        }
    }
    sheet
}
