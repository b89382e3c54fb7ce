//! `maps vnis`.

use crate::cli::{
    sheet::{Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::number("vni", "VNI"),
    Column::number("udp_port", "UDP PORT"),
    Column::text("bridge", "BRIDGE"),
    Column::text("local", "LOCAL"),
    Column::number("domain", "DOMAIN").detail(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no VNI is accelerated");
    for ((vni, udp_port, _), index) in &view.contents.vnis {
        sheet.row([
            (*vni).into(),
            (*udp_port).into(),
            view.bridge(*index),
            view.local(*index).map(|local| local.to_string()).into(),
            (*index).into(),
        ]);
    }
    sheet
}
