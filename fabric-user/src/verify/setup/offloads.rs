//! Offloads by which frames reach the programs otherwise than they were on the wire.

use std::collections::BTreeMap;

use super::Found;
use crate::{
    facts::{Offload, held::Held},
    verify::kernel::Kernel,
};

/// `offloads` are those that are on, by interface.
pub(super) fn look(
    held: &Held,
    offloads: &BTreeMap<String, Vec<Offload>>,
    kernel: &Kernel<'_>,
    found: &mut Found,
) {
    let is_on = |name: &str, offload| offloads.get(name).is_some_and(|all| all.contains(&offload));
    // Gateways get no frames of their own.
    for (name, port) in held.ports.iter().filter(|(_, port)| port.role != "gateway") {
        let of = || format!("of port {name}");
        if is_on(name, Offload::RxVlan) {
            found.add(
                of(),
                "rxvlan is on",
                "the driver takes tags out of frames before the programs see them: tagged ones look untagged",
                format!("ethtool -K {name} rxvlan off"),
            );
        }
        if is_on(name, Offload::Lro) {
            found.add(
                of(),
                "lro is on",
                "the driver joins packets to ones that no link can carry on",
                format!("ethtool -K {name} lro off"),
            );
        }
        let peer = kernel.named(name).and_then(|link| kernel.peer(link));
        if let Some(peer) = peer.filter(|peer| is_on(&peer.name, Offload::TxVlan))
            && !port.tagged.is_empty()
        {
            found.add(
                of(),
                format!("txvlan is on at its other end {}", peer.name),
                "tags stay outside the frames that are sent there: tagged ones look untagged",
                format!("ethtool -K {} txvlan off", peer.name),
            );
        }
    }
}
