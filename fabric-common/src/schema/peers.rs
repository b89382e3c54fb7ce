//! `peers`: a [`crate::table`] from the outer source address to the index in `vteps`.

/// Number of buckets.
pub const BUCKETS: u32 = crate::table::buckets_for(super::vteps::MAX);

/// Key of a tunnel from `remote_be` to `local_be`, both in network byte order. Never 0, because no
/// tunnel ends at 0.0.0.0.
#[inline(always)]
#[must_use]
pub const fn key(local_be: u32, remote_be: u32) -> u64 {
    (local_be as u64) << 32 | remote_be as u64
}
