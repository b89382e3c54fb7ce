//! Network interfaces (`RTM_NEWLINK`, `linux/if_link.h`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    Event, Mac, PortOptions,
    address::ip,
    attributes::{Attributes, USER_HZ, header, mac_bytes, text, u8_, u16_, u16_be, u32_},
    message::{Decoded, Lacks},
};

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Interface index.
    pub ifindex: u32,
    /// Name.
    pub name: String,
    /// Hardware address, unless it is not an Ethernet one.
    pub mac: Option<Mac>,
    /// IP MTU in bytes.
    pub mtu: u32,
    /// Administratively up (`IFF_UP`).
    pub up: bool,
    /// Has a carrier and is operational (`IFF_LOWER_UP` and `IFF_RUNNING`).
    pub carrier: bool,
    /// The loopback interface.
    pub loopback: bool,
    /// Nothing is resolved on it by ARP (`IFF_NOARP`, `arp off`).
    #[serde(default)]
    pub no_arp: bool,
    /// Interface index of the bridge, bond, team or VRF it belongs to.
    pub master: Option<u32>,
    /// Interface index of the interface beneath: a VLAN device's port; a veth's peer.
    pub lower: Option<u32>,
    /// The interface beneath is in another network namespace.
    pub lower_elsewhere: bool,
    /// It takes more of what arrives at the interface beneath than what is for its own MAC address: by
    /// IP address (ipvlan), by source (macvlan in that mode), everything (macvlan in mode passthru).
    #[serde(default)]
    pub takes_more: bool,
    /// A program for XDP runs on it, looked at where it may be a gateway (a bridge, or what stands on one), on
    /// which Fabric runs none.
    #[serde(default)]
    pub runs_xdp: bool,
    /// The number that this namespace has here (`IFLA_LINK_NETNSID`).
    #[serde(default)]
    pub lower_namespace: Option<i32>,
    /// What it is.
    pub kind: LinkKind,
    /// Bridge port options if it is one.
    pub port: Option<PortOptions>,
    /// Its part in the bond that is its [`master`](Self::master), if that is one.
    #[serde(default)]
    pub bond: Option<BondMember>,
}

/// A member of a bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondMember {
    /// The bond takes what arrives here. It drops what arrives at a backup.
    pub active: bool,
}

impl Link {
    /// One end of a veth pair.
    #[must_use]
    pub fn is_veth(&self) -> bool {
        matches!(&self.kind, LinkKind::Other(kind) if kind == "veth")
    }
}

/// What an interface is (`IFLA_INFO_KIND`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// No kind: a physical port, or the loopback interface.
    #[default]
    Device,
    /// A bridge.
    Bridge(Bridge),
    /// A VXLAN tunnel device.
    Vxlan(Vxlan),
    /// A VLAN of another interface.
    Vlan(Vlan),
    /// A VRF: interfaces whose [`Link::master`] it is have a routing table of their own.
    Vrf {
        /// The routing table.
        table: u32,
    },
    /// Any other kind under the kernel's name: `veth`, `bond`, `tun`, …
    Other(String),
}

/// A bridge's own options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bridge {
    /// VLAN-aware (`vlan_filtering 1`).
    pub vlan_filtering: bool,
    /// EtherType of its VLANs: 0x8100, or 0x88a8 for a provider bridge.
    pub vlan_protocol: u16,
    /// Time without a frame after which a learnt MAC is forgotten, in milliseconds.
    pub ageing_ms: u64,
    /// A spanning tree protocol runs, the kernel's or one of user space.
    #[serde(default)]
    pub stp: bool,
    /// The spanning tree's forward delay in milliseconds, which is the root bridge's.
    #[serde(default)]
    pub forward_delay_ms: u64,
    /// VLANs have the states of their instances of MSTP (`mst_enabled`).
    #[serde(default)]
    pub mst: bool,
    /// How many want to see all frames (`promiscuity`): interfaces on top with other MAC addresses count
    /// as one.
    #[serde(default)]
    pub promiscuity: u32,
    /// Chains for IPv4 see its frames whatever `net.bridge.bridge-nf-call-iptables` says
    /// (`nf_call_iptables`).
    #[serde(default)]
    pub nf_call_ip: bool,
    /// The same for IPv6 (`nf_call_ip6tables`).
    #[serde(default)]
    pub nf_call_ip6: bool,
}

