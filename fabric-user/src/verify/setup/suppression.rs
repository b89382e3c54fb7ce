//! Networks that shall answer ARP for hosts behind VTEPs, and have nowhere to know them.
//!
//! The bridge answers by the neighbours of the network's interface, where zebra writes them. Hosts of which no leaf has
//! told an address are no fault: what asks for them is flooded, as without suppression.

use std::collections::BTreeSet;

use super::{Found, of};
use crate::{
    frr::facts::{Frr, Place, VniKind},
    verify::kernel::Kernel,
};

pub(super) fn look(frr: &Frr, kernel: &Kernel<'_>, found: &mut Found) {
    let remote =
        frr.neighbours.iter().filter(|it| matches!(it.place, Place::Vtep(_) | Place::Segment(_)));
    let known: BTreeSet<u32> = remote.map(|neighbour| neighbour.vni).collect();
    for vni in known {
        let is_l2 = frr.vnis.get(&vni).is_some_and(|entry| entry.kind == VniKind::L2);
        let Some(tunnel) = kernel.tunnels.get(&vni).filter(|_| is_l2) else { continue };
        // A plain bridge is its own interface; that it is switched off is said of the VNI.
        let Some(bridge) = tunnel.bridge.filter(|bridge| bridge.up && tunnel.vlan != 0) else {
            continue;
        };
        if !kernel.suppresses(tunnel) || tunnel.svi.is_some_and(|svi| svi.up) {
            continue;
        }
        let (bridge, vlan, name) = (&bridge.name, tunnel.vlan, &tunnel.vxlan.name);
        let (why, next) = match tunnel.svi {
            Some(svi) => {
                (format!("{} is switched off", svi.name), format!("ip link set {} up", svi.name))
            }
            None => (
                format!("VLAN {vlan} of {bridge} has no interface"),
                format!(
                    "ip link add link {bridge} name {bridge}.{vlan} up type vlan id {vlan}, \
                     and bridge vlan add vid {vlan} dev {bridge} self"
                ),
            ),
        };
        found.add(
            format!("{}, VLAN {vlan}", of(vni, tunnel)),
            format!("{name} suppresses ARP and neighbour discovery, and {why}"),
            "zebra writes neighbours behind VTEPs to that interface: without it nobody answers for them, and what \
             asks is flooded all the same",
            next,
        );
    }
}
