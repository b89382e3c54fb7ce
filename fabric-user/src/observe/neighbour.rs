//! IP neighbours: ARP and ND (`RTM_NEWNEIGH`, `linux/neighbour.h`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    Event, Mac,
    address::ip,
    attributes::{header, mac_bytes, u16_, u32_},
    message::{Decoded, Lacks},
};

/// An IP neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Interface index.
    pub ifindex: u32,
    /// IP address.
    pub address: IpAddr,
    /// MAC address, if the kernel would send to it (`NUD_VALID`, which includes stale ones).
    pub mac: Option<Mac>,
    /// The kernel's own word for the state: `NUD_*` bits.
    pub state: u16,
    /// A control plane wrote it (`extern_learn`).
    pub extern_learn: bool,
    /// It is a router, as it says itself or who wrote it (`NTF_ROUTER`).
    #[serde(default)]
    pub router: bool,
}

impl Neighbour {
    /// The kernel has not heard of it for a while; [`super::Asker::trigger_resolution`] makes
    /// it ask.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.state & NUD_STALE != 0
    }
}

/// `NUD_VALID`: reachable, stale, delay, probe, noarp, permanent.
const NUD_VALID: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80;
const NUD_STALE: u16 = 0x04;
const NUD_FAILED: u16 = 0x20;
const NTF_PROXY: u8 = 1 << 3;
const NTF_EXT_LEARNED: u8 = 1 << 4;
const NTF_ROUTER: u8 = 1 << 7;
pub(super) const NDA_FLAGS_EXT: u16 = 15;

/// What a request to use a neighbour has to repeat of it, or the kernel forgets it
/// (`neigh_update_flags` of net/core/neighbour.c).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Of the `NTF_*` bits in `ndmsg`.
    pub(super) flags: u8,
    /// `NTF_EXT_*`.
    pub(super) extended: u32,
}

/// What a request to use the neighbour of a message has to repeat. None if there is nothing to ask for:
/// the kernel knows where it is, is asking already, or sees to it by itself (`managed`).
pub(super) fn marks_to_use(message: &[u8]) -> Option<Marks> {
    const NTF_EXT_MANAGED: u32 = 1;
    let (head, attributes) = header::<12>(message)?;
    let state = u16_(&head[8..])?;
    let extended = attributes.into_iter().find(|(kind, _)| *kind == NDA_FLAGS_EXT);
    let extended = extended.and_then(|(_, payload)| u32_(payload)).unwrap_or_default();
    let is_idle = state & !(NUD_STALE | NUD_FAILED) == 0;
    (is_idle && extended & NTF_EXT_MANAGED == 0)
        .then_some(Marks { flags: head[10] & NTF_EXT_LEARNED, extended })
}

/// Decodes `ndmsg` (family, pads, ifindex, state, flags, type: 12 bytes) and its attributes.
pub(super) fn decode(present: bool, message: &[u8]) -> Decoded {
    const NDA_DST: u16 = 1;
    const NDA_LLADDR: u16 = 2;

    let (head, attributes) = header::<12>(message).ok_or(Lacks("its header"))?;
    let ifindex =
        u32_(&head[4..]).filter(|index| *index != 0).ok_or(Lacks("an interface index"))?;
    let state = u16_(&head[8..]).unwrap_or_default();
    let flags = head[10];
    if flags & NTF_PROXY != 0 {
        return Ok(None);
    }
    let (mut address, mut mac) = (None, None);
    for (kind, payload) in attributes {
        match kind {
            NDA_DST => address = ip(payload),
            NDA_LLADDR => mac = mac_bytes(payload),
            _ => {}
        }
    }
    let address = address.ok_or(Lacks("an IP address"))?;
    if !present {
        return Ok(Some(Event::NeighbourGone { ifindex, address }));
    }
    Ok(Some(Event::Neighbour(Neighbour {
        ifindex,
        address,
        mac: mac.filter(|_| state & NUD_VALID != 0),
        state,
        extern_learn: flags & NTF_EXT_LEARNED != 0,
        router: flags & NTF_ROUTER != 0,
    })))
}