/// A vxlan device's options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vxlan {
    /// VXLAN network identifier, 24 bits.
    pub vni: u32,
    /// Source address of the tunnel.
    pub local: Option<IpAddr>,
    /// Multicast group or default remote.
    pub group: Option<IpAddr>,
    /// UDP destination port in host order.
    pub port: u16,
    /// Lowest and highest UDP source port if set by hand.
    pub source_ports: Option<(u16, u16)>,
    /// Interface index that outer packets are bound to (`dev`).
    pub bound_to: Option<u32>,
    /// Outer TTL, 0 for the system's default.
    pub ttl: u8,
    /// The outer TTL is the inner one.
    pub ttl_inherit: bool,
    /// Outer TOS byte; meaningless if inherited.
    pub tos: u8,
    /// The outer TOS is the inner one (`tos inherit`, which the kernel stores as TOS 1).
    pub tos_inherit: bool,
    /// Outer Don't Fragment bit.
    pub df: Df,
    /// The device learns MACs from what arrives.
    pub learning: bool,
    /// Seconds after which the device forgets an address that it has learned; 0 for never (`ageing`).
    #[serde(default)]
    pub ageing_s: u32,
    /// Metadata mode (`external`): VNIs come from elsewhere, the single vxlan device model.
    pub external: bool,
    /// In that mode it hears only of VNIs that it was given ([`VniFilter`](super::VniFilter)).
    #[serde(default)]
    pub vni_filter: bool,
    /// Writes UDP checksums over IPv4.
    pub udp_checksum: bool,
    /// Writes the UDP checksum 0 over IPv6 (`udp6zerocsumtx`, RFC 6935).
    #[serde(default)]
    pub udp6_zero_checksum_tx: bool,
    /// Accepts the UDP checksum 0 over IPv6 (`udp6zerocsumrx`).
    #[serde(default)]
    pub udp6_zero_checksum_rx: bool,
    /// Flow label over IPv6, 20 bits, 0 if none is set (`flowlabel`).
    #[serde(default)]
    pub label: u32,
    /// The outer flow label is the inner one (`flowlabel inherit`).
    #[serde(default)]
    pub label_inherit: bool,
    /// Options that change packets in a way Fabric does not know, by their iproute2 names.
    pub unsupported: Vec<String>,
}

/// How the outer Don't Fragment bit is set.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Df {
    /// 0.
    #[default]
    Unset,
    /// 1.
    Set,
    /// As the inner IPv4 packet's; 1 for IPv6.
    Inherit,
}

/// A VLAN device's options. Its port is [`Link::lower`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vlan {
    /// VLAN ID.
    pub id: u16,
    /// EtherType of the tag: 0x8100 (802.1Q) or 0x88a8 (802.1ad).
    pub protocol: u16,
    /// The tags of what it sends have priorities by those of the packets (`egress-qos-map`).
    #[serde(default)]
    pub maps_priorities: bool,
}

const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 1 << 3;
const IFF_RUNNING: u32 = 1 << 6;
const IFF_NOARP: u32 = 1 << 7;
const IFF_LOWER_UP: u32 = 1 << 16;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_PROMISCUITY: u16 = 30;
const IFLA_XDP: u16 = 43;
const IFLA_LINK_NETNSID: u16 = 37;

const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;

/// Decodes `ifinfomsg` (family, pad, type, index, flags, change: 16 bytes) and its attributes.
pub(super) fn decode(present: bool, message: &[u8]) -> Decoded {
    let (head, attributes) = header::<16>(message).ok_or(Lacks("its header"))?;
    let ifindex =
        u32_(&head[4..]).filter(|index| *index != 0).ok_or(Lacks("an interface index"))?;
    if !present {
        return Ok(Some(Event::LinkGone { ifindex }));
    }
    let flags = u32_(&head[8..]).unwrap_or_default();
    let mut link = Link {
        ifindex,
        up: flags & IFF_UP != 0,
        carrier: flags & IFF_LOWER_UP != 0 && flags & IFF_RUNNING != 0,
        loopback: flags & IFF_LOOPBACK != 0,
        no_arp: flags & IFF_NOARP != 0,
        ..Link::default()
    };
    let (mut promiscuity, mut xdp) = (0, false);
    for (kind, payload) in attributes {
        match kind {
            IFLA_ADDRESS => link.mac = mac_bytes(payload),
            IFLA_IFNAME => link.name = text(payload),
            IFLA_MTU => link.mtu = u32_(payload).unwrap_or_default(),
            IFLA_LINK => link.lower = u32_(payload).filter(|index| *index != 0),
            IFLA_MASTER => link.master = u32_(payload).filter(|index| *index != 0),
            IFLA_LINK_NETNSID => {
                link.lower_elsewhere = true;
                link.lower_namespace = u32_(payload).map(u32::cast_signed);
            }
            IFLA_XDP => xdp = runs_xdp(Attributes(payload)),
            IFLA_PROMISCUITY => promiscuity = u32_(payload).unwrap_or_default(),
            IFLA_LINKINFO => info(Attributes(payload), &mut link),
            _ => {}
        }
    }
    if let LinkKind::Bridge(bridge) = &mut link.kind {
        bridge.promiscuity = promiscuity;
    }
    link.runs_xdp = xdp && link.may_be_gateway();
    if link.name.is_empty() {
        // Wireless extensions send link messages without a name; they say nothing about the link.
        return Ok(None);
    }
    Ok(Some(Event::Link(link)))
}

