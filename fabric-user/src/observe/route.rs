//! Routes (`RTM_NEWROUTE`, `linux/rtnetlink.h`).

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::{
    Encap, Event, Learned,
    address::{INET, INET6, ip, unspecified, via},
    attributes::{Attributes, header, u16_, u32_},
    encap,
    message::{Decoded, Lacks},
};

/// An IP prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Prefix {
    /// Network address.
    pub address: IpAddr,
    /// Number of bits that count.
    pub length: u8,
}

impl Prefix {
    /// Whether it is one address.
    #[must_use]
    pub const fn is_host(&self) -> bool {
        self.length == if self.address.is_ipv4() { 32 } else { 128 }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.length)
    }
}

/// What makes a route different from others. The kernel can have several routes of the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RouteKey {
    /// Routing table: 254 main, 255 local.
    pub table: u32,
    /// Destination.
    pub prefix: Prefix,
    /// Source that packets must have, if not any (IPv6 only).
    #[serde(default)]
    pub source: Option<Prefix>,
    /// TOS that packets must have, 0 for any.
    pub tos: u8,
    /// Metric: the lowest wins.
    pub priority: u32,
}

/// What a route does (`RTN_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// Forwards to its next hops.
    Unicast,
    /// Delivers to this box.
    Local,
    /// Delivers to this box, sends as broadcast.
    Broadcast,
    /// Delivers to this box as one of several.
    Anycast,
    /// Multicast.
    Multicast,
    /// Discards silently.
    Blackhole,
    /// Discards and tells the sender that the destination is unreachable.
    Unreachable,
    /// Discards and tells the sender that it is not allowed.
    Prohibit,
    /// Goes on with the next rule, as if there were no route in this table.
    Throw,
    /// Anything else.
    Other(u8),
}

/// A next hop inside a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hop {
    /// Interface index to send on.
    pub ifindex: u32,
    /// Address of the router, of either family; none if the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// Share of the traffic, from 1.
    pub weight: u16,
    /// What packets are put into before they are sent there.
    #[serde(default)]
    pub encap: Option<Encap>,
    /// The kernel does not use it (`RTNH_F_DEAD`): its interface was down, or lost its last IPv4
    /// address, when this was said. The kernel never says when that ends.
    #[serde(default)]
    pub dead: bool,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Identity.
    pub key: RouteKey,
    /// What it does.
    pub kind: RouteKind,
    /// Who made it (`RTPROT_*`): 2 the kernel, 4 a person, 11 zebra, 186 BGP, …
    #[serde(default)]
    pub protocol: u8,
    /// Nexthop object, which then says more than `hops`.
    pub nexthop: Option<u32>,
    /// Next hops as the kernel spells them out.
    pub hops: Vec<Hop>,
    /// Path MTU in bytes, if set on the route.
    pub mtu: Option<u32>,
    /// TTL or hop limit of this box's own packets, if set on the route (`RTAX_HOPLIMIT`).
    #[serde(default)]
    pub hop_limit: Option<u8>,
}

impl Route {
    /// The kernel joins IPv6 routes of this kind to one with several next hops if their keys are
    /// the same (`rt6_qualify_for_ecmp`).
    #[must_use]
    pub fn joins_siblings(&self) -> bool {
        const RTPROT_REDIRECT: u8 = 1;
        const RTPROT_RA: u8 = 9;
        self.key.prefix.address.is_ipv6()
            && self.kind == RouteKind::Unicast
            && self.nexthop.is_none()
            && !matches!(self.protocol, RTPROT_REDIRECT | RTPROT_RA)
            && !self.hops.is_empty()
            && self.hops.iter().all(|hop| hop.gateway.is_some())
    }
}

const RTM_F_CLONED: u32 = 0x200;
/// Among the flags of a route as well as of one of its next hops.
const RTNH_F_DEAD: u32 = 1;

const NLM_F_MULTI: u16 = 0x2;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_APPEND: u16 = 0x800;

const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_NEWDST: u16 = 19;
const RTA_ENCAP_TYPE: u16 = 21;
const RTA_ENCAP: u16 = 22;
const RTA_NH_ID: u16 = 30;

