//! VTEPs: what went to them and came from them.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::{Cap, Scrape, tunnelled};
use crate::metrics::metric::Metric;

/// Frames and bytes from a VTEP, and to it.
pub static TUNNELLED: [Metric; 4] = tunnelled::counters!("vtep", "from the VTEP", "to the VTEP");

pub(in crate::metrics) const ALL: &[&Metric] =
    &[&TUNNELLED[0], &TUNNELLED[1], &TUNNELLED[2], &TUNNELLED[3]];

pub(in crate::metrics) fn encode(
    scrape: &Scrape<'_>,
    encoder: &mut DescriptorEncoder<'_>,
    cap: &mut Cap,
) -> fmt::Result {
    let Some(sight) = scrape.sight else { return Ok(()) };
    let kept: Vec<_> =
        cap.keep("vtep", sight.vteps.iter().map(|(vtep, it)| (vtep.to_string(), *it)));
    let all = || kept.iter().map(|(vtep, traffic)| (vtep.as_str(), *traffic));
    tunnelled::encode(encoder, &TUNNELLED, &all)
}
