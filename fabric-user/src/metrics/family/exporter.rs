//! The exporter itself: which build it is, what it left out, and what a scrape costs.

use std::fmt;

use fabric_common::schema::VERSION;
use prometheus_client::encoding::DescriptorEncoder;

use super::{Cap, Scrape};
use crate::metrics::metric::{Kind::*, Metric};

/// The build.
pub const BUILD: Metric = Metric::new(
    Info,
    "build",
    &["version", "revision", "schema"],
    "The version of fabric-xdpd, the revision that it was built from, and the layout of its maps",
);
/// What was left out.
pub const DROPPED: Metric = Metric::new(
    Gauge,
    "series_dropped",
    &["family"],
    "Ports, VNIs, VTEPs and L3VNIs of VRFs that have no series because there are too many",
);
/// What a scrape takes.
pub const SCRAPE: Metric = Metric::new(
    Gauge,
    "scrape_duration_seconds",
    &[],
    "Time that it took to read the maps and interfaces for this answer",
);

pub(in crate::metrics) const ALL: &[&Metric] = &[&BUILD, &DROPPED, &SCRAPE];

/// From the environment of the build.
const REVISION: &str = match option_env!("FABRIC_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

pub(in crate::metrics) fn encode(
    scrape: &Scrape<'_>,
    encoder: &mut DescriptorEncoder<'_>,
    cap: &Cap,
) -> fmt::Result {
    let schema = VERSION.to_string();
    BUILD.begin(encoder)?.info(&[env!("CARGO_PKG_VERSION"), REVISION, &schema])?;
    let mut series = DROPPED.begin(encoder)?;
    for (family, dropped) in cap.dropped() {
        series.gauge(&[family], dropped as f64)?;
    }
    SCRAPE.only(encoder, Some(scrape.took.as_secs_f64()))
}
