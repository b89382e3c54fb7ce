//! `maps vlans`.

use crate::cli::{
    sheet::{Cell, Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("port", "PORT"),
    Column::number("vlan", "VLAN"),
    Column::text("bridge", "BRIDGE"),
    Column::number("vni", "VNI"),
    Column::number("slot", "SLOT").detail(),
    Column::number("circuit", "CIRCUIT").detail(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no port has tagged VLANs");
    for ((slot, vlan), index) in &view.contents.vlans {
        let domain = view.contents.circuits.get(index).map(|circuit| u32::from(circuit.domain));
        sheet.row([
            view.port(*slot).into(),
            (*vlan).into(),
            domain.map_or_else(Cell::none, |domain| view.bridge(domain)),
            domain.map_or_else(Cell::none, |domain| view.vni(domain)),
            (*slot).into(),
            (*index).into(),
        ]);
    }
    sheet
}
