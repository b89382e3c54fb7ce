//! Beside the journey: notes that a neighbour is alive, by the BFD packets that it sends to the box.
//!
//! Changes nothing of the packet's fate. See [`fabric_common::bfd`].

use aya_ebpf::helpers::bpf_jiffies64;
use fabric_common::{
    bfd::{self, Control, Watch},
    reason::Reason,
};

use crate::{
    journey::Journey,
    maps,
    packet::{
        Packet,
        network::{ether_type, ip_protocol},
    },
};

/// Looks at packets that end here for one of the reasons that BFD packets end here for.
#[inline(always)]
pub fn bfd_watch(packet: &Packet, journey: &Journey, reason: Reason) {
    if is_heard(reason) {
        note(packet, journey);
    }
}

/// The reasons that packets for the box end here for: to an address of the box, to a link-local one, or
/// on a port that does not route. And while nothing is forwarded: when that ends, a neighbour that nobody
/// listened to must not be taken for silent.
#[inline(always)]
pub fn is_heard(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::TransitRouteLocal
            | Reason::TransitInputMartian
            | Reason::TransitInputNotForwarding
            | Reason::UnderlayInputNotVxlan
            | Reason::PortInputBypassed
            | Reason::PortInputHeartbeatExpired
    )
}

#[inline(always)]
fn note(packet: &Packet, journey: &Journey) {
    let Some(control) = control(packet) else { return };
    // The next hops over a bond lead to the bond, whichever member its neighbour is heard at.
    let port = maps::PORTS.masked(journey.entry.as_port.into(), maps::limits::ports_mask());
    // SAFETY: the helper only reads the kernel's clock, which no stage has read while nothing is forwarded.
    let now = unsafe { bpf_jiffies64() };
    // SAFETY: an aligned word of the entry, which only packets from this port or its members write.
    unsafe {
        let watch = &raw mut (*port).bfd;
        watch.write_volatile(
            Watch(watch.read_volatile()).heard(control, now, journey.settings.hz).0,
        );
    }
}

/// What a single-hop BFD packet says.
#[inline(always)]
fn control(packet: &Packet) -> Option<Control> {
    // TTL or hop limit, protocol and UDP header of both families.
    let (ttl, protocol, udp) = match packet.read(12)? {
        ether_type::IPV4 if packet.read::<u8>(14)? == 0x45 => (22, 23, 34),
        ether_type::IPV6 => (21, 20, 54),
        _ => return None,
    };
    if packet.read::<u8>(ttl)? != bfd::TTL || packet.read::<u8>(protocol)? != ip_protocol::UDP {
        return None;
    }
    if u16::from_be(packet.read(udp + 2)?) != bfd::PORT {
        return None;
    }
    Control::parse(packet.read(udp + 8)?, packet.read(udp + 20)?)
}
