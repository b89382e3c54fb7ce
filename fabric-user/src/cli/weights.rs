//! The weights of a group's members, found again in their shares of the buckets.

/// The smallest whole numbers that give each member its number of buckets to within less than one,
/// which is how exactly buckets are dealt out. `None` if there are none of a sensible size, for
/// instance while a resilient group is on its way from one set of weights to another.
pub(crate) fn weights(buckets: &[u32]) -> Option<Vec<u32>> {
    /// Sum of the weights per member: a weight in the kernel is at most 256.
    const MOST: u64 = 256;
    let total: u64 = buckets.iter().copied().map(u64::from).sum();
    let members = buckets.len() as u64;
    (members..=members * MOST).take_while(|_| total > 0).find_map(|sum| {
        let mut rest = sum;
        let mut weights = Vec::with_capacity(buckets.len());
        for count in buckets.iter().copied().map(u64::from) {
            let weight = (count * sum + total / 2) / total;
            if weight == 0 || (weight * total).abs_diff(count * sum) >= sum {
                return None;
            }
            rest = rest.checked_sub(weight)?;
            weights.push(weight as u32);
        }
        (rest == 0).then_some(weights)
    })
}

#[cfg(test)]
mod tests {
    use fabric_common::bucket::{Member, count_for, fill};

    use super::*;

    fn dealt(given: &[u16]) -> Vec<u32> {
        let members: Vec<_> =
            (1..).zip(given).map(|(nexthop, weight)| Member { nexthop, weight: *weight }).collect();
        let mut buckets = vec![0; count_for(&members, 0) as usize];
        fill(&mut buckets, &members, |_| true);
        let count = |m: &Member| buckets.iter().filter(|bucket| **bucket == m.nexthop).count();
        members.iter().map(|m| count(m) as u32).collect()
    }

    #[test]
    fn weights_are_found_again_in_the_buckets_that_were_dealt_by_them() {
        for given in [&[1][..], &[1, 1, 1], &[1, 2, 3], &[3, 1], &[1; 128], &[2, 1, 1, 1, 5]] {
            let expected: Vec<u32> = given.iter().copied().map(u32::from).collect();
            assert_eq!(weights(&dealt(given)), Some(expected), "{given:?}");
        }
    }

    #[test]
    fn smaller_weights_that_give_the_same_buckets_are_as_good() {
        let buckets = dealt(&[11, 45]);
        let found = weights(&buckets).expect("11 to 45 explain them at least");
        let (sum, all) = (found.iter().sum::<u32>(), buckets.iter().sum::<u32>());
        assert!(sum <= 56, "{found:?}");
        for (weight, count) in found.iter().zip(&buckets) {
            assert!((weight * all).abs_diff(count * sum) < sum, "{found:?} for {buckets:?}");
        }
    }

    #[test]
    fn what_no_weights_explain_has_none() {
        assert_eq!(weights(&[]), None);
        assert_eq!(weights(&[0, 0]), None);
        assert_eq!(weights(&[16_383, 1]), None);
    }
}
