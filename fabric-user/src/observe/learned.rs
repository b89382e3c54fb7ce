//! What the kernel has learned by ICMP about the way to an IPv4 address: the exceptions that it shows
//! among the routes (`fnhe_dump_bucket` of `net/ipv4/route.c`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    address::ip,
    attributes::{Attributes, u32_},
};

/// An exception from the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// The address that it is for.
    pub destination: IpAddr,
    /// A path MTU was learned.
    pub mtu: bool,
    /// That is less than the kernel believes in (`net.ipv4.route.min_pmtu`), which therefore counts for
    /// forwarded packets as well.
    pub locked: bool,
    /// Another router (ICMP redirect).
    pub redirected: bool,
}

/// `RTCF_REDIRECTED`.
const REDIRECTED: u32 = 0x4_0000;

impl Learned {
    /// Decodes the flags of `rtmsg` and the attributes behind it; none if that is not about an address.
    pub(super) fn decode(flags: u32, attributes: Attributes<'_>) -> Option<Self> {
        const RTA_DST: u16 = 1;
        const RTA_METRICS: u16 = 8;
        const RTAX_LOCK: u16 = 1;
        const RTAX_MTU: u16 = 2;
        let (mut destination, mut mtu, mut locked) = (None, false, false);
        for (kind, payload) in attributes {
            match kind {
                RTA_DST => destination = ip(payload),
                RTA_METRICS => {
                    for (metric, value) in Attributes(payload) {
                        let value = u32_(value).unwrap_or_default();
                        mtu |= metric == RTAX_MTU && value != 0;
                        locked |= metric == RTAX_LOCK && value & 1 << RTAX_MTU != 0;
                    }
                }
                _ => {}
            }
        }
        let redirected = flags & REDIRECTED != 0;
        destination.map(|destination| Self { destination, mtu, locked, redirected })
    }
}
