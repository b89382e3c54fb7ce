//! Arrives: a packet of a tunnel whose inner frame has a VLAN tag. Leaves: through the local circuit behind which the
//! frame's destination is, or on the journey of what a gateway routes.
//!
//! The tag says the VLAN of the bridge, and so the domain (`__allowed_ingress` of `net/bridge/br_vlan.c`); one with a
//! priority alone belongs where frames without one do. The stages are those of frames without a tag, and of ECN only
//! what changes nothing: the kernel looks for the inner header where the tag is (`vxlan_ecn_decapsulate` with the network
//! header that `vxlan_rcv` has set). Global functions, see [`crate::gateway`]: nobody else pays for it.

use core::hint::cold_path;

use aya_ebpf::{bindings::xdp_md, helpers::bpf_jiffies64};
use fabric_common::{
    reason::Reason,
    schema::{circuits::FLAG_VLAN_DEVICE, vnis},
};

use super::{bridge_deliver::bridge_deliver, inner_guard::inner_guard, inner_source::inner_source};
use crate::{
    access::{access_fit::access_fit, access_output::access_output},
    account,
    ending::{OrStop, reason_of},
    gateway::{self, TUNNELLED4_TAGGED, TUNNELLED6_TAGGED},
    journey::{Destination, Journey},
    maps::{self, limits},
    packet::{
        Packet,
        network::ether_type,
        vxlan::{OUTER4, OUTER6},
    },
    port_input::find_port,
    table,
    transit::path_watch::note_news,
};

/// Length of a tag in bytes.
const TAG: usize = 4;
/// The VLAN ID in a tag's control information.
const VLAN_ID: u16 = 0xfff;
/// Set in the outer ECN bits where these change an inner packet, or drop it: ECT(1) and CE (RFC 3168 §5).
const MARK: u8 = 1;

/// Ends the journey of a frame whose tag starts 12 bytes behind the outer headers, where these and an Ethernet header
/// without a tag are `AT` bytes long.
#[inline(always)]
pub fn inner_tag<const AT: usize>(
    packet: &Packet,
    journey: &mut Journey,
    outer_tos: u8,
) -> Result<Reason, Reason> {
    const OVER_IPV4: usize = OUTER4 + 14;
    cold_path();
    let (context, domain, peer) = (packet.context(), journey.domain_index, journey.peer);
    let end = match AT {
        OVER_IPV4 => delivered4(context, domain, peer, outer_tos.into()),
        _ => delivered6(context, domain, peer, outer_tos.into()),
    };
    journey.cpu = account::cpu();
    let (reason, gateway) = (end as u8, (end >> 8) as u32 & 0xffff);
    if gateway == 0 {
        return match reason {
            number if number == Reason::Decapsulated as u8 => Ok(Reason::Decapsulated),
            number => Err(reason_of(number.into())),
        };
    }
    journey.domain_index = (end >> 32) as u32;
    match AT {
        OVER_IPV4 => gateway::route::<TUNNELLED4_TAGGED>(packet, journey, gateway),
        _ => gateway::route::<TUNNELLED6_TAGGED>(packet, journey, gateway),
    }
}

/// The domain of the frame that starts at `at`, if it has a tag; `key` is that of frames without in the same tunnel.
#[inline(always)]
pub fn domain(packet: &Packet, at: usize, key: u64) -> Option<u32> {
    cold_path();
    match domain_of_tag(packet.context(), at as u32, key) {
        0 => None,
        index => Some(index),
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn domain_of_tag(context: *mut xdp_md, at: u32, key: u64) -> u32 {
    // From the last two bytes of the source address on.
    let Some([word]) = Packet::of(context).load(at as usize + 10) else { return 0 };
    let [_, _, a, b, c, d, ..] = word.to_ne_bytes();
    if u16::from_ne_bytes([a, b]) != ether_type::VLAN {
        return 0;
    }
    let key = vnis::tagged(key, u16::from_be_bytes([c, d]) & VLAN_ID);
    table::find(&maps::VNIS, vnis::BUCKETS - 1, key).map_or(0, |found| found.target)
}

/// Declares [`delivered_at`] for each family of the underlay.
macro_rules! global_functions {
    ($($name:ident: $outer:expr;)+) => {$(
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(context: *mut xdp_md, domain: u32, peer: u32, outer_tos: u32) -> u64 {
            delivered_at::<{ $outer }>(context, domain, peer, outer_tos)
        }
    )+};
}

global_functions! {
    delivered4: OUTER4;
    delivered6: OUTER6;
}

/// What is behind `OUTER` bytes of outer headers, from the VTEP `peer`, to where it belongs. Returns the reason's number;
/// or, from bit 8 on, the slot of the gateway that it is for, and from bit 32 on the domain. Begins anew with what it gets
/// from the context.
#[inline(always)]
fn delivered_at<const OUTER: usize>(
    context: *mut xdp_md,
    domain: u32,
    peer: u32,
    outer_tos: u32,
) -> u64 {
    let mut packet = Packet::of(context);
    let Some(entry) = find_port(packet.ingress_ifindex()) else {
        return Reason::PortInputUnknownPort as u64;
    };
    let mut journey = Journey::new(packet.length_now(), entry);
    journey.outer = OUTER;
    journey.peer = peer;
    journey.domain = maps::DOMAINS.get(domain);
    // SAFETY: the helper only reads the kernel's clock.
    journey.now = unsafe { bpf_jiffies64() };
    journey.fdb_mask = journey.settings.fdb_mask & limits::fdb_mask();
    match deliver::<OUTER>(&mut packet, &mut journey, outer_tos as u8) {
        Ok(0) => Reason::Decapsulated as u64,
        Ok(gateway) => u64::from(journey.domain_index) << 32 | u64::from(gateway) << 8,
        Err(reason) => reason as u64,
    }
}

/// The gateway that routes it, or 0 if it has gone to a host.
#[inline(always)]
fn deliver<const OUTER: usize>(
    packet: &mut Packet,
    journey: &mut Journey,
    outer_tos: u8,
) -> Result<u32, Reason> {
    let (port_be, vni) = (journey.domain.udp_port_be, journey.domain.vni);
    let key = vnis::key(port_be, vni, OUTER == OUTER6);
    journey.domain_index = domain(packet, OUTER, key).or_stop(Reason::InnerGuardTagged)?;
    journey.domain = maps::DOMAINS.get(journey.domain_index);
    journey.tag = TAG;
    journey.tci = u16::from_be(packet.read(OUTER + 14).or_stop(Reason::InnerGuardTruncated)?);
    let frame = inner_guard(packet, journey)?;
    if let Err(reason) = inner_source(journey, &frame) {
        match OUTER {
            OUTER4 => note_news::<TUNNELLED4_TAGGED>(packet),
            _ => note_news::<TUNNELLED6_TAGGED>(packet),
        }
        return Err(reason);
    }
    if outer_tos & MARK != 0 {
        return Err(Reason::EcnDecapTagged);
    }
    let circuit = match bridge_deliver(journey, &frame)? {
        Destination::Local(circuit) => circuit,
        Destination::Gateway(gateway) => return Ok(gateway),
        Destination::Vtep(_) | Destination::Segment(_) => {
            return Err(Reason::SplitHorizonOverlayToOverlay);
        }
    };
    access_fit(journey, circuit, journey.length - (OUTER + TAG) as u32)?;
    if circuit.circuit().flags & FLAG_VLAN_DEVICE != 0 {
        journey.tci &= VLAN_ID;
    }
    access_output(packet, journey, circuit, Reason::Decapsulated)?;
    Ok(0)
}
