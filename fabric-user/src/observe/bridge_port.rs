//! Bridge ports: their options, and the VLANs of a VLAN-aware bridge (`RTM_NEWLINK` of family
//! `AF_BRIDGE`, `linux/if_bridge.h`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Event,
    attributes::{Attributes, header, u8_, u16_, u32_},
    message::{Decoded, Lacks},
};

/// A bridge port's spanning tree state (`BR_STATE_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// The port is down.
    #[default]
    Disabled,
    /// Neither learns nor forwards.
    Listening,
    /// Learns, does not forward.
    Learning,
    /// The only state in which frames are forwarded.
    Forwarding,
    /// Blocked by the spanning tree.
    Blocking,
}

/// A bridge port's options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortOptions {
    /// Spanning tree state.
    pub state: PortState,
    /// Exchanges no frames with other isolated ports.
    pub isolated: bool,
    /// Only stations that are allowed may send (802.1X, MAB).
    pub locked: bool,
    /// The bridge learns from this port.
    pub learning: bool,
    /// The bridge answers ARP and ND for known neighbours behind this port, in all VLANs alike unless
    /// [`neigh_vlan_suppress`](Self::neigh_vlan_suppress).
    pub neigh_suppress: bool,
    /// It does so in the VLANs that say so ([`super::VlanRange`]).
    #[serde(default)]
    pub neigh_vlan_suppress: bool,
    /// Frames may leave by the port they came from.
    pub hairpin: bool,
    /// VLANs are mapped to tunnel IDs (single vxlan device).
    pub vlan_tunnel: bool,
}

/// A VLAN of a port of a VLAN-aware bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortVlan {
    /// VLAN ID.
    pub id: u16,
    /// Frames that arrive without a tag belong to it.
    pub pvid: bool,
    /// Frames leave without a tag.
    pub untagged: bool,
    /// Tunnel ID that frames get in place of the tag, and that brings them in (`tunnel_info`): a VNI if it
    /// fits 24 bits. Only with [`PortOptions::vlan_tunnel`]; no two VLANs of a port have the same.
    #[serde(default)]
    pub tunnel: Option<u32>,
}

/// A bridge port, as the bridge describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgePort {
    /// Interface index of the port.
    pub ifindex: u32,
    /// Interface index of the bridge.
    pub bridge: u32,
    /// Options.
    pub options: PortOptions,
    /// VLANs in ascending order; empty where the kernel has no VLAN filtering.
    pub vlans: Vec<PortVlan>,
}

impl PortState {
    /// The state of this number.
    pub(super) const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Listening,
            2 => Self::Learning,
            3 => Self::Forwarding,
            4 => Self::Blocking,
            _ => Self::Disabled,
        }
    }
}

impl PortOptions {
    /// Decodes `IFLA_BRPORT_*`, which stand both in `IFLA_PROTINFO` and `IFLA_INFO_SLAVE_DATA`.
    pub(super) fn decode(attributes: Attributes<'_>) -> Self {
        const IFLA_BRPORT_STATE: u16 = 1;
        const IFLA_BRPORT_MODE: u16 = 4;
        const IFLA_BRPORT_LEARNING: u16 = 8;
        const IFLA_BRPORT_VLAN_TUNNEL: u16 = 29;
        const IFLA_BRPORT_NEIGH_SUPPRESS: u16 = 32;
        const IFLA_BRPORT_ISOLATED: u16 = 33;
        const IFLA_BRPORT_LOCKED: u16 = 39;
        const IFLA_BRPORT_NEIGH_VLAN_SUPPRESS: u16 = 43;

        let mut options = Self { learning: true, ..Self::default() };
        for (kind, payload) in attributes {
            let Some(value) = u8_(payload) else { continue };
            match kind {
                IFLA_BRPORT_STATE => options.state = PortState::from_number(value),
                IFLA_BRPORT_MODE => options.hairpin = value != 0,
                IFLA_BRPORT_LEARNING => options.learning = value != 0,
                IFLA_BRPORT_VLAN_TUNNEL => options.vlan_tunnel = value != 0,
                IFLA_BRPORT_NEIGH_SUPPRESS => options.neigh_suppress = value != 0,
                IFLA_BRPORT_NEIGH_VLAN_SUPPRESS => options.neigh_vlan_suppress = value != 0,
                IFLA_BRPORT_ISOLATED => options.isolated = value != 0,
                IFLA_BRPORT_LOCKED => options.locked = value != 0,
                _ => {}
            }
        }
        options
    }
}

/// Decodes `ifinfomsg` of family `AF_BRIDGE` and its attributes.
pub(super) fn decode(present: bool, message: &[u8]) -> Decoded {
    const IFLA_MASTER: u16 = 10;
    const IFLA_PROTINFO: u16 = 12;
    const IFLA_AF_SPEC: u16 = 26;

    let (head, attributes) = header::<16>(message).ok_or(Lacks("its header"))?;
    let ifindex =
        u32_(&head[4..]).filter(|index| *index != 0).ok_or(Lacks("an interface index"))?;
    if !present {
        return Ok(Some(Event::BridgePortGone { ifindex }));
    }
    let (mut bridge, mut options, mut vlans) = (None, None, Vec::new());
    for (kind, payload) in attributes {
        match kind {
            IFLA_MASTER => bridge = u32_(payload),
            IFLA_PROTINFO => options = Some(PortOptions::decode(Attributes(payload))),
            IFLA_AF_SPEC => match decode_vlans(Attributes(payload)) {
                Some(list) => vlans = list,
                None => return Ok(None),
            },
            _ => {}
        }
    }
    Ok(match (bridge, options) {
        (Some(bridge), Some(options)) => {
            Some(Event::BridgePort(BridgePort { ifindex, bridge, options, vlans }))
        }
        (Some(bridge), None) if bridge == ifindex => Some(Event::BridgeVlans { ifindex, vlans }),
        _ => None,
    })
}

