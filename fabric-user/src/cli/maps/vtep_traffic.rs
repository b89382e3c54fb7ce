//! `maps vtep_traffic`.

use super::Source;
use crate::cli::{
    counters::Sums,
    sheet::{Column, Sheet},
};

const COLUMNS: &[Column] = &[
    Column::text("vtep", "VTEP"),
    Column::text("local", "LOCAL"),
    Column::number("encapsulated_packets", "ENCAP PACKETS"),
    Column::number("encapsulated_bytes", "BYTES"),
    Column::number("decapsulated_packets", "DECAP PACKETS"),
    Column::number("decapsulated_bytes", "BYTES"),
    Column::number("index", "INDEX").detail(),
];

pub(super) fn sheet(source: &Source<'_>) -> anyhow::Result<Sheet> {
    let mut sheet = Sheet::new(COLUMNS, "no remote VTEP is known");
    for (index, traffic) in Sums::read(&source.maps, &source.view.contents)?.vteps {
        let vtep = source.view.contents.vteps.get(&index);
        sheet.row([
            vtep.map(|vtep| vtep.remote().to_string()).into(),
            vtep.map(|vtep| vtep.local().to_string()).into(),
            traffic.encapsulated.packets.into(),
            traffic.encapsulated.bytes.into(),
            traffic.decapsulated.packets.into(),
            traffic.decapsulated.bytes.into(),
            index.into(),
        ]);
    }
    Ok(sheet)
}
