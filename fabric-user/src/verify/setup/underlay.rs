//! Ports that are too small for the tunnels through them.

use super::Found;
use crate::facts::held::{Held, Way};

/// Headers around the inner frame: Ethernet is not of the outer packet (RFC 7348, RFC 8200).
const OVER_IPV4: u32 = 20 + 8 + 8;
const OVER_IPV6: u32 = 40 + 8 + 8;

pub(super) fn look(held: &Held, found: &mut Found) {
    for (key, way) in &held.vteps {
        let Way::Hops { hops, .. } = way else { continue };
        let headers = if key.remote.is_ipv6() { OVER_IPV6 } else { OVER_IPV4 };
        let of_vtep =
            held.domains.values().filter(|it| it.local == Some(key.local) && it.vni.is_some());
        let Some(longest) = of_vtep.map(|domain| domain.max_frame.max(domain.max_tagged)).max()
        else {
            continue;
        };
        for hop in hops {
            let Some(port) = held.ports.get(&hop.port) else { continue };
            let needed = longest + headers;
            if port.mtu < needed {
                found.add(
                    format!("of port {}", hop.port),
                    format!("MTU {}, and tunnels need {needed}", port.mtu),
                    "large frames of hosts do not fit the underlay: they are lost or sent in fragments",
                    format!("ip link set {} mtu {needed}, at both ends of the cable", hop.port),
                );
            }
        }
    }
}
