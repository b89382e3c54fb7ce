//! The places between two stages, for programs that look on there.

use crate::journey::Journey;

/// What a packet has passed at a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    PortInput,
    VlanClassify,
    FrameGuard,
    BridgeLookup,
    SourceCheck,
    NexthopSelect,
    VxlanOutput,
    UnderlayOutput,
    AccessFit,
    AccessOutput,
    UnderlayInput,
    VxlanInput,
    InnerGuard,
    InnerSource,
    EcnDecap,
    BridgeDeliver,
    /// The stages of tunnels have found out that the packet came by none.
    Dispatch,
    TransitInput,
    TransitRoute,
    Nexthop,
    TransitOutput,
    /// The packet is counted, and this is all.
    Verdict,
}

/// Who stands at the checkpoints. A type, so that a program in which nobody does is compiled as if there
/// were none.
pub trait Checkpoint {
    /// Is called after a stage, with what it and the ones before have made that later ones would use.
    fn after<T>(stage: Stage, journey: &Journey, made: T);
}

/// Nobody: what fabric-xdpd loads.
pub struct Open;

impl Checkpoint for Open {
    #[inline(always)]
    fn after<T>(_: Stage, _: &Journey, _: T) {}
}
