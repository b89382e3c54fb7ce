//! The XDP programs of Fabric. Each is a journey: a list of stages, each in a file of its own.
//!
//! What stands between the stages is nothing in these programs, see [`checkpoint`].
//!
//! A stage returns `Err(reason)` when the packet's journey ends there. Nothing in the packet is
//! changed before the last stage that can still hand it to the kernel.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod access;
mod account;
mod block;
mod checkpoint;
mod ending;
mod fdb;
mod gateway;
mod heartbeat;
mod journey;
mod maps;
mod nexthop;
mod optional;
mod overlay;
mod packet;
mod port_input;
mod port_output;
#[cfg(feature = "stages")]
mod stages;
mod table;
mod transit;

use core::hint::cold_path;

use aya_ebpf::{macros::xdp, programs::XdpContext};
use fabric_common::{
    reason::Reason,
    schema::ports::{ROLE_ACCESS, is_routed},
};

use crate::{
    access::{
        access_fit::access_fit,
        access_output::access_output,
        bridge_lookup::bridge_lookup,
        frame_guard::frame_guard,
        neighbour_answer::neighbour_answer,
        nexthop_select::nexthop_select,
        segment_select::segment_select,
        source_check::source_check,
        underlay_output::underlay_output,
        vlan_classify,
        vxlan_output::{self, Bridged},
    },
    checkpoint::{Checkpoint, Open, Stage},
    journey::{CircuitRef, Destination, Journey, NexthopRef},
    overlay::{
        bridge_deliver::bridge_deliver,
        dispatch::{Arrival, dispatch, what_says_more},
        ecn_decap::ecn_decap,
        inner_guard::inner_guard,
        inner_source::inner_source,
        inner_tag::inner_tag,
    },
    packet::{
        Packet,
        vxlan::{OUTER4, OUTER6},
    },
    port_input::{find_port, is_for_port, port_input},
    transit::{
        bfd_watch::bfd_watch,
        path_watch::{note_news, path_watch},
        transit_input::{self, Family, NETWORK, transit_input},
        transit_output, transit_route,
    },
};

/// From a host: to another local port, or into the tunnel to a VTEP.
#[inline(always)]
fn from_host<C: Checkpoint>(packet: &mut Packet, journey: &mut Journey) -> Result<Reason, Reason> {
    port_input(journey, |role| role == ROLE_ACCESS)?;
    C::after(Stage::PortInput, journey, ());
    // The rest is compiled twice, so that the tag's length and with it all offsets are constants.
    match vlan_classify::tag(packet)? {
        None => {
            let circuit = vlan_classify::untagged(journey)?;
            from_circuit::<C, 14>(packet, journey, circuit)
        }
        Some(tci) => {
            let circuit = vlan_classify::tagged(journey, tci)?;
            from_circuit::<C, 18>(packet, journey, circuit)
        }
    }
}

/// From a host, when the circuit is known; the network header starts at `AT`.
#[inline(always)]
fn from_circuit<C: Checkpoint, const AT: usize>(
    packet: &mut Packet,
    journey: &mut Journey,
    circuit: CircuitRef,
) -> Result<Reason, Reason> {
    C::after(Stage::VlanClassify, journey, circuit);
    let frame = match frame_guard(packet, journey) {
        Err(Reason::FrameGuardMulticast) => {
            return Err(neighbour_answer::<AT>(packet, journey, circuit));
        }
        guarded => guarded?,
    };
    C::after(Stage::FrameGuard, journey, (circuit, frame));
    let destination = bridge_lookup(journey, circuit, &frame)?;
    C::after(Stage::BridgeLookup, journey, (circuit, frame, destination));
    if let Err(reason) = source_check(journey, circuit, &frame) {
        if matches!(destination, Destination::Gateway(_)) {
            note_news::<AT>(packet);
        }
        return Err(reason);
    }
    C::after(Stage::SourceCheck, journey, (frame, destination));
    let vtep = match destination {
        Destination::Vtep(vtep) => vtep,
        Destination::Segment(segment) => segment_select(packet, journey, segment, &frame),
        Destination::Local(circuit) => {
            access_fit(journey, circuit, journey.length - journey.tag as u32)?;
            C::after(Stage::AccessFit, journey, circuit);
            access_output(packet, journey, circuit, Reason::Bridged)?;
            C::after(Stage::AccessOutput, journey, ());
            return Ok(Reason::Bridged);
        }
        Destination::Gateway(gateway) => {
            return gateway::route::<AT>(packet, journey, gateway);
        }
    };
    let selection = nexthop_select(packet, journey, vtep, &frame)?;
    C::after(Stage::NexthopSelect, journey, (frame, vtep, selection));
    let inner = Bridged { frame: &frame, length: journey.length, tag: journey.tag };
    // Asked in each family, so that what fits never becomes a result of both that is asked again.
    let length = if vtep.vtep.is_ipv6() {
        match vxlan_output::ipv6(packet, journey, vtep, &selection, &inner) {
            Err(Reason::VxlanOutputTooBig) => {
                return vxlan_output::tagged::<AT>(packet, journey, vtep);
            }
            sent => sent?,
        }
    } else {
        match vxlan_output::ipv4(packet, journey, vtep, &selection, &inner) {
            Err(Reason::VxlanOutputTooBig) => {
                return vxlan_output::tagged::<AT>(packet, journey, vtep);
            }
            sent => sent?,
        }
    };
    C::after(Stage::VxlanOutput, journey, (selection.nexthop, length));
    underlay_output(journey, selection.nexthop, length, Reason::Encapsulated)?;
    C::after(Stage::UnderlayOutput, journey, ());
    Ok(Reason::Encapsulated)
}

