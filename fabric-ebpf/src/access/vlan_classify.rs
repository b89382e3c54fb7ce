//! Arrives: a frame from a host, tagged or not. Leaves: its circuit and bridge domain.
//!
//! Passes frames of VLANs that are not accelerated on this port, priority-tagged ones (VLAN 0) and
//! everything with more than one tag. Rules: IEEE 802.1Q §6.9.

use fabric_common::{
    reason::Reason,
    schema::{circuits::Circuit, domains},
};

use crate::{
    ending::{OrStop, stop},
    journey::{CircuitRef, Journey},
    maps,
    packet::{Packet, network::ether_type, unlikely},
};

/// The control information of the frame's only tag (PCP, DEI, VLAN ID) in host byte order.
#[inline(always)]
pub fn tag(packet: &Packet) -> Result<Option<u16>, Reason> {
    let ether_type_be: u16 = packet.read(12).or_stop(Reason::PortInputTruncated)?;
    if ether_type_be == ether_type::IPV4 {
        return Ok(None);
    }
    match unlikely(ether_type_be) {
        ether_type::VLAN => {}
        ether_type::SERVICE_VLAN => return stop(Reason::VlanClassifyStackedTag),
        _ => return Ok(None),
    }
    let tci: u16 = packet.read(14).or_stop(Reason::PortInputTruncated)?;
    match packet.read(16).or_stop(Reason::PortInputTruncated)? {
        ether_type::VLAN | ether_type::SERVICE_VLAN => Err(Reason::VlanClassifyStackedTag),
        _ => Ok(Some(u16::from_be(tci))),
    }
}

/// Where frames without a tag belong.
#[inline(always)]
pub fn untagged(journey: &mut Journey) -> Result<CircuitRef, Reason> {
    journey.tag = 0;
    let port = journey.entry;
    classify(journey, port.untagged_circuit, |_| port.untagged_domain)
}

/// Where frames with this tag belong.
#[inline(always)]
pub fn tagged(journey: &mut Journey, tci: u16) -> Result<CircuitRef, Reason> {
    journey.tag = 4;
    journey.tci = tci;
    let index = u32::from(journey.entry.vlans);
    // SAFETY: inside the map's value; the daemon changes aligned words.
    let vlans = unsafe { &*maps::VLANS.masked(index, maps::limits::vlans_mask()) };
    classify(journey, vlans.circuits[usize::from(tci & 0xfff)], |circuit| circuit.domain)
}

#[inline(always)]
fn classify(
    journey: &mut Journey,
    index: u16,
    domain: impl FnOnce(&Circuit) -> u16,
) -> Result<CircuitRef, Reason> {
    if index == 0 {
        return stop(Reason::VlanClassifyNotMember);
    }
    let index = u32::from(index);
    let circuit = CircuitRef { index };
    journey.domain_index = u32::from(domain(circuit.circuit())) % domains::MAX;
    journey.domain = maps::DOMAINS.get(journey.domain_index);
    Ok(circuit)
}
