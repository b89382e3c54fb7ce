//! Beside the journey: notes that an ICMP message came by which the kernel may learn that the way to
//! somewhere carries less, or leads over another router.
//!
//! Changes nothing of the packet's fate. The kernel tells nobody what it learns so, therefore the daemon
//! asks it when it sees the note (`Settings::path_news`).

use fabric_common::reason::Reason;

use super::bfd_watch::is_heard;
use crate::{
    maps,
    packet::{
        Packet,
        network::{ether_type, ip_protocol},
    },
};

/// Destination unreachable, because the packet would have to be fragmented (RFC 792, RFC 1191).
const TOO_BIG_4: u16 = u16::from_ne_bytes([3, 4]);
/// Redirect (RFC 792).
const REDIRECT_4: u8 = 5;
/// Packet too big (RFC 4443 §3.2).
const TOO_BIG_6: u8 = 2;
/// Redirect (RFC 4861 §4.5).
const REDIRECT_6: u8 = 137;

/// Looks at packets, whose IP header starts at `AT`, that end here for a reason that packets for the box end here
/// for.
#[inline(always)]
pub fn path_watch<const AT: usize>(packet: &Packet, reason: Reason) {
    // Redirects are neighbour discovery over IPv6.
    let ends_here = is_heard(reason) || matches!(reason, Reason::TransitInputNeighbourDiscovery);
    if ends_here {
        note_news::<AT>(packet);
    }
}

/// Looks at a packet whatever it ends here for, as one whose frame alone was looked at so far.
#[inline(always)]
pub fn note_news<const AT: usize>(packet: &Packet) {
    if is_news::<AT>(packet) == Some(true) {
        let settings = maps::SETTINGS.get_ptr_mut(0);
        // SAFETY: an aligned word; whoever stores, stores the same. Every packet reads the words beside
        // it, so that it is stored to only once until the daemon has seen it.
        unsafe {
            let news = &raw mut (*settings).path_news;
            if news.read_volatile() == 0 {
                news.write_volatile(1);
            }
        }
    }
}

#[inline(always)]
fn is_news<const AT: usize>(packet: &Packet) -> Option<bool> {
    match packet.read(AT - 2)? {
        ether_type::IPV4 if packet.read::<u8>(AT)? == 0x45 => {
            if packet.read::<u8>(AT + 9)? != ip_protocol::ICMP {
                return None;
            }
            let kind_and_code: u16 = packet.read(AT + 20)?;
            Some(kind_and_code == TOO_BIG_4 || kind_and_code.to_ne_bytes()[0] == REDIRECT_4)
        }
        ether_type::IPV6 => {
            if packet.read::<u8>(AT + 6)? != ip_protocol::ICMPV6 {
                return None;
            }
            let kind: u8 = packet.read(AT + 40)?;
            Some(kind == TOO_BIG_6 || kind == REDIRECT_6)
        }
        _ => None,
    }
}
