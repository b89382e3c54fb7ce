//! The compiled programs around those that are measured, which the build script embeds.

use crate::flow::{Arrived, Captured, Generator};

/// An ELF file for the target `bpfel-unknown-none`, aligned as its headers need.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/bench.o"));

// SAFETY: repr(C), integers only, no padding.
unsafe impl aya::Pod for Generator {}
// SAFETY: as above.
unsafe impl aya::Pod for Arrived {}
// SAFETY: as above.
unsafe impl aya::Pod for Captured {}
