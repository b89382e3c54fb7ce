//! `hosts6`: a [`crate::table`] from the fingerprint of (view, IPv6 address) to an index in
//! `addresses6`, where the whole address stands.
//!
//! The table's keys have 64 bits. Two addresses with one fingerprint are found by the writer, which
//! puts the second into the trie; the packet path compares the whole address.

use bytemuck::{Pod, Zeroable};

use crate::flow_hash::mix;

/// As [`super::hosts::BUCKETS`].
pub const BUCKETS: u32 = crate::table::buckets_for::<crate::table::Wide>(ADDRESSES);
/// Number of entries of `addresses6`; index 0 is never used.
pub const ADDRESSES: u32 = 65_536;

const _: () = assert!(super::fits(super::views::MAX, u16::BITS));

/// An IPv6 host.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Address6 {
    /// The address's halves as they stand in a packet.
    pub address: [u64; 2],
    /// The view; 0 marks a free entry.
    pub view: u32,
    /// See [`super::routes`].
    pub target: u32,
}

super::map_value!(Address6, 24);

/// Fingerprint of an address, whose halves are as they stand in a packet, in a view. Never 0.
#[inline(always)]
#[must_use]
pub const fn key(view: u16, address: [u64; 2]) -> u64 {
    let h = mix(address[0] ^ view as u64) ^ address[1];
    // The table mixes again.
    let key = h.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    if key == 0 { 1 } else { key }
}
