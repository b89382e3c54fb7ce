//! `ports`: network interfaces. The index is the port's *slot*.
//!
//! The packet path finds the slot of an interface index by probing [`PROBES`] entries from
//! `ifindex % number of slots` on, which costs less than a hash lookup and allows any index.

/// Slots if the settings do not say otherwise; a power of two.
pub const MAX: u32 = 512;
/// How many neighbouring slots may hold an interface.
pub const PROBES: u32 = 4;

/// The slot is free.
pub const ROLE_NONE: u8 = 0;
/// Hosts are behind this port: a bridge port, a VM's tap, a bond.
pub const ROLE_ACCESS: u8 = 1;
/// The fabric is behind this port.
pub const ROLE_UPLINK: u8 = 2;

/// Hiding received VLAN tags from XDP was switched off and is to be switched on again at the end.
pub const FLAG_HID_TAGS: u8 = 1 << 0;

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
    /// MAC address as [`super::fdb::mac_number`] gives it: frames for another one are not for us.
    pub mac: u64,
}

super::map_value!(Port, 24);

/// The slots that may hold interface `ifindex`, in the order of probing. Slot 0 is never used, so
/// that 0 can mean "no port".
#[inline(always)]
#[must_use]
pub const fn slot(ifindex: u32, probe: u32, mask: u32) -> u32 {
    ifindex.wrapping_add(probe) & mask
}
