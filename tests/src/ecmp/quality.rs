//! The figures by which a group is judged.

use fabric_common::bucket::{self, Member};

use super::{
    paths::Taken,
    statistics::{chi_square, probability},
};

/// Equal members, nexthops 1 to `count`.
#[must_use]
pub fn members(count: u16) -> Vec<Member> {
    (1..=count).map(|nexthop| Member { nexthop, weight: 1 }).collect()
}

/// Members of these weights, nexthops from 1 on.
#[must_use]
pub fn weighted(weights: &[u16]) -> Vec<Member> {
    (1..).zip(weights).map(|(nexthop, weight)| Member { nexthop, weight: *weight }).collect()
}

/// The buckets that the daemon gives to a group that was `before`.
#[must_use]
pub fn buckets(before: &[u16], members: &[Member]) -> Vec<u16> {
    let count = bucket::count_for(members, before.len() as u32);
    let mut buckets =
        if before.is_empty() { vec![0; count as usize] } else { bucket::stretch(before, count) };
    assert!(bucket::fill(&mut buckets, members, |_| true), "nothing keeps a bucket from moving");
    buckets
}

/// The member that each flow has, given its bucket among [`bucket::MAX`].
#[must_use]
pub fn choices(taken: &[Taken], buckets: &[u16]) -> Vec<u16> {
    let of =
        |taken: &Taken| buckets[usize::from(taken.nexthop) * buckets.len() / bucket::MAX as usize];
    taken.iter().map(of).collect()
}

/// How evenly flows are shared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    chi_square: f64,
    degrees: usize,
}

impl Spread {
    /// Counts the flows of each member.
    #[must_use]
    pub fn of(choices: &[u16], members: &[Member]) -> Self {
        let mut flows = vec![0_u32; 1 << 16];
        for choice in choices {
            flows[usize::from(*choice)] += 1;
        }
        let counts: Vec<u32> = members.iter().map(|m| flows[usize::from(m.nexthop)]).collect();
        let weights: Vec<f64> = members.iter().map(|m| f64::from(m.weight)).collect();
        Self { chi_square: chi_square(&counts, &weights), degrees: members.len() - 1 }
    }

    /// Both measurements as one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            chi_square: self.chi_square + other.chi_square,
            degrees: self.degrees + other.degrees,
        }
    }

    /// Probability that chance is at least this uneven.
    #[must_use]
    pub fn probability(self) -> f64 {
        probability(self.chi_square, self.degrees)
    }

    /// Coefficient of variation of the members' loads, divided by √((N−1)/F), which chance makes
    /// of F flows: the root of its mean square over all measurements in this value.
    #[must_use]
    pub fn variation(self) -> f64 {
        (self.chi_square / self.degrees as f64).sqrt()
    }
}

/// The greatest error of a member's share, relative to what its weight says. All buckets count
/// alike: what chance adds is not the group's fault.
#[must_use]
pub fn weight_error(buckets: &[u16], members: &[Member]) -> f64 {
    let total: u32 = members.iter().map(|m| u32::from(m.weight)).sum();
    let error = |m: &Member| {
        let own = buckets.iter().filter(|b| **b == m.nexthop).count() as f64;
        let exact = buckets.len() as f64 * f64::from(m.weight) / f64::from(total);
        (own / exact - 1.0).abs()
    };
    members.iter().map(error).fold(0.0, f64::max)
}

/// Flows that a change moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// From or to the member that went or came.
    pub due: usize,
    /// Between others.
    pub others: usize,
}

/// Compares the choices before and after a member went or came.
#[must_use]
pub fn moved(before: &[u16], after: &[u16], changed: u16) -> Moved {
    let mut moved = Moved { due: 0, others: 0 };
    for (before, after) in before.iter().zip(after).filter(|(b, a)| b != a) {
        if [*before, *after].contains(&changed) {
            moved.due += 1;
        } else {
            moved.others += 1;
        }
    }
    moved
}
