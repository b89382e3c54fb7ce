//! VNIs: what went through their tunnels, what they have, and whose they are.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::{Cap, Scrape, tunnelled};
use crate::metrics::metric::{Kind::*, Metric};

/// Frames and bytes out of tunnels, and into tunnels.
pub static TUNNELLED: [Metric; 4] =
    tunnelled::counters!("vni", "out of tunnels of the VNI", "into tunnels of the VNI");
/// MAC addresses.
pub const MACS: Metric = Metric::new(
    Gauge,
    "vni_macs",
    &["vni", "origin"],
    "MAC addresses in the map, behind ports of the box (local) or VTEPs (remote)",
);
/// VTEPs.
pub const VTEPS: Metric =
    Metric::new(Gauge, "vni_vteps", &["vni"], "VTEPs with MAC addresses in the VNI");
/// Names.
pub const INFO: Metric = Metric::new(
    Info,
    "vni",
    &["vni", "kind", "bridge", "vrf"],
    "A VNI, of hosts (l2) or of a VRF (l3), with its bridge, and the VRF that routes for it unless that is the default one",
);

pub(in crate::metrics) const ALL: &[&Metric] =
    &[&TUNNELLED[0], &TUNNELLED[1], &TUNNELLED[2], &TUNNELLED[3], &MACS, &VTEPS, &INFO];

pub(in crate::metrics) fn encode(
    scrape: &Scrape<'_>,
    encoder: &mut DescriptorEncoder<'_>,
    cap: &mut Cap,
) -> fmt::Result {
    let Some(sight) = scrape.sight else { return Ok(()) };
    let kept: Vec<_> =
        cap.keep("vni", sight.vnis.iter().map(|(number, vni)| (number.to_string(), vni)));
    let traffic = || kept.iter().map(|(number, vni)| (number.as_str(), vni.traffic));
    tunnelled::encode(encoder, &TUNNELLED, &traffic)?;
    let mut series = MACS.begin(encoder)?;
    for (number, vni) in &kept {
        series.gauge(&[number, "local"], vni.local_macs as f64)?;
        series.gauge(&[number, "remote"], vni.remote_macs as f64)?;
    }
    let mut series = VTEPS.begin(encoder)?;
    for (number, vni) in &kept {
        series.gauge(&[number], vni.vteps as f64)?;
    }
    let mut series = INFO.begin(encoder)?;
    for (number, vni) in &kept {
        series.info(&[number, if vni.is_l3 { "l3" } else { "l2" }, &vni.bridge, &vni.vrf])?;
    }
    Ok(())
}
