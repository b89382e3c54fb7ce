//! Where a journey ends early, and what it leaves then.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use fabric_common::{reason::Reason, schema::MMAPABLE};

use crate::{
    journey::{CircuitRef, Frame, Journey},
    ring::{Left, MADE},
};

/// The stages, as constants that journeys are compiled for.
pub mod stage {
    pub const PORT_INPUT: u8 = 0;
    pub const VLAN_CLASSIFY: u8 = 1;
    pub const FRAME_GUARD: u8 = 2;
    pub const BRIDGE_LOOKUP: u8 = 3;
    pub const SOURCE_CHECK: u8 = 4;
    pub const NEXTHOP_SELECT: u8 = 5;
    pub const VXLAN_OUTPUT: u8 = 6;
    pub const UNDERLAY_OUTPUT: u8 = 7;
    pub const ACCESS_FIT: u8 = 8;
    pub const ACCESS_OUTPUT: u8 = 9;
    pub const UNDERLAY_INPUT: u8 = 10;
    pub const VXLAN_INPUT: u8 = 11;
    pub const INNER_GUARD: u8 = 12;
    pub const ECN_DECAP: u8 = 13;
    pub const BRIDGE_DELIVER: u8 = 14;
    /// The stages of tunnels have found out that the packet is in none.
    pub const NO_TUNNEL: u8 = 15;
    pub const TRANSIT_INPUT: u8 = 16;
    pub const TRANSIT_ROUTE: u8 = 17;
    pub const NEXTHOP: u8 = 18;
    pub const TRANSIT_OUTPUT: u8 = 19;
    /// No early end.
    pub const VERDICT: u8 = 20;
}

/// What the last stages have made that later ones would use.
pub type Made = [u64; 5];

/// Why a journey ends before its verdict.
pub enum Stop {
    /// It was compiled to end here, and has left what it made.
    Here,
    /// As in fabric-xdpd's programs.
    Reason(Reason),
}

impl From<Reason> for Stop {
    #[inline(always)]
    fn from(reason: Reason) -> Self {
        Self::Reason(reason)
    }
}

/// Ends a journey that is compiled `UP_TO` the stage that was just passed.
#[inline(always)]
pub fn after<const UP_TO: u8>(
    stage: u8,
    journey: &Journey,
    made: impl FnOnce() -> Made,
) -> Result<(), Stop> {
    if UP_TO != stage {
        return Ok(());
    }
    leave(journey, made());
    Err(Stop::Here)
}

#[btf_map(name = "left")]
static LEFT: Array<Left, 1, { MMAPABLE as usize }> = Array::new();

/// Stores what the journey has found out, so that no compiler leaves out finding it. The same
/// number of stores for every stage.
#[inline(always)]
pub fn leave(journey: &Journey, made: Made) {
    let Some(left) = LEFT.get_ptr_mut(0) else { return };
    let places = u64::from(journey.entry.row)
        | u64::from(journey.domain_index) << 16
        | u64::from(journey.peer) << 32;
    let all: [u64; MADE] = [
        places,
        journey.now,
        address(journey.entry),
        address(journey.domain),
        address(journey.settings),
        made[0],
        made[1],
        made[2],
        made[3],
        made[4],
    ];
    // SAFETY: fields of the entry that was just looked up; one CPU runs the benchmark.
    unsafe {
        for (index, word) in all.into_iter().enumerate() {
            (&raw mut (*left).made[index]).write_volatile(word);
        }
        let reached = &raw mut (*left).reached;
        reached.write_volatile(reached.read_volatile() + 1);
    }
}

/// Where something is: what a later stage would begin with.
#[inline(always)]
pub fn address<T>(of: &T) -> u64 {
    core::ptr::from_ref(of) as u64
}

/// A circuit.
#[inline(always)]
pub fn circuit(of: CircuitRef) -> [u64; 2] {
    [of.index.into(), address(of.circuit)]
}

/// A frame.
#[inline(always)]
pub fn frame(of: &Frame) -> [u64; 3] {
    [of.destination, of.source, u64::from(of.ether_type_be) | (of.network as u64) << 16]
}
