//! `maps vteps`.

use fabric_common::schema::fdb::KIND_REMOTE;
use serde_json::json;

use crate::cli::{
    format::address,
    sheet::{Cell, Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("vtep", "VTEP"),
    Column::text("local", "LOCAL"),
    Column::number("macs", "MACS"),
    Column::text("via", "REACHABLE VIA").wrapped(),
    Column::number("group", "GROUP").detail(),
    Column::number("index", "INDEX").detail(),
];

/// Also a part of `fabricctl status`.
pub(in crate::cli) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no remote VTEP is known");
    let mut vteps: Vec<_> = view.contents.vteps.iter().collect();
    vteps.sort_by_key(|(_, vtep)| (address(vtep.remote_be), address(vtep.local_be)));
    for (index, vtep) in vteps {
        let behind = |e: &&crate::cli::contents::FdbEntry| e.kind == KIND_REMOTE && e.index == *index;
        let ports: Vec<String> = view.group_ports(vtep.group).into_iter().collect();
        let via = if ports.is_empty() {
            Cell::new("not reachable", json!([]))
        } else {
            Cell::new(ports.join(", "), json!(ports))
        };
        sheet.row([
            address(vtep.remote_be).to_string().into(),
            address(vtep.local_be).to_string().into(),
            view.contents.fdb.iter().filter(behind).count().into(),
            via,
            Some(vtep.group).filter(|group| *group != 0).into(),
            (*index).into(),
        ]);
    }
    sheet
}
