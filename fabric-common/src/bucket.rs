//! How the buckets of an ECMP group are shared among its members.
//!
//! The choice is resilient: a change of membership moves only the flows that it must. A member that
//! leaves gives up its own buckets; a member that joins takes its share from those above theirs.

/// The most buckets that a group gets, unless the kernel says otherwise.
pub const MAX: u32 = 16_384;

/// How far the way around dead nexthops goes with each step: the golden ratio of its range. Its
/// multiples fall between each other as evenly as can be, so a few steps meet every member that
/// has a fair share.
const STEP: u32 = 0x9e37_79b9;
/// How many buckets a flow looks at before it is left to the kernel.
pub const TRIES: u32 = 8;

/// The bucket, of `count`, that a flow looks at after `tries` others whose nexthops were dead.
///
/// `hash` is [`crate::flow_hash::bucket`]. All flows of a bucket go the same way around, so that
/// the daemon can leave them where they went; each bucket's way starts somewhere else, so that all
/// others share what a dead nexthop had.
#[inline(always)]
#[must_use]
pub const fn index(hash: u32, tries: u32, count: u32) -> u32 {
    let own = part_of(hash, count);
    if tries == 0 {
        return own;
    }
    let start = crate::flow_hash::mix(own as u64 + 1) as u32;
    part_of(start.wrapping_add(tries.wrapping_mul(STEP)), count)
}

/// In which of `count` equal parts of all numbers a number is.
#[inline(always)]
const fn part_of(number: u32, count: u32) -> u32 {
    ((number as u64 * count as u64) >> 32) as u32
}

/// A member of a group: the index of its nexthop (0 is no nexthop) and its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Index into the `nexthops` map.
    pub nexthop: u16,
    /// Share relative to the other members; 0 is treated as 1.
    pub weight: u16,
}

/// How many buckets a group of `members` should have that has `now`: never fewer, and a multiple if
/// possible, because flows would move for nothing; otherwise so many that the rounding of shares is
/// small against the differences that chance makes among 65,536 flows, and that the smallest share
/// is right to within one percent as long as [`MAX`] allows it.
#[must_use]
pub fn count_for(members: &[Member], now: u32) -> u32 {
    let total: u64 = members.iter().map(|m| u64::from(m.weight.max(1))).sum();
    let least = members.iter().map(|m| u64::from(m.weight.max(1))).min().unwrap_or(1);
    let equal = members.iter().all(|m| u64::from(m.weight.max(1)) == least);
    let wanted = if equal && members.len().is_power_of_two() {
        64 * members.len() as u64
    } else {
        128 * total.div_ceil(least)
    };
    let wanted = wanted.next_power_of_two().clamp(256, u64::from(MAX)) as u32;
    if now == 0 {
        return wanted;
    }
    let multiple = now.saturating_mul(wanted.div_ceil(now));
    if multiple <= MAX {
        multiple
    } else if now > wanted {
        now
    } else {
        wanted
    }
}

#[cfg(any(test, feature = "user"))]
mod writer {
    extern crate std;
    use std::{cmp::Reverse, collections::HashMap, vec::Vec};

    use super::{Member, TRIES, index};

    /// Buckets stretched or compressed to `count`: every flow finds the member there that it had,
    /// exactly so if `count` is a multiple. A group without buckets gets empty ones.
    #[must_use]
    pub fn stretch(buckets: &[u16], count: u32) -> Vec<u16> {
        let size = buckets.len() as u64;
        let old = |at: u32| buckets.get((u64::from(at) * size / u64::from(count)) as usize);
        (0..count).map(|at| old(at).copied().unwrap_or(0)).collect()
    }

    /// What a member has and should have, multiplied by the sum of all weights.
    struct Share {
        nexthop: u16,
        wanted: i64,
        owned: i64,
    }

