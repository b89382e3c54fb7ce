//! The compiled programs around those that are measured, which the build script embeds.

use crate::flow::{Arrived, Captured, Generator};

/// An ELF file for the target `bpfel-unknown-none`, aligned as its headers need.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/bench.o"));

/// The programs that look addresses up, in the same form.
pub static LOOKUPS: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lpm.o"));

/// The journeys of the packet path, ended after each of their stages, in the same form.
pub static STAGES: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/stages.o"));

#[cfg(feature = "without")]
macro_rules! builds {
    ($($name:literal)*) => {
        [$((
            $name,
            aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/", $name, ".o")),
        )),*]
    };
}

/// Name and object of each build of the packet path that does not know a feature which is off by default,
/// and last of the one that knows none of them.
#[cfg(feature = "without")]
pub static WITHOUT: &[(&str, &[u8])] = &builds![
    "without-hash-options"
    "without-bfd-silence"
    "without-bucket-timers"
    "without-inherited-fields"
    "without-isolated-ports"
    "without-any"
];

/// None, where they were not asked for.
#[cfg(not(feature = "without"))]
pub static WITHOUT: &[(&str, &[u8])] = &[];

// SAFETY: repr(C), integers only, no padding.
unsafe impl aya::Pod for Arrived {}
// SAFETY: as above.
unsafe impl aya::Pod for Captured {}
// SAFETY: as above.
unsafe impl aya::Pod for Generator {}
