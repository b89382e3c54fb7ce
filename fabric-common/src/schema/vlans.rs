//! `vlans`: the tagged VLANs of the ports that have any, see [`super::ports::Port::vlans`].

use bytemuck::{Pod, Zeroable};

const _: () = assert!(super::fits(super::circuits::MAX, u16::BITS));

/// Number of tables if the settings do not say otherwise; a power of two. Index 0 stays empty.
pub const TABLES: u32 = super::ports::PORTS / 4;

/// For each VLAN ID the circuit of frames with that tag, 0 for none.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
pub struct PortVlans {
    /// Indexed by VLAN ID (IEEE 802.1Q, 12 bits).
    pub circuits: [u16; 4096],
}

super::map_value!(PortVlans, 8192);

impl core::fmt::Debug for PortVlans {
    /// The VLANs that have a circuit.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let used = self.circuits.iter().enumerate().filter(|(_, circuit)| **circuit != 0);
        f.debug_map().entries(used).finish()
    }
}
