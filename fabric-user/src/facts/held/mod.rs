//! What the maps hold, by names.
//!
//! Nothing of it depends on where in a map something stands, on when it was written or on packets, so that what maps
//! hold can be compared with what others hold: with those that a daemon would fill now ([`crate::verify`]).

mod bridging;
mod ports;
mod routing;
mod shares;
mod tunnels;
mod words;

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{cli::view::View, kernel::maps::Maps, model::pairs, observe::Mac};

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Ports by name; gateways are among them.
    pub ports: BTreeMap<String, Port>,
    /// Bridge domains by the bridge, with `.VLAN` where it is VLAN-aware; of tunnels that next hops choose, by the
    /// vxlan device and the VNI.
    pub domains: BTreeMap<String, Domain>,
    /// Attachment circuits.
    #[serde(with = "pairs")]
    pub circuits: BTreeMap<CircuitKey, Circuit>,
    /// Where each MAC address is.
    #[serde(with = "pairs")]
    pub macs: BTreeMap<MacKey, Place>,
    /// Neighbours that ARP and neighbour discovery are answered by.
    #[serde(with = "pairs")]
    pub answers: BTreeMap<AnswerKey, Answer>,
    /// Remote VTEPs, with the next hops towards them.
    #[serde(with = "pairs")]
    pub vteps: BTreeMap<VtepKey, Way>,
    /// Ethernet segments, with their VTEPs.
    #[serde(with = "pairs")]
    pub segments: BTreeMap<SegmentKey, Members>,
    /// The domain of what arrives in tunnels.
    #[serde(with = "pairs")]
    pub tunnels: BTreeMap<TunnelKey, String>,
    /// Next hops that something refers to.
    #[serde(with = "pairs")]
    pub nexthops: BTreeMap<NexthopKey, Nexthop>,
    /// Where packets go.
    #[serde(with = "pairs")]
    pub routes: BTreeMap<RouteKey, Way>,
}

/// A port, or a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// `access`, `routed`, `underlay` or `gateway`.
    pub role: String,
    /// Bytes of the longest IP packet.
    pub mtu: u32,
    /// Its address.
    pub mac: Mac,
    /// Families whose packets are routed: `IPv4`, `IPv6`.
    pub routes: Vec<String>,
    /// What they are looked up in, if any.
    pub view: Option<String>,
    /// The domain of frames without a tag, or whose gateway it is.
    pub untagged: Option<String>,
    /// The domains of frames with a tag, by VLAN ID.
    pub tagged: BTreeMap<u16, String>,
    /// Of which VTEPs tunnels end here: `all`, `some` or none.
    pub decapsulates: Option<String>,
}

/// A bridge domain. What belongs to its tunnel is empty without one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// VXLAN network identifier.
    pub vni: Option<u32>,
    /// The vxlan device.
    pub vxlan: Option<String>,
    /// The local VTEP address; none where each VTEP has its own.
    pub local: Option<IpAddr>,
    /// UDP destination port.
    pub udp_port: u16,
    /// TTL or hop limit of outer headers.
    pub ttl: u8,
    /// TOS or traffic class of outer headers.
    pub tos: u8,
    /// Flow label of outer headers over IPv6.
    pub label: u32,
    /// Bytes of the longest frame into the tunnel, without a tag.
    pub max_frame: u32,
    /// The same with a tag inside, where frames keep it; else 0.
    pub max_tagged: u32,
    /// How often the kernel is shown a frame of each MAC address, in jiffies.
    pub refresh: u32,
    /// What else is set, by the names of the schema in lower case.
    pub flags: Vec<String>,
}

/// Identity of an attachment circuit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CircuitKey {
    /// The port to which frames go.
    pub port: String,
    /// VLAN ID on the wire; none for untagged.
    pub vlan: Option<u16>,
    /// The domain.
    pub domain: String,
}

/// An attachment circuit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    /// The bridge's member: the port, or a bond or VLAN device of it.
    pub bridge_port: String,
    /// Bytes of the longest frame, without the tag.
    pub max_frame: u32,
    /// It is an isolated bridge port.
    pub isolated: bool,
    /// It is a bridge port in hairpin mode.
    pub hairpin: bool,
}

/// Identity of a MAC address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MacKey {
    /// The domain.
    pub domain: String,
    /// The address.
    pub mac: Mac,
}

