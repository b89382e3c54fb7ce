//! Bridge domains, what belongs to them, and where their MAC addresses are.

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::{SegmentKey, VtepKey};
use crate::observe::{Df, Mac};

/// Identity of a bridge domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct DomainKey {
    /// Interface index of the bridge.
    pub bridge: u32,
    /// VLAN ID of a VLAN-aware bridge, 0 for a plain one.
    pub vlan: u16,
}

/// A bridge domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// For people: the bridge's name, and the VLAN if there is one.
    pub name: String,
    /// VXLAN network identifier; `None` if its tunnel is left to the kernel or there is none. The
    /// fields from `vxlan` to `vxlan_mac` are 0 or false then.
    pub vni: Option<u32>,
    /// Whether its frames have the tag of their VLAN in the tunnel.
    pub inside: Inside,
    /// Interface index of the vxlan device.
    pub vxlan: u32,
    /// VNI that the device's own entries name for the domain: [`vni`](Self::vni) in external mode, 0 for a
    /// device of one VNI.
    pub source_vni: u32,
    /// Local VTEP address, of the underlay's family; unspecified if each VTEP has its own, see
    /// [`super::Structure::sources`], and packets for any address of this box are taken.
    pub local: IpAddr,
    /// UDP destination port, host order.
    pub udp_port: u16,
    /// Outer TTL or hop limit; with `ttl_inherit` the one for frames that are not IP.
    pub ttl: u8,
    /// The outer TTL is the inner one.
    pub ttl_inherit: bool,
    /// Outer TOS byte or traffic class with ECN bits 0; 0 with `tos_inherit`.
    pub tos: u8,
    /// The outer DSCP is the inner one.
    pub tos_inherit: bool,
    /// Outer Don't Fragment bit, of no meaning over IPv6.
    pub df: Df,
    /// Outer flow label over IPv6, 20 bits; 0 if the flow chooses it.
    pub label: u32,
    /// The outer flow label over IPv6 is the inner one.
    pub label_inherit: bool,
    /// Over IPv6 the UDP checksum is 0.
    pub zero_checksum_tx: bool,
    /// Over IPv6 packets with the UDP checksum 0 are accepted.
    pub zero_checksum_rx: bool,
    /// Largest frame into the tunnel in bytes, without a tag: the vxlan device's MTU plus 14.
    pub max_frame: u32,
    /// Bridge ageing time in milliseconds; 0 means that MACs are forgotten at once.
    pub ageing_ms: u64,
    /// The vxlan device or the bridge's port towards it learns.
    pub overlay_learning: bool,
    /// The vxlan device learns.
    pub overlay_snoops: bool,
    /// The bridge's port towards the vxlan device is isolated.
    pub overlay_isolated: bool,
    /// The bridge's port towards the vxlan device admits only known sources.
    pub overlay_locked: bool,
    /// The bridge sends back into the tunnel what came out of it for a station behind it.
    pub overlay_hairpin: bool,
    /// The vxlan device's own MAC address.
    pub vxlan_mac: Mac,
    /// It is a tunnel of next hops: nothing that arrives belongs to it.
    pub only_sends: bool,
    /// ARP requests for hosts behind the tunnel are answered by [`Desired::answers`].
    pub answers_arp: bool,
    /// The same for neighbour solicitations.
    pub answers_nd: bool,
}

/// Whether frames of a domain have the tag of their VLAN in the tunnel (`br_handle_vlan` and `__allowed_ingress` of
/// `net/bridge/br_vlan.c`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Inside {
    /// Neither those that are sent nor those that arrive.
    #[default]
    Untagged,
    /// The VLAN is the vxlan device's PVID beside others: frames arrive without a tag, with one that has a priority alone, or with
    /// that of the VLAN.
    Pvid {
        /// Those that are sent have the tag.
        sent_tagged: bool,
    },
    /// All of them.
    Tagged,
}

