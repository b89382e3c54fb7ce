//! Routing from and to the networks of bridges: where a bridge, or an interface on top of it, has an address
//! (a gateway) and the kernel forwards (integrated routing and bridging, RFC 9135).
//!
//! A gateway is a port of its own in `ports`, by whose view, families and MTU packets are routed. What arrives
//! there is what the FDB has at the gateway's MAC address; what is sent there goes to where the FDB has the
//! MAC address of the next hop: a host, or the router MAC of a VTEP.

mod output;
mod station_lookup;

use aya_ebpf::{bindings::xdp_md, helpers::bpf_jiffies64};
use fabric_common::{reason::Reason, schema::ports::ROLE_GATEWAY};

use self::output::output;
use crate::{
    account,
    ending::reason_of,
    journey::{Journey, NexthopRef},
    maps, nexthop,
    packet::{
        Packet,
        vxlan::{OUTER4, OUTER6},
    },
    port_input::find_port,
    transit::{
        path_watch::path_watch,
        transit_input::{self, Family, NETWORK, transit_input},
        transit_route,
    },
};

/// Whether what is sent to a nexthop goes by a bridge.
#[inline(always)]
pub fn is_behind_bridge(nexthop: NexthopRef) -> bool {
    maps::port(nexthop.port.into()).role == ROLE_GATEWAY
}

/// Routes the packet whose IP header starts at `AT`, as one that has come to the port in slot `router`, on to
/// wherever it goes.
#[inline(always)]
pub fn route<const AT: usize>(
    packet: &Packet,
    journey: &mut Journey,
    router: u32,
) -> Result<Reason, Reason> {
    let tunnel = match journey.peer {
        0 => 0,
        peer => u64::from(peer) << 32 | u64::from(journey.domain_index),
    };
    let context = packet.context();
    let number = match AT {
        NETWORK => routed(context, router, tunnel),
        TAGGED => routed_tagged(context, router, tunnel),
        TUNNELLED4 => routed_tunnelled4(context, router, tunnel),
        TUNNELLED6 => routed_tunnelled6(context, router, tunnel),
        TUNNELLED4_TAGGED => routed_tunnelled4_tagged(context, router, tunnel),
        _ => routed_tunnelled6_tagged(context, router, tunnel),
    };
    journey.cpu = account::cpu();
    if number == Reason::Routed as u32 {
        return Ok(Reason::Routed);
    }
    Err(reason_of(number))
}

/// Length of a VLAN tag in bytes.
const TAG: usize = 4;
/// Where the IP header starts behind a VLAN tag.
const TAGGED: usize = NETWORK + TAG;
/// Where the inner IP header starts in a tunnel over IPv4.
const TUNNELLED4: usize = NETWORK + OUTER4;
/// The same over IPv6.
const TUNNELLED6: usize = NETWORK + OUTER6;
/// The same two of frames that have a tag in their tunnel.
pub const TUNNELLED4_TAGGED: usize = TUNNELLED4 + TAG;
pub const TUNNELLED6_TAGGED: usize = TUNNELLED6 + TAG;

/// Declares [`routed_at`] for each place of the header.
///
/// Global functions (`BTF_FUNC_GLOBAL` of `Documentation/bpf/btf.rst`): the verifier follows each once, for any
/// arguments, and not again for all that the caller may know by then. What bridges alone forward pays nothing
/// for them.
macro_rules! global_functions {
    ($($name:ident: $at:expr;)+) => {$(
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(context: *mut xdp_md, router: u32, tunnel: u64) -> u32 {
            routed_at::<{ $at }>(context, router, tunnel)
        }
    )+};
}

global_functions! {
    routed: NETWORK;
    routed_tagged: TAGGED;
    routed_tunnelled4: TUNNELLED4;
    routed_tunnelled6: TUNNELLED6;
    routed_tunnelled4_tagged: TUNNELLED4_TAGGED;
    routed_tunnelled6_tagged: TUNNELLED6_TAGGED;
}

/// As [`route`], and returns the reason's number. `tunnel` is the domain and, above it, the VTEP that the packet
/// came from, or 0. Begins anew with what it gets from the context.
#[inline(always)]
fn routed_at<const AT: usize>(context: *mut xdp_md, router: u32, tunnel: u64) -> u32 {
    let mut packet = Packet::of(context);
    let length = packet.length();
    let Some(entry) = find_port(packet.ingress_ifindex()) else {
        return Reason::PortInputUnknownPort as u32;
    };
    let mut journey = Journey::new(length, entry);
    journey.router = maps::port(router);
    // SAFETY: the helper only reads the kernel's clock.
    journey.now = unsafe { bpf_jiffies64() };
    match forward::<AT>(&mut packet, &mut journey) {
        Err(reason) => {
            path_watch::<AT>(&packet, reason);
            reason as u32
        }
        Ok(reason) => {
            count_tunnel(&journey, tunnel, length - outer::<AT>() as u32);
            reason as u32
        }
    }
}

#[inline(always)]
fn forward<const AT: usize>(packet: &mut Packet, journey: &mut Journey) -> Result<Reason, Reason> {
    let (header, nexthop) = match transit_input::<AT>(packet, journey, otherwise::<AT>())? {
        Family::Ipv4 => {
            let header = transit_input::ipv4::<AT>(packet, journey)?;
            let way = transit_route::ipv4(journey, header.flow.destination())?;
            let hash = || header.hash::<AT>(packet, journey);
            (header.into(), nexthop::follow(journey, way, hash)?)
        }
        Family::Ipv6 => {
            let header = transit_input::ipv6::<AT>(packet, journey)?;
            let way = transit_route::ipv6(journey, header.flow.destination)?;
            let hash = || header.hash::<AT>(packet, journey);
            (header.into(), nexthop::follow(journey, way, hash)?)
        }
    };
    output::<AT>(packet, journey, header, nexthop)
}

/// Length of the outer headers in front of a frame that came out of a tunnel.
const fn outer<const AT: usize>() -> usize {
    match AT {
        TUNNELLED4_TAGGED | TUNNELLED6_TAGGED => AT - NETWORK - TAG,
        _ => AT - NETWORK,
    }
}

/// Why a packet passes that is for a gateway and not to be routed.
const fn otherwise<const AT: usize>() -> Reason {
    // Behind outer headers.
    if AT > TAGGED { Reason::BridgeDeliverOwnMac } else { Reason::BridgeLookupOwnMac }
}

/// Counts what a tunnel has brought, where one has.
#[inline(always)]
fn count_tunnel(journey: &Journey, tunnel: u64, bytes: u32) {
    if tunnel == 0 {
        return;
    }
    let domain = maps::DOMAIN_TRAFFIC.get(journey.cpu, tunnel as u32);
    let vtep = maps::VTEP_TRAFFIC.get(journey.cpu, (tunnel >> 32) as u32);
    // SAFETY: fields of this CPU's entries.
    unsafe {
        account::add(&raw mut (*domain).decapsulated, bytes);
        account::add(&raw mut (*vtep).decapsulated, bytes);
    }
}
