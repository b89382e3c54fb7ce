//! Counters of a leaf by names of ports.

use std::collections::BTreeMap;

use fabric_common::reason::{Reason, Verdict};
use fabric_user::kernel::maps::Maps;

use super::{Fabric, kernel};
use crate::counters::{Counters, Scope};

/// The counters of a leaf at one moment, or what was added between two.
#[derive(Clone, Debug)]
pub struct Seen {
    counters: Counters,
    slots: BTreeMap<String, u32>,
}

impl Seen {
    /// Reads the counters.
    #[must_use]
    pub fn at(fabric: &Fabric, leaf: &str) -> Self {
        Self::of(&fabric.maps(leaf), fabric, leaf)
    }

    /// Reads the counters of maps that are open already.
    #[must_use]
    pub fn of(maps: &Maps, fabric: &Fabric, leaf: &str) -> Self {
        let links = kernel::links(fabric, leaf);
        let slots: BTreeMap<String, u32> = maps
            .ports
            .iter()
            .filter(|(_, port)| port.ifindex != 0)
            .filter_map(|(slot, port)| {
                let link = links.iter().find(|link| link.index() == port.ifindex)?;
                Some((link.name().to_owned(), slot))
            })
            .collect();
        let scope = Scope { slots: slots.values().copied().collect(), domains: 16, vteps: 16 };
        Self { counters: Counters::read(maps, &scope), slots }
    }

    /// What was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self { counters: self.counters.since(&before.counters), slots: self.slots.clone() }
    }

    /// Packets that came in on `port` and left with `reason`.
    #[must_use]
    pub fn on(&self, port: &str, reason: Reason) -> u64 {
        let slot = self.slots.get(port).unwrap_or_else(|| panic!("{port} is no port"));
        self.counters.packets(*slot, reason)
    }

    /// Packets that left with `reason`, whatever port they came in on.
    #[must_use]
    pub fn all(&self, reason: Reason) -> u64 {
        self.slots.values().map(|slot| self.counters.packets(*slot, reason)).sum()
    }

    /// What came in on `port` and went to the kernel, by reasons.
    #[must_use]
    pub fn passed_on(&self, port: &str) -> BTreeMap<&'static str, u64> {
        let passed = Reason::ALL.iter().filter(|it| it.verdict() == Verdict::Pass);
        let counted = passed.map(|reason| (reason.name(), self.on(port, *reason)));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    /// Packets sent on `port` by the fast path.
    #[must_use]
    pub fn sent(&self, port: &str) -> u64 {
        let slot = self.slots.get(port).unwrap_or_else(|| panic!("{port} is no port"));
        self.counters.port_tx.get(slot).map_or(0, |counter| counter.packets)
    }
}
