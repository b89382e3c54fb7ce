//! `reverse_paths`: from which ports the packets of each VTEP are accepted, for ports that do not accept
//! those of all VTEPs. The index is the VTEP's.
//!
//! The kernel's reverse path filter, and rules that look at sources, are judged by the daemon: what is
//! left of them for the packet path is a bit.

use bytemuck::{Pod, Zeroable};

/// How many ports can have a bit.
pub const PORTS: u8 = 64;

/// Ports that accept the packets of a VTEP.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ReversePath {
    /// The [`bit`] of each port's [`super::ports::Port::decapsulates`].
    pub ports: u64,
}

super::map_value!(ReversePath, 8);

/// The bit of a port by its number, 1 to [`PORTS`].
#[inline(always)]
#[must_use]
pub const fn bit(number: u8) -> u64 {
    1_u64.wrapping_shl(number.wrapping_sub(1) as u32)
}
