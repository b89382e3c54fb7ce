//! The way that the kernel itself would send packets of a tunnel: what it has learned by ICMP, and from
//! which address it sends. It tells only who asks (`RTM_GETROUTE` for one destination,
//! `linux/rtnetlink.h`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    address::{INET, ip, via},
    attributes::{Attributes, header, u32_},
    route::metric_mtu,
};

/// What the kernel's way to an address has beyond what the routing tables say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// Path MTU in bytes, set on the route or learned.
    pub mtu: Option<u32>,
    /// It was learned, perhaps of another router (ICMP redirect). Of IPv4 only that is known to be
    /// learned.
    pub learned: bool,
    /// Interface index to send on.
    pub ifindex: u32,
    /// Address of the router; none if the destination is on the link.
    pub gateway: Option<IpAddr>,
}

const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_VIA: u16 = 18;

/// `RTM_F_CLONED`: of IPv6 routes those that were learned. IPv4 says it of every answer.
const RTM_F_CLONED: u32 = 0x200;
/// `RTCF_REDIRECTED` of IPv4.
const RTCF_REDIRECTED: u32 = 0x4_0000;

/// From which address would the kernel send VXLAN packets to a VTEP, if nobody says from which?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceQuestion {
    /// Address of the VTEP.
    pub remote: IpAddr,
    /// UDP destination port, in host order; none if it makes no difference.
    pub port: Option<u16>,
    /// Interface index to send on, where there are several.
    pub over: Option<u32>,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The address.
    pub address: IpAddr,
    /// Interface index to send on.
    pub ifindex: u32,
    /// Address of the router; none if the destination is on the link.
    pub gateway: Option<IpAddr>,
}

impl Path {
    /// Decodes the answer, `rtmsg` and attributes; none if nothing was learned, or set.
    pub(super) fn decode(message: &[u8]) -> Option<Self> {
        let (head, attributes) = header::<12>(message)?;
        let flags = u32_(&head[8..])?;
        let mut path = Self { mtu: None, learned: false, ifindex: 0, gateway: None };
        for (kind, payload) in attributes {
            match kind {
                RTA_OIF => path.ifindex = u32_(payload).unwrap_or_default(),
                RTA_GATEWAY => path.gateway = ip(payload),
                RTA_VIA => path.gateway = via(payload),
                RTA_METRICS => path.mtu = metric_mtu(Attributes(payload)),
                _ => {}
            }
        }
        let learned = if head[0] == INET { RTCF_REDIRECTED } else { RTM_F_CLONED };
        path.learned = flags & learned != 0;
        (path.mtu.is_some() || path.learned).then_some(path)
    }
}

impl Source {
    /// Decodes the answer; none if there is no address.
    pub(super) fn decode(message: &[u8]) -> Option<Self> {
        let (_, attributes) = header::<12>(message)?;
        let (mut address, mut ifindex, mut gateway) = (None, 0, None);
        for (kind, payload) in attributes {
            match kind {
                RTA_OIF => ifindex = u32_(payload).unwrap_or_default(),
                RTA_GATEWAY => gateway = ip(payload),
                RTA_VIA => gateway = via(payload),
                RTA_PREFSRC => address = ip(payload),
                _ => {}
            }
        }
        Some(Self { address: address?, ifindex, gateway })
    }
}
