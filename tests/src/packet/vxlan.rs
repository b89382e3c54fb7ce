//! The outer headers of a VXLAN packet over IPv4.

use super::{ether_type, fix_ipv4_checksum, protocol};
use crate::addresses::{Mac, VXLAN_PORT};

/// Ethernet, IPv4, UDP and VXLAN header in bytes.
pub const OUTER: usize = 14 + 20 + 8 + 8;

/// Outer headers.
#[derive(Clone, Debug)]
pub struct Vxlan {
    /// Destination MAC address.
    pub destination_mac: Mac,
    /// Source MAC address.
    pub source_mac: Mac,
    /// Type of service: DSCP and ECN.
    pub tos: u8,
    /// Identification.
    pub id: u16,
    /// Flags and fragment offset: the 16 bits behind the identification.
    pub fragment: u16,
    /// Time to live.
    pub ttl: u8,
    /// Source VTEP.
    pub source: [u8; 4],
    /// Destination VTEP.
    pub destination: [u8; 4],
    /// IP options, a multiple of four bytes.
    pub options: Vec<u8>,
    /// UDP source port.
    pub source_port: u16,
    /// UDP destination port.
    pub destination_port: u16,
    /// UDP checksum.
    pub udp_checksum: u16,
    /// VXLAN flags (RFC 7348 §5), the I flag alone by default.
    pub flags: u8,
    /// The 24 reserved bits behind the flags.
    pub reserved: u32,
    /// VXLAN network identifier.
    pub vni: u32,
    /// The 8 reserved bits behind the VNI.
    pub reserved_last: u8,
}

/// The DF bit of [`Vxlan::fragment`].
pub const DF: u16 = 0x4000;

impl Vxlan {
    /// Headers from one VTEP to another; everything else as RFC 7348 recommends.
    #[must_use]
    pub const fn new(source: [u8; 4], destination: [u8; 4], vni: u32) -> Self {
        Self {
            destination_mac: [0; 6],
            source_mac: [0; 6],
            tos: 0,
            id: 0,
            fragment: 0,
            ttl: 64,
            source,
            destination,
            options: Vec::new(),
            source_port: 50_000,
            destination_port: VXLAN_PORT,
            udp_checksum: 0,
            flags: 0x08,
            reserved: 0,
            vni,
            reserved_last: 0,
        }
    }

    /// With the DF bit set or not.
    #[must_use]
    pub const fn df(mut self, df: bool) -> Self {
        self.fragment = if df { DF } else { 0 };
        self
    }

    /// The VXLAN packet around `inner`.
    #[must_use]
    pub fn around(&self, inner: &[u8]) -> Vec<u8> {
        let header = 20 + self.options.len();
        let mut ip = vec![0x40 | (header / 4) as u8, self.tos];
        ip.extend(((header + 16 + inner.len()) as u16).to_be_bytes());
        ip.extend(self.id.to_be_bytes());
        ip.extend(self.fragment.to_be_bytes());
        ip.extend([self.ttl, protocol::UDP, 0, 0]);
        ip.extend(self.source);
        ip.extend(self.destination);
        ip.extend(&self.options);
        fix_ipv4_checksum(&mut ip);

        let mut packet = [self.destination_mac, self.source_mac].concat();
        packet.extend(ether_type::IPV4.to_be_bytes());
        packet.extend(ip);
        packet.extend(self.source_port.to_be_bytes());
        packet.extend(self.destination_port.to_be_bytes());
        packet.extend(((16 + inner.len()) as u16).to_be_bytes());
        packet.extend(self.udp_checksum.to_be_bytes());
        packet.extend((u32::from(self.flags) << 24 | self.reserved).to_be_bytes());
        packet.extend((self.vni << 8 | u32::from(self.reserved_last)).to_be_bytes());
        packet.extend(inner);
        packet
    }
}
