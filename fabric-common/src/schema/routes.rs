//! What a route leads to: the 32-bit target in `hosts`, `addresses6` and the leaves of `trie`.

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

/// Packed as the targets of the FDB are.
pub use super::fdb::{split_target, target};
