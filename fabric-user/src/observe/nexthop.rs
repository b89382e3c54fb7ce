//! Nexthop objects (`RTM_NEWNEXTHOP`, `linux/nexthop.h`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    Encap, Event,
    address::ip,
    attributes::{Attributes, USER_HZ, header, u16_, u32_},
    encap,
    message::{Decoded, Lacks},
};

/// A nexthop object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nexthop {
    /// ID.
    pub id: u32,
    /// For FDB entries (a VTEP of an Ethernet segment), not for routes.
    pub fdb: bool,
    /// What it is.
    pub kind: NexthopKind,
}

/// What a nexthop object is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NexthopKind {
    /// One next hop.
    Single {
        /// Interface index to send on, 0 for an FDB nexthop.
        ifindex: u32,
        /// Address of the router; none if the destination is on the link.
        gateway: Option<IpAddr>,
        /// What packets are put into before they are sent there.
        encap: Option<Encap>,
    },
    /// A group.
    Group {
        /// Its members.
        members: Vec<GroupMember>,
        /// Keeps flows where they are when a member goes or comes (`type resilient`).
        resilient: Option<Resilient>,
    },
    /// Discards.
    Blackhole,
}

/// Settings of a resilient group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resilient {
    /// Number of buckets.
    pub buckets: u16,
    /// Time in milliseconds without a packet after which a bucket may move to another member.
    pub idle_ms: u64,
    /// Time in milliseconds out of balance after which buckets move although they are in use; 0
    /// for never.
    pub unbalanced_ms: u64,
}

/// A member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// ID of the nexthop object.
    pub id: u32,
    /// Share of the traffic, from 1.
    pub weight: u16,
}

const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_GROUP_TYPE: u16 = 3;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_ENCAP_TYPE: u16 = 7;
const NHA_ENCAP: u16 = 8;
const NHA_FDB: u16 = 11;
const NHA_RES_GROUP: u16 = 12;
/// `NEXTHOP_GRP_TYPE_RES`
const RESILIENT: u16 = 1;

/// Decodes `nhmsg` (family, scope, protocol, reserved, flags: 8 bytes) and its attributes.
pub(super) fn decode(present: bool, message: &[u8]) -> Decoded {
    let (_, attributes) = header::<8>(message).ok_or(Lacks("its header"))?;
    let (mut id, mut fdb, mut blackhole) = (None, false, false);
    let (mut is_resilient, mut resilient) = (false, Resilient::DEFAULT);
    let (mut members, mut ifindex, mut gateway) = (None, 0, None);
    let (mut encap_type, mut encap) = (None, None);
    for (kind, payload) in attributes {
        match kind {
            NHA_ID => id = u32_(payload).filter(|id| *id != 0),
            NHA_GROUP => members = Some(decode_group(payload)),
            NHA_GROUP_TYPE => is_resilient = u16_(payload) == Some(RESILIENT),
            NHA_RES_GROUP => resilient.read(Attributes(payload)),
            NHA_BLACKHOLE => blackhole = true,
            NHA_OIF => ifindex = u32_(payload).unwrap_or_default(),
            NHA_GATEWAY => gateway = ip(payload),
            NHA_ENCAP_TYPE => encap_type = u16_(payload),
            NHA_ENCAP => encap = Some(payload),
            NHA_FDB => fdb = true,
            _ => {}
        }
    }
    let id = id.ok_or(Lacks("a nexthop ID"))?;
    if !present {
        return Ok(Some(Event::NexthopGone { id }));
    }
    let kind = match members {
        Some(members) => {
            NexthopKind::Group { members, resilient: is_resilient.then_some(resilient) }
        }
        None if blackhole => NexthopKind::Blackhole,
        None => {
            let encap = encap.map(|payload| encap::decode(encap_type, payload));
            NexthopKind::Single { ifindex, gateway, encap }
        }
    };
    Ok(Some(Event::Nexthop(Nexthop { id, fdb, kind })))
}

impl Resilient {
    /// What the kernel takes if nothing is said (`net/ipv4/nexthop.c`).
    const DEFAULT: Self = Self { buckets: 128, idle_ms: 120_000, unbalanced_ms: 0 };

    /// Reads `NHA_RES_GROUP`, whose times are in clock ticks.
    fn read(&mut self, attributes: Attributes<'_>) {
        const NHA_RES_GROUP_BUCKETS: u16 = 1;
        const NHA_RES_GROUP_IDLE_TIMER: u16 = 2;
        const NHA_RES_GROUP_UNBALANCED_TIMER: u16 = 3;
        let ms = |payload| u64::from(u32_(payload).unwrap_or_default()) * (1000 / USER_HZ);
        for (kind, payload) in attributes {
            match kind {
                NHA_RES_GROUP_BUCKETS => self.buckets = u16_(payload).unwrap_or_default(),
                NHA_RES_GROUP_IDLE_TIMER => self.idle_ms = ms(payload),
                NHA_RES_GROUP_UNBALANCED_TIMER => self.unbalanced_ms = ms(payload),
                _ => {}
            }
        }
    }
}

/// A series of `nexthop_grp`: ID, weight − 1, the weight's high byte, reserved: 8 bytes. The high
/// byte is a reserved zero before Linux 6.12.
fn decode_group(payload: &[u8]) -> Vec<GroupMember> {
    payload
        .as_chunks::<8>()
        .0
        .iter()
        .map(|&[a, b, c, d, low, high, ..]| GroupMember {
            id: u32::from_ne_bytes([a, b, c, d]),
            weight: u16::from_be_bytes([high, low]).saturating_add(1),
        })
        .collect()
}
