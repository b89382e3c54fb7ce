//! How large the blocks are whose size the settings or the machine decide: no map, but constants of a
//! loaded program, against which the verifier checks every access.

use super::{counters, fdb, hosts, hosts6, ports, trie, vlans};
use crate::reason::REASONS;

/// Sizes of blocks, each a power of two, less one.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Buckets of `fdb` minus one.
    pub fdb_mask: u32,
    /// Buckets of `hosts` minus one.
    pub hosts_mask: u32,
    /// Buckets of `hosts6` minus one.
    pub hosts6_mask: u32,
    /// Entries of `addresses6` minus one.
    pub addresses6_mask: u32,
    /// Words of `trie` minus one.
    pub trie_mask: u32,
    /// CPUs that have counters.
    pub cpus: u32,
    /// Entries of `ports` and `port_tx` minus one.
    pub ports_mask: u32,
    /// Entries of `vlans` minus one.
    pub vlans_mask: u32,
    /// Entries of `reasons` for one CPU minus one.
    pub reasons_mask: u32,
    /// Always 0.
    pub reserved: u32,
}

super::map_value!(Limits, 40);

impl Limits {
    /// As the object declares the blocks, for one CPU.
    pub const DECLARED: Self = Self {
        fdb_mask: fdb::BUCKETS - 1,
        hosts_mask: hosts::BUCKETS - 1,
        hosts6_mask: hosts6::BUCKETS - 1,
        addresses6_mask: hosts6::ADDRESSES - 1,
        trie_mask: trie::WORDS - 1,
        cpus: 1,
        ports_mask: ports::MAX - 1,
        vlans_mask: vlans::TABLES - 1,
        reasons_mask: counters::ROWS * REASONS - 1,
        reserved: 0,
    };
}
