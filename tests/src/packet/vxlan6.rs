//! The outer headers of a VXLAN packet over IPv6.

use super::{ether_type, internet_checksum, protocol};
use crate::addresses::{Mac, VXLAN_PORT};

/// Ethernet, IPv6, UDP and VXLAN header in bytes.
pub const OUTER6: usize = 14 + 40 + 8 + 8;

/// The UDP checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpChecksum {
    /// 0: none (RFC 6935).
    None,
    /// The right one.
    Right,
    /// Off by this exclusive or from the right one.
    Wrong(u16),
}

/// Outer headers.
#[derive(Clone, Debug)]
pub struct Vxlan6 {
    /// Destination MAC address.
    pub destination_mac: Mac,
    /// Source MAC address.
    pub source_mac: Mac,
    /// Traffic class: DSCP and ECN.
    pub class: u8,
    /// Flow label, 20 bits.
    pub label: u32,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source VTEP.
    pub source: [u8; 16],
    /// Destination VTEP.
    pub destination: [u8; 16],
    /// An extension header by its number, and its bytes, whose first one is UDP's number.
    pub extension: Option<(u8, Vec<u8>)>,
    /// UDP source port.
    pub source_port: u16,
    /// UDP destination port.
    pub destination_port: u16,
    /// UDP checksum.
    pub checksum: UdpChecksum,
    /// VXLAN flags (RFC 7348 §5), the I flag alone by default.
    pub flags: u8,
    /// The 24 reserved bits behind the flags.
    pub reserved: u32,
    /// VXLAN network identifier.
    pub vni: u32,
    /// The 8 reserved bits behind the VNI.
    pub reserved_last: u8,
}

impl Vxlan6 {
    /// Headers from one VTEP to another, with a right UDP checksum.
    #[must_use]
    pub const fn new(source: [u8; 16], destination: [u8; 16], vni: u32) -> Self {
        Self {
            destination_mac: [0; 6],
            source_mac: [0; 6],
            class: 0,
            label: 0x54321,
            hop_limit: 64,
            source,
            destination,
            extension: None,
            source_port: 50_000,
            destination_port: VXLAN_PORT,
            checksum: UdpChecksum::Right,
            flags: 0x08,
            reserved: 0,
            vni,
            reserved_last: 0,
        }
    }

    /// The VXLAN packet around `inner`.
    #[must_use]
    pub fn around(&self, inner: &[u8]) -> Vec<u8> {
        let length = (16 + inner.len()) as u16;
        let mut udp = self.source_port.to_be_bytes().to_vec();
        udp.extend(self.destination_port.to_be_bytes());
        udp.extend(length.to_be_bytes());
        udp.extend([0, 0]);
        udp.extend((u32::from(self.flags) << 24 | self.reserved).to_be_bytes());
        udp.extend((self.vni << 8 | u32::from(self.reserved_last)).to_be_bytes());
        udp.extend(inner);
        let right = udp_checksum(self.source, self.destination, &udp);
        let checksum = match self.checksum {
            UdpChecksum::None => 0,
            UdpChecksum::Right => right,
            UdpChecksum::Wrong(change) => right ^ change,
        };
        udp[6..8].copy_from_slice(&checksum.to_be_bytes());

        let (next_header, extension) = match &self.extension {
            Some((number, bytes)) => (*number, &bytes[..]),
            None => (protocol::UDP, &[][..]),
        };
        let first = 6 << 28 | u32::from(self.class) << 20 | self.label & 0xf_ffff;
        let mut packet = [self.destination_mac, self.source_mac].concat();
        packet.extend(ether_type::IPV6.to_be_bytes());
        packet.extend(first.to_be_bytes());
        packet.extend((length + extension.len() as u16).to_be_bytes());
        packet.extend([next_header, self.hop_limit]);
        packet.extend(self.source);
        packet.extend(self.destination);
        packet.extend(extension);
        packet.extend(udp);
        packet
    }
}

/// The checksum of a UDP packet over IPv6 (RFC 8200 §8.1), whose checksum field is 0.
#[must_use]
pub fn udp_checksum(source: [u8; 16], destination: [u8; 16], udp: &[u8]) -> u16 {
    let length = (udp.len() as u32).to_be_bytes();
    let next_header = [0, 0, 0, protocol::UDP];
    match internet_checksum(&[&source, &destination, &length, &next_header, udp]) {
        0 => 0xffff,
        sum => sum,
    }
}