/// From the fabric: out of the tunnel to a local port, or from router to router; and whatever its fate is,
/// BFD packets are noted, and ICMP messages that change the kernel's ways.
#[inline(always)]
fn from_fabric<C: Checkpoint>(
    packet: &mut Packet,
    journey: &mut Journey,
) -> Result<Reason, Reason> {
    let arrived = match port_input(journey, is_routed) {
        Ok(()) => from_outside::<C>(packet, journey),
        Err(reason) => Err(reason),
    };
    if let Err(reason) = arrived {
        bfd_watch(packet, journey, reason);
        path_watch::<NETWORK>(packet, reason);
    }
    arrived
}

/// From the fabric, on a port that is in use.
#[inline(always)]
fn from_outside<C: Checkpoint>(
    packet: &mut Packet,
    journey: &mut Journey,
) -> Result<Reason, Reason> {
    C::after(Stage::PortInput, journey, ());
    // The way out of the tunnel is compiled for each family, so that all offsets are constants.
    match dispatch::<C>(packet, journey)? {
        Arrival::Tunnel4(tos) => from_tunnel::<C, { OUTER4 + 14 }>(packet, journey, tos),
        Arrival::Tunnel6(class) => from_tunnel::<C, { OUTER6 + 14 }>(packet, journey, class),
        Arrival::Other(otherwise) => {
            C::after(Stage::Dispatch, journey, otherwise);
            from_router::<C>(packet, journey, otherwise)
                .map_err(|reason| what_says_more(reason, otherwise))
        }
    }
}

/// From the fabric, inside a tunnel that ends here; the inner network header starts at `AT`.
#[inline(always)]
fn from_tunnel<C: Checkpoint, const AT: usize>(
    packet: &mut Packet,
    journey: &mut Journey,
    outer_tos: u8,
) -> Result<Reason, Reason> {
    C::after(Stage::VxlanInput, journey, outer_tos);
    let frame = match inner_guard(packet, journey) {
        Err(Reason::InnerGuardTagged) => return inner_tag::<AT>(packet, journey, outer_tos),
        guarded => guarded?,
    };
    C::after(Stage::InnerGuard, journey, (outer_tos, frame));
    if let Err(reason) = inner_source(journey, &frame) {
        // Where it goes is not known yet; the daemon only asks once more.
        note_news::<AT>(packet);
        return Err(reason);
    }
    C::after(Stage::InnerSource, journey, (outer_tos, frame));
    let ecn = ecn_decap(packet, outer_tos, &frame)?;
    C::after(Stage::EcnDecap, journey, (frame, ecn.change()));
    let circuit = match bridge_deliver(journey, &frame)? {
        Destination::Local(circuit) => circuit,
        Destination::Gateway(gateway) => {
            ecn.apply(packet)?;
            let routed = gateway::route::<AT>(packet, journey, gateway);
            if routed.is_err() {
                ecn.take_back(packet);
            }
            return routed;
        }
        Destination::Vtep(_) | Destination::Segment(_) => {
            return Err(Reason::SplitHorizonOverlayToOverlay);
        }
    };
    C::after(Stage::BridgeDeliver, journey, (circuit, ecn.change()));
    access_fit(journey, circuit, journey.length - journey.outer as u32)?;
    C::after(Stage::AccessFit, journey, (circuit, ecn.change()));
    ecn.apply(packet)?;
    access_output(packet, journey, circuit, Reason::Decapsulated)?;
    C::after(Stage::AccessOutput, journey, ());
    Ok(Reason::Decapsulated)
}

