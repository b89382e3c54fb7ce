//! How full the maps are.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::Scrape;
use crate::metrics::metric::{Kind::*, Metric};

/// Entries.
pub const ENTRIES: Metric = Metric::new(Gauge, "map_entries", &["map"], "Entries in use");
/// Room.
pub const CAPACITY: Metric =
    Metric::new(Gauge, "map_capacity", &["map"], "Entries for which there is room");

pub(in crate::metrics) const ALL: &[&Metric] = &[&ENTRIES, &CAPACITY];

pub(in crate::metrics) fn encode(
    scrape: &Scrape<'_>,
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let Some(sight) = scrape.sight else { return Ok(()) };
    let mut series = ENTRIES.begin(encoder)?;
    for (map, used, _) in &sight.maps {
        series.gauge(&[map], *used as f64)?;
    }
    let mut series = CAPACITY.begin(encoder)?;
    for (map, _, room) in &sight.maps {
        series.gauge(&[map], *room as f64)?;
    }
    Ok(())
}
