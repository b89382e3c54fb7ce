//! `vlans`: the tagged VLANs of each port slot.

const _: () = assert!(super::fits(super::circuits::MAX, u16::BITS));

/// For each VLAN ID the circuit of frames with that tag, 0 for none.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortVlans {
    /// Indexed by VLAN ID (IEEE 802.1Q, 12 bits).
    pub circuits: [u16; 4096],
}

super::map_value!(PortVlans, 8192);
