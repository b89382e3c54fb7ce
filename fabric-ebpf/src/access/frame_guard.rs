//! Arrives: a classified frame. Leaves: its addresses and EtherType.
//!
//! Drops frames whose source address no station can have, as the kernel's bridge does
//! (`is_valid_ether_addr` in `net/bridge/br_input.c`). Passes what the kernel floods, answers,
//! learns from or terminates: group destinations, ARP, neighbour discovery, control protocols.

use fabric_common::reason::Reason;

use crate::{
    journey::{Frame, Journey},
    packet::{
        Packet,
        network::{ether_type, ip_protocol},
    },
};

/// The reasons under which one guard reports: those of hosts' frames or of frames in tunnels.
pub struct GuardReasons {
    pub truncated: Reason,
    pub source_multicast: Reason,
    pub source_zero: Reason,
    pub multicast: Reason,
    pub arp: Reason,
    pub neighbour_discovery: Reason,
    pub control_protocol: Reason,
}

const REASONS: GuardReasons = GuardReasons {
    truncated: Reason::PortInputTruncated,
    source_multicast: Reason::FrameGuardSourceMulticast,
    source_zero: Reason::FrameGuardSourceZero,
    multicast: Reason::FrameGuardMulticast,
    arp: Reason::FrameGuardArp,
    neighbour_discovery: Reason::FrameGuardNeighbourDiscovery,
    control_protocol: Reason::FrameGuardControlProtocol,
};

#[inline(always)]
pub fn frame_guard(packet: &Packet, journey: &Journey) -> Result<Frame, Reason> {
    guard(packet, journey.outer, journey.tag, &REASONS)
}

/// Checks the frame that starts at `at` and has a tag of `tag` bytes.
#[inline(always)]
pub fn guard(
    packet: &Packet,
    at: usize,
    tag: usize,
    reasons: &GuardReasons,
) -> Result<Frame, Reason> {
    const ADDRESS: u64 = 0xffff_ffff_ffff;
    let network = at + 14 + tag;
    if !packet.has(network) {
        return Err(reasons.truncated);
    }
    let destination = packet.read::<u64>(at).ok_or(reasons.truncated)? & ADDRESS;
    let source_and_type = packet.read::<u64>(at + 6).ok_or(reasons.truncated)?;
    let source = source_and_type & ADDRESS;
    let ether_type_be = packet.read(network - 2).ok_or(reasons.truncated)?;
    // The first bit on the wire, the lowest of the first byte, marks a group address.
    if source & 1 != 0 {
        return Err(reasons.source_multicast);
    }
    if source == 0 {
        return Err(reasons.source_zero);
    }
    if destination & 1 != 0 {
        return Err(reasons.multicast);
    }
    match ether_type_be {
        ether_type::ARP => return Err(reasons.arp),
        ether_type::LLDP | ether_type::SLOW_PROTOCOLS | ether_type::EAPOL => {
            return Err(reasons.control_protocol);
        }
        ether_type::IPV6 if is_neighbour_discovery(packet, network) => {
            return Err(reasons.neighbour_discovery);
        }
        _ => {}
    }
    Ok(Frame { destination, source, ether_type_be, network })
}

/// ICMPv6 types 133 to 137 (RFC 4861 §4).
#[inline(always)]
fn is_neighbour_discovery(packet: &Packet, network: usize) -> bool {
    packet.read::<u8>(network + 6) == Some(ip_protocol::ICMPV6)
        && matches!(packet.read::<u8>(network + 40), Some(133..=137))
}
