//! `nexthops`: the next hops of the underlay, ready to be written into a packet.

/// Number of entries; index 0 is never used.
pub const MAX: u32 = 8_192;

/// An underlay nexthop. Never changed while a group refers to it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nexthop {
    /// The outer Ethernet header: destination, source, EtherType IPv4.
    pub ethernet: [u8; 14],
    /// Slot of the port to send on; 0 marks a free entry.
    pub port: u16,
    /// Largest inner frame in bytes: the port's MTU minus the 36 bytes from outer IP to VXLAN.
    pub max_frame: u32,
    /// 4 or 6: the family of `gateway`, which serves display only.
    pub family: u32,
    /// Address of the next hop: the first 4 or all 16 bytes.
    pub gateway: [u8; 16],
}

super::map_value!(Nexthop, 40);
