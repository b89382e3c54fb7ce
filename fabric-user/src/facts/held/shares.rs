//! When two groups share flows alike.
//!
//! How many buckets a group has depends on what it has been: it takes over those of the group whose place it takes, and
//! never gets fewer. So shares are alike if they differ by no more than a bucket of either. A resilient group moves flows
//! when they rest, which may be never: it may lack members that it should have, and has no other ones.

use super::{Hop, Member, Members, Share, Way};

/// What has a share.
trait Sharer {
    /// Who, without the share.
    fn is(&self, other: &Self) -> bool;

    fn share(&self) -> Share;
}

impl Sharer for Hop {
    fn is(&self, other: &Self) -> bool {
        (&self.port, self.gateway) == (&other.port, other.gateway)
    }

    fn share(&self) -> Share {
        self.share
    }
}

impl Sharer for Member {
    fn is(&self, other: &Self) -> bool {
        self.vtep == other.vtep
    }

    fn share(&self) -> Share {
        self.share
    }
}

impl Way {
    /// Whether this is a way that maps may have that should have the other one.
    #[must_use]
    pub fn is_as(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Hops { hops: held, .. }, Self::Hops { hops, resilient }) => {
                alike(held, hops, *resilient)
            }
            _ => self == wanted,
        }
    }
}

impl Members {
    /// As [`Way::is_as`].
    #[must_use]
    pub fn is_as(&self, wanted: &Self) -> bool {
        alike(&self.members, &wanted.members, wanted.resilient)
    }
}

fn alike<T: Sharer>(held: &[T], wanted: &[T], resilient: bool) -> bool {
    let same = |one: &T| wanted.iter().find(|other| one.is(other));
    let known = held
        .iter()
        .all(|one| same(one).is_some_and(|other| resilient || near(one.share(), other.share())));
    let whole =
        if resilient { held.is_empty() == wanted.is_empty() } else { held.len() == wanted.len() };
    known && whole
}

/// Whether two shares differ by no more than a bucket of either group.
fn near(a: Share, b: Share) -> bool {
    let [share, of, other, whole] = [a.buckets, a.of, b.buckets, b.of].map(u64::from);
    (share * whole).abs_diff(other * of) <= of + whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(resilient: bool, shares: &[(&str, u32)]) -> Way {
        let of = shares.iter().map(|(_, buckets)| buckets).sum();
        let hop = |(port, buckets): &(&str, u32)| Hop {
            port: (*port).into(),
            gateway: [192, 0, 2, 1].into(),
            share: Share { buckets: *buckets, of },
        };
        Way::Hops { hops: shares.iter().map(hop).collect(), resilient }
    }

    #[test]
    fn a_group_with_more_buckets_of_an_earlier_one_shares_alike() {
        // Weights 11 and 45.
        let fresh = way(false, &[("swp1", 201), ("swp2", 823)]);
        assert!(way(false, &[("swp1", 402), ("swp2", 1_646)]).is_as(&fresh));
        assert!(!way(false, &[("swp1", 512), ("swp2", 512)]).is_as(&fresh));
        assert!(!way(false, &[("swp1", 1_024)]).is_as(&fresh));
        assert!(!way(false, &[("swp1", 201), ("swp3", 823)]).is_as(&fresh));
    }

    #[test]
    fn a_resilient_group_may_lack_a_member_and_has_no_strange_one() {
        let wanted = way(true, &[("swp1", 64), ("swp2", 64)]);
        assert!(way(true, &[("swp1", 128)]).is_as(&wanted));
        assert!(way(true, &[("swp1", 127), ("swp2", 1)]).is_as(&wanted));
        assert!(!way(true, &[("swp1", 127), ("swp3", 1)]).is_as(&wanted));
        assert!(!way(true, &[]).is_as(&wanted));
    }

    #[test]
    fn what_is_no_group_is_the_same_or_not() {
        assert!(Way::Local.is_as(&Way::Local));
        assert!(!Way::Local.is_as(&way(false, &[("swp1", 1)])));
    }
}
