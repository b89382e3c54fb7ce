//! Names for the addresses in the tests: documentation ranges (RFC 5737, RFC 3849) and locally
//! administered MAC addresses.

/// The bytes of a MAC address.
pub type Mac = [u8; 6];

/// A station of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// MAC address.
    pub mac: Mac,
    /// IPv4 address.
    pub ipv4: [u8; 4],
    /// IPv6 address.
    pub ipv6: [u8; 16],
}

const fn station(number: u8) -> Station {
    let mut ipv6 = [0; 16];
    ipv6[0] = 0x20;
    ipv6[1] = 0x01;
    ipv6[2] = 0x0d;
    ipv6[3] = 0xb8;
    ipv6[15] = number;
    Station { mac: [0x02, 0, 0, 0, 0, number], ipv4: [198, 51, 100, number], ipv6 }
}

/// Behind the first access port, untagged.
pub const HOST_A: Station = station(0xa);
/// Behind the second access port, untagged.
pub const HOST_B: Station = station(0xb);
/// Behind the trunk port, tagged.
pub const HOST_T: Station = station(0x1a);
/// Behind another leaf.
pub const HOST_R: Station = station(0x2a);
/// Behind a segment, where a test makes one.
pub const HOST_M: Station = station(0x3a);
/// Known to nobody.
pub const STRANGER: Station = station(0xee);

/// VTEP address of the leaf under test.
pub const LEAF1_VTEP: [u8; 4] = [192, 0, 2, 1];
/// VTEP address of the other leaf.
pub const LEAF2_VTEP: [u8; 4] = [192, 0, 2, 2];
/// Not a VTEP of anybody.
pub const OTHER_VTEP: [u8; 4] = [192, 0, 2, 99];

const fn vtep6(number: u8) -> [u8; 16] {
    [0x20, 0x01, 0x0d, 0xb8, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, number]
}

/// VTEP address of the leaf under test over IPv6.
pub const LEAF1_VTEP6: [u8; 16] = vtep6(1);
/// VTEP address of the other leaf over IPv6.
pub const LEAF2_VTEP6: [u8; 16] = vtep6(2);
/// Not a VTEP of anybody, over IPv6.
pub const OTHER_VTEP6: [u8; 16] = vtep6(99);

/// MAC address of the first spine on its link to the leaf.
pub const SPINE1_MAC: Mac = [0x02, 0, 0, 0x5b, 0, 1];
/// MAC address of the second spine on its link to the leaf.
pub const SPINE2_MAC: Mac = [0x02, 0, 0, 0x5b, 0, 2];

/// All stations (IEEE 802.3).
pub const BROADCAST: Mac = [0xff; 6];
/// A group address: IPv4 multicast 224.0.0.251.
pub const MULTICAST: Mac = [0x01, 0x00, 0x5e, 0, 0, 0xfb];
/// The all-zero address, which no station may have.
pub const ZERO: Mac = [0; 6];

/// The VNI of the tests.
pub const VNI: u32 = 10_100;
/// The VLAN ID that the trunk port carries for that VNI.
pub const VLAN: u16 = 100;
/// UDP port of VXLAN (RFC 7348 §5).
pub const VXLAN_PORT: u16 = 4789;
