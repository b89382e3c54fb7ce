//! Tenants: the VRFs of the box and their L3VNIs.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::{Cap, Scrape};
use crate::metrics::metric::{Kind::*, Metric};

/// A VRF.
pub const INFO: Metric = Metric::new(
    Info,
    "vrf",
    &["vrf", "vni"],
    "A VRF with ports or gateways, and each of its L3VNIs; one series without a VNI if it has none",
);

pub(in crate::metrics) const ALL: &[&Metric] = &[&INFO];

pub(in crate::metrics) fn encode(
    scrape: &Scrape<'_>,
    encoder: &mut DescriptorEncoder<'_>,
    cap: &mut Cap,
) -> fmt::Result {
    let Some(sight) = scrape.sight else { return Ok(()) };
    let all = sight.vrfs.iter().flat_map(|(vrf, vnis)| {
        let none = vnis.is_empty().then(String::new);
        vnis.iter().map(ToString::to_string).chain(none).map(move |vni| (vrf, vni))
    });
    let kept: Vec<_> = cap.keep("vrf", all);
    let mut series = INFO.begin(encoder)?;
    for (vrf, vni) in kept {
        series.info(&[vrf, &vni])?;
    }
    Ok(())
}
