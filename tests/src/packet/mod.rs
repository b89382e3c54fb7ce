//! Packets as the tests write them down: fields by name, lengths and checksums made valid.
//!
//! Nothing here comes from the code under test: two implementations have to agree.

use std::net::IpAddr;

mod asking;
mod frame;
mod ip;
mod vxlan;
mod vxlan6;

pub use asking::{Arp, Discovery};
pub use frame::Frame;
pub use ip::{Ipv4, Ipv6, fix_ipv4_checksum, internet_checksum};
pub use vxlan::{DF, OUTER, Vxlan};
pub use vxlan6::{OUTER6, UdpChecksum, Vxlan6, udp_checksum};

/// The destination of an IP packet's outermost header, behind an Ethernet header without a tag.
///
/// # Panics
/// If it ends before, or is no IP packet.
#[must_use]
pub fn outer_destination(packet: &[u8]) -> IpAddr {
    match u16::from_be_bytes([packet[12], packet[13]]) {
        ether_type::IPV4 => IpAddr::from(*packet[30..].first_chunk::<4>().expect("a header")),
        ether_type::IPV6 => IpAddr::from(*packet[38..].first_chunk::<16>().expect("a header")),
        other => panic!("{other:#06x} is no IP packet"),
    }
}

/// EtherTypes (IEEE 802).
pub mod ether_type {
    /// Internet Protocol, version 4.
    pub const IPV4: u16 = 0x0800;
    /// Address Resolution Protocol.
    pub const ARP: u16 = 0x0806;
    /// IEEE 802.1Q tag.
    pub const VLAN: u16 = 0x8100;
    /// Internet Protocol, version 6.
    pub const IPV6: u16 = 0x86dd;
    /// IEEE 802.1ad service tag.
    pub const SERVICE_VLAN: u16 = 0x88a8;
    /// IEEE 802.3 slow protocols: LACP, OAM.
    pub const SLOW_PROTOCOLS: u16 = 0x8809;
    /// IEEE 802.1X.
    pub const EAPOL: u16 = 0x888e;
    /// IEEE 802.1AB.
    pub const LLDP: u16 = 0x88cc;
    /// For local experiments (IEEE 802): neither IP nor a control protocol.
    pub const EXPERIMENTAL: u16 = 0x88b5;
}

/// IP protocol numbers (IANA).
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
}
