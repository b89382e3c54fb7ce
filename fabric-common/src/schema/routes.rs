//! What a route leads to: the 32-bit target in `hosts`, `hosts6` and the leaves of `trie`.

use super::{fits, groups, nexthops, views};
use crate::reason::Reason;

/// No route: the kernel answers.
pub const KIND_NONE: u32 = 0;
/// To a group; the index is the group's.
pub const KIND_GROUP: u32 = 1;
/// To a neighbour; the index is the nexthop's.
pub const KIND_NEXTHOP: u32 = 2;
/// To this box itself: local and broadcast addresses.
pub const KIND_LOCAL: u32 = 3;
/// A route that the maps cannot express.
pub const KIND_KERNEL: u32 = 4;
/// Discarded silently.
pub const KIND_BLACKHOLE: u32 = 5;
/// Answered by the kernel with an ICMP error (unreachable, prohibit).
pub const KIND_UNREACHABLE: u32 = 6;
/// On the link of a port, to a neighbour that is not resolved: the kernel asks for it.
pub const KIND_CONNECTED: u32 = 7;
/// Into another VRF: the address is looked up once more, in the view of this index, and no third time.
pub const KIND_VIEW: u32 = 8;

/// Bits of the index; the kind stands above it.
const INDEX_BITS: u32 = 16;
/// Bits of the kind, so that a target leaves room for a view in `hosts6`.
const KIND_BITS: u32 = 4;
/// The largest index.
pub const LAST_INDEX: u32 = (1 << INDEX_BITS) - 1;

const _: () = {
    assert!(fits(groups::MAX, INDEX_BITS) && fits(nexthops::MAX, INDEX_BITS));
    assert!(fits(views::MAX, INDEX_BITS) && fits(KIND_VIEW + 1, KIND_BITS));
    assert!(INDEX_BITS + KIND_BITS <= crate::table::Long::TARGET_BITS);
};

/// Packs kind and index.
#[inline(always)]
#[must_use]
pub const fn target(kind: u32, index: u32) -> u32 {
    debug_assert!(index >> INDEX_BITS == 0);
    kind << INDEX_BITS | index
}

/// Kind and index of a target.
#[inline(always)]
#[must_use]
pub const fn split_target(target: u32) -> (u32, u32) {
    (target >> INDEX_BITS, target & ((1 << INDEX_BITS) - 1))
}

/// The end of a packet whose target is of a kind without next hops.
#[inline(always)]
#[must_use]
pub const fn refusal(kind: u32) -> Reason {
    match kind {
        KIND_LOCAL => Reason::TransitRouteLocal,
        KIND_NONE => Reason::TransitRouteNone,
        KIND_BLACKHOLE => Reason::TransitRouteBlackhole,
        KIND_UNREACHABLE => Reason::TransitRouteUnreachable,
        KIND_CONNECTED => Reason::TransitRouteUnresolved,
        _ => Reason::TransitRouteNotAccelerated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_and_nexthop_survives_packing_with_every_kind() {
        for kind in KIND_NONE..=KIND_VIEW {
            for index in 0..groups::MAX.max(nexthops::MAX) {
                assert_eq!(split_target(target(kind, index)), (kind, index));
            }
        }
    }
}
