//! `ports`: network interfaces. The index is the port's *slot*.
//!
//! The packet path finds the slot of an interface index by probing [`PROBES`] entries from
//! `ifindex % number of slots` on, which costs less than a hash lookup and allows any index.

use super::{circuits, domains, fits, views};

/// Slots if the settings do not say otherwise; a power of two.
pub const MAX: u32 = 512;
/// How many neighbouring slots may hold an interface.
pub const PROBES: u32 = 4;

// The untagged circuit and its domain, and the view above the MAC address.
const _: () = {
    assert!(fits(circuits::MAX, u16::BITS) && fits(domains::MAX, u16::BITS));
    assert!(fits(views::MAX, u16::BITS));
};

/// The slot is free.
pub const ROLE_NONE: u8 = 0;
/// Hosts of bridges are behind this port: a bridge port, a VM's tap, a bond.
pub const ROLE_ACCESS: u8 = 1;
/// Hosts or routers are behind this port: packets that arrive may be routed.
pub const ROLE_ROUTED: u8 = 2;
/// As [`ROLE_ROUTED`], and the underlay leads over this port: only here tunnels end.
pub const ROLE_UNDERLAY: u8 = 3;

/// Hiding received VLAN tags from XDP was switched off and is to be switched on again at the end.
pub const FLAG_HID_TAGS: u8 = 1 << 0;
/// The kernel forwards IPv4 packets that arrive here, and the maps say whereto.
pub const FLAG_ROUTE4: u8 = 1 << 1;
/// The same for IPv6.
pub const FLAG_ROUTE6: u8 = 1 << 2;
/// The device takes no frames from XDP programs: only what arrives here is forwarded. For people; the
/// packet path finds no circuit and no next hop that leads here.
pub const FLAG_NOT_A_TARGET: u8 = 1 << 3;

/// An interface on which a program runs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Port {
    /// Interface index in the kernel; 0 marks a free slot.
    pub ifindex: u32,
    /// IP MTU in bytes.
    pub mtu: u32,
    /// Circuit of untagged frames (PVID), 0 for none.
    pub untagged_circuit: u16,
    /// One of the `ROLE_` constants.
    pub role: u8,
    /// `FLAG_` constants.
    pub flags: u8,
    /// The bridge domain of that circuit, so that the FDB need not wait for the circuit.
    pub untagged_domain: u16,
    /// Always 0.
    pub reserved: u16,
    /// MAC address as [`super::fdb::mac_number`] gives it (48 bits): frames for another one are not
    /// for us. The 16 bits above are the view by which packets from here are routed, 0 for none;
    /// see [`mac_and_view`].
    pub mac_and_view: u64,
    /// Not 0: no carrier, or switched off; nothing is to be sent here. A word of its own, because
    /// its writer is not the writer of the others.
    pub down: u64,
    /// The [`crate::bfd::Watch`] of the neighbour's BFD packets; written by the packet path.
    pub bfd: u64,
}

super::map_value!(Port, 40);

/// Whether the port runs the program for routed ports: its role is [`ROLE_ROUTED`] or
/// [`ROLE_UNDERLAY`].
#[inline(always)]
#[must_use]
pub const fn is_routed(role: u8) -> bool {
    role & ROLE_ROUTED != 0
}

/// Packs a MAC address, as [`super::fdb::mac_number`] gives it, and the index of a view.
#[must_use]
pub const fn mac_and_view(mac: u64, view: u16) -> u64 {
    (view as u64) << 48 | mac & 0xffff_ffff_ffff
}

/// The MAC address of [`mac_and_view`].
#[inline(always)]
#[must_use]
pub const fn mac(mac_and_view: u64) -> u64 {
    mac_and_view & 0xffff_ffff_ffff
}

/// The view of [`mac_and_view`].
#[inline(always)]
#[must_use]
pub const fn view(mac_and_view: u64) -> u16 {
    (mac_and_view >> 48) as u16
}

/// The slots that may hold interface `ifindex`, in the order of probing. Slot 0 is never used, so
/// that 0 can mean "no port".
#[inline(always)]
#[must_use]
pub const fn slot(ifindex: u32, probe: u32, mask: u32) -> u32 {
    ifindex.wrapping_add(probe) & mask
}
