//! `counters reasons`: what became of received packets, over all ports.

use std::collections::BTreeMap;

use fabric_common::{reason::Reason, schema::counters::Counter};
use serde_json::json;

use super::{Scene, sums::Counts as _, verdict};
use crate::cli::{
    format::share,
    sheet::{Cell, Column, Sheet},
};

const COLUMNS: &[Column] = &[
    Column::text("reason", "REASON"),
    Column::text("verdict", "VERDICT"),
    Column::number("packets", "PACKETS"),
    Column::number("bytes", ""),
    Column::number("share_percent", "SHARE"),
    Column::text("about", "WHAT").detail().wrapped(),
];

pub(super) fn sheet(scene: &Scene<'_>) -> Sheet {
    let mut sums: BTreeMap<Reason, Counter> = BTreeMap::new();
    if scene.all {
        sums.extend(Reason::ALL.iter().map(|reason| (*reason, Counter::default())));
    }
    for ((slot, reason), counter) in &scene.sums.reasons {
        if scene.port.is_none_or(|port| port == *slot) {
            let sum = sums.entry(*reason).or_default();
            *sum = sum.plus(*counter);
        }
    }
    let total: u64 = sums.values().map(|counter| counter.packets).sum();
    let mut sheet = Sheet::new(COLUMNS, "no packet has been received");
    for (reason, counter) in sums.into_iter().filter(|(_, c)| scene.all || c.packets > 0) {
        let percent = (total > 0).then(|| counter.packets as f64 * 100.0 / total as f64);
        sheet.row([
            reason.name().into(),
            verdict(reason).into(),
            scene.unit.packets(counter),
            scene.unit.bytes(counter),
            Cell::new(share(counter.packets, total), json!(percent)),
            reason.describe().trim().into(),
        ]);
    }
    sheet
}
