//! Arrives: a classified frame. Leaves: its addresses and EtherType.
//!
//! Passes what the kernel floods, answers, learns from or terminates: group destinations, ARP,
//! neighbour discovery, control protocols. Drops frames whose source address no station can have, as
//! the kernel's bridge does (`is_valid_ether_addr` in `net/bridge/br_input.c`); those of hosts once
//! [`super::source_check`] has not found them, as the FDB has no such address. Those that pass
//! before that, the bridge drops itself.

use fabric_common::reason::Reason;

use crate::{
    ending::{OrStop, stop},
    journey::{Frame, Journey},
    packet::{
        Packet,
        network::{ether_type, ip_protocol},
        unlikely,
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

/// Whether the source of a host's frame may be learnt, which the FDB does not have.
#[inline(always)]
pub fn unknown_source(frame: &Frame) -> Result<(), Reason> {
    guard_source(frame, &REASONS)
}

/// Checks the source address.
#[inline(always)]
pub fn guard_source(frame: &Frame, reasons: &GuardReasons) -> Result<(), Reason> {
    if is_group(frame.source) {
        return stop(reasons.source_multicast);
    }
    if frame.source << 16 == 0 {
        return stop(reasons.source_zero);
    }
    Ok(())
}

/// The first bit on the wire, the lowest of the first byte, marks a group address.
#[inline(always)]
fn is_group(address: u64) -> bool {
    address & 1 != 0
}

/// Checks all but the source of the frame that starts at `at` and has a tag of `tag` bytes.
#[inline(always)]
pub fn guard(
    packet: &Packet,
    at: usize,
    tag: usize,
    reasons: &GuardReasons,
) -> Result<Frame, Reason> {
    let network = at + 14 + tag;
    if !packet.has(network) {
        return stop(reasons.truncated);
    }
    let destination = packet.read::<u64>(at).or_stop(reasons.truncated)?;
    let source = packet.read::<u64>(at + 6).or_stop(reasons.truncated)?;
    let ether_type_be = packet.read(network - 2).or_stop(reasons.truncated)?;
    if is_group(destination) {
        return stop(reasons.multicast);
    }
    if ether_type_be == ether_type::IPV4 {
        return Ok(Frame { destination, source, ether_type_be, network });
    }
    match unlikely(ether_type_be) {
        ether_type::ARP => return stop(reasons.arp),
        ether_type::LLDP | ether_type::SLOW_PROTOCOLS | ether_type::EAPOL => {
            return stop(reasons.control_protocol);
        }
        ether_type::IPV6 if is_neighbour_discovery(packet, network) => {
            return stop(reasons.neighbour_discovery);
        }
        _ => {}
    }
    Ok(Frame { destination, source, ether_type_be, network })
}

#[inline(always)]
fn is_neighbour_discovery(packet: &Packet, network: usize) -> bool {
    packet.read::<u8>(network + 6) == Some(ip_protocol::ICMPV6)
        && is_discovery_message(packet, network)
}

/// ICMPv6 types 133 to 137 (RFC 4861 §4), behind an IPv6 header without extensions.
#[inline(always)]
pub fn is_discovery_message(packet: &Packet, network: usize) -> bool {
    matches!(packet.read::<u8>(network + 40), Some(133..=137))
}
