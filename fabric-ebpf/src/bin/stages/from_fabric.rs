//! The journeys of `fabric_routed`, stage by stage.

use fabric_common::{reason::Reason, schema::ports::is_routed};

use crate::{
    access::{
        access_fit::access_fit, access_output::access_output, underlay_output::underlay_output,
    },
    journey::{Journey, NexthopRef, Way},
    nexthop,
    overlay::{
        bridge_deliver::bridge_deliver, ecn_decap::ecn_decap, inner_guard::inner_guard,
        underlay_input, vxlan_input,
    },
    packet::{Packet, network::ether_type},
    port_input::port_input,
    stop::{Made, Stop, address, after, circuit, frame, stage},
    transit::{
        bfd_watch::bfd_watch,
        path_watch::path_watch,
        transit_input::{self, Family, transit_input},
        transit_output, transit_route,
    },
};

/// From the fabric: out of the tunnel to a local port, or from router to router.
#[inline(always)]
pub fn from_fabric<const UP_TO: u8>(
    packet: &mut Packet,
    journey: &mut Journey,
) -> Result<Reason, Stop> {
    port_input(journey, is_routed)?;
    after::<UP_TO>(stage::PORT_INPUT, journey, || [0; 5])?;
    let tunnel = if packet.read(12) == Some(ether_type::IPV6) {
        match tunnel6::<UP_TO>(packet, journey) {
            Ok(class) => return from_tunnel::<UP_TO>(packet, journey, class),
            Err(Stop::Reason(otherwise)) => otherwise,
            here => return here.map(|_| Reason::Decapsulated),
        }
    } else {
        match tunnel4::<UP_TO>(packet, journey) {
            Ok(tos) => return from_tunnel::<UP_TO>(packet, journey, tos),
            Err(Stop::Reason(otherwise)) => otherwise,
            here => return here.map(|_| Reason::Decapsulated),
        }
    };
    after::<UP_TO>(stage::NO_TUNNEL, journey, || [tunnel as u64, 0, 0, 0, 0])?;
    match tunnel {
        Reason::VxlanInputUnknownVtep | Reason::VxlanInputBadChecksum => Err(tunnel.into()),
        otherwise => {
            let routed = from_router::<UP_TO>(packet, journey, otherwise);
            if let Err(Stop::Reason(reason)) = routed {
                bfd_watch(packet, journey, reason);
                path_watch(packet, reason);
            }
            routed.map_err(|stop| match stop {
                Stop::Reason(Reason::TransitRouteLocal | Reason::TransitInputNotForwarding)
                    if otherwise != Reason::UnderlayInputNotVxlan =>
                {
                    otherwise.into()
                }
                stop => stop,
            })
        }
    }
}

#[inline(always)]
fn tunnel4<const UP_TO: u8>(packet: &Packet, journey: &mut Journey) -> Result<u8, Stop> {
    let outer = underlay_input::ipv4(packet, journey)?;
    after::<UP_TO>(stage::UNDERLAY_INPUT, journey, || {
        let rest = u64::from(outer.udp_port_be) | u64::from(outer.tos) << 16;
        [outer.source_be.into(), outer.destination_be.into(), rest, 0, 0]
    })?;
    vxlan_input::ipv4(packet, journey, &outer)?;
    after::<UP_TO>(stage::VXLAN_INPUT, journey, || [outer.tos.into(), 0, 0, 0, 0])?;
    Ok(outer.tos)
}

#[inline(always)]
fn tunnel6<const UP_TO: u8>(packet: &Packet, journey: &mut Journey) -> Result<u8, Stop> {
    let outer = underlay_input::ipv6(packet, journey)?;
    after::<UP_TO>(stage::UNDERLAY_INPUT, journey, || {
        let ([a, b], [c, d]) = (outer.source, outer.destination);
        let rest = u64::from(outer.udp_port_be) | u64::from(outer.tos) << 16;
        [a, b, c, d, rest | u64::from(outer.checksum) << 32]
    })?;
    vxlan_input::ipv6(packet, journey, &outer)?;
    after::<UP_TO>(stage::VXLAN_INPUT, journey, || [outer.tos.into(), 0, 0, 0, 0])?;
    Ok(outer.tos)
}

