//! Next hops and their groups, by whether they live.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::Scrape;
use crate::metrics::metric::{Kind::*, Metric};

/// Next hops.
pub const MEMBERS: Metric = Metric::new(
    Gauge,
    "nexthop_members",
    &["state"],
    "Next hops that can be used at this moment (live) or not (dead)",
);
/// Groups.
pub const GROUPS: Metric = Metric::new(
    Gauge,
    "nexthop_groups",
    &["state"],
    "Groups of next hops with one that lives (live) or with none (dead)",
);

pub(in crate::metrics) const ALL: &[&Metric] = &[&MEMBERS, &GROUPS];

pub(in crate::metrics) fn encode(
    scrape: &Scrape<'_>,
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let Some(sight) = scrape.sight else { return Ok(()) };
    for (metric, living) in [(&MEMBERS, sight.nexthops), (&GROUPS, sight.groups)] {
        let mut series = metric.begin(encoder)?;
        series.gauge(&["live"], living.live as f64)?;
        series.gauge(&["dead"], living.dead as f64)?;
    }
    Ok(())
}
