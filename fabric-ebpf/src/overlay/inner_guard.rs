//! Arrives: a packet of a known tunnel. Leaves: the inner frame's addresses.
//!
//! As the access side's frame guard, and: frames with an inner tag pass (RFC 7348 §6.1) unless
//! [`super::inner_tag`] knows their VLAN, everything of a
//! tunnel whose bridge port is locked, and what the kernel takes for a loop
//! (`vxlan_set_mac` in `drivers/net/vxlan/vxlan_core.c`).

use fabric_common::{
    reason::Reason,
    schema::domains::{FLAG_OVERLAY_LOCKED, mac_end},
};

use crate::{
    access::frame_guard::{GuardReasons, guard, guard_source},
    ending::stop,
    journey::{Frame, Journey},
    packet::{Packet, network::ether_type},
};

const REASONS: GuardReasons = GuardReasons {
    truncated: Reason::InnerGuardTruncated,
    source_multicast: Reason::InnerGuardSourceMulticast,
    source_zero: Reason::InnerGuardSourceZero,
    multicast: Reason::InnerGuardMulticast,
    arp: Reason::InnerGuardArp,
    neighbour_discovery: Reason::InnerGuardNeighbourDiscovery,
    control_protocol: Reason::InnerGuardControlProtocol,
};

#[inline(always)]
pub fn inner_guard(packet: &Packet, journey: &Journey) -> Result<Frame, Reason> {
    if journey.domain.flags & FLAG_OVERLAY_LOCKED != 0 {
        return stop(Reason::InnerGuardLocked);
    }
    let frame = guard(packet, journey.outer, journey.tag, &REASONS)?;
    if matches!(frame.ether_type_be, ether_type::VLAN | ether_type::SERVICE_VLAN) {
        return stop(Reason::InnerGuardTagged);
    }
    guard_source(&frame, &REASONS)?;
    if mac_end(frame.source) == journey.domain.vxlan_mac_end {
        return stop(Reason::InnerGuardLoop);
    }
    Ok(frame)
}
