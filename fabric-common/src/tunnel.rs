//! How much longer VXLAN (RFC 7348 §5) makes a frame.

/// Bytes of the outer IPv4 packet in front of the inner frame: IPv4, UDP and VXLAN header.
pub const OUTER_IP4: u32 = 20 + UDP_AND_VXLAN;
/// The same over IPv6.
pub const OUTER_IP6: u32 = 40 + UDP_AND_VXLAN;
/// UDP and VXLAN header.
pub const UDP_AND_VXLAN: u32 = 8 + 8;
/// The longest UDP packet over IPv6 whose checksum the packet path computes, in bytes: more than that of a
/// jumbo frame.
pub const LONGEST_SUM: u32 = 12_288;
