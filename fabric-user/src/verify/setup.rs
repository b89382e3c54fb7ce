//! What cannot work, whoever agrees with whom.

use super::{
    difference::{Difference, Kind, Side},
    kernel::Kernel,
};
use crate::{
    facts::{Facts, held::Way},
    observe::LinkKind,
};

/// Headers around the inner frame: Ethernet is not of the outer packet (RFC 7348, RFC 8200).
const OVER_IPV4: u32 = 20 + 8 + 8;
const OVER_IPV6: u32 = 40 + 8 + 8;

/// Settings that lose packets or make entries lie. `evpn` says that FRR announces what is in VNIs.
pub(super) fn differences(facts: &Facts, kernel: &Kernel<'_>, evpn: bool) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut add = |what: String, says: String, likely: &str, next: String| {
        found.push(Difference {
            kind: Kind::Setup,
            what,
            differs: Side::Kernel,
            frr: None,
            kernel: Some(says),
            maps: None,
            likely: likely.into(),
            next,
        });
    };
    for (vni, tunnel) in &kernel.tunnels {
        let LinkKind::Vxlan(device) = &tunnel.vxlan.kind else { continue };
        let name = &tunnel.vxlan.name;
        if evpn && device.learning {
            add(
                format!("of VNI {vni}"),
                format!("{name} learns from what arrives"),
                "MACs learned out of a tunnel contradict what EVPN says of them",
                format!("ip link set {name} type vxlan nolearning"),
            );
        }
        if evpn && tunnel.vxlan.port.is_some_and(|port| port.learning) {
            add(
                format!("of VNI {vni}"),
                format!("{name} learns as port of its bridge"),
                "the bridge takes MACs that arrive in the tunnel for moved ones",
                format!("bridge link set dev {name} learning off"),
            );
        }
        if let Some(local) = device.local
            && !kernel.is_own(local)
        {
            add(
                format!("of VNI {vni}"),
                format!("{name} has the local address {local}, which no interface of this box has"),
                "the VTEP's address was removed: nothing arrives in its tunnels",
                format!("ip address add {local} dev lo"),
            );
        }
        if evpn && device.local.is_none() {
            add(
                format!("of VNI {vni}"),
                format!("{name} has no local address"),
                "FRR announces no VNI whose VTEP has no address",
                format!("ip link set {name} type vxlan id {vni} local ADDRESS"),
            );
        }
    }
    let Some(fabric) = &facts.fabric else { return found };
    for (key, way) in &fabric.held.vteps {
        let Way::Hops { hops, .. } = way else { continue };
        let headers = if key.remote.is_ipv6() { OVER_IPV6 } else { OVER_IPV4 };
        let domains = fabric.held.domains.values();
        let of_vtep =
            domains.filter(|domain| domain.local == Some(key.local) && domain.vni.is_some());
        let Some(longest) = of_vtep.map(|domain| domain.max_frame.max(domain.max_tagged)).max()
        else {
            continue;
        };
        for hop in hops {
            let Some(port) = fabric.held.ports.get(&hop.port) else { continue };
            if port.mtu < longest + headers {
                add(
                    format!("of port {}", hop.port),
                    format!("MTU {}, and tunnels need {}", port.mtu, longest + headers),
                    "large frames of hosts do not fit the underlay: they are lost or sent in fragments",
                    format!(
                        "ip link set {} mtu {}, at both ends of the cable",
                        hop.port,
                        longest + headers
                    ),
                );
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}
