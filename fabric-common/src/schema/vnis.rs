//! `vnis`: a [`crate::table`] from (UDP port, VNI) to the index in `domains`.

/// Number of buckets.
pub const BUCKETS: u32 = crate::table::buckets_for::<crate::table::Narrow>(super::domains::MAX);

/// Key of a VNI (24 bits) on a UDP port in network byte order. Never 0, because no tunnel has
/// port 0.
#[inline(always)]
#[must_use]
pub const fn key(udp_port_be: u16, vni: u32) -> u64 {
    (udp_port_be as u64) << 24 | vni as u64
}
