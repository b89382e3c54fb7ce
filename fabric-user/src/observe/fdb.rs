//! MAC addresses of bridges and vxlan devices (`RTM_NEWNEIGH` of family `AF_BRIDGE`,
//! `linux/neighbour.h`).
//!
//! There are two kinds of objects. The *bridge's* says behind which port a MAC is. The *vxlan
//! device's* (`self`) says which VTEP a MAC has if it is behind that device; it stays when the MAC
//! moves to a local port and means nothing by itself.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    Event, Mac,
    address::ip,
    attributes::{header, mac_bytes, u16_, u16_be, u32_},
    message::{Decoded, Lacks},
};

/// A bridge's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeMac {
    /// Interface index of the bridge.
    pub bridge: u32,
    /// VLAN ID, 0 for none.
    pub vlan: u16,
    /// The address.
    pub mac: Mac,
    /// Interface index of the bridge port, or of the bridge itself for its own addresses.
    pub port: u32,
    /// An address of this box (`permanent`).
    pub permanent: bool,
    /// Learnt on a locked port and not yet allowed to send.
    pub locked: bool,
    /// A control plane wrote it (`extern_learn`); it never ages.
    pub extern_learn: bool,
    /// Never moves by learning (`sticky`).
    pub sticky: bool,
    /// Never ages (`static`, or `permanent`).
    pub fixed: bool,
}

/// A vxlan device's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelMac {
    /// Interface index of the vxlan device.
    pub vxlan: u32,
    /// The address; zero for a flood entry, of which there can be many.
    pub mac: Mac,
    /// VNI that the entry belongs to, in external mode only.
    pub source_vni: Option<u32>,
    /// Where it is.
    pub target: TunnelTarget,
}

/// Where a vxlan device sends frames of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelTarget {
    /// A VTEP.
    Vtep {
        /// Its address.
        address: IpAddr,
        /// UDP destination port if not the device's own, in host order.
        port: Option<u16>,
        /// VNI if not the device's own.
        vni: Option<u32>,
        /// Interface index to send on, if given.
        via: Option<u32>,
    },
    /// A nexthop group (an Ethernet segment) of this ID.
    NexthopGroup(u32),
}

const NUD_NOARP: u16 = 0x40;
const NUD_PERMANENT: u16 = 0x80;
const NTF_SELF: u8 = 1 << 1;
const NTF_EXT_LEARNED: u8 = 1 << 4;
const NTF_STICKY: u8 = 1 << 6;
const NTF_EXT_LOCKED: u32 = 1 << 1;

const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_VLAN: u16 = 5;
const NDA_PORT: u16 = 6;
const NDA_VNI: u16 = 7;
const NDA_IFINDEX: u16 = 8;
const NDA_MASTER: u16 = 9;
const NDA_SRC_VNI: u16 = 11;
const NDA_NH_ID: u16 = 13;
const NDA_FLAGS_EXT: u16 = 15;

/// Decodes `ndmsg` (family, pads, ifindex, state, flags, type: 12 bytes) and its attributes.
pub(super) fn decode(present: bool, message: &[u8]) -> Decoded {
    let (head, attributes) = header::<12>(message).ok_or(Lacks("its header"))?;
    let ifindex =
        u32_(&head[4..]).filter(|index| *index != 0).ok_or(Lacks("an interface index"))?;
    let state = u16_(&head[8..]).unwrap_or_default();
    let flags = head[10];

    let (mut mac, mut bridge, mut vlan, mut flags_ext) = (None, None, 0, 0);
    let (mut address, mut nexthop, mut source_vni) = (None, None, None);
    let (mut port, mut vni, mut via) = (None, None, None);
    for (kind, payload) in attributes {
        match kind {
            NDA_LLADDR => mac = mac_bytes(payload),
            NDA_MASTER => bridge = u32_(payload),
            NDA_VLAN => vlan = u16_(payload).unwrap_or_default(),
            NDA_FLAGS_EXT => flags_ext = u32_(payload).unwrap_or_default(),
            NDA_DST => address = ip(payload),
            NDA_NH_ID => nexthop = u32_(payload),
            NDA_SRC_VNI => source_vni = u32_(payload),
            NDA_PORT => port = u16_be(payload),
            NDA_VNI => vni = u32_(payload),
            NDA_IFINDEX => via = u32_(payload),
            _ => {}
        }
    }
    let mac = mac.ok_or(Lacks("a MAC address"))?;

    if flags & NTF_SELF != 0 {
        let target = match (nexthop, address) {
            (Some(id), _) => TunnelTarget::NexthopGroup(id),
            (None, Some(address)) => TunnelTarget::Vtep { address, port, vni, via },
            (None, None) if !mac.is_unicast() => return Ok(None),
            (None, None) => {
                return Ok(Some(match present {
                    true => Event::OwnMac { ifindex, mac },
                    false => Event::OwnMacGone { ifindex, mac },
                }));
            }
        };
        let entry = TunnelMac { vxlan: ifindex, mac, source_vni, target };
        return Ok(Some(match present {
            true => Event::TunnelMac(entry),
            false => Event::TunnelMacGone(entry),
        }));
    }
    let Some(bridge) = bridge else {
        return Ok(None);
    };
    if !present {
        return Ok(Some(Event::BridgeMacGone { bridge, vlan, mac }));
    }
    Ok(Some(Event::BridgeMac(BridgeMac {
        bridge,
        vlan,
        mac,
        port: ifindex,
        permanent: state & NUD_PERMANENT != 0,
        locked: flags_ext & NTF_EXT_LOCKED != 0,
        extern_learn: flags & NTF_EXT_LEARNED != 0,
        sticky: flags & NTF_STICKY != 0,
        fixed: state & (NUD_NOARP | NUD_PERMANENT) != 0,
    })))
}
