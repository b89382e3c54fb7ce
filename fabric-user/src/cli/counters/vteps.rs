//! `counters vteps`: inner frames to and from each remote VTEP.

use super::Scene;
use crate::cli::sheet::{Column, Sheet};

const COLUMNS: &[Column] = &[
    Column::text("vtep", "VTEP"),
    Column::text("local", "LOCAL").detail(),
    Column::number("encapsulated_packets", "ENCAPSULATED"),
    Column::number("encapsulated_bytes", ""),
    Column::number("decapsulated_packets", "DECAPSULATED"),
    Column::number("decapsulated_bytes", ""),
    Column::number("index", "INDEX").detail(),
];

pub(super) fn sheet(scene: &Scene<'_>) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no frame has gone to or come from any VTEP");
    for (index, traffic) in &scene.sums.vteps {
        if !scene.all && traffic.encapsulated.packets + traffic.decapsulated.packets == 0 {
            continue;
        }
        let vtep = scene.view.contents.vteps.get(index);
        sheet.row([
            vtep.map(|vtep| vtep.remote().to_string()).into(),
            vtep.map(|vtep| vtep.local().to_string()).into(),
            scene.unit.packets(traffic.encapsulated),
            scene.unit.bytes(traffic.encapsulated),
            scene.unit.packets(traffic.decapsulated),
            scene.unit.bytes(traffic.decapsulated),
            (*index).into(),
        ]);
    }
    sheet
}