/// From the fabric, to be routed on.
#[inline(always)]
fn from_router<C: Checkpoint>(
    packet: &mut Packet,
    journey: &mut Journey,
    otherwise: Reason,
) -> Result<Reason, Reason> {
    let family = transit_input::<NETWORK>(packet, journey, otherwise)?;
    if !is_for_port(packet, journey) {
        return Err(Reason::TransitInputOtherHost);
    }
    match family {
        Family::Ipv4 => route4::<C>(packet, journey),
        Family::Ipv6 => route6::<C>(packet, journey),
    }
}

/// An IPv4 packet, to be routed on.
#[inline(always)]
fn route4<C: Checkpoint>(packet: &mut Packet, journey: &mut Journey) -> Result<Reason, Reason> {
    let header = transit_input::ipv4::<NETWORK>(packet, journey)?;
    C::after(Stage::TransitInput, journey, header);
    let way = transit_route::ipv4(journey, header.flow.destination())?;
    C::after(Stage::TransitRoute, journey, (header, way));
    let nexthop = nexthop::follow(journey, way, || header.hash::<NETWORK>(packet, journey))?;
    C::after(Stage::Nexthop, journey, (header, nexthop));
    if gateway::is_behind_bridge(nexthop) {
        return to_bridge(packet, journey);
    }
    let length = transit_output::ipv4(packet, journey, &header, nexthop)?;
    to_router::<C>(journey, nexthop, length)
}

/// An IPv6 packet, to be routed on.
#[inline(always)]
fn route6<C: Checkpoint>(packet: &mut Packet, journey: &mut Journey) -> Result<Reason, Reason> {
    let header = transit_input::ipv6::<NETWORK>(packet, journey)?;
    C::after(Stage::TransitInput, journey, header);
    let way = transit_route::ipv6(journey, header.flow.destination)?;
    C::after(Stage::TransitRoute, journey, (header, way));
    let nexthop = nexthop::follow(journey, way, || header.hash::<NETWORK>(packet, journey))?;
    C::after(Stage::Nexthop, journey, (header, nexthop));
    if gateway::is_behind_bridge(nexthop) {
        return to_bridge(packet, journey);
    }
    let length = transit_output::ipv6(packet, journey, &header, nexthop)?;
    to_router::<C>(journey, nexthop, length)
}

/// To a host or router on a routed port.
#[inline(always)]
fn to_router<C: Checkpoint>(
    journey: &mut Journey,
    nexthop: NexthopRef,
    length: u32,
) -> Result<Reason, Reason> {
    C::after(Stage::TransitOutput, journey, (nexthop, length));
    journey.cpu = account::cpu();
    underlay_output(journey, nexthop, length, Reason::Routed)?;
    C::after(Stage::UnderlayOutput, journey, ());
    Ok(Reason::Routed)
}

/// To a host of a bridge, or by its tunnel to a router: the route is looked up once more there, so that
/// nobody else keeps for it what is known by now.
#[inline(always)]
fn to_bridge(packet: &Packet, journey: &mut Journey) -> Result<Reason, Reason> {
    cold_path();
    // Of a tunnel that the packet was not taken out of.
    journey.peer = 0;
    let port = journey.entry.as_port.into();
    gateway::route::<NETWORK>(packet, journey, port)
}

/// For ports with hosts of bridges behind them.
#[xdp]
pub fn fabric_access(context: XdpContext) -> u32 {
    run::<Open>(context, from_host::<Open>)
}

/// For routed ports, the underlay's among them.
#[xdp]
pub fn fabric_routed(context: XdpContext) -> u32 {
    run::<Open>(context, from_fabric::<Open>)
}

#[inline(always)]
fn run<C: Checkpoint>(
    context: XdpContext,
    journey: fn(&mut Packet, &mut Journey) -> Result<Reason, Reason>,
) -> u32 {
    let mut packet = Packet::new(&context);
    let length = packet.length();
    let Some(port) = find_port(packet.ingress_ifindex()) else {
        cold_path();
        return account::unknown_port(length);
    };
    let mut state = Journey::new(length, port);
    match journey(&mut packet, &mut state) {
        Ok(reason) => {
            let action = account::redirected(&context, &state, reason);
            C::after(Stage::Verdict, &state, (reason, action));
            action
        }
        Err(reason) => account::verdict(&context, &state, reason),
    }
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
