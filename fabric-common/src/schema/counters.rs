//! The per-CPU counters.

use bytemuck::{Pod, Zeroable};

/// Packets and bytes. Bytes are whole frames as they are on the port.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Counter {
    /// Number of packets.
    pub packets: u64,
    /// Number of bytes.
    pub bytes: u64,
}

/// Both directions of a VNI or VTEP. Bytes are inner frames.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Traffic {
    /// Into the tunnel.
    pub encapsulated: Counter,
    /// Out of the tunnel.
    pub decapsulated: Counter,
}

super::map_value!(Counter, 16);
super::map_value!(Traffic, 32);

/// Rows of `reasons` if neither the settings nor the number of CPUs ask for fewer; a power of two.
pub const ROWS: u32 = super::ports::PORTS;

/// Index into `reasons`, by the row of the port ([`super::ports::Port::row`]).
#[inline(always)]
#[must_use]
pub const fn reason_index(row: u32, reason: u8) -> u32 {
    row * crate::reason::REASONS + reason as u32
}
