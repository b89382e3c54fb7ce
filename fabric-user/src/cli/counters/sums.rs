//! The counters of everything that exists, summed over the CPUs.

use std::collections::BTreeMap;

use aya::Pod;
use fabric_common::{
    reason::Reason,
    schema::counters::{Counter, Traffic, reason_index},
};

use crate::{
    cli::contents::Contents,
    kernel::{counters::PerCpu, maps::Maps},
};

/// Sums by slot or index.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Sums {
    /// Received packets by port slot and reason; what is zero is left out.
    pub(in crate::cli) reasons: BTreeMap<(u32, Reason), Counter>,
    /// Sent packets by port slot.
    pub(in crate::cli) sent: BTreeMap<u32, Counter>,
    /// By domain index, domains with a VNI only.
    pub(in crate::cli) domains: BTreeMap<u32, Traffic>,
    /// By VTEP index.
    pub(in crate::cli) vteps: BTreeMap<u32, Traffic>,
}

impl Sums {
    /// Reads the counters of all ports, domains and VTEPs in `contents`.
    ///
    /// # Errors
    /// What the kernel says.
    pub(in crate::cli) fn read(maps: &Maps, contents: &Contents) -> anyhow::Result<Self> {
        let mut sums = Self::default();
        for (slot, port) in &contents.ports {
            for reason in Reason::ALL {
                let counter = sum(&maps.reasons, reason_index(port.row.into(), *reason as u8));
                if counter != Counter::default() {
                    sums.reasons.insert((*slot, *reason), counter);
                }
            }
            sums.sent.insert(*slot, sum(&maps.port_tx, *slot));
        }
        for (index, _) in contents.domains.iter().filter(|(_, domain)| domain.vni != 0) {
            sums.domains.insert(*index, sum(&maps.domain_traffic, *index));
        }
        for index in contents.vteps.keys() {
            sums.vteps.insert(*index, sum(&maps.vtep_traffic, *index));
        }
        Ok(sums)
    }

    /// What came since `before`; a counter that started anew counts from zero.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            reasons: difference(&self.reasons, &before.reasons),
            sent: difference(&self.sent, &before.sent),
            domains: difference(&self.domains, &before.domains),
            vteps: difference(&self.vteps, &before.vteps),
        }
    }
}

fn difference<K: Ord + Copy, T: Counts>(
    now: &BTreeMap<K, T>,
    then: &BTreeMap<K, T>,
) -> BTreeMap<K, T> {
    let one = |(key, now): (&K, &T)| (*key, now.less(then.get(key).copied().unwrap_or_default()));
    now.iter().map(one).collect()
}

fn sum<T: Pod + Counts>(counters: &PerCpu<T>, index: u32) -> T {
    counters.get(index).fold(T::default(), T::plus)
}

/// Counters that add up.
pub(super) trait Counts: Copy + Default {
    fn plus(self, other: Self) -> Self;
    fn less(self, other: Self) -> Self;
}

impl Counts for Counter {
    fn plus(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, bytes: self.bytes + other.bytes }
    }

    fn less(self, other: Self) -> Self {
        // Fewer than before: the counter belongs to another object now.
        if self.packets < other.packets {
            return self;
        }
        Self {
            packets: self.packets - other.packets,
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}

impl Counts for Traffic {
    fn plus(self, other: Self) -> Self {
        Self {
            encapsulated: self.encapsulated.plus(other.encapsulated),
            decapsulated: self.decapsulated.plus(other.decapsulated),
        }
    }

    fn less(self, other: Self) -> Self {
        Self {
            encapsulated: self.encapsulated.less(other.encapsulated),
            decapsulated: self.decapsulated.less(other.decapsulated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_started_anew_counts_from_zero() {
        let counter = |packets| Counter { packets, bytes: packets * 100 };
        assert_eq!(counter(7).less(counter(5)), counter(2));
        assert_eq!(counter(3).less(counter(5)), counter(3));
    }

    #[test]
    fn what_came_since_counts_new_objects_in_full() {
        let counter = |packets| Counter { packets, bytes: packets };
        let before = Sums { sent: [(1, counter(10))].into(), ..Sums::default() };
        let now = Sums { sent: [(1, counter(15)), (2, counter(4))].into(), ..Sums::default() };
        assert_eq!(now.since(&before).sent, [(1, counter(5)), (2, counter(4))].into());
    }
}
