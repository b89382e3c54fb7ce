//! All counters that a packet can change.

use std::collections::BTreeMap;

use fabric_common::{
    reason::{REASONS, Reason},
    schema::counters::{Counter, Traffic, reason_index},
};
use fabric_user::kernel::maps::Maps;

/// The counters that are not zero, summed over all CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// By port slot and the reason's name.
    pub reasons: BTreeMap<(u32, String), Counter>,
    /// By port slot.
    pub port_tx: BTreeMap<u32, Counter>,
    /// By domain index.
    pub domains: BTreeMap<u32, Traffic>,
    /// By VTEP index.
    pub vteps: BTreeMap<u32, Traffic>,
}

/// Which entries of the maps are read. Index 0 always is: nothing may ever be counted there but
/// the reasons of unknown ports.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Port slots.
    pub slots: Vec<u32>,
    /// Number of domains in use, from index 1 on.
    pub domains: u32,
    /// Number of VTEPs in use, from index 1 on.
    pub vteps: u32,
}

impl Counters {
    /// Reads the counters in `scope`.
    #[must_use]
    pub fn read(maps: &Maps, scope: &Scope) -> Self {
        let mut counters = Self::default();
        for slot in scope.slots.iter().copied().chain([0]) {
            let row = if slot == 0 { 0 } else { maps.row(slot) };
            for number in 0..REASONS as u8 {
                let sum = maps.reasons.get(reason_index(row, number)).fold(Counter::default(), add);
                counters.reasons.insert((slot, reason_name(number)), sum);
            }
            let sum = maps.port_tx.get(slot).fold(Counter::default(), add);
            counters.port_tx.insert(slot, sum);
        }
        for domain in 0..=scope.domains {
            let sum = maps.domain_traffic.get(domain).fold(Traffic::default(), add_traffic);
            counters.domains.insert(domain, sum);
        }
        for vtep in 0..=scope.vteps {
            let sum = maps.vtep_traffic.get(vtep).fold(Traffic::default(), add_traffic);
            counters.vteps.insert(vtep, sum);
        }
        counters
    }

    /// What was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            reasons: difference(&self.reasons, &before.reasons, subtract),
            port_tx: difference(&self.port_tx, &before.port_tx, subtract),
            domains: difference(&self.domains, &before.domains, subtract_traffic),
            vteps: difference(&self.vteps, &before.vteps, subtract_traffic),
        }
    }

    /// Adds what another packet counted.
    pub fn add(&mut self, other: &Self) {
        merge(&mut self.reasons, &other.reasons, add);
        merge(&mut self.port_tx, &other.port_tx, add);
        merge(&mut self.domains, &other.domains, add_traffic);
        merge(&mut self.vteps, &other.vteps, add_traffic);
    }

    /// How many packets left with `reason` on the port `slot`.
    #[must_use]
    pub fn packets(&self, slot: u32, reason: Reason) -> u64 {
        self.reasons.get(&(slot, reason.name().into())).map_or(0, |c| c.packets)
    }
}

fn reason_name(number: u8) -> String {
    Reason::from_number(number).map_or(format!("unused_{number}"), |r| r.name().into())
}

fn difference<K: Clone + Ord, T: Copy + Default + PartialEq>(
    after: &BTreeMap<K, T>,
    before: &BTreeMap<K, T>,
    subtract: fn(T, T) -> T,
) -> BTreeMap<K, T> {
    after
        .iter()
        .map(|(key, value)| {
            let old = before.get(key).copied().unwrap_or_default();
            (key.clone(), subtract(*value, old))
        })
        .filter(|(_, value)| *value != T::default())
        .collect()
}

fn merge<K: Clone + Ord, T: Copy + Default>(
    into: &mut BTreeMap<K, T>,
    from: &BTreeMap<K, T>,
    add: fn(T, T) -> T,
) {
    for (key, value) in from {
        let sum = into.entry(key.clone()).or_default();
        *sum = add(*sum, *value);
    }
}

const fn add(a: Counter, b: Counter) -> Counter {
    Counter { packets: a.packets + b.packets, bytes: a.bytes + b.bytes }
}

/// By how much a counter has grown; all of it where it has begun anew, as that of a VTEP that was gone for a moment does.
const fn subtract(a: Counter, b: Counter) -> Counter {
    match (a.packets.checked_sub(b.packets), a.bytes.checked_sub(b.bytes)) {
        (Some(packets), Some(bytes)) => Counter { packets, bytes },
        _ => a,
    }
}

const fn add_traffic(a: Traffic, b: Traffic) -> Traffic {
    Traffic {
        encapsulated: add(a.encapsulated, b.encapsulated),
        decapsulated: add(a.decapsulated, b.decapsulated),
    }
}

const fn subtract_traffic(a: Traffic, b: Traffic) -> Traffic {
    Traffic {
        encapsulated: subtract(a.encapsulated, b.encapsulated),
        decapsulated: subtract(a.decapsulated, b.decapsulated),
    }
}