/// `IFLA_XDP`: whether a program is attached in any mode.
fn runs_xdp(attributes: Attributes<'_>) -> bool {
    const IFLA_XDP_ATTACHED: u16 = 2;
    let mut attributes = attributes.into_iter();
    attributes.any(|(kind, payload)| kind == IFLA_XDP_ATTACHED && u8_(payload).unwrap_or(0) != 0)
}

impl Link {
    /// A bridge, or what stands on one: Fabric runs no program of its own there.
    fn may_be_gateway(&self) -> bool {
        match &self.kind {
            LinkKind::Bridge(_) | LinkKind::Vlan(_) => true,
            LinkKind::Other(kind) => kind == "macvlan",
            _ => false,
        }
    }
}

/// `IFLA_LINKINFO`: the kind, and the options if the master is a bridge.
fn info(attributes: Attributes<'_>, link: &mut Link) {
    let mut kind = String::new();
    let mut data = Attributes(&[]);
    let mut master_is_bridge = false;
    let (mut port, mut bond, mut master_is_bond) = (None, None, false);
    for (attribute, payload) in attributes {
        match attribute {
            IFLA_INFO_KIND => kind = text(payload),
            IFLA_INFO_DATA => data = Attributes(payload),
            IFLA_INFO_SLAVE_KIND => {
                master_is_bridge = text(payload) == "bridge";
                master_is_bond = text(payload) == "bond";
            }
            IFLA_INFO_SLAVE_DATA => {
                port = Some(PortOptions::decode(Attributes(payload)));
                bond = Some(BondMember { active: is_active(Attributes(payload)) });
            }
            _ => {}
        }
    }
    link.takes_more = takes_more(&kind, data);
    link.kind = match kind.as_str() {
        "" => LinkKind::Device,
        "bridge" => LinkKind::Bridge(Bridge::decode(data)),
        "vxlan" => LinkKind::Vxlan(Vxlan::decode(data)),
        "vlan" => LinkKind::Vlan(Vlan::decode(data)),
        "vrf" => LinkKind::Vrf { table: vrf_table(data) },
        _ => LinkKind::Other(kind),
    };
    link.port = port.filter(|_| master_is_bridge);
    link.bond = bond.filter(|_| master_is_bond);
}

/// `IFLA_BOND_SLAVE_STATE` says that the bond takes what arrives here (`BOND_STATE_ACTIVE`).
fn is_active(mut attributes: Attributes<'_>) -> bool {
    const IFLA_BOND_SLAVE_STATE: u16 = 1;
    const BOND_STATE_ACTIVE: u8 = 0;
    let state = attributes.find(|(kind, _)| *kind == IFLA_BOND_SLAVE_STATE);
    state.and_then(|(_, payload)| u8_(payload)) == Some(BOND_STATE_ACTIVE)
}

/// See [`Link::takes_more`]: kinds whose receive handler looks at more than the MAC address.
fn takes_more(kind: &str, mut data: Attributes<'_>) -> bool {
    const IFLA_MACVLAN_MODE: u16 = 1;
    /// `MACVLAN_MODE_PASSTHRU` and `MACVLAN_MODE_SOURCE`.
    const MODES: u32 = 8 | 16;
    match kind {
        "macvlan" | "macvtap" => {
            let mode = data.find(|(kind, _)| *kind == IFLA_MACVLAN_MODE);
            mode.and_then(|(_, payload)| u32_(payload)).is_some_and(|mode| mode & MODES != 0)
        }
        "ipvlan" | "ipvtap" | "macsec" | "hsr" | "rmnet" => true,
        _ => false,
    }
}

/// `IFLA_VRF_TABLE` of `IFLA_INFO_DATA`.
fn vrf_table(mut attributes: Attributes<'_>) -> u32 {
    const IFLA_VRF_TABLE: u16 = 1;
    let table = attributes.find(|(kind, _)| *kind == IFLA_VRF_TABLE);
    table.and_then(|(_, payload)| u32_(payload)).unwrap_or_default()
}

