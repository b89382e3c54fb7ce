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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::{
        counters::{Sums, Unit, ports},
        sheet::Look,
        view::tests::leaf,
    };

    fn sums() -> Sums {
        let counter = |packets| Counter { packets, bytes: packets * 100 };
        Sums {
            reasons: [
                ((3, Reason::Encapsulated), counter(990)),
                ((4, Reason::Encapsulated), counter(6)),
                ((4, Reason::FrameGuardSourceZero), counter(4)),
            ]
            .into(),
            sent: [(1, counter(996))].into(),
            ..Sums::default()
        }
    }

    #[test]
    fn reasons_of_all_ports_are_added_up_and_zeros_left_out_unless_asked_for() {
        let view = leaf();
        let mut scene =
            Scene { view: &view, sums: sums(), port: None, all: false, unit: Unit::Total };
        let expected = "\
REASON                   VERDICT   PACKETS            SHARE
encapsulated             redirect      996  97.3 KiB  99.6%
frame_guard_source_zero  drop            4     400 B   0.4%
";
        assert_eq!(sheet(&scene).text(Look::default()), expected);
        scene.all = true;
        assert_eq!(sheet(&scene).rows().len(), Reason::ALL.len());
        scene = Scene { port: Some(3), all: false, ..scene };
        assert_eq!(sheet(&scene).rows().len(), 1);
    }

    #[test]
    fn what_a_port_received_is_split_by_verdict() {
        let view = leaf();
        let unit = Unit::Rate(Duration::from_secs(2));
        let scene = Scene { view: &view, sums: sums(), port: None, all: false, unit };
        let expected = "\
PORT  ROLE      RECEIVED             FORWARDED  KERNEL  DROPPED  SENT
swp1  underlay         0      0 bit          0       0        0   498  398 kbit
swp2  underlay         0      0 bit          0       0        0     0     0 bit
h1    access         495   396 kbit        495       0        0     0     0 bit
h2    access           5  4.00 kbit          3       0        2     0     0 bit
";
        assert_eq!(ports::sheet(&scene).text(Look::default()), expected);
    }
}
