//! Whether the kernel forwards what arrives at an interface (`RTM_NEWNETCONF`, `linux/netconf.h`).

use serde::{Deserialize, Serialize};

use super::{
    Event,
    address::{INET, INET6},
    attributes::{header, u32_},
    message::{Decoded, Lacks},
};

/// Settings below `net.ipv4.conf` or `net.ipv6.conf`. Unlike all other messages these name only
/// what changed: what is none is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Netconf {
    /// `net.ipv6.conf`; otherwise `net.ipv4.conf`.
    pub v6: bool,
    /// Interface index; none for `all`.
    pub ifindex: Option<u32>,
    /// `forwarding`
    pub forwarding: Option<bool>,
    /// `rp_filter`, which IPv6 does not have: 1 and 2 make the kernel look at where a packet's
    /// source is.
    pub rp_filter: Option<u8>,
    /// `proxy_arp` or `proxy_ndp`: the kernel may answer for hosts elsewhere.
    #[serde(default)]
    pub proxy: Option<bool>,
}

/// Decodes `netconfmsg` (family: 1 byte, padded to 4) and its attributes.
pub(super) fn decode(present: bool, message: &[u8]) -> Decoded {
    const NETCONFA_IFINDEX: u16 = 1;
    const NETCONFA_FORWARDING: u16 = 2;
    const NETCONFA_RP_FILTER: u16 = 3;
    const NETCONFA_PROXY_NEIGH: u16 = 5;
    /// What new interfaces start with. They say what they have got when they appear.
    const NETCONFA_IFINDEX_DEFAULT: u32 = -2_i32 as u32;
    const NETCONFA_IFINDEX_ALL: u32 = -1_i32 as u32;

    let (head, attributes) = header::<4>(message).ok_or(Lacks("its header"))?;
    let v6 = match head[0] {
        INET => false,
        INET6 => true,
        _ => return Ok(None),
    };
    let (mut interface, mut forwarding, mut rp_filter, mut proxy) = (None, None, None, None);
    for (kind, payload) in attributes {
        match kind {
            NETCONFA_IFINDEX => interface = u32_(payload),
            NETCONFA_FORWARDING => forwarding = u32_(payload).map(|value| value != 0),
            NETCONFA_RP_FILTER => rp_filter = u32_(payload).map(|value| value.min(255) as u8),
            NETCONFA_PROXY_NEIGH => proxy = u32_(payload).map(|value| value != 0),
            _ => {}
        }
    }
    let ifindex = match interface.ok_or(Lacks("an interface index"))? {
        NETCONFA_IFINDEX_DEFAULT | 0 => return Ok(None),
        NETCONFA_IFINDEX_ALL => None,
        ifindex => Some(ifindex),
    };
    Ok(match (present, ifindex) {
        (true, _) => Some(Event::Netconf(Netconf { v6, ifindex, forwarding, rp_filter, proxy })),
        (false, Some(ifindex)) => Some(Event::NetconfGone { v6, ifindex }),
        (false, None) => None,
    })
}
