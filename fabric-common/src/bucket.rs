//! How the buckets of an ECMP group are shared among its members.
//!
//! The choice is resilient: a change of membership moves only the flows that it must. A member that
//! leaves gives up its own buckets; a member that joins takes its share from those above theirs.

/// Buckets of one group. A flow's bucket is its hash modulo this number, a power of two.
pub const BUCKETS: usize = 256;

/// A member of a group: the index of its nexthop (0 is no nexthop) and its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Index into the `nexthops` map.
    pub nexthop: u16,
    /// Share relative to the other members; 0 is treated as 1.
    pub weight: u16,
}

/// Fills `buckets` so that each member owns its weighted share, and moves as few buckets as
/// possible from what stood there before. Without members all buckets become 0.
///
/// Shares differ from the exact ones by less than one bucket.
pub fn fill(buckets: &mut [u16; BUCKETS], members: &[Member]) {
    let total: u64 = members.iter().map(|m| u64::from(m.weight.max(1))).sum();
    if total == 0 {
        buckets.fill(0);
        return;
    }
    // Every member's quota is the difference of two rounded cumulative shares, so that the quotas
    // add up to the number of buckets exactly.
    let mut cumulative = 0_u64;
    let mut start = 0_usize;
    let mut quota_of = |weight: u16| {
        cumulative += u64::from(weight.max(1));
        let end = (cumulative * BUCKETS as u64 / total) as usize;
        let quota = end - start;
        start = end;
        quota
    };
    // First pass: each member keeps what it has, up to its quota; everything else becomes free.
    let mut kept = [false; BUCKETS];
    for member in members {
        let mut quota = quota_of(member.weight);
        for (bucket, kept) in buckets.iter().zip(kept.iter_mut()) {
            if quota > 0 && !*kept && *bucket == member.nexthop {
                *kept = true;
                quota -= 1;
            }
        }
    }
    for (bucket, kept) in buckets.iter_mut().zip(kept) {
        if !kept {
            *bucket = 0;
        }
    }
    // Second pass: what is missing comes from the free ones.
    let (mut cumulative, mut start) = (0_u64, 0_usize);
    for member in members {
        cumulative += u64::from(member.weight.max(1));
        let end = (cumulative * BUCKETS as u64 / total) as usize;
        let owned = buckets.iter().filter(|b| **b == member.nexthop).count();
        let mut missing = (end - start).saturating_sub(owned);
        start = end;
        for bucket in buckets.iter_mut() {
            if missing == 0 {
                break;
            }
            if *bucket == 0 {
                *bucket = member.nexthop;
                missing -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    fn members(list: &[(u16, u16)]) -> Vec<Member> {
        list.iter().map(|&(nexthop, weight)| Member { nexthop, weight }).collect()
    }

    fn share(buckets: &[u16; BUCKETS], nexthop: u16) -> usize {
        buckets.iter().filter(|b| **b == nexthop).count()
    }

    #[test]
    fn equal_members_get_equal_shares() {
        for n in 1..=64_u16 {
            let mut buckets = [0; BUCKETS];
            fill(&mut buckets, &members(&(1..=n).map(|i| (i, 1)).collect::<Vec<_>>()));
            for i in 1..=n {
                let exact = BUCKETS as f64 / f64::from(n);
                assert!((share(&buckets, i) as f64 - exact).abs() < 1.0, "member {i} of {n}");
            }
        }
    }

    #[test]
    fn weights_are_kept_to_within_one_bucket() {
        let mut buckets = [0; BUCKETS];
        fill(&mut buckets, &members(&[(1, 1), (2, 2), (3, 5)]));
        assert_eq!([share(&buckets, 1), share(&buckets, 2), share(&buckets, 3)], [32, 64, 160]);
    }

    #[test]
    fn removing_a_member_moves_only_its_own_buckets() {
        let mut buckets = [0; BUCKETS];
        fill(&mut buckets, &members(&[(1, 1), (2, 1), (3, 1), (4, 1)]));
        let before = buckets;
        fill(&mut buckets, &members(&[(1, 1), (2, 1), (4, 1)]));
        for (b, a) in before.iter().zip(buckets) {
            assert!(*b == 3 || *b == a, "a bucket of member {b} moved to {a}");
            assert_ne!(a, 3);
        }
    }

    #[test]
    fn adding_a_member_moves_only_its_share() {
        let mut buckets = [0; BUCKETS];
        fill(&mut buckets, &members(&[(1, 1), (2, 1), (3, 1)]));
        let before = buckets;
        fill(&mut buckets, &members(&[(1, 1), (2, 1), (3, 1), (4, 1)]));
        for (b, a) in before.iter().zip(buckets) {
            assert!(a == 4 || *b == a, "a bucket moved between old members");
        }
        assert_eq!(share(&buckets, 4), 64);
    }

    #[test]
    fn a_group_without_members_is_empty() {
        let mut buckets = [7; BUCKETS];
        fill(&mut buckets, &[]);
        assert!(buckets.iter().all(|b| *b == 0));
    }
}
