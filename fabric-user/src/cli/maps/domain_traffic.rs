//! `maps domain_traffic`.

use super::Source;
use crate::cli::{
    counters::Sums,
    sheet::{Column, Sheet},
};

const COLUMNS: &[Column] = &[
    Column::number("vni", "VNI"),
    Column::text("bridge", "BRIDGE"),
    Column::number("encapsulated_packets", "ENCAP PACKETS"),
    Column::number("encapsulated_bytes", "BYTES"),
    Column::number("decapsulated_packets", "DECAP PACKETS"),
    Column::number("decapsulated_bytes", "BYTES"),
    Column::number("index", "INDEX").detail(),
];

pub(super) fn sheet(source: &Source<'_>) -> anyhow::Result<Sheet> {
    let mut sheet = Sheet::new(COLUMNS, "no VNI is accelerated");
    for (index, traffic) in Sums::read(&source.maps, &source.view.contents)?.domains {
        sheet.row([
            source.view.vni(index),
            source.view.bridge(index),
            traffic.encapsulated.packets.into(),
            traffic.encapsulated.bytes.into(),
            traffic.decapsulated.packets.into(),
            traffic.decapsulated.bytes.into(),
            index.into(),
        ]);
    }
    Ok(sheet)
}
