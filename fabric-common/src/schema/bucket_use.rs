//! `bucket_use`: when each bucket was last used. Kept for resilient groups of the kernel only, whose
//! idle timer says how long a bucket stays where it is. Written by the packet path.

use bytemuck::{Pod, Zeroable};

use super::buckets::CHUNK;

/// The last use of the buckets of the same chunk in `buckets`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ChunkUse {
    /// Jiffies (low 32 bits) for each bucket.
    pub jiffies: [u32; CHUNK as usize],
}

super::map_value!(ChunkUse, 128);
