//! `vteps`: remote VTEPs.

/// Number of entries; index 0 is never used.
pub const MAX: u32 = 4_096;

/// A remote tunnel end point with what is constant in the outer header towards it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vtep {
    /// Remote address.
    pub remote_be: u32,
    /// Local address.
    pub local_be: u32,
    /// Sum of the outer IPv4 header's constant 16-bit words in memory order: version and length
    /// with TOS 0, protocol UDP with TTL 0, both addresses.
    pub checksum_base: u32,
    /// Index of the underlay group; 0 marks a VTEP that is known but cannot be reached.
    pub group: u32,
}

super::map_value!(Vtep, 16);

impl Vtep {
    /// A VTEP with its constant sum.
    #[must_use]
    pub fn new(local_be: u32, remote_be: u32, group: u32) -> Self {
        let halves = |word: u32| (word & 0xffff) + (word >> 16);
        let version_and_length = u32::from(u16::from_ne_bytes([0x45, 0]));
        let ttl_and_protocol = u32::from(u16::from_ne_bytes([0, 17]));
        let checksum_base =
            version_and_length + ttl_and_protocol + halves(local_be) + halves(remote_be);
        Self { remote_be, local_be, checksum_base, group }
    }
}
