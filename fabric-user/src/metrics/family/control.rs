//! The control loop: what the kernel told, how often that was not enough, and how long it took to the maps.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::Scrape;
use crate::metrics::metric::{Kind::*, Metric};

/// Messages.
pub const MESSAGES: Metric = Metric::new(
    Counter,
    "netlink_messages",
    &["kind"],
    "Changes of which the kernel has told, by what they are about",
);
/// Resyncs.
pub const RESYNCS: Metric = Metric::new(
    Counter,
    "resyncs",
    &[],
    "How often the kernel dropped messages, and all was read anew",
);
/// Audits.
pub const AUDITS: Metric =
    Metric::new(Counter, "audits", &[], "Full comparisons of kernel and maps");
/// Corrections.
pub const CORRECTIONS: Metric =
    Metric::new(Counter, "audit_corrections", &[], "Entries that audits had to correct");
/// Stores.
pub const STORES: Metric =
    Metric::new(Counter, "map_stores", &[], "Stores of 64 bits into the maps by the daemon's loop");
/// MAC moves.
pub const MOVES: Metric = Metric::new(
    Counter,
    "mac_moves",
    &["to"],
    "MAC addresses that moved, to a port of the box (local) or to a VTEP (remote)",
);
/// What happened.
pub const EVENTS: Metric =
    Metric::new(Counter, "events", &["kind"], "What happened to the daemon, by what it was");
/// How long changes take.
pub const APPLY: Metric = Metric::new(
    Histogram,
    "apply_duration_seconds",
    &[],
    "Time from the reading of the kernel's message to the last store that it led to",
);
/// How long losses of links take.
pub const FAILOVER: Metric = Metric::new(
    Histogram,
    "failover_duration_seconds",
    &[],
    "Time from the reading of a lost link to the store after which its port is passed over",
);

pub(in crate::metrics) const ALL: &[&Metric] =
    &[&MESSAGES, &RESYNCS, &AUDITS, &CORRECTIONS, &STORES, &MOVES, &EVENTS, &APPLY, &FAILOVER];

pub(in crate::metrics) fn encode(
    scrape: &Scrape<'_>,
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let board = scrape.board;
    let mut series = MESSAGES.begin(encoder)?;
    for (kind, count) in board.messages() {
        series.count(&[kind], count)?;
    }
    if let Some(state) = scrape.state {
        RESYNCS.count(encoder, state.resyncs)?;
        AUDITS.count(encoder, state.audits)?;
        CORRECTIONS.count(encoder, state.audit_corrections)?;
        STORES.count(encoder, state.writes)?;
    }
    let mut series = MOVES.begin(encoder)?;
    for (to, count) in board.moves() {
        series.count(&[to], count)?;
    }
    let mut series = EVENTS.begin(encoder)?;
    for (kind, count) in board.happenings() {
        series.count(&[kind], count)?;
    }
    APPLY.durations(encoder, &board.apply.read())?;
    FAILOVER.durations(encoder, &board.failover.read())
}