const BRIDGE_VLAN_INFO_RANGE_BEGIN: u16 = 1 << 3;
const BRIDGE_VLAN_INFO_RANGE_END: u16 = 1 << 4;
const MAX_VLAN: u16 = 4094;

/// `IFLA_AF_SPEC` of family `AF_BRIDGE`: single VLANs and ranges, and behind them the tunnel IDs of some.
/// `None` if a NIC's embedded switch is speaking (`BRIDGE_FLAGS_SELF`) and not the bridge.
fn decode_vlans(attributes: Attributes<'_>) -> Option<Vec<PortVlan>> {
    const IFLA_BRIDGE_FLAGS: u16 = 0;
    const IFLA_BRIDGE_VLAN_INFO: u16 = 2;
    const IFLA_BRIDGE_VLAN_TUNNEL_INFO: u16 = 3;
    const BRIDGE_FLAGS_SELF: u16 = 2;
    const BRIDGE_VLAN_INFO_PVID: u16 = 1 << 1;
    const BRIDGE_VLAN_INFO_UNTAGGED: u16 = 1 << 2;

    let mut vlans = Vec::new();
    let mut tunnels = BTreeMap::new();
    let (mut range_start, mut tunnels_start) = (None, None);
    for (kind, payload) in attributes {
        if kind == IFLA_BRIDGE_FLAGS && u16_(payload).is_some_and(|f| f & BRIDGE_FLAGS_SELF != 0) {
            return None;
        }
        if kind == IFLA_BRIDGE_VLAN_TUNNEL_INFO {
            decode_tunnels(Attributes(payload), &mut tunnels_start, &mut tunnels);
        }
        if kind != IFLA_BRIDGE_VLAN_INFO {
            continue;
        }
        let (Some(flags), Some(id)) = (u16_(payload), payload.get(2..).and_then(u16_)) else {
            continue;
        };
        if flags & BRIDGE_VLAN_INFO_RANGE_BEGIN != 0 {
            range_start = Some(id);
            continue;
        }
        let first = match range_start.take() {
            Some(start) if flags & BRIDGE_VLAN_INFO_RANGE_END != 0 => start,
            _ => id,
        };
        vlans.extend((first.max(1)..=id.min(MAX_VLAN)).map(|id| PortVlan {
            id,
            pvid: flags & BRIDGE_VLAN_INFO_PVID != 0,
            untagged: flags & BRIDGE_VLAN_INFO_UNTAGGED != 0,
            tunnel: None,
        }));
    }
    vlans.sort_unstable_by_key(|vlan| vlan.id);
    vlans.dedup_by_key(|vlan| vlan.id);
    for vlan in &mut vlans {
        vlan.tunnel = tunnels.get(&vlan.id).copied();
    }
    Some(vlans)
}

/// `IFLA_BRIDGE_VLAN_TUNNEL_INFO`: the tunnel ID of a VLAN, or of the first or the last one of a range in
/// which both numbers count up (`br_fill_vlan_tunnel_info`).
fn decode_tunnels(
    attributes: Attributes<'_>,
    start: &mut Option<(u16, u32)>,
    tunnels: &mut BTreeMap<u16, u32>,
) {
    const IFLA_BRIDGE_VLAN_TUNNEL_ID: u16 = 1;
    const IFLA_BRIDGE_VLAN_TUNNEL_VID: u16 = 2;
    const IFLA_BRIDGE_VLAN_TUNNEL_FLAGS: u16 = 3;

    let (mut tunnel, mut vlan, mut flags) = (None, None, 0);
    for (kind, payload) in attributes {
        match kind {
            IFLA_BRIDGE_VLAN_TUNNEL_ID => tunnel = u32_(payload),
            IFLA_BRIDGE_VLAN_TUNNEL_VID => vlan = u16_(payload),
            IFLA_BRIDGE_VLAN_TUNNEL_FLAGS => flags = u16_(payload).unwrap_or_default(),
            _ => {}
        }
    }
    let (Some(vlan), Some(tunnel)) = (vlan, tunnel) else {
        return;
    };
    if flags & BRIDGE_VLAN_INFO_RANGE_BEGIN != 0 {
        *start = Some((vlan, tunnel));
        return;
    }
    let (first, base) = match start.take() {
        Some(start) if flags & BRIDGE_VLAN_INFO_RANGE_END != 0 => start,
        _ => (vlan, tunnel),
    };
    let ids = first..=vlan.min(MAX_VLAN);
    tunnels.extend(ids.map(|id| (id, base.wrapping_add(u32::from(id - first)))));
}