impl Inside {
    /// Whether frames that are sent have the tag.
    #[must_use]
    pub const fn is_sent_tagged(self) -> bool {
        matches!(self, Self::Tagged | Self::Pvid { sent_tagged: true })
    }

    /// The VLAN IDs of the tags that frames of a VLAN arrive with, 0 for those with a priority alone; `None` for frames
    /// without a tag.
    pub fn arriving(self, vlan: u16) -> impl Iterator<Item = Option<u16>> {
        let [untagged, tagged] = match self {
            Self::Untagged => [true, false],
            Self::Pvid { .. } => [true, true],
            Self::Tagged => [false, true],
        };
        let priority = (untagged && tagged).then_some(Some(0));
        let tags = untagged.then_some(None).into_iter().chain(priority);
        tags.chain(tagged.then_some(Some(vlan)))
    }
}

/// A domain without a tunnel, whose bridge forgets MACs at once.
impl Default for Domain {
    fn default() -> Self {
        Self {
            name: String::new(),
            vni: None,
            inside: Inside::default(),
            vxlan: 0,
            source_vni: 0,
            local: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            udp_port: 0,
            ttl: 0,
            ttl_inherit: false,
            tos: 0,
            tos_inherit: false,
            df: Df::default(),
            label: 0,
            label_inherit: false,
            zero_checksum_tx: false,
            zero_checksum_rx: false,
            max_frame: 0,
            ageing_ms: 0,
            overlay_learning: false,
            overlay_snoops: false,
            overlay_isolated: false,
            overlay_locked: false,
            overlay_hairpin: false,
            vxlan_mac: Mac::default(),
            only_sends: false,
            answers_arp: false,
            answers_nd: false,
        }
    }
}

/// An interface whose neighbours ARP and neighbour discovery are answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Answering {
    /// The domain whose hosts ask.
    pub domain: DomainKey,
    /// The routing table that the interface's own addresses stand in.
    pub table: u32,
}

/// Identity of a neighbour that ARP or neighbour discovery is answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct AnswerKey {
    /// The domain whose hosts ask.
    pub domain: DomainKey,
    /// The address that they ask for.
    pub address: IpAddr,
}

/// A neighbour that ARP or neighbour discovery is answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Its MAC address; none if the kernel would not send to it now.
    pub mac: Option<Mac>,
    /// It is a router.
    pub router: bool,
}

/// Identity of an attachment circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CircuitKey {
    /// Interface index of the bridge port.
    pub bridge_port: u32,
    /// The domain.
    pub domain: DomainKey,
}

/// A bridge port's membership in a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Circuit {
    /// Interface index of the port where frames enter and leave: the lower interface if the bridge
    /// port is a VLAN device.
    pub port: u32,
    /// VLAN ID that frames carry on the wire, 0 for untagged.
    pub vlan: u16,
    /// Exchanges no frames with other isolated circuits.
    pub isolated: bool,
    /// Frames may leave by the port that they came from.
    pub hairpin: bool,
    /// ARP and neighbour discovery that arrive here are not answered for others.
    pub suppresses: bool,
    /// Largest frame in bytes without the tag: the bridge port's MTU plus 14, or
    /// [`NOT_A_TARGET`](fabric_common::schema::circuits::NOT_A_TARGET).
    pub max_frame: u32,
}

/// Identity of an FDB entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FdbKey {
    /// The domain.
    pub domain: DomainKey,
    /// The address.
    pub mac: Mac,
}

/// Where a MAC is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Behind a circuit, which is in [`super::Structure::circuits`].
    Local(CircuitKey),
    /// Behind a VTEP, which is in [`super::Structure::vteps`].
    Remote(VtepKey),
    /// Behind an Ethernet segment, which is in [`super::Structure::segments`].
    Segment(SegmentKey),
    /// It is this box's own.
    Own,
    /// It is a gateway's, by the interface index of its port.
    Gateway(u32),
}