/// A bridge as the kernel makes it unless it is told otherwise.
impl Default for Bridge {
    fn default() -> Self {
        Self {
            vlan_filtering: false,
            vlan_protocol: 0x8100,
            ageing_ms: 300_000,
            stp: false,
            forward_delay_ms: 15_000,
            mst: false,
            promiscuity: 0,
            nf_call_ip: false,
            nf_call_ip6: false,
        }
    }
}

impl Bridge {
    fn decode(attributes: Attributes<'_>) -> Self {
        const IFLA_BR_FORWARD_DELAY: u16 = 1;
        const IFLA_BR_AGEING_TIME: u16 = 4;
        const IFLA_BR_STP_STATE: u16 = 5;
        const IFLA_BR_VLAN_FILTERING: u16 = 7;
        const IFLA_BR_VLAN_PROTOCOL: u16 = 8;
        const IFLA_BR_NF_CALL_IPTABLES: u16 = 36;
        const IFLA_BR_NF_CALL_IP6TABLES: u16 = 37;
        const IFLA_BR_MULTI_BOOLOPT: u16 = 46;
        /// `BR_BOOLOPT_MST_ENABLE` of `linux/if_bridge.h`.
        const MST: u32 = 1 << 2;

        let milliseconds =
            |payload| u64::from(u32_(payload).unwrap_or_default()) * (1000 / USER_HZ);
        let mut bridge = Self::default();
        for (kind, payload) in attributes {
            match kind {
                IFLA_BR_FORWARD_DELAY => bridge.forward_delay_ms = milliseconds(payload),
                IFLA_BR_AGEING_TIME => bridge.ageing_ms = milliseconds(payload),
                IFLA_BR_STP_STATE => bridge.stp = u32_(payload).unwrap_or_default() != 0,
                // `struct br_boolopt_multi`: values, and which of them are meant.
                IFLA_BR_MULTI_BOOLOPT => bridge.mst = u32_(payload).unwrap_or_default() & MST != 0,
                IFLA_BR_NF_CALL_IPTABLES => bridge.nf_call_ip = u8_(payload) == Some(1),
                IFLA_BR_NF_CALL_IP6TABLES => bridge.nf_call_ip6 = u8_(payload) == Some(1),
                IFLA_BR_VLAN_FILTERING => bridge.vlan_filtering = u8_(payload) == Some(1),
                IFLA_BR_VLAN_PROTOCOL => bridge.vlan_protocol = u16_be(payload).unwrap_or(0x8100),
                _ => {}
            }
        }
        bridge
    }
}

impl Vlan {
    fn decode(attributes: Attributes<'_>) -> Self {
        const IFLA_VLAN_ID: u16 = 1;
        /// Only there with a priority other than 0 (`vlan_fill_info` of `net/8021q/vlan_netlink.c`).
        const IFLA_VLAN_EGRESS_QOS: u16 = 3;
        const IFLA_VLAN_PROTOCOL: u16 = 5;
        let mut vlan = Self { id: 0, protocol: 0x8100, maps_priorities: false };
        for (kind, payload) in attributes {
            match kind {
                IFLA_VLAN_ID => vlan.id = u16_(payload).unwrap_or_default(),
                IFLA_VLAN_EGRESS_QOS => vlan.maps_priorities = true,
                IFLA_VLAN_PROTOCOL => vlan.protocol = u16_be(payload).unwrap_or_default(),
                _ => {}
            }
        }
        vlan
    }
}

