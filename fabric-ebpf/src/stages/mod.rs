//! The journeys of `main.rs`, each ended after each of its stages: for `cargo xtask bench stages`, which
//! also compares the whole ones with fabric-xdpd's programs, byte by byte.

#[path = "../../../benches/src/flow.rs"]
#[expect(dead_code, reason = "captures are for benchmarks with a sink")]
mod flow;
mod offer;
#[path = "../../../benches/src/ring.rs"]
mod ring;
#[path = "../../../benches/src/routed.rs"]
#[expect(dead_code, reason = "only user space makes frames of their own")]
mod routed;
#[path = "../../../benches/src/tunnel.rs"]
mod tunnel;
mod up_to;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

use self::up_to::{UpTo, leave};
use crate::{
    checkpoint::Stage, from_fabric, from_host, journey::Journey, maps, packet::Packet, run,
};

/// Programs, each a journey up to a stage.
macro_rules! journeys {
    ($($program:ident: $journey:ident up to $last:ident;)*) => {$(
        #[xdp]
        pub fn $program(context: XdpContext) -> u32 {
            type Last = UpTo<{ Stage::$last as u8 }>;
            run::<Last>(context, $journey::<Last>)
        }
    )*};
}

journeys! {
    access_port_input: from_host up to PortInput;
    access_vlan_classify: from_host up to VlanClassify;
    access_frame_guard: from_host up to FrameGuard;
    access_bridge_lookup: from_host up to BridgeLookup;
    access_source_check: from_host up to SourceCheck;
    encap_nexthop_select: from_host up to NexthopSelect;
    encap_vxlan_output: from_host up to VxlanOutput;
    encap_underlay_output: from_host up to UnderlayOutput;
    bridge_access_fit: from_host up to AccessFit;
    bridge_access_output: from_host up to AccessOutput;
    access_verdict: from_host up to Verdict;

    routed_port_input: from_fabric up to PortInput;
    decap_underlay_input: from_fabric up to UnderlayInput;
    decap_vxlan_input: from_fabric up to VxlanInput;
    decap_inner_guard: from_fabric up to InnerGuard;
    decap_inner_source: from_fabric up to InnerSource;
    decap_ecn_decap: from_fabric up to EcnDecap;
    decap_bridge_deliver: from_fabric up to BridgeDeliver;
    decap_access_fit: from_fabric up to AccessFit;
    decap_access_output: from_fabric up to AccessOutput;
    transit_underlay_input: from_fabric up to Dispatch;
    transit_transit_input: from_fabric up to TransitInput;
    transit_transit_route: from_fabric up to TransitRoute;
    transit_nexthop: from_fabric up to Nexthop;
    transit_transit_output: from_fabric up to TransitOutput;
    transit_underlay_output: from_fabric up to UnderlayOutput;
    routed_verdict: from_fabric up to Verdict;
}

/// What every journey here costs besides its stages.
#[xdp]
pub fn no_stage(context: XdpContext) -> u32 {
    let length = Packet::new(&context).length();
    leave(&Journey::new(length, maps::port(0)), ());
    xdp_action::XDP_REDIRECT
}

/// What fabric-xdpd's programs cost here besides themselves.
#[xdp]
pub fn nothing(_context: XdpContext) -> u32 {
    xdp_action::XDP_REDIRECT
}