#[inline(always)]
fn from_tunnel<const UP_TO: u8>(
    packet: &mut Packet,
    journey: &mut Journey,
    outer_tos: u8,
) -> Result<Reason, Stop> {
    let inner = inner_guard(packet, journey)?;
    after::<UP_TO>(stage::INNER_GUARD, journey, || {
        let [destination, source, rest] = frame(&inner);
        [destination, source, rest, outer_tos.into(), 0]
    })?;
    let ecn = ecn_decap(packet, outer_tos, &inner)?;
    after::<UP_TO>(stage::ECN_DECAP, journey, || {
        [inner.destination, u64::from(ecn.old ^ ecn.new), inner.ether_type_be.into(), 0, 0]
    })?;
    let to = bridge_deliver(journey, &inner)?;
    let made = || {
        let [index, entry] = circuit(to);
        [index, entry, u64::from(ecn.old ^ ecn.new), inner.ether_type_be.into(), 0]
    };
    after::<UP_TO>(stage::BRIDGE_DELIVER, journey, made)?;
    access_fit(journey, to)?;
    after::<UP_TO>(stage::ACCESS_FIT, journey, made)?;
    ecn.apply(packet)?;
    let reason = access_output(packet, journey, to, Reason::Decapsulated)?;
    after::<UP_TO>(stage::ACCESS_OUTPUT, journey, || [reason as u64, 0, 0, 0, 0])?;
    Ok(reason)
}

#[inline(always)]
fn from_router<const UP_TO: u8>(
    packet: &mut Packet,
    journey: &Journey,
    otherwise: Reason,
) -> Result<Reason, Stop> {
    let (nexthop, length) = match transit_input(packet, journey, otherwise)? {
        Family::Ipv4 => route4::<UP_TO>(packet, journey)?,
        Family::Ipv6 => route6::<UP_TO>(packet, journey)?,
    };
    after::<UP_TO>(stage::TRANSIT_OUTPUT, journey, || [address(nexthop), 0, 0, 0, 0])?;
    let reason = underlay_output(journey, nexthop, length, Reason::Routed)?;
    after::<UP_TO>(stage::UNDERLAY_OUTPUT, journey, || [reason as u64, 0, 0, 0, 0])?;
    Ok(reason)
}

#[inline(always)]
fn route4<const UP_TO: u8>(
    packet: &mut Packet,
    journey: &Journey,
) -> Result<(NexthopRef, u32), Stop> {
    let header = transit_input::ipv4(packet, journey)?;
    let made = |first: u64| {
        let flow = &header.flow;
        let addresses = flow.addresses;
        let rest = u64::from(flow.protocol) | flow.odd << 8;
        [first, addresses, header.ttl_and_checksum.into(), header.length.into(), rest]
    };
    after::<UP_TO>(stage::TRANSIT_INPUT, journey, || made(0))?;
    let to = transit_route::ipv4(journey, header.flow.destination())?;
    after::<UP_TO>(stage::TRANSIT_ROUTE, journey, || made(way(to)))?;
    let nexthop = nexthop::follow(journey, to, || header.hash(packet, journey))?;
    after::<UP_TO>(stage::NEXTHOP, journey, || made(address(nexthop)))?;
    let length = transit_output::ipv4(packet, journey, &header, nexthop)?;
    Ok((nexthop, length))
}

#[inline(always)]
fn route6<const UP_TO: u8>(
    packet: &mut Packet,
    journey: &Journey,
) -> Result<(NexthopRef, u32), Stop> {
    let header = transit_input::ipv6(packet, journey)?;
    let made = |first: u64| -> Made {
        let ([a, b], [c, d]) = (header.flow.source, header.flow.destination);
        // Four words of addresses leave one for the rest; folding them costs what they may.
        let rest = u64::from(header.flow.next_header) | u64::from(header.hop_limit) << 8;
        [first, a ^ c, b ^ d, header.length.into(), rest]
    };
    after::<UP_TO>(stage::TRANSIT_INPUT, journey, || made(0))?;
    let to = transit_route::ipv6(journey, header.flow.destination)?;
    after::<UP_TO>(stage::TRANSIT_ROUTE, journey, || made(way(to)))?;
    let nexthop = nexthop::follow(journey, to, || header.hash(packet, journey))?;
    after::<UP_TO>(stage::NEXTHOP, journey, || made(address(nexthop)))?;
    let length = transit_output::ipv6(packet, journey, &header, nexthop)?;
    Ok((nexthop, length))
}

#[inline(always)]
fn way(of: Way) -> u64 {
    match of {
        Way::Group(index) => index.into(),
        Way::Neighbour(index) => u64::from(index) | 1 << 32,
    }
}
