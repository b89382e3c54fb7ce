//! Arrives: a packet from the fabric. Leaves: on the journey of what a tunnel of this box brings, or of
//! what is to be routed on.

use fabric_common::reason::Reason;

use super::{underlay_input, vxlan_input};
use crate::{
    checkpoint::{Checkpoint, Stage},
    journey::Journey,
    packet::{Packet, network::ether_type},
};

/// How a packet came.
pub enum Arrival {
    /// By a tunnel over IPv4, with this outer TOS.
    Tunnel4(u8),
    /// By a tunnel over IPv6, with this outer traffic class.
    Tunnel6(u8),
    /// By none, for this reason.
    Other(Reason),
}

#[inline(always)]
pub fn dispatch<C: Checkpoint>(packet: &Packet, journey: &mut Journey) -> Result<Arrival, Reason> {
    let tunnel = if packet.read(12) == Some(ether_type::IPV6) {
        match tunnel6::<C>(packet, journey) {
            Ok(class) => return Ok(Arrival::Tunnel6(class)),
            Err(otherwise) => otherwise,
        }
    } else {
        match tunnel4::<C>(packet, journey) {
            Ok(tos) => return Ok(Arrival::Tunnel4(tos)),
            Err(otherwise) => otherwise,
        }
    };
    match tunnel {
        // For an address of this box, but of nobody's, or damaged.
        Reason::VxlanInputUnknownVtep | Reason::VxlanInputBadChecksum => Err(tunnel),
        otherwise => Ok(Arrival::Other(otherwise)),
    }
}

/// The tunnel over IPv4 that a packet came by: its outer TOS.
#[inline(always)]
fn tunnel4<C: Checkpoint>(packet: &Packet, journey: &mut Journey) -> Result<u8, Reason> {
    let outer = underlay_input::ipv4(packet, journey)?;
    C::after(Stage::UnderlayInput, journey, outer);
    vxlan_input::ipv4(packet, journey, &outer)?;
    Ok(outer.tos)
}

/// The tunnel over IPv6 that a packet came by: its outer traffic class.
#[inline(always)]
fn tunnel6<C: Checkpoint>(packet: &Packet, journey: &mut Journey) -> Result<u8, Reason> {
    let outer = underlay_input::ipv6(packet, journey)?;
    C::after(Stage::UnderlayInput, journey, outer);
    vxlan_input::ipv6(packet, journey, &outer)?;
    Ok(outer.tos)
}

/// Where routing ends only because the packet is the box's own, or is VXLAN for another station, what the
/// tunnel's stages found out.
#[inline(always)]
pub fn what_says_more(routing: Reason, tunnel: Reason) -> Reason {
    match routing {
        Reason::TransitRouteLocal | Reason::TransitInputNotForwarding
            if tunnel != Reason::UnderlayInputNotVxlan =>
        {
            tunnel
        }
        Reason::TransitInputOtherHost if tunnel == Reason::UnderlayInputOtherHost => tunnel,
        reason => reason,
    }
}