/// Where a MAC address is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Behind a port.
    Port {
        /// The port.
        port: String,
        /// VLAN ID on the wire; none for untagged.
        vlan: Option<u16>,
    },
    /// Behind a VTEP.
    Vtep(IpAddr),
    /// Behind an Ethernet segment: the kernel's nexthop group of this ID.
    Segment(u32),
    /// It is a gateway's.
    Gateway(String),
    /// It is any other own one.
    Own,
    /// It refers to what is not there.
    Nowhere,
}

/// Identity of a neighbour that is answered for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AnswerKey {
    /// The domain whose hosts ask.
    pub domain: String,
    /// The address that they ask for.
    pub address: IpAddr,
}

/// A neighbour that is answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Its MAC address; none if the kernel would not send to it now.
    pub mac: Option<Mac>,
    /// It is a router.
    pub router: bool,
}

/// Identity of a remote VTEP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VtepKey {
    /// The remote address.
    pub remote: IpAddr,
    /// The local address of tunnels to it.
    pub local: IpAddr,
}

/// Identity of an Ethernet segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SegmentKey {
    /// The kernel's ID of its nexthop group.
    pub group: u32,
    /// The local address of tunnels; none where each VTEP has its own.
    pub local: Option<IpAddr>,
}

/// The VTEPs of an Ethernet segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// Each with its share.
    pub members: Vec<Member>,
    /// The kernel's resilient group: flows move when they rest.
    pub resilient: bool,
}

/// A VTEP of an Ethernet segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Member {
    /// Its address.
    pub vtep: IpAddr,
    /// Its share of the flows.
    pub share: Share,
}

/// A share of the flows: so many buckets of all that the group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Share {
    /// Buckets that lead there.
    pub buckets: u32,
    /// Buckets of the group.
    pub of: u32,
}

/// What tunnels are told apart by where they arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TunnelKey {
    /// UDP destination port.
    pub udp_port: u16,
    /// VXLAN network identifier.
    pub vni: u32,
    /// The underlay is IPv6.
    pub ipv6: bool,
    /// VLAN ID of the inner frame's tag.
    pub tag: Option<u16>,
}

/// Identity of a next hop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NexthopKey {
    /// The port towards it.
    pub port: String,
    /// Its address.
    pub gateway: IpAddr,
}

/// A next hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nexthop {
    /// Its MAC address; none while it does not answer.
    pub mac: Option<Mac>,
    /// The port's MAC address.
    pub source: Mac,
    /// Bytes of the longest IP packet.
    pub mtu: u16,
    /// Of one behind a gateway, where the bridge has its MAC address.
    pub behind: Option<Place>,
}

/// Identity of a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RouteKey {
    /// What it is looked up in: the VRF, `default` without one; see [`routing`].
    pub view: String,
    /// The addresses: a prefix, or the first and the last one with `-` between them.
    pub addresses: String,
}

/// Where packets go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To next hops; to none of them if there are none, which leaves packets to the kernel.
    Hops {
        /// Each with its share.
        hops: Vec<Hop>,
        /// The kernel's resilient group: flows move when they rest.
        resilient: bool,
    },
    /// Up, for they are for this box.
    Local,
    /// Up, for the route cannot be expressed.
    Kernel,
    /// Nowhere.
    Dropped,
    /// Up, so that the kernel says that it is unreachable.
    Unreachable,
    /// Up, so that the kernel resolves the neighbour.
    Connected,
    /// To where this view leads.
    View(String),
}

/// A next hop with its share of the flows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hop {
    /// The port towards it.
    pub port: String,
    /// Its address.
    pub gateway: IpAddr,
    /// Its share of the flows.
    pub share: Share,
}

impl Held {
    /// Copies what maps hold. A daemon may write meanwhile: an entry can refer to what has gone.
    pub(crate) fn read(view: &View, maps: &Maps) -> Self {
        let views = routing::Views::of(view, maps);
        let routes = routing::routes(view, maps, &views);
        Self {
            ports: ports::ports(view, &views),
            domains: bridging::domains(view),
            circuits: bridging::circuits(view),
            macs: bridging::macs(view),
            answers: bridging::answers(view, maps),
            vteps: tunnels::vteps(view),
            segments: tunnels::segments(view),
            tunnels: tunnels::arriving(view, maps),
            nexthops: routing::nexthops(view, maps),
            routes,
        }
    }
}

/// A MAC address as maps have it: its first byte is the lowest of the number.
const fn mac(number: u64) -> Mac {
    let [a, b, c, d, e, f, ..] = number.to_le_bytes();
    Mac([a, b, c, d, e, f])
}
