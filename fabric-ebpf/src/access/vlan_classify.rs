//! Arrives: a frame from a host, tagged or not. Leaves: its circuit and bridge domain.
//!
//! Passes frames of VLANs that are not accelerated on this port, priority-tagged ones (VLAN 0) and
//! everything with more than one tag. Rules: IEEE 802.1Q §6.9.

use fabric_common::reason::Reason;

use crate::{
    journey::{CircuitRef, Journey},
    maps,
    packet::{Packet, network::ether_type},
};

#[inline(always)]
pub fn vlan_classify(packet: &Packet, journey: &mut Journey) -> Result<CircuitRef, Reason> {
    let outer_type: u16 = packet.read(12).ok_or(Reason::PortInputTruncated)?;
    let index = match outer_type {
        ether_type::VLAN => tagged(packet, journey)?,
        ether_type::SERVICE_VLAN => return Err(Reason::VlanClassifyStackedTag),
        _ => journey.entry.untagged_circuit,
    };
    if index == 0 {
        return Err(Reason::VlanClassifyNotMember);
    }
    let index = u32::from(index);
    let circuit = maps::CIRCUITS.get(index).ok_or(Reason::VlanClassifyNotMember)?;
    journey.domain_index = u32::from(circuit.domain);
    journey.domain =
        maps::DOMAINS.get(journey.domain_index).ok_or(Reason::VlanClassifyNotMember)?;
    Ok(CircuitRef { index, circuit })
}

#[inline(always)]
fn tagged(packet: &Packet, journey: &mut Journey) -> Result<u16, Reason> {
    let tci: u16 = packet.read(14).ok_or(Reason::PortInputTruncated)?;
    let inner_type: u16 = packet.read(16).ok_or(Reason::PortInputTruncated)?;
    if matches!(inner_type, ether_type::VLAN | ether_type::SERVICE_VLAN) {
        return Err(Reason::VlanClassifyStackedTag);
    }
    journey.tag = 4;
    journey.tci = u16::from_be(tci);
    let vlans = maps::VLANS.get(journey.port).ok_or(Reason::VlanClassifyNotMember)?;
    Ok(vlans.circuits[usize::from(journey.tci & 0xfff)])
}
