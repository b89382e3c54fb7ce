//! `maps reasons`: what was counted, per port and reason. `fabricctl counters reasons` adds up.

use super::Source;
use crate::cli::{
    counters::{Sums, verdict},
    sheet::{Column, Sheet},
};

const COLUMNS: &[Column] = &[
    Column::text("port", "PORT"),
    Column::text("reason", "REASON"),
    Column::text("verdict", "VERDICT"),
    Column::number("packets", "PACKETS"),
    Column::number("bytes", "BYTES"),
    Column::number("slot", "SLOT").detail(),
    Column::number("number", "NUMBER").detail(),
];

pub(super) fn sheet(source: &Source<'_>) -> anyhow::Result<Sheet> {
    let mut sheet = Sheet::new(COLUMNS, "no packet has been counted");
    let sums = Sums::read(&source.maps, &source.view.contents)?;
    for ((slot, reason), counter) in &sums.reasons {
        sheet.row([
            source.view.port(*slot).into(),
            reason.name().into(),
            verdict(*reason).into(),
            counter.packets.into(),
            counter.bytes.into(),
            (*slot).into(),
            u32::from(*reason as u8).into(),
        ]);
    }
    Ok(sheet)
}
