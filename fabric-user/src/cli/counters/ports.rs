//! `counters ports`.

use fabric_common::{reason::Verdict, schema::counters::Counter};

use super::{Scene, sums::Counts as _};
use crate::cli::{
    maps::role,
    sheet::{Column, Sheet},
};

const COLUMNS: &[Column] = &[
    Column::text("port", "PORT"),
    Column::text("role", "ROLE"),
    Column::number("received_packets", "RECEIVED"),
    Column::number("received_bytes", ""),
    Column::number("redirected_packets", "FORWARDED"),
    Column::number("passed_packets", "KERNEL"),
    Column::number("dropped_packets", "DROPPED"),
    Column::number("sent_packets", "SENT"),
    Column::number("sent_bytes", ""),
    Column::number("slot", "SLOT").detail(),
];

/// All ports: there are few, and one that is silent is news.
pub(super) fn sheet(scene: &Scene<'_>) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no port is accelerated");
    let wanted = |slot: &u32| scene.port.is_none_or(|port| port == *slot);
    for (slot, port) in scene.view.contents.ports.iter().filter(|(slot, _)| wanted(slot)) {
        let of = |verdict: Option<Verdict>| {
            let reasons = scene.sums.reasons.iter().filter(|((owner, reason), _)| {
                owner == slot && verdict.is_none_or(|v| v == reason.verdict())
            });
            reasons.fold(Counter::default(), |total, (_, one)| total.plus(*one))
        };
        let sent = scene.sums.sent.get(slot).copied().unwrap_or_default();
        let received = of(None);
        sheet.row([
            scene.view.port(*slot).into(),
            role(port.role).into(),
            scene.unit.packets(received),
            scene.unit.bytes(received),
            scene.unit.packets(of(Some(Verdict::Redirect))),
            scene.unit.packets(of(Some(Verdict::Pass))),
            scene.unit.packets(of(Some(Verdict::Drop))),
            scene.unit.packets(sent),
            scene.unit.bytes(sent),
            (*slot).into(),
        ]);
    }
    sheet
}