/// Decodes `rtmsg` (family, lengths, TOS, table, protocol, scope, type, flags: 12 bytes) and its
/// attributes. The flags of the message's own header say where among routes with the same key it
/// stands.
pub(super) fn decode(present: bool, message_flags: u16, message: &[u8]) -> Decoded {
    let (head, attributes) = header::<12>(message).ok_or(Lacks("its header"))?;
    let [family, length, source_length, tos, table, protocol, _, kind, ..] = *head;
    let flags = u32_(&head[8..]).unwrap_or_default();
    let Some(any) = unspecified(family) else {
        return Ok(None);
    };
    if flags & RTM_F_CLONED != 0 {
        // Those of IPv6 do not count for forwarded packets.
        let learned = (family == INET).then(|| Learned::decode(flags, attributes)).flatten();
        return Ok(learned.map(Event::Learned));
    }
    let mut key = RouteKey {
        table: u32::from(table),
        prefix: Prefix { address: any, length },
        source: (source_length != 0).then_some(Prefix { address: any, length: source_length }),
        tos,
        priority: 0,
    };
    let (mut nexthop, mut mtu, mut hop_limit) = (None, None, None);
    let dead = flags & RTNH_F_DEAD != 0;
    let mut hop = Hop { ifindex: 0, gateway: None, weight: 1, encap: None, dead };
    let mut encap = Encapsulation::default();
    let mut hops = Vec::new();
    for (attribute, payload) in attributes {
        match attribute {
            RTA_DST => key.prefix.address = ip(payload).ok_or(Lacks("a destination"))?,
            RTA_SRC => {
                let address = ip(payload).ok_or(Lacks("a source"))?;
                key.source = Some(Prefix { address, length: source_length });
            }
            RTA_PRIORITY => key.priority = u32_(payload).unwrap_or_default(),
            RTA_TABLE => key.table = u32_(payload).unwrap_or_default(),
            RTA_NH_ID => nexthop = u32_(payload).filter(|id| *id != 0),
            RTA_METRICS => {
                mtu = metric_mtu(Attributes(payload));
                hop_limit = metric_hop_limit(Attributes(payload));
            }
            RTA_MULTIPATH => hops = decode_multipath(payload),
            _ => hop.read(attribute, payload, &mut encap),
        }
    }
    hop.encap = encap.decode();
    if hops.is_empty() && hop.ifindex != 0 {
        hops.push(hop);
    }
    let kind = match kind {
        1 => RouteKind::Unicast,
        2 => RouteKind::Local,
        3 => RouteKind::Broadcast,
        4 => RouteKind::Anycast,
        5 => RouteKind::Multicast,
        // The kernel shows a route like that while its nexthop object discards (`fib_dump_info`),
        // and does not have to say so when the object changes.
        6 if nexthop.is_some() => RouteKind::Unicast,
        6 => RouteKind::Blackhole,
        7 => RouteKind::Unreachable,
        8 => RouteKind::Prohibit,
        9 => RouteKind::Throw,
        other => RouteKind::Other(other),
    };
    let route = Route { key, kind, protocol, nexthop, hops, mtu, hop_limit };
    let flag = |flag| message_flags & flag != 0;
    Ok(Some(if !present {
        Event::RouteGone(route)
    } else if flag(NLM_F_MULTI | NLM_F_APPEND) {
        Event::RouteAppended(route)
    } else if flag(NLM_F_REPLACE) || !flag(NLM_F_CREATE) {
        Event::Route(route)
    } else if family == INET6 {
        // Whatever IPv6 lets in stands behind what is there.
        Event::RouteAppended(route)
    } else if flag(NLM_F_EXCL) {
        Event::Route(route)
    } else {
        Event::RoutePrepended(route)
    }))
}

/// What of a next hop's attributes is about its encapsulation.
#[derive(Default)]
struct Encapsulation<'a> {
    kind: Option<u16>,
    payload: Option<&'a [u8]>,
    /// A label takes the destination's place (`RTA_NEWDST`).
    relabelled: bool,
}

impl Encapsulation<'_> {
    fn decode(self) -> Option<Encap> {
        match self.payload {
            _ if self.relabelled => Some(Encap::Other),
            payload => payload.map(|payload| encap::decode(self.kind, payload)),
        }
    }
}

impl Hop {
    fn read<'a>(&mut self, attribute: u16, payload: &'a [u8], encap: &mut Encapsulation<'a>) {
        match attribute {
            RTA_OIF => self.ifindex = u32_(payload).unwrap_or_default(),
            RTA_GATEWAY => self.gateway = ip(payload),
            RTA_VIA => self.gateway = via(payload),
            RTA_ENCAP_TYPE => encap.kind = u16_(payload),
            RTA_ENCAP => encap.payload = Some(payload),
            RTA_NEWDST => encap.relabelled = true,
            _ => {}
        }
    }
}

/// `RTAX_MTU` of `RTA_METRICS`.
pub(super) fn metric_mtu(attributes: Attributes<'_>) -> Option<u32> {
    const RTAX_MTU: u16 = 2;
    metric(attributes, RTAX_MTU)
}

/// `RTAX_HOPLIMIT` of `RTA_METRICS`, where 0 says as much as none at all.
fn metric_hop_limit(attributes: Attributes<'_>) -> Option<u8> {
    const RTAX_HOPLIMIT: u16 = 10;
    let limit = metric(attributes, RTAX_HOPLIMIT).filter(|limit| *limit != 0);
    limit.map(|limit| limit.min(255) as u8)
}

fn metric(mut attributes: Attributes<'_>, wanted: u16) -> Option<u32> {
    attributes.find(|(kind, _)| *kind == wanted).and_then(|(_, payload)| u32_(payload))
}

/// A series of `rtnexthop` (length, flags, weight − 1, ifindex: 8 bytes), each with attributes.
fn decode_multipath(mut rest: &[u8]) -> Vec<Hop> {
    let mut hops = Vec::new();
    while let Some((head, _)) = header::<8>(rest) {
        let length = usize::from(u16_(head).unwrap_or_default());
        let Some(attributes) = rest.get(8..length) else {
            break;
        };
        let mut hop = Hop {
            ifindex: u32_(&head[4..]).unwrap_or_default(),
            gateway: None,
            weight: u16::from(head[3]) + 1,
            encap: None,
            dead: u32::from(head[2]) & RTNH_F_DEAD != 0,
        };
        let mut encap = Encapsulation::default();
        for (attribute, payload) in Attributes(attributes) {
            hop.read(attribute, payload, &mut encap);
        }
        hop.encap = encap.decode();
        hops.push(hop);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    hops
}
