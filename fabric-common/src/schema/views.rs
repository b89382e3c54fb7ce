//! `views`: what a port's packets are routed by. A view is an ordered list of routing tables (local,
//! main, a VRF's), compiled into one set of prefixes.

use bytemuck::{Pod, Zeroable};

/// Number of entries; index 0 is never used and routes nothing.
pub const MAX: u32 = 1_024;

/// Where the prefixes of a view stand.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct View {
    /// First word in `trie` of the block for IPv4, 0 for none.
    pub root4: u32,
    /// The same for IPv6.
    pub root6: u32,
}

super::map_value!(View, 8);
