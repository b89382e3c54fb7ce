//! The counters of everything that exists, summed over the CPUs.

use std::collections::{BTreeMap, BTreeSet};

use fabric_common::{
    reason::Reason,
    schema::counters::{Counter, Traffic, reason_index},
};

use crate::{
    cli::contents::Contents,
    kernel::{counters::Count, maps::Maps},
};

/// Sums by row, slot or index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    /// Received packets by the port's row and reason; what is zero is left out. Ports that found no row of
    /// their own share one.
    pub(crate) reasons: BTreeMap<(u16, Reason), Counter>,
    /// Sent packets by port slot.
    pub(crate) sent: BTreeMap<u32, Counter>,
    /// By domain index, domains with a VNI only.
    pub(crate) domains: BTreeMap<u32, Traffic>,
    /// By VTEP index.
    pub(crate) vteps: BTreeMap<u32, Traffic>,
}

impl Sums {
    /// Reads the counters of all ports, domains and VTEPs in `contents`.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn read(maps: &Maps, contents: &Contents) -> anyhow::Result<Self> {
        let mut sums = Self::default();
        let rows: BTreeSet<u16> = contents.ports.values().map(|port| port.row).collect();
        for row in rows {
            for reason in Reason::ALL {
                let counter = maps.reasons.sum(reason_index(row.into(), *reason as u8));
                if counter != Counter::default() {
                    sums.reasons.insert((row, *reason), counter);
                }
            }
        }
        for slot in contents.ports.keys() {
            sums.sent.insert(*slot, maps.port_tx.sum(*slot));
        }
        for (index, _) in contents.domains.iter().filter(|(_, domain)| domain.vni != 0) {
            sums.domains.insert(*index, maps.domain_traffic.sum(*index));
        }
        for index in contents.vteps.keys() {
            sums.vteps.insert(*index, maps.vtep_traffic.sum(*index));
        }
        Ok(sums)
    }

    /// What came since `before`; a counter that started anew counts from zero.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            reasons: difference(&self.reasons, &before.reasons),
            sent: difference(&self.sent, &before.sent),
            domains: difference(&self.domains, &before.domains),
            vteps: difference(&self.vteps, &before.vteps),
        }
    }
}

fn difference<K: Ord + Copy, T: Count>(
    now: &BTreeMap<K, T>,
    then: &BTreeMap<K, T>,
) -> BTreeMap<K, T> {
    let one = |(key, now): (&K, &T)| (*key, now.since(then.get(key).copied().unwrap_or_default()));
    now.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_started_anew_counts_from_zero() {
        let counter = |packets| Counter { packets, bytes: packets * 100 };
        assert_eq!(counter(7).since(counter(5)), counter(2));
        assert_eq!(counter(3).since(counter(5)), counter(3));
    }

    #[test]
    fn what_came_since_counts_new_objects_in_full() {
        let counter = |packets| Counter { packets, bytes: packets };
        let before = Sums { sent: [(1, counter(10))].into(), ..Sums::default() };
        let now = Sums { sent: [(1, counter(15)), (2, counter(4))].into(), ..Sums::default() };
        assert_eq!(now.since(&before).sent, [(1, counter(5)), (2, counter(4))].into());
    }
}
