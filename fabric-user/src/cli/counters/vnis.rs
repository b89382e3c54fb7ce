//! `counters vnis`: inner frames into and out of the tunnels of each VNI.

use super::Scene;
use crate::cli::sheet::{Column, Sheet};

const COLUMNS: &[Column] = &[
    Column::number("vni", "VNI"),
    Column::text("bridge", "BRIDGE"),
    Column::number("encapsulated_packets", "ENCAPSULATED"),
    Column::number("encapsulated_bytes", ""),
    Column::number("decapsulated_packets", "DECAPSULATED"),
    Column::number("decapsulated_bytes", ""),
    Column::number("index", "INDEX").detail(),
];

pub(super) fn sheet(scene: &Scene<'_>) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no frame has gone through a tunnel of any VNI");
    for (index, traffic) in &scene.sums.domains {
        if !scene.all && traffic.encapsulated.packets + traffic.decapsulated.packets == 0 {
            continue;
        }
        sheet.row([
            scene.view.vni(*index),
            scene.view.bridge(*index),
            scene.unit.packets(traffic.encapsulated),
            scene.unit.bytes(traffic.encapsulated),
            scene.unit.packets(traffic.decapsulated),
            scene.unit.bytes(traffic.decapsulated),
            (*index).into(),
        ]);
    }
    sheet
}
