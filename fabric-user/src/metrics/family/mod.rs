//! The metrics, one family a file, in the order in which they are written.

pub mod control;
pub mod ecmp;
pub mod exporter;
pub mod heart;
pub mod maps;
pub mod ports;
pub mod tenants;
mod tunnelled;
pub mod vnis;
pub mod vteps;

use std::{collections::BTreeMap, fmt, time::Duration};

use prometheus_client::encoding::DescriptorEncoder;

use super::{board::Board, metric::Metric};
use crate::{cli::sight::Sight, daemon::state::State};

/// Objects of a family that have series, at most.
const MOST: usize = 4_096;

/// What there is to write.
pub(super) struct Scrape<'a> {
    pub(super) board: &'a Board,
    /// The daemon's last word.
    pub(super) state: Option<&'a State>,
    /// Nothing while there are no maps.
    pub(super) sight: Option<&'a Sight>,
    /// Seconds since 1970 at which the counters began.
    pub(super) began: Option<f64>,
    /// How long it took to read it.
    pub(super) took: Duration,
}

/// Every metric.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    let families = [
        heart::ALL,
        ports::ALL,
        vnis::ALL,
        vteps::ALL,
        tenants::ALL,
        maps::ALL,
        ecmp::ALL,
        control::ALL,
        exporter::ALL,
    ];
    families.into_iter().flatten().copied()
}

impl Scrape<'_> {
    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut cap = Cap::default();
        heart::encode(self, encoder)?;
        ports::encode(self, encoder, &mut cap)?;
        vnis::encode(self, encoder, &mut cap)?;
        vteps::encode(self, encoder, &mut cap)?;
        tenants::encode(self, encoder, &mut cap)?;
        maps::encode(self, encoder)?;
        ecmp::encode(self, encoder)?;
        control::encode(self, encoder)?;
        exporter::encode(self, encoder, &cap)
    }
}

/// Bounds the number of series, and remembers what it left out.
#[derive(Debug, Default)]
pub(super) struct Cap {
    dropped: BTreeMap<&'static str, usize>,
}

impl Cap {
    /// The first of `all`: the same ones every time, so that none is there now and then.
    fn keep<T, C: FromIterator<T>>(
        &mut self,
        family: &'static str,
        all: impl IntoIterator<Item = T>,
    ) -> C {
        let mut all = all.into_iter();
        let kept = all.by_ref().take(MOST).collect();
        self.dropped.insert(family, all.count());
        kept
    }

    fn dropped(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.dropped.iter().map(|(family, dropped)| (*family, *dropped))
    }
}
