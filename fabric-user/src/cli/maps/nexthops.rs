//! `maps nexthops`.

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
    Column::number("max_frame", "MAX FRAME"),
    Column::number("groups", "GROUPS"),
    Column::number("index", "INDEX").detail(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no underlay neighbour is resolved");
    for (index, nexthop) in &view.contents.nexthops {
        let users = view.contents.groups.values().filter(|members| members.contains_key(index));
        let mac = |at: usize| -> Cell {
            let bytes = nexthop.ethernet.get(at..).and_then(|rest| rest.first_chunk().copied());
            bytes.map(|bytes| Mac(bytes).to_string()).into()
        };
        sheet.row([
            view.port(nexthop.port.into()).into(),
            gateway(nexthop).to_string().into(),
            mac(0),
            mac(6),
            nexthop.max_frame.into(),
            users.count().into(),
            (*index).into(),
        ]);
    }
    sheet
}
