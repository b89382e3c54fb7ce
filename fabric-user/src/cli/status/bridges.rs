//! Bridge domains: their VNI, members and MAC addresses.

use fabric_common::schema::fdb::{KIND_LOCAL, KIND_REMOTE};

use crate::cli::{
    format::address,
    sheet::{Cell, Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("bridge", "BRIDGE"),
    Column::number("vni", "VNI"),
    Column::text("local", "LOCAL VTEP"),
    Column::number("ports", "PORTS"),
    Column::number("local_macs", "LOCAL MACS"),
    Column::number("remote_macs", "REMOTE MACS"),
    Column::number("vteps", "VTEPS"),
    Column::number("index", "INDEX").detail(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no bridge is accelerated");
    for (index, domain) in &view.contents.domains {
        let members = view.contents.circuits.values().filter(|c| u32::from(c.domain) == *index);
        let macs = |kind| {
            view.contents.fdb.iter().filter(move |entry| entry.domain == *index && entry.kind == kind)
        };
        let mut vteps: Vec<u32> = macs(KIND_REMOTE).map(|entry| entry.index).collect();
        vteps.sort_unstable();
        vteps.dedup();
        let local = (domain.vni != 0).then(|| address(domain.local_be).to_string());
        sheet.row([
            view.bridge_name(domain).into(),
            view.vni(*index),
            local.map_or_else(Cell::none, Into::into),
            members.count().into(),
            macs(KIND_LOCAL).count().into(),
            macs(KIND_REMOTE).count().into(),
            vteps.len().into(),
            (*index).into(),
        ]);
    }
    sheet
}