    /// Fills `buckets` so that each member owns its weighted share to within one bucket, and moves
    /// as few buckets as possible from what stood there before: a member that leaves gives up its
    /// own, a member that joins takes its share from those above theirs. Without members all
    /// buckets become 0.
    ///
    /// A flow of a member that left goes where the packet path already sent it while that member
    /// was dead, as far as shares allow. Buckets for which `may_move` is false stay with a living
    /// member.
    ///
    /// # Returns
    /// False if buckets that must not move keep a member from its share.
    pub fn fill(buckets: &mut [u16], members: &[Member], may_move: impl Fn(usize) -> bool) -> bool {
        let unit: i64 = members.iter().map(|m| i64::from(m.weight.max(1))).sum();
        if unit == 0 {
            buckets.fill(0);
            return true;
        }
        let size = buckets.len() as i64;
        let wanted = |m: &Member| i64::from(m.weight.max(1)) * size;
        let mut shares: Vec<Share> = Vec::with_capacity(members.len());
        let mut of: HashMap<u16, usize> = HashMap::new();
        for member in members {
            let at = *of.entry(member.nexthop).or_insert_with(|| {
                shares.push(Share { nexthop: member.nexthop, wanted: 0, owned: 0 });
                shares.len() - 1
            });
            shares[at].wanted += wanted(member);
        }

        let mut free = Vec::new();
        for (at, bucket) in buckets.iter_mut().enumerate() {
            match of.get(bucket) {
                Some(member) => shares[*member].owned += unit,
                None => free.push((at, core::mem::take(bucket))),
            }
        }
        if free.len() == buckets.len() {
            deal(buckets, &shares, unit);
            return true;
        }
        let before = buckets.to_vec();
        for (at, _) in free {
            let member = heir(&before, at, &of)
                // Not more than its share, or another one's lack would move a third one's flows.
                .filter(|member| shares[*member].wanted - shares[*member].owned >= unit)
                .unwrap_or_else(|| neediest(&shares));
            buckets[at] = shares[member].nexthop;
            shares[member].owned += unit;
        }
        balance(buckets, &mut shares, &of, unit, may_move)
    }

    /// A new group: runs of buckets, in the order of the members.
    fn deal(buckets: &mut [u16], shares: &[Share], unit: i64) {
        let mut cumulative = 0;
        let mut start = 0;
        for share in shares {
            cumulative += share.wanted;
            let end = (cumulative / unit) as usize;
            buckets[start..end].fill(share.nexthop);
            start = end;
        }
    }

    /// The member to which the packet path turns from a bucket without a living nexthop.
    fn heir(buckets: &[u16], at: usize, of: &HashMap<u16, usize>) -> Option<usize> {
        let count = buckets.len() as u64;
        let middle = ((2 * at as u64 + 1) << 31) / count;
        (1..TRIES).find_map(|tries| {
            of.get(&buckets[index(middle as u32, tries, count as u32) as usize]).copied()
        })
    }

    fn neediest(shares: &[Share]) -> usize {
        let needs = shares.iter().map(|share| share.wanted - share.owned).enumerate();
        needs.max_by_key(|(_, need)| *need).map_or(0, |(at, _)| at)
    }

    /// Whole buckets for each share, less than one bucket off. Who owns more keeps more, so that as few as possible move.
    fn quotas(shares: &[Share], unit: i64) -> Vec<i64> {
        let mut quotas: Vec<i64> = shares.iter().map(|share| share.wanted / unit).collect();
        let left = shares.iter().map(|share| share.wanted % unit).sum::<i64>() / unit;
        let broken = |at: &usize| shares[*at].wanted % unit > 0;
        let mut order: Vec<usize> = (0..shares.len()).filter(broken).collect();
        let above = |at: usize| shares[at].owned / unit - quotas[at];
        order.sort_by_key(|at| Reverse((above(*at), shares[*at].wanted % unit)));
        for at in order.into_iter().take(left as usize) {
            quotas[at] += 1;
        }
        quotas
    }

