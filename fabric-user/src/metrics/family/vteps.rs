//! VTEPs: what went to them and came from them.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::{Cap, Scrape, flow};
use crate::metrics::metric::{Kind::*, Metric};

/// Frames from a VTEP.
pub const RECEIVE_PACKETS: Metric =
    Metric::new(Counter, "vtep_receive_packets", &["vtep"], "Inner frames from the VTEP");
/// Bytes from a VTEP.
pub const RECEIVE_BYTES: Metric =
    Metric::new(Counter, "vtep_receive_bytes", &["vtep"], "Inner bytes from the VTEP");
/// Frames to a VTEP.
pub const TRANSMIT_PACKETS: Metric =
    Metric::new(Counter, "vtep_transmit_packets", &["vtep"], "Inner frames to the VTEP");
/// Bytes to a VTEP.
pub const TRANSMIT_BYTES: Metric =
    Metric::new(Counter, "vtep_transmit_bytes", &["vtep"], "Inner bytes to the VTEP");

pub(in crate::metrics) const ALL: &[&Metric] =
    &[&RECEIVE_PACKETS, &RECEIVE_BYTES, &TRANSMIT_PACKETS, &TRANSMIT_BYTES];

pub(in crate::metrics) fn encode(
    scrape: &Scrape<'_>,
    encoder: &mut DescriptorEncoder<'_>,
    cap: &mut Cap,
) -> fmt::Result {
    let Some(sight) = scrape.sight else { return Ok(()) };
    let kept: Vec<_> =
        cap.keep("vtep", sight.vteps.iter().map(|(vtep, it)| (vtep.to_string(), *it)));
    let counters = [&RECEIVE_PACKETS, &RECEIVE_BYTES, &TRANSMIT_PACKETS, &TRANSMIT_BYTES];
    flow(encoder, counters, &|| kept.iter().map(|(vtep, traffic)| (vtep.as_str(), *traffic)))
}
