//! Settings of vxlan devices. Of one that carries many VNIs each is said once.

use super::{Found, of};
use crate::{observe::LinkKind, verify::kernel::Kernel};

/// `evpn` says that FRR announces what is in VNIs.
pub(super) fn look(kernel: &Kernel<'_>, evpn: bool, found: &mut Found) {
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
