//! Settings of vxlan devices. Of one that carries many VNIs each is said once.

use super::{Found, of};
use crate::{
    frr::facts::{Frr, VniKind},
    observe::LinkKind,
    verify::kernel::Kernel,
};

/// `frr` is there if it announces what is in VNIs.
pub(super) fn look(kernel: &Kernel<'_>, frr: Option<&Frr>, found: &mut Found) {
    let evpn = frr.is_some();
    for (vni, tunnel) in &kernel.tunnels {
        let LinkKind::Vxlan(device) = &tunnel.vxlan.kind else { continue };
        let (what, name) = (of(*vni, tunnel), &tunnel.vxlan.name);
        if evpn && device.learning {
            found.add(
                &what,
                format!("{name} learns from what arrives"),
                "MACs learned out of a tunnel contradict what EVPN says of them",
                format!("ip link set {name} type vxlan nolearning"),
            );
        }
        if evpn && tunnel.vxlan.port.is_some_and(|port| port.learning) {
            found.add(
                &what,
                format!("{name} learns as port of its bridge"),
                "the bridge takes MACs that arrive in the tunnel for moved ones",
                format!("bridge link set dev {name} learning off"),
            );
        }
        // That an L3VNI has no bridge is said of its VRF.
        let known = frr.and_then(|frr| frr.vnis.get(vni));
        if tunnel.bridge.is_none() && known.is_some_and(|known| known.kind == VniKind::L2) {
            found.add(
                &what,
                format!("{name} is in no bridge"),
                "somebody has taken it out: what arrives in the tunnel reaches nobody, and nobody's frames go into it",
                format!("ip link set {name} master BRIDGE"),
            );
        }
        if let Some(local) = device.local
            && !kernel.is_own(local)
        {
            found.add(
                &what,
                format!("{name} has the local address {local}, which no interface of this box has"),
                "the VTEP's address was removed: nothing arrives in its tunnels",
                format!("ip address add {local} dev lo"),
            );
        }
        if evpn && device.local.is_none() {
            // One in external mode takes no VNI, not even its own.
            let id = if device.external { String::new() } else { format!(" id {vni}") };
            found.add(
                &what,
                format!("{name} has no local address"),
                "FRR announces no VNI whose VTEP has no address",
                format!("ip link set {name} type vxlan{id} local ADDRESS"),
            );
        }
    }
}
