//! Whether Fabric forwards at this moment, and looks after what it forwards by.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::Scrape;
use crate::metrics::metric::{Kind::*, Metric};

/// The heartbeat.
pub const REMAINING: Metric = Metric::new(
    Gauge,
    "heartbeat_remaining_seconds",
    &[],
    "Time until the kernel forwards unless there is another sign of life; negative since",
);
/// Its period.
pub const TIMEOUT: Metric = Metric::new(
    Gauge,
    "heartbeat_timeout_seconds",
    &[],
    "Time without a sign of life after which the kernel forwards",
);
/// Agreement.
pub const IN_SYNC: Metric = Metric::new(
    Gauge,
    "in_sync",
    &[],
    "1 if the maps are as the kernel's tables are, as far as its messages have told",
);
/// Bypass.
pub const BYPASSED: Metric =
    Metric::new(Gauge, "bypassed", &[], "1 if the bypass or a detachment of everything is on");
/// The last comparison.
pub const LAST_FULL_ROUND: Metric = Metric::new(
    Gauge,
    "last_full_round_timestamp_seconds",
    &[],
    "When everything was last compared, in seconds since 1970",
);
/// The counters' age.
pub const START: Metric = Metric::new(
    Gauge,
    "start_time_seconds",
    &[],
    "When the maps and their counters began, in seconds since 1970",
);
/// What is the kernel's.
pub const PROBLEMS: Metric = Metric::new(
    Gauge,
    "problems",
    &[],
    "Sentences of `fabricctl status` about what is left to the kernel",
);
/// Neighbours.
pub const UNRESOLVED: Metric =
    Metric::new(Gauge, "unresolved_neighbours", &[], "Next hops that the kernel has not resolved");

pub(in crate::metrics) const ALL: &[&Metric] =
    &[&REMAINING, &TIMEOUT, &IN_SYNC, &BYPASSED, &LAST_FULL_ROUND, &START, &PROBLEMS, &UNRESOLVED];

pub(in crate::metrics) fn encode(
    scrape: &Scrape<'_>,
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let flag = |is: bool| Some(f64::from(u8::from(is)));
    let state = scrape.state;
    let in_sync = state.is_some_and(|state| state.synced && state.trouble.is_none());
    let detached = state.is_some_and(|state| state.detached);
    REMAINING.only(encoder, scrape.sight.and_then(|sight| sight.heartbeat))?;
    TIMEOUT.only(encoder, scrape.sight.map(|sight| sight.timeout))?;
    IN_SYNC.only(encoder, flag(in_sync))?;
    BYPASSED
        .only(encoder, flag(detached || scrape.sight.is_some_and(|sight| sight.is_bypassed)))?;
    LAST_FULL_ROUND.only(encoder, scrape.board.full_round())?;
    START.only(encoder, scrape.began)?;
    PROBLEMS.only(encoder, state.map(|state| state.problems.len() as f64))?;
    UNRESOLVED.only(encoder, state.map(|state| state.unresolved.len() as f64))
}
