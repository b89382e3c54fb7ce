//! From router to router.

use std::net::IpAddr;

use fabric_common::{
    flow_hash::routed,
    reason::Reason,
    schema::{
        groups::Choice,
        ports::{self, FLAG_ROUTE4, FLAG_ROUTE6},
        routes::{
            KIND_BLACKHOLE, KIND_CONNECTED, KIND_GROUP, KIND_LOCAL, KIND_NEXTHOP, KIND_NONE,
            KIND_UNREACHABLE, KIND_VIEW, split_target,
        },
    },
};

use super::{Forecast, Sent, flow_hash_by, word};
use crate::{
    packet::{ether_type, fix_ipv4_checksum, internet_checksum, protocol},
    world::{Port, World},
};

const NETWORK: usize = 14;

/// What a router does with a packet; `otherwise` is why it is no VXLAN packet for this box.
pub(super) fn from_router(
    world: &World,
    port: &Port,
    packet: &[u8],
    otherwise: Reason,
) -> Result<Forecast, Reason> {
    forward(world, port, packet, otherwise).map_err(|reason| match reason {
        Reason::TransitRouteLocal | Reason::TransitInputNotForwarding
            if otherwise != Reason::UnderlayInputNotVxlan =>
        {
            otherwise
        }
        Reason::TransitInputOtherHost if otherwise == Reason::UnderlayInputOtherHost => otherwise,
        reason => reason,
    })
}

fn forward(
    world: &World,
    port: &Port,
    packet: &[u8],
    otherwise: Reason,
) -> Result<Forecast, Reason> {
    let entry = world.maps.ports.get(port.slot);
    let view = ports::view(entry.mac_and_view);
    if view == 0 || entry.flags & (FLAG_ROUTE4 | FLAG_ROUTE6) == 0 {
        return Err(otherwise);
    }
    let (flag, headers) = match word(packet, 12) {
        Some(ether_type::IPV4) => (FLAG_ROUTE4, 20),
        Some(ether_type::IPV6) => (FLAG_ROUTE6, 40),
        _ => return Err(otherwise),
    };
    if entry.flags & flag == 0 {
        return Err(Reason::TransitInputNotForwarding);
    }
    if packet[..6] != port.mac {
        return Err(Reason::TransitInputOtherHost);
    }
    if packet.len() < NETWORK + headers {
        return Err(Reason::TransitInputBadHeader);
    }
    let ip = &packet[NETWORK..];
    let (length, source, destination) = if headers == 20 { ipv4(ip)? } else { ipv6(ip)? };
    if source.is_ipv4() && world.is_own(source) && local(world, view, source) {
        return Err(Reason::TransitInputMartian);
    }

    let mut target = split_target(world.longest_match(view, destination));
    if let (KIND_VIEW, view) = target {
        target = split_target(world.longest_match(view as u16, destination));
    }
    let (kind, index) = target;
    let nexthop = match kind {
        KIND_GROUP => {
            let flow = flow_hash_by(packet, &world.maps.settings.get(0), true);
            let selection = world.maps.select(index, routed(flow));
            if selection.choice == Choice::Blackhole {
                return Err(Reason::TransitRouteBlackhole);
            }
            selection.nexthop.ok_or(Reason::NexthopSelectEmptyGroup)?
        }
        KIND_NEXTHOP if world.maps.lives(index) => index,
        KIND_NEXTHOP | KIND_CONNECTED => return Err(Reason::TransitRouteUnresolved),
        KIND_NONE => return Err(Reason::TransitRouteNone),
        KIND_LOCAL => return Err(Reason::TransitRouteLocal),
        KIND_BLACKHOLE => return Err(Reason::TransitRouteBlackhole),
        KIND_UNREACHABLE => return Err(Reason::TransitRouteUnreachable),
        _ => return Err(Reason::TransitRouteNotAccelerated),
    };
    let nexthop = world.maps.nexthops.get(nexthop);
    if u32::from(nexthop.port) == port.slot {
        return Err(Reason::TransitOutputSamePort);
    }
    if length > nexthop.mtu as usize {
        return Err(Reason::TransitOutputTooBig);
    }
    let bytes = sent_on(packet, length, nexthop.macs);
    Ok(Forecast {
        reason: Reason::Routed,
        sent: Some(Sent { slot: nexthop.port.into(), bytes, tunnel: None }),
    })
}

fn local(world: &World, view: u16, address: IpAddr) -> bool {
    split_target(world.longest_match(view, address)).0 == KIND_LOCAL
}

/// The packet without padding, between other stations, one hop older.
pub(super) fn sent_on(packet: &[u8], length: usize, macs: [u8; 12]) -> Vec<u8> {
    let mut sent = packet[..NETWORK + length].to_vec();
    sent[..12].copy_from_slice(&macs);
    let ip = &mut sent[NETWORK..];
    if ip[0] >> 4 == 4 {
        ip[8] -= 1;
        fix_ipv4_checksum(ip);
    } else {
        ip[7] -= 1;
    }
    sent
}

/// Length and addresses of an IPv4 packet that may be forwarded.
fn ipv4(ip: &[u8]) -> Result<(usize, IpAddr, IpAddr), Reason> {
    if ip[0] >> 4 != 4 || ip[0] & 0xf < 5 {
        return Err(Reason::TransitInputBadHeader);
    }
    if ip[0] & 0xf > 5 {
        return Err(Reason::TransitInputOptions);
    }
    let length = usize::from(word(ip, 2).unwrap_or(0));
    if length < 20 || length > ip.len() {
        return Err(Reason::TransitInputBadHeader);
    }
    if internet_checksum(&[&ip[..20]]) != 0 {
        return Err(Reason::TransitInputBadChecksum);
    }
    if ip[8] <= 1 {
        return Err(Reason::TransitInputTtl);
    }
    let address = |at: usize| [ip[at], ip[at + 1], ip[at + 2], ip[at + 3]];
    let [source, destination] = [address(12), address(16)];
    for address in [source, destination] {
        let address = std::net::Ipv4Addr::from(address);
        if address.is_multicast()
            || address.is_broadcast()
            || address.is_loopback()
            || address.octets()[0] == 0
        {
            return Err(Reason::TransitInputMartian);
        }
    }
    Ok((length, source.into(), destination.into()))
}

/// Length and addresses of an IPv6 packet that may be forwarded.
fn ipv6(ip: &[u8]) -> Result<(usize, IpAddr, IpAddr), Reason> {
    let length = 40 + usize::from(word(ip, 4).unwrap_or(0));
    if ip[0] >> 4 != 6 || length > ip.len() {
        return Err(Reason::TransitInputBadHeader);
    }
    if ip[6] == 0 {
        return Err(Reason::TransitInputOptions);
    }
    if ip[7] <= 1 {
        return Err(Reason::TransitInputTtl);
    }
    if ip[6] == protocol::ICMPV6 && matches!(ip.get(40), Some(133..=137)) {
        return Err(Reason::TransitInputNeighbourDiscovery);
    }
    let address = |at: usize| <[u8; 16]>::try_from(&ip[at..at + 16]).expect("sixteen bytes");
    let [source, destination] = [address(8), address(24)];
    for address in [source, destination] {
        let address = std::net::Ipv6Addr::from(address);
        // Unspecified, loopback and IPv4-mapped addresses are in ::/64.
        if address.is_multicast()
            || address.is_unicast_link_local()
            || address.segments()[..4] == [0; 4]
        {
            return Err(Reason::TransitInputMartian);
        }
    }
    Ok((length, source.into(), destination.into()))
}
