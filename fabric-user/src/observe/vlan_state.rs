//! Spanning tree states of VLANs, and whether ARP is suppressed there (`RTM_NEWVLAN`, `struct br_vlan_msg` and `BRIDGE_VLANDB_*` of
//! `linux/if_bridge.h`). A bridge port that forwards does so only in VLANs that do.

use serde::{Deserialize, Serialize};

use super::{
    Event, PortState,
    attributes::{Attributes, header, u8_, u16_, u32_},
    message::{Decoded, Lacks},
};

/// States of some of the VLANs of a bridge port, or of a bridge itself. Those that are not named are as
/// they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanStates {
    /// Interface index.
    pub ifindex: u32,
    /// By ranges of VLAN IDs; forwarding where a VLAN is new or gone.
    pub ranges: Vec<VlanRange>,
    /// The bridge's VLANs were given to instances of MSTP, by which the kernel may have changed states
    /// of all its ports without a message.
    pub instances_changed: bool,
}

/// The state of a range of VLANs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanRange {
    /// First VLAN ID.
    pub first: u16,
    /// Last VLAN ID.
    pub last: u16,
    /// Their state.
    pub state: PortState,
    /// The bridge answers ARP and ND for neighbours behind the port there, if that is said for each VLAN
    /// ([`super::PortOptions::neigh_vlan_suppress`]).
    #[serde(default)]
    pub neigh_suppress: bool,
}

const MAX_VLAN: u16 = 4094;

/// Decodes `br_vlan_msg` (family, pads, ifindex: 8 bytes) and its attributes.
pub(super) fn decode(present: bool, message: &[u8]) -> Decoded {
    const BRIDGE_VLANDB_ENTRY: u16 = 1;
    const BRIDGE_VLANDB_GLOBAL_OPTIONS: u16 = 2;

    let (head, attributes) = header::<8>(message).ok_or(Lacks("its header"))?;
    let ifindex =
        u32_(&head[4..]).filter(|index| *index != 0).ok_or(Lacks("an interface index"))?;
    let mut states = VlanStates { ifindex, ranges: Vec::new(), instances_changed: false };
    for (kind, payload) in attributes {
        match kind {
            BRIDGE_VLANDB_ENTRY => states.ranges.extend(range(present, Attributes(payload))),
            BRIDGE_VLANDB_GLOBAL_OPTIONS => states.instances_changed = true,
            _ => {}
        }
    }
    let says_something = states.instances_changed || !states.ranges.is_empty();
    Ok(says_something.then_some(Event::VlanStates(states)))
}

/// `BRIDGE_VLANDB_ENTRY`.
fn range(present: bool, attributes: Attributes<'_>) -> Option<VlanRange> {
    const BRIDGE_VLANDB_ENTRY_INFO: u16 = 1;
    const BRIDGE_VLANDB_ENTRY_RANGE: u16 = 2;
    const BRIDGE_VLANDB_ENTRY_STATE: u16 = 3;
    const BRIDGE_VLANDB_ENTRY_NEIGH_SUPPRESS: u16 = 9;

    // `struct bridge_vlan_info`: flags and VLAN ID, 16 bits each.
    let (mut first, mut last, mut state) = (None, None, PortState::Forwarding);
    let mut neigh_suppress = false;
    for (kind, payload) in attributes {
        match kind {
            BRIDGE_VLANDB_ENTRY_INFO => first = payload.get(2..).and_then(u16_),
            BRIDGE_VLANDB_ENTRY_RANGE => last = u16_(payload),
            BRIDGE_VLANDB_ENTRY_STATE if present => {
                state = PortState::from_number(u8_(payload)?);
            }
            BRIDGE_VLANDB_ENTRY_NEIGH_SUPPRESS if present => {
                neigh_suppress = u8_(payload).is_some_and(|value| value != 0);
            }
            _ => {}
        }
    }
    let first = first?;
    let last = last.unwrap_or(first).min(MAX_VLAN);
    (first <= last).then_some(VlanRange { first, last, state, neigh_suppress })
}
