//! Tunnels over IPv6.

use fabric_common::{
    halves,
    reason::Reason,
    schema::{
        domains::{FLAG_IPV6, FLAG_LABEL_INHERIT, FLAG_ZERO_CHECKSUM_RX, FLAG_ZERO_CHECKSUM_TX},
        peers, vnis,
    },
};

use super::{Parsed, word};
use crate::{
    packet::{OUTER6, UdpChecksum, Vxlan6, ether_type, protocol, udp_checksum},
    world::{DomainId, Port, World},
};

fn address(packet: &[u8], at: usize) -> [u8; 16] {
    packet[at..at + 16].try_into().expect("16 bytes")
}

/// The domain and VTEP of a VXLAN packet for this box.
pub(super) fn tunnel(world: &World, port: &Port, packet: &[u8]) -> Result<(u32, u32), Reason> {
    let is_udp = packet.len() >= OUTER6
        && word(packet, 12) == Some(ether_type::IPV6)
        && packet[14] >> 4 == 6
        && packet[20] == protocol::UDP;
    let udp_port_be = if is_udp { u16::from_ne_bytes([packet[56], packet[57]]) } else { 0 };
    if udp_port_be == 0 || !world.maps.settings.get(0).vxlan_ports_be.contains(&udp_port_be) {
        return Err(Reason::UnderlayInputNotVxlan);
    }
    if packet[..6] != port.mac {
        return Err(Reason::UnderlayInputOtherHost);
    }
    let lengths = [word(packet, 18), word(packet, 58)].map(|l| usize::from(l.unwrap_or(0)));
    if lengths != [packet.len() - 54; 2] {
        return Err(Reason::UnderlayInputTruncated);
    }
    let vni = u32::from_be_bytes([packet[66], packet[67], packet[68], packet[69]]);
    if packet[62..66] != [8, 0, 0, 0] || vni & 0xff != 0 {
        return Err(Reason::VxlanInputInvalidHeader);
    }
    let domain_index = world.maps.vnis.table().get(vnis::key(udp_port_be, vni >> 8, true));
    let domain_index = domain_index.ok_or(Reason::VxlanInputUnknownVni)?;
    let domain = world.maps.domains.get(domain_index);
    let [source, destination] = [22, 38].map(|at| address(packet, at));
    let local = halves::address(world.maps.domains6.get(domain_index).local);
    let is_any = local.is_unspecified();
    if domain.flags & FLAG_IPV6 == 0 || (local.octets() != destination && !is_any) {
        return Err(Reason::VxlanInputNotLocal);
    }
    // Not by fingerprint, but by all addresses that are in the table.
    let vtep = world.maps.peers.table().iter().find(|(key, index, _)| {
        let vtep = world.maps.vteps.get(*index);
        let is_to = match is_any {
            false => vtep.local() == std::net::IpAddr::from(destination),
            true => {
                let [local, remote] = [destination, source].map(|each| halves::of(each.into()));
                *key == peers::key6(local, remote)
            }
        };
        vtep.is_ipv6() && is_to && vtep.remote() == std::net::IpAddr::from(source)
    });
    let unknown = if is_any { Reason::VxlanInputNotLocal } else { Reason::VxlanInputUnknownVtep };
    let (_, vtep, _) = vtep.ok_or(unknown)?;
    super::may_arrive(world, port, vtep)?;
    let mut udp = packet[54..].to_vec();
    let found = udp[6..8].to_vec();
    udp[6..8].fill(0);
    let right = udp_checksum(source, destination, &udp);
    let valid = match u16::from_be_bytes([found[0], found[1]]) {
        0 => domain.flags & FLAG_ZERO_CHECKSUM_RX != 0,
        found => found == right,
    };
    if !valid {
        return Err(Reason::VxlanInputBadChecksum);
    }
    Ok((domain_index, vtep))
}

/// The outer headers around a frame of a domain towards a VTEP, but for the MAC addresses.
pub(super) fn header(
    world: &World,
    frame: &Parsed<'_>,
    domain_index: DomainId,
    vtep: u32,
    flow: u64,
) -> Vxlan6 {
    let domain = world.maps.domains.get(domain_index.0.into());
    let target = world.maps.vteps.get(vtep);
    let [local, remote] = [target.local6, target.remote6].map(|a| halves::address(a).octets());
    let set = u32::from_be(world.maps.domains6.get(domain_index.0.into()).label_be);
    let label = match (domain.flags & FLAG_LABEL_INHERIT != 0, set) {
        (true, _) if frame.ether_type == ether_type::IPV6 => {
            u32::from_be_bytes([0, frame.payload[1] & 0xf, frame.payload[2], frame.payload[3]])
        }
        (true, _) => 0,
        (false, 0) => fabric_common::flow_hash::label(flow),
        (false, label) => label,
    };
    let checksum = match domain.flags & FLAG_ZERO_CHECKSUM_TX {
        0 => UdpChecksum::Right,
        _ => UdpChecksum::None,
    };
    Vxlan6 { label, checksum, ..Vxlan6::new(local, remote, domain.vni) }
}
