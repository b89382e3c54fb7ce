//! `maps port_tx`.

use super::Source;
use crate::cli::{
    counters::Sums,
    sheet::{Column, Sheet},
};

const COLUMNS: &[Column] = &[
    Column::text("port", "PORT"),
    Column::number("packets", "PACKETS"),
    Column::number("bytes", "BYTES"),
    Column::number("slot", "SLOT").detail(),
];

pub(super) fn sheet(source: &Source<'_>) -> anyhow::Result<Sheet> {
    let mut sheet = Sheet::new(COLUMNS, "no port is accelerated");
    for (slot, sent) in Sums::read(&source.maps, &source.view.contents)?.sent {
        let port = source.view.port(slot);
        sheet.row([port.into(), sent.packets.into(), sent.bytes.into(), slot.into()]);
    }
    Ok(sheet)
}
