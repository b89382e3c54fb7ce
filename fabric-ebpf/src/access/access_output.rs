//! Arrives: a frame for a local circuit, from a host or behind outer headers. Leaves: through the
//! circuit's port, with the tag that it has there.

use fabric_common::reason::Reason;

use crate::{
    account,
    ending::OrStop,
    journey::{CircuitRef, Journey},
    maps,
    packet::{Packet, network::ether_type},
    port_output::port_output,
};

#[inline(always)]
pub fn access_output(
    packet: &mut Packet,
    journey: &mut Journey,
    to: CircuitRef,
    reason: Reason,
) -> Result<Reason, Reason> {
    let circuit = to.circuit();
    let length = retag(packet, journey, circuit.vlan)?;
    journey.cpu = account::cpu();
    let port = u32::from(circuit.port);
    port_output(journey, port, length).or_stop(Reason::AccessOutputNoPort)?;
    if reason as u8 == Reason::Decapsulated as u8 {
        let bytes = journey.length - journey.outer as u32;
        let domain = maps::DOMAIN_TRAFFIC.get(journey.cpu, journey.domain_index);
        let vtep = maps::VTEP_TRAFFIC.get(journey.cpu, journey.peer);
        // SAFETY: fields of this CPU's entries.
        unsafe {
            account::add(&raw mut (*domain).decapsulated, bytes);
            account::add(&raw mut (*vtep).decapsulated, bytes);
        }
    }
    Ok(reason)
}

/// Cuts the outer headers and gives the frame the tag `vlan`, or none for 0; returns its length then.
#[inline(always)]
fn retag(packet: &mut Packet, journey: &Journey, vlan: u16) -> Result<u32, Reason> {
    let new_tag = if vlan == 0 { 0 } else { 4 };
    let delta = (journey.outer + journey.tag) as i32 - new_tag;
    let length = journey.length.wrapping_add_signed(-delta);
    // A VLAN-aware bridge keeps the priority of a tag; a VLAN device makes a new one.
    let tci = if journey.tag != 0 && journey.domain.vlan != 0 {
        journey.tci & 0xf000 | vlan
    } else {
        vlan
    };
    let tag = u32::from(ether_type::VLAN.to_be()) << 16 | u32::from(tci);
    if journey.tag == new_tag as usize && journey.outer == 0 {
        if new_tag == 0 {
            return Ok(length);
        }
        packet.write(12, tag.to_be()).or_stop(Reason::PortInputTruncated)?;
        return Ok(length);
    }
    if journey.tag == new_tag as usize {
        packet.move_start(delta).or_stop(Reason::AccessOutputNoHeadroom)?;
        if new_tag != 0 {
            packet.write(12, tag.to_be()).or_stop(Reason::OutputTruncated)?;
        }
        return Ok(length);
    }
    // Both addresses, in two words: an array would be copied byte by byte.
    let first: u64 = packet.read(journey.outer).or_stop(Reason::PortInputTruncated)?;
    let last: u32 = packet.read(journey.outer + 8).or_stop(Reason::PortInputTruncated)?;
    packet.move_start(delta).or_stop(Reason::AccessOutputNoHeadroom)?;
    packet.write(0, first).or_stop(Reason::OutputTruncated)?;
    packet.write(8, last).or_stop(Reason::OutputTruncated)?;
    if new_tag != 0 {
        packet.write(12, tag.to_be()).or_stop(Reason::OutputTruncated)?;
    }
    Ok(length)
}