    /// Moves buckets from members that own more than their quota to those that own less.
    fn balance(
        buckets: &mut [u16],
        shares: &mut [Share],
        of: &HashMap<u16, usize>,
        unit: i64,
        may_move: impl Fn(usize) -> bool,
    ) -> bool {
        let quotas = quotas(shares, unit);
        let mut spare: Vec<i64> =
            shares.iter().zip(&quotas).map(|(share, quota)| share.owned / unit - quota).collect();
        for at in (0..buckets.len()).rev() {
            let owner = of.get(&buckets[at]).filter(|owner| spare[**owner] > 0 && may_move(at));
            let Some(&owner) = owner else { continue };
            let Some(needy) = (0..spare.len()).min_by_key(|at| spare[*at]) else { break };
            if spare[needy] < 0 {
                buckets[at] = shares[needy].nexthop;
                spare[owner] -= 1;
                spare[needy] += 1;
            }
        }
        for (share, (quota, spare)) in shares.iter_mut().zip(quotas.iter().zip(&spare)) {
            share.owned = (quota + spare) * unit;
        }
        let lacks = |share: &Share| share.wanted - share.owned >= unit;
        // Where some must not move, others that own less than a bucket too many help.
        let mut needy = neediest(shares);
        for at in (0..buckets.len()).rev() {
            if !lacks(&shares[needy]) {
                return true;
            }
            let Some(&owner) = of.get(&buckets[at]) else { continue };
            if shares[owner].owned > shares[owner].wanted && may_move(at) {
                buckets[at] = shares[needy].nexthop;
                shares[owner].owned -= unit;
                shares[needy].owned += unit;
                needy = neediest(shares);
            }
        }
        !shares.iter().any(lacks)
    }
}
#[cfg(any(test, feature = "user"))]
pub use writer::{fill, stretch};

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    fn members(list: &[(u16, u16)]) -> Vec<Member> {
        list.iter().map(|&(nexthop, weight)| Member { nexthop, weight }).collect()
    }

    fn equal(nexthops: impl IntoIterator<Item = u16>) -> Vec<Member> {
        nexthops.into_iter().map(|nexthop| Member { nexthop, weight: 1 }).collect()
    }

    fn filled(members: &[Member]) -> Vec<u16> {
        let mut buckets = std::vec![0; count_for(members, 0) as usize];
        assert!(fill(&mut buckets, members, |_| true));
        buckets
    }

    fn share(buckets: &[u16], nexthop: u16) -> usize {
        buckets.iter().filter(|b| **b == nexthop).count()
    }

    fn assert_fair(buckets: &[u16], members: &[Member]) {
        let total: u32 = members.iter().map(|m| u32::from(m.weight)).sum();
        for m in members {
            let exact = buckets.len() as f64 * f64::from(m.weight) / f64::from(total);
            let off = share(buckets, m.nexthop) as f64 - exact;
            assert!(off.abs() <= 1.0, "{m:?} of {}: {off} buckets off", members.len());
        }
    }

    #[test]
    fn members_get_their_share_to_within_one_bucket() {
        for n in 1..=128 {
            let members = equal(1..=n);
            assert_fair(&filled(&members), &members);
        }
        for list in [&[(1, 1), (2, 2), (3, 3)][..], &[(1, 11), (2, 45)], &[(1, 1), (2, 100)]] {
            assert_fair(&filled(&members(list)), &members(list));
        }
    }

    #[test]
    fn weights_are_right_to_within_one_percent() {
        for list in [&[(1, 1), (2, 2), (3, 3)][..], &[(1, 11), (2, 45)], &[(1, 1), (2, 60)]] {
            let members = members(list);
            let buckets = filled(&members);
            let total: u32 = members.iter().map(|m| u32::from(m.weight)).sum();
            for m in &members {
                let exact = buckets.len() as f64 * f64::from(m.weight) / f64::from(total);
                let error = share(&buckets, m.nexthop) as f64 / exact - 1.0;
                assert!(error.abs() <= 0.01, "{m:?}: {error}");
            }
        }
    }

    #[test]
    fn removing_a_member_moves_only_its_own_buckets() {
        for n in 2..=128 {
            let mut buckets = filled(&equal(1..=n));
            let before = buckets.clone();
            let gone = n / 2 + 1;
            let rest = equal((1..=n).filter(|m| *m != gone));
            fill(&mut buckets, &rest, |_| true);
            for (b, a) in before.iter().zip(&buckets) {
                assert!(*b == gone || b == a, "of {n}: a bucket of member {b} moved to {a}");
            }
            assert_eq!(share(&buckets, gone), 0);
            assert_fair(&buckets, &rest);
        }
    }

    #[test]
    fn adding_a_member_moves_only_its_share() {
        for n in 1..128 {
            let all = equal(1..=n + 1);
            let mut buckets = std::vec![0; count_for(&all, 0) as usize];
            fill(&mut buckets, &equal(1..=n), |_| true);
            let before = buckets.clone();
            fill(&mut buckets, &all, |_| true);
            for (b, a) in before.iter().zip(&buckets) {
                assert!(*a == n + 1 || b == a, "a bucket moved between old members");
            }
            assert_fair(&buckets, &all);
        }
    }

    #[test]
    fn members_that_come_and_go_at_random_leave_fair_shares() {
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = crate::flow_hash::mix(state.wrapping_add(0x1234_5678_9abc_def1));
            state % below
        };
        let mut buckets = std::vec![0; 4096];
        let mut now: Vec<Member> = equal(1..=8);
        for _ in 0..300 {
            if now.len() > 1 && random(2) == 0 {
                now.remove(random(now.len() as u64) as usize);
            } else {
                let nexthop = (1..).find(|n| now.iter().all(|m| m.nexthop != *n)).unwrap_or(1);
                now.push(Member { nexthop, weight: 1 + random(3) as u16 });
            }
            now.truncate(24);
            assert!(fill(&mut buckets, &now, |_| true));
            let total: u32 = now.iter().map(|m| u32::from(m.weight)).sum();
            for m in &now {
                let exact = 4096.0 * f64::from(m.weight) / f64::from(total);
                let off = share(&buckets, m.nexthop) as f64 - exact;
                assert!(off.abs() < 1.0, "{off} buckets off among {}", now.len());
            }
        }
    }

    #[test]
    fn several_members_that_come_and_go_at_once_leave_nobody_a_whole_bucket_too_many() {
        let mut buckets = std::vec![0; 1024];
        fill(&mut buckets, &equal(1..=6), |_| true);
        let mut state = 1_u64;
        for _ in 0..300 {
            state = crate::flow_hash::mix(state.wrapping_add(0x1234_5678_9abc_def1));
            let now = equal((1..=6).filter(|member| state >> member & 1 != 0));
            if now.is_empty() {
                continue;
            }
            assert!(fill(&mut buckets, &now, |_| true));
            for member in &now {
                let off = share(&buckets, member.nexthop) as f64 - 1024.0 / now.len() as f64;
                assert!(off.abs() < 1.0, "{member:?}: {off} buckets off among {}", now.len());
            }
        }
    }

    #[test]
    fn a_group_that_grows_keeps_every_flow_where_it_is() {
        let small = filled(&equal(1..=3));
        let large = stretch(&small, 4096);
        for hash in (0..1 << 16).map(|i| i << 16 | i) {
            let [a, b] = [&small, &large].map(|g| g[index(hash, 0, g.len() as u32) as usize]);
            assert_eq!(a, b);
        }
    }

    #[test]
    fn a_group_never_gets_fewer_buckets_than_it_had() {
        let count = |members: u16, now| count_for(&equal(1..=members), now);
        assert_eq!(
            [count(5, 0), count(4, 1024), count(5, 256), count(2, 1)],
            [1024, 1024, 1024, 256]
        );
        assert_eq!(count(5, 100), 1100, "a multiple of a resilient group's number");
        assert_eq!([count(128, 16_384), count(128, 10_000)], [16_384, 10_000]);
        assert_eq!(count(100, 10_000), 16_384, "there is no multiple");
    }

    #[test]
    fn flows_of_a_dead_member_stay_where_they_fled_to() {
        let mut buckets = filled(&equal(1..=4));
        let before = buckets.clone();
        let count = buckets.len() as u32;
        fill(&mut buckets, &equal([1, 2, 4]), |_| true);
        let mut same = 0;
        for hash in (0..1 << 16).map(|i| i << 16 | 0x8000) {
            let at = index(hash, 0, count) as usize;
            if before[at] == 3 {
                let fled = (1..TRIES).map(|t| before[index(hash, t, count) as usize]);
                same += u32::from(fled.into_iter().find(|n| *n != 3) == Some(buckets[at]));
            }
        }
        // A quarter of the flows fled; the rest of them moves on for the sake of fair shares.
        assert!(same > 8_000, "{same} of 16384 stayed");
    }

    #[test]
    fn the_flows_of_a_dead_member_are_shared_by_all_others() {
        for n in [3, 4, 8, 16] {
            let buckets = filled(&equal(1..=n));
            let count = buckets.len() as u32;
            let mut fled = std::vec![0_u32; usize::from(n) + 1];
            for (at, _) in buckets.iter().enumerate().filter(|(_, member)| **member == 1) {
                let hash = (((2 * at as u64 + 1) << 31) / u64::from(count)) as u32;
                let ways = (1..TRIES).map(|t| buckets[index(hash, t, count) as usize]);
                let way = ways.into_iter().find(|member| *member != 1);
                fled[usize::from(way.expect("a few steps meet somebody else"))] += 1;
            }
            let all: u32 = fled.iter().sum();
            let fair = all / (u32::from(n) - 1);
            let most = fled.iter().max().copied().unwrap_or(0);
            assert!(fled[2..].iter().all(|f| *f > 0) && most < fair + fair / 2 + 9, "{fled:?}");
        }
    }

    #[test]
    fn buckets_that_must_not_move_stay_until_they_may() {
        let mut buckets = filled(&equal([1, 2]));
        let before = buckets.clone();
        let three = equal([1, 2, 3]);
        assert!(!fill(&mut buckets, &three, |_| false), "member 3 lacks its share");
        assert_eq!(buckets, before);
        assert!(fill(&mut buckets, &three, |_| true));
        assert!(share(&buckets, 3) > 0);
    }

    #[test]
    fn who_owns_a_part_of_a_bucket_too_many_gives_it_while_others_must_not_move() {
        let mut buckets = filled(&equal(1..=4));
        let before = buckets.clone();
        // 51.2 buckets each: somebody keeps 52, unless another one lacks more.
        assert!(!fill(&mut buckets, &equal(1..=5), |at| before[at] != 4));
        assert_eq!([1, 2, 3, 4, 5].map(|member| share(&buckets, member)), [51, 51, 51, 64, 39]);
        assert!(fill(&mut buckets, &equal(1..=5), |_| true));
        assert_fair(&buckets, &equal(1..=5));
    }

    #[test]
    fn a_group_without_members_is_empty() {
        let mut buckets = [7; 256];
        fill(&mut buckets, &[], |_| true);
        assert!(buckets.iter().all(|b| *b == 0));
    }
}
