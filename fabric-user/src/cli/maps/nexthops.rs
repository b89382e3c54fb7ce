//! `maps nexthops`.

use std::collections::BTreeMap;

use crate::{
    cli::{
        sheet::{Cell, Column, Sheet},
        view::{View, gateway},
    },
    observe::Mac,
};

const COLUMNS: &[Column] = &[
    Column::text("port", "PORT"),
    Column::text("gateway", "GATEWAY"),
    Column::text("mac", "MAC"),
    Column::text("source", "SOURCE MAC"),
    Column::number("mtu", "MTU"),
    Column::number("groups", "GROUPS"),
    Column::number("index", "INDEX").detail(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no underlay neighbour is resolved");
    let mut users: BTreeMap<u32, usize> = BTreeMap::new();
    for nexthop in view.contents.groups.values().flat_map(BTreeMap::keys) {
        *users.entry(*nexthop).or_default() += 1;
    }
    for (index, nexthop) in &view.contents.nexthops {
        let mac = |at: usize| -> Cell {
            let bytes = nexthop.macs.get(at..).and_then(|rest| rest.first_chunk().copied());
            bytes.map(|bytes| Mac(bytes).to_string()).into()
        };
        sheet.row([
            view.port(nexthop.port.into()).into(),
            gateway(nexthop).to_string().into(),
            mac(0),
            mac(6),
            nexthop.mtu.into(),
            users.get(index).copied().unwrap_or(0).into(),
            (*index).into(),
        ]);
    }
    sheet
}