impl Vxlan {
    fn decode(attributes: Attributes<'_>) -> Self {
        const IFLA_VXLAN_ID: u16 = 1;
        const IFLA_VXLAN_GROUP: u16 = 2;
        const IFLA_VXLAN_LINK: u16 = 3;
        const IFLA_VXLAN_LOCAL: u16 = 4;
        const IFLA_VXLAN_TTL: u16 = 5;
        const IFLA_VXLAN_TOS: u16 = 6;
        const IFLA_VXLAN_LEARNING: u16 = 7;
        const IFLA_VXLAN_AGEING: u16 = 8;
        const IFLA_VXLAN_PORT_RANGE: u16 = 10;
        const IFLA_VXLAN_RSC: u16 = 12;
        const IFLA_VXLAN_PORT: u16 = 15;
        const IFLA_VXLAN_GROUP6: u16 = 16;
        const IFLA_VXLAN_LOCAL6: u16 = 17;
        const IFLA_VXLAN_UDP_CSUM: u16 = 18;
        const IFLA_VXLAN_UDP_ZERO_CSUM6_TX: u16 = 19;
        const IFLA_VXLAN_UDP_ZERO_CSUM6_RX: u16 = 20;
        const IFLA_VXLAN_REMCSUM_TX: u16 = 21;
        const IFLA_VXLAN_REMCSUM_RX: u16 = 22;
        const IFLA_VXLAN_GBP: u16 = 23;
        const IFLA_VXLAN_COLLECT_METADATA: u16 = 25;
        const IFLA_VXLAN_LABEL: u16 = 26;
        const IFLA_VXLAN_GPE: u16 = 27;
        const IFLA_VXLAN_TTL_INHERIT: u16 = 28;
        const IFLA_VXLAN_DF: u16 = 29;
        const IFLA_VXLAN_VNIFILTER: u16 = 30;
        const IFLA_VXLAN_LABEL_POLICY: u16 = 32;
        /// `VXLAN_LABEL_INHERIT` of `linux/if_link.h`.
        const LABEL_INHERIT: u32 = 1;
        /// `tos inherit` (`vxlan_core.c`: the inner field is copied if the device's TOS is 1).
        const TOS_INHERIT: u8 = 1;

        let set = |payload| u8_(payload).unwrap_or_default() != 0;
        let address = |payload| ip(payload).filter(|address| !address.is_unspecified());
        let mut vxlan = Self { port: 4789, ..Self::default() };
        for (kind, payload) in attributes {
            // The two flags without a payload are present only when set.
            let unsupported = match kind {
                IFLA_VXLAN_RSC if set(payload) => "rsc",
                IFLA_VXLAN_REMCSUM_TX if set(payload) => "remcsumtx",
                IFLA_VXLAN_REMCSUM_RX if set(payload) => "remcsumrx",
                IFLA_VXLAN_GBP => "gbp",
                IFLA_VXLAN_GPE => "gpe",
                _ => "",
            };
            if !unsupported.is_empty() {
                vxlan.unsupported.push(unsupported.into());
            }
            match kind {
                IFLA_VXLAN_ID => vxlan.vni = u32_(payload).unwrap_or_default(),
                IFLA_VXLAN_GROUP | IFLA_VXLAN_GROUP6 => vxlan.group = address(payload),
                IFLA_VXLAN_LOCAL | IFLA_VXLAN_LOCAL6 => vxlan.local = address(payload),
                IFLA_VXLAN_LINK => vxlan.bound_to = u32_(payload).filter(|index| *index != 0),
                IFLA_VXLAN_TTL => vxlan.ttl = u8_(payload).unwrap_or_default(),
                IFLA_VXLAN_TTL_INHERIT => vxlan.ttl_inherit = set(payload),
                IFLA_VXLAN_TOS => vxlan.tos = u8_(payload).unwrap_or_default(),
                IFLA_VXLAN_LEARNING => vxlan.learning = set(payload),
                IFLA_VXLAN_AGEING => vxlan.ageing_s = u32_(payload).unwrap_or_default(),
                IFLA_VXLAN_COLLECT_METADATA => vxlan.external = set(payload),
                IFLA_VXLAN_VNIFILTER => vxlan.vni_filter = set(payload),
                IFLA_VXLAN_UDP_CSUM => vxlan.udp_checksum = set(payload),
                IFLA_VXLAN_UDP_ZERO_CSUM6_TX => vxlan.udp6_zero_checksum_tx = set(payload),
                IFLA_VXLAN_UDP_ZERO_CSUM6_RX => vxlan.udp6_zero_checksum_rx = set(payload),
                // In network byte order, unlike most.
                IFLA_VXLAN_LABEL => {
                    vxlan.label = u32::from_be(u32_(payload).unwrap_or_default()) & 0xf_ffff;
                }
                IFLA_VXLAN_LABEL_POLICY => {
                    vxlan.label_inherit = u32_(payload) == Some(LABEL_INHERIT);
                }
                IFLA_VXLAN_PORT => vxlan.port = u16_be(payload).unwrap_or_default(),
                IFLA_VXLAN_PORT_RANGE => {
                    let low = u16_be(payload).unwrap_or_default();
                    let high = payload.get(2..).and_then(u16_be).unwrap_or_default();
                    vxlan.source_ports = Some((low, high)).filter(|range| *range != (0, 0));
                }
                IFLA_VXLAN_DF => {
                    vxlan.df = match u8_(payload) {
                        Some(1) => Df::Set,
                        Some(2) => Df::Inherit,
                        _ => Df::Unset,
                    };
                }
                _ => {}
            }
        }
        vxlan.tos_inherit = vxlan.tos == TOS_INHERIT;
        vxlan
    }
}
