//! What the packet paths of all leafs did with unicast frames.

use fabric_common::{
    reason::{Reason, Verdict},
    schema::ports,
};
use fabric_user::kernel::maps::Maps;

use crate::stage::Stage;

/// Frames of hosts, addressed to hosts, that met an XDP program.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unicast {
    pub(crate) frames: u64,
    pub(crate) forwarded: u64,
}

impl Unicast {
    pub(crate) fn since(self, before: Self) -> Self {
        Self { frames: self.frames - before.frames, forwarded: self.forwarded - before.forwarded }
    }
}

/// Not a frame from host to host: what the kernel floods, answers or terminates by design. BGP on a
/// link has TTL 1 or link-local addresses, between loopbacks it ends at the box.
const OTHER: [Reason; 16] = [
    Reason::FrameGuardMulticast,
    Reason::FrameGuardArp,
    Reason::FrameGuardNeighbourDiscovery,
    Reason::FrameGuardControlProtocol,
    Reason::BridgeLookupOwnMac,
    Reason::UnderlayInputNotVxlan,
    Reason::InnerGuardMulticast,
    Reason::InnerGuardArp,
    Reason::InnerGuardNeighbourDiscovery,
    Reason::InnerGuardControlProtocol,
    Reason::BridgeDeliverOwnMac,
    Reason::UnderlayInputOtherHost,
    Reason::TransitInputOtherHost,
    Reason::TransitInputTtl,
    Reason::TransitInputMartian,
    Reason::TransitRouteLocal,
];

/// Sums over all leafs, ports and CPUs.
pub(crate) fn unicast(stage: &Stage) -> anyhow::Result<Unicast> {
    let mut sum = Unicast::default();
    for leaf in stage.leafs() {
        let maps = stage.maps(&leaf, false)?;
        for reason in Reason::ALL.iter().filter(|r| !OTHER.contains(r)) {
            let packets = packets(&maps, *reason);
            sum.frames += packets;
            if reason.verdict() == Verdict::Redirect {
                sum.forwarded += packets;
            }
        }
    }
    Ok(sum)
}

fn packets(maps: &Maps, reason: Reason) -> u64 {
    // Also of rows without a port: one that comes between two sums brings no packets along.
    (0..maps.rows()).map(|row| maps.counted(row, reason)).sum()
}

/// Packets that a leaf sent through each of its routed ports.
pub(crate) fn sent_by_port(stage: &Stage, leaf: &str) -> anyhow::Result<Vec<u64>> {
    let maps = stage.maps(leaf, false)?;
    let routed = maps.ports.iter().filter(|(_, port)| ports::is_routed(port.role));
    let sent = |slot| maps.port_tx.get(slot).map(|counter| counter.packets).sum();
    Ok(routed.map(|(slot, _)| sent(slot)).collect())
}
