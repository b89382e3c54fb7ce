//! `domains`: bridge domains, each a bridge or one VLAN of a VLAN-aware bridge.

use bytemuck::{Pod, Zeroable};

/// Number of entries; index 0 is never used. Indexes fit 16 bits, see [`super::fdb::key`].
pub const MAX: u32 = 8_192;

/// The entry is in use.
pub const FLAG_IN_USE: u16 = 1 << 0;
/// The outer TTL is the inner one (`ttl inherit`).
pub const FLAG_TTL_INHERIT: u16 = 1 << 1;
/// The outer DSCP is the inner one (`tos inherit`).
pub const FLAG_TOS_INHERIT: u16 = 1 << 2;
/// The outer packet must not be fragmented (`df set`).
pub const FLAG_DF: u16 = 1 << 3;
/// The outer DF bit is the inner one's, set for IPv6 (`df inherit`).
pub const FLAG_DF_INHERIT: u16 = 1 << 4;
/// The vxlan device or its bridge port learns, so that the kernel must see what arrives.
pub const FLAG_OVERLAY_LEARNING: u16 = 1 << 5;
/// The vxlan device's bridge port is isolated.
pub const FLAG_OVERLAY_ISOLATED: u16 = 1 << 6;
/// The underlay is IPv6: the local address is in [`super::domains6`].
pub const FLAG_IPV6: u16 = 1 << 7;
/// The outer flow label is the inner one, 0 if the inner packet is not IPv6 (`flowlabel inherit`).
pub const FLAG_LABEL_INHERIT: u16 = 1 << 8;
/// Over IPv6 the UDP checksum is 0 (RFC 6935) instead of computed (`udp6zerocsumtx`).
pub const FLAG_ZERO_CHECKSUM_TX: u16 = 1 << 9;
/// Over IPv6 packets with the UDP checksum 0 are accepted (`udp6zerocsumrx`).
pub const FLAG_ZERO_CHECKSUM_RX: u16 = 1 << 10;
/// The vxlan device's bridge port is locked, so that the kernel must look for the inner source MAC.
pub const FLAG_OVERLAY_LOCKED: u16 = 1 << 11;
/// The vxlan device's bridge port is in hairpin mode: the bridge sends back into the overlay what is for
/// a station behind it.
pub const FLAG_OVERLAY_HAIRPIN: u16 = 1 << 12;
/// The vxlan device itself learns, and drops what comes from a station behind an Ethernet segment.
pub const FLAG_OVERLAY_SNOOPS: u16 = 1 << 13;
/// ARP requests for hosts behind the tunnel are answered (`neigh_suppress` of its bridge port) by
/// [`super::neighbours`].
pub const FLAG_ANSWERS_ARP: u16 = 1 << 14;
/// The same for neighbour solicitations.
pub const FLAG_ANSWERS_ND: u16 = 1 << 15;

/// [`Domain::max_frame`] of a domain whose frames keep the tag of their VLAN in the tunnel: all frames are longer,
/// so that the usual ones pay nothing for it. How long these may be stands in [`super::domains6`].
pub const TAG_INSIDE: u32 = 0;

/// The last four bytes of a MAC address, which is given as [`super::fdb::key`] takes it.
#[inline(always)]
#[must_use]
pub const fn mac_end(mac: u64) -> u32 {
    (mac >> 16) as u32
}

/// A bridge domain and how its frames travel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Domain {
    /// VXLAN network identifier, 24 bits; 0 for a domain that is not stretched.
    pub vni: u32,
    /// Local VTEP address, 0 over IPv6; over IPv4 0 if each VTEP has its own, and packets for any address
    /// of this box are taken that [`super::peers`] has.
    pub local_be: u32,
    /// UDP destination port of the tunnel.
    pub udp_port_be: u16,
    /// `FLAG_` constants.
    pub flags: u16,
    /// Outer TTL unless inherited.
    pub ttl: u8,
    /// Outer DSCP in its place in the TOS byte, ECN bits zero, unless inherited.
    pub tos: u8,
    /// VLAN ID inside a VLAN-aware bridge, 0 for a plain bridge.
    pub vlan: u16,
    /// Largest frame into the tunnel in bytes: the vxlan device's MTU plus 14; or [`TAG_INSIDE`].
    pub max_frame: u32,
    /// Jiffies after which a source MAC must be shown to the kernel again: a quarter of the ageing
    /// time. 0 hands every frame to the kernel.
    pub refresh_jiffies: u32,
    /// Interface index of the bridge.
    pub bridge: u32,
    /// Last four bytes of the vxlan device's own MAC address, as they stand in a packet. A frame from
    /// it that comes out of the tunnel is a loop to the kernel.
    pub vxlan_mac_end: u32,
}

super::map_value!(Domain, 32);
