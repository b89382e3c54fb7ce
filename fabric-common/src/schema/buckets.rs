//! `buckets`: the buckets of all groups, in chunks of one cache line.

use bytemuck::{Pod, Zeroable};

use super::{fits, nexthops};

/// Number of chunks: two million buckets.
pub const MAX: u32 = 65_536;
/// Buckets of a chunk.
pub const CHUNK: u32 = 32;

const _: () = assert!(fits(nexthops::MAX, u16::BITS));

/// Some buckets of a group.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Chunk {
    /// Index in `nexthops` for each bucket, 0 for none.
    pub nexthops: [u16; CHUNK as usize],
}

super::map_value!(Chunk, 64);
