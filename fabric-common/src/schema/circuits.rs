//! `circuits`: attachment circuits (RFC 7432 §2 "AC"), a port's membership in a bridge domain.

use bytemuck::{Pod, Zeroable};

use super::{domains, fits, ports};

/// Number of entries; index 0 is never used.
pub const MAX: u32 = 16_384;

const _: () = assert!(fits(ports::MAX, u16::BITS) && fits(domains::MAX, u16::BITS));

/// The port is isolated from other isolated ports (`bridge link set dev … isolated on`).
pub const FLAG_ISOLATED: u16 = 1 << 0;
/// Frames may leave by the port that they came from (`bridge link set dev … hairpin on`).
pub const FLAG_HAIRPIN: u16 = 1 << 1;
/// ARP and neighbour discovery that arrive here are answered by nobody but their targets
/// (`bridge link set dev … neigh_suppress on`).
pub const FLAG_SUPPRESSES: u16 = 1 << 2;
/// The bridge port is a VLAN device, whose tag with its priority the bridge never sees.
pub const FLAG_VLAN_DEVICE: u16 = 1 << 3;

/// [`Circuit::max_frame`] of a circuit whose port's device takes no frames from XDP programs: all
/// that is sent to it is longer. What arrives from it is forwarded as from any other.
pub const NOT_A_TARGET: u32 = 0;

/// A member of a domain.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Circuit {
    /// Slot of the port to send on; 0 marks a free entry.
    pub port: u16,
    /// Index of the bridge domain.
    pub domain: u16,
    /// VLAN ID that frames carry on the wire, 0 for untagged.
    pub vlan: u16,
    /// `FLAG_` constants.
    pub flags: u16,
    /// Largest frame to send in bytes, without the VLAN tag: the port's MTU plus 14, or
    /// [`NOT_A_TARGET`].
    pub max_frame: u32,
    /// Interface index of the bridge port, which differs from the port's own for a VLAN device.
    pub bridge_port: u32,
}

super::map_value!(Circuit, 16);
