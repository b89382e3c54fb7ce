//! `maps circuits`.

use fabric_common::schema::circuits::FLAG_ISOLATED;

use super::{vlan, yes};
use crate::cli::{
    sheet::{Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("port", "PORT"),
    Column::number("vlan", "VLAN"),
    Column::text("bridge", "BRIDGE"),
    Column::number("vni", "VNI"),
    Column::text("bridge_port", "BRIDGE PORT"),
    Column::number("max_frame", "MAX FRAME"),
    Column::text("isolated", "ISOLATED"),
    Column::number("index", "INDEX").detail(),
    Column::number("domain", "DOMAIN").detail(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no port is a member of an accelerated bridge");
    for (index, circuit) in &view.contents.circuits {
        let domain = u32::from(circuit.domain);
        sheet.row([
            view.port(circuit.port.into()).into(),
            vlan(circuit.vlan),
            view.bridge(domain),
            view.vni(domain),
            view.interfaces.name(circuit.bridge_port).into(),
            circuit.max_frame.into(),
            yes(circuit.flags & FLAG_ISOLATED != 0),
            (*index).into(),
            domain.into(),
        ]);
    }
    sheet
}
