//! The layout of VXLAN packets (RFC 7348 §5).

/// Ethernet, IPv4, UDP and VXLAN header: 14 + 20 + 8 + 8.
pub const OUTER4: usize = 50;
/// Ethernet, IPv6, UDP and VXLAN header: 14 + 40 + 8 + 8.
pub const OUTER6: usize = 70;
/// The flags with nothing but the I flag.
pub const FLAGS_BE: u32 = 0x0800_0000_u32.to_be();
