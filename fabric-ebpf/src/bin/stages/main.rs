//! The packet path's journeys, ended after each of their stages: for `cargo xtask bench stages`.
//!
//! The stages are those of the programs that fabric-xdpd loads, included as they are. What the
//! journeys make of them is written down here once more, with an end behind every stage; the
//! benchmark compares the whole ones with fabric-xdpd's programs, byte by byte.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

#[path = "../../access/mod.rs"]
mod access;
#[path = "../../account.rs"]
mod account;
#[path = "../../block.rs"]
mod block;
#[path = "../../ending.rs"]
mod ending;
#[path = "../../../../benches/src/flow.rs"]
#[expect(dead_code, reason = "captures are for benchmarks with a sink")]
mod flow;
mod from_fabric;
mod from_host;
#[path = "../../journey.rs"]
mod journey;
#[path = "../../maps.rs"]
mod maps;
#[path = "../../nexthop.rs"]
mod nexthop;
mod offer;
#[path = "../../optional.rs"]
mod optional;
#[path = "../../overlay/mod.rs"]
mod overlay;
#[path = "../../packet/mod.rs"]
mod packet;
#[path = "../../port_input.rs"]
mod port_input;
#[path = "../../port_output.rs"]
mod port_output;
#[path = "../../../../benches/src/ring.rs"]
mod ring;
#[path = "../../../../benches/src/routed.rs"]
#[expect(dead_code, reason = "only user space makes frames of their own")]
mod routed;
mod stop;
#[path = "../../table.rs"]
mod table;
#[path = "../../transit/mod.rs"]
mod transit;
#[path = "../../../../benches/src/tunnel.rs"]
mod tunnel;

use core::arch::asm;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use fabric_common::reason::Reason;

use crate::{
    from_fabric::from_fabric,
    from_host::from_host,
    journey::Journey,
    packet::Packet,
    port_input::find_port,
    stop::{Stop, leave, stage},
};

/// Programs, each a journey up to a stage.
macro_rules! journeys {
    ($($program:ident: $journey:ident up to $last:ident;)*) => {$(
        #[xdp]
        pub fn $program(context: XdpContext) -> u32 {
            run(&context, $journey::<{ stage::$last }>)
        }
    )*};
}

journeys! {
    access_port_input: from_host up to PORT_INPUT;
    access_vlan_classify: from_host up to VLAN_CLASSIFY;
    access_frame_guard: from_host up to FRAME_GUARD;
    access_bridge_lookup: from_host up to BRIDGE_LOOKUP;
    access_source_check: from_host up to SOURCE_CHECK;
    encap_nexthop_select: from_host up to NEXTHOP_SELECT;
    encap_vxlan_output: from_host up to VXLAN_OUTPUT;
    encap_underlay_output: from_host up to UNDERLAY_OUTPUT;
    bridge_access_fit: from_host up to ACCESS_FIT;
    bridge_access_output: from_host up to ACCESS_OUTPUT;
    access_verdict: from_host up to VERDICT;

    routed_port_input: from_fabric up to PORT_INPUT;
    decap_underlay_input: from_fabric up to UNDERLAY_INPUT;
    decap_vxlan_input: from_fabric up to VXLAN_INPUT;
    decap_inner_guard: from_fabric up to INNER_GUARD;
    decap_ecn_decap: from_fabric up to ECN_DECAP;
    decap_bridge_deliver: from_fabric up to BRIDGE_DELIVER;
    decap_access_fit: from_fabric up to ACCESS_FIT;
    decap_access_output: from_fabric up to ACCESS_OUTPUT;
    transit_underlay_input: from_fabric up to NO_TUNNEL;
    transit_transit_input: from_fabric up to TRANSIT_INPUT;
    transit_transit_route: from_fabric up to TRANSIT_ROUTE;
    transit_nexthop: from_fabric up to NEXTHOP;
    transit_transit_output: from_fabric up to TRANSIT_OUTPUT;
    transit_underlay_output: from_fabric up to UNDERLAY_OUTPUT;
    routed_verdict: from_fabric up to VERDICT;
}

/// What every journey here costs besides its stages.
#[xdp]
pub fn no_stage(context: XdpContext) -> u32 {
    let length = Packet::new(&context).length();
    leave(&Journey::new(length, maps::port(0)), [0; 5]);
    xdp_action::XDP_REDIRECT
}

/// What fabric-xdpd's programs cost here besides themselves.
#[xdp]
pub fn nothing(_context: XdpContext) -> u32 {
    xdp_action::XDP_REDIRECT
}

#[inline(always)]
fn run(
    context: &XdpContext,
    journey: fn(&mut Packet, &mut Journey) -> Result<Reason, Stop>,
) -> u32 {
    let mut packet = Packet::new(context);
    let length = now(packet.length());
    let Some(port) = find_port(packet.ingress_ifindex()) else {
        return account::unknown_port(length);
    };
    let mut state = Journey::new(length, port);
    match journey(&mut packet, &mut state) {
        Err(Stop::Here) => xdp_action::XDP_REDIRECT,
        // Nothing is left of what ends otherwise than it should, so the benchmark notices.
        Err(Stop::Reason(reason)) => account::verdict(context, &state, reason),
        Ok(reason) => {
            let action = account::redirected(context, &state, reason);
            leave(&state, [reason as u64, u64::from(action), 0, 0, 0]);
            action
        }
    }
}

/// The value, in a register by now. Where only a rare end of a journey asks for the packet's length,
/// the compiler would rather keep the addresses that it is the difference of, as halves of words,
/// which the verifier does not allow.
#[inline(always)]
fn now(value: u32) -> u32 {
    let mut value = u64::from(value);
    // SAFETY: a move of a register to itself.
    unsafe { asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack)) };
    value as u32
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
