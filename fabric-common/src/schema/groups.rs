//! `groups`: ECMP groups of underlay nexthops.

use crate::bucket::BUCKETS;

/// Number of entries; index 0 is never used.
pub const MAX: u32 = 4_096;

/// The buckets of a group.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Index in `nexthops` for each bucket, 0 when the group is empty.
    pub buckets: [u16; BUCKETS],
}

super::map_value!(Group, 512);
