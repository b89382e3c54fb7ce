//! Ports that are too small for the tunnels through them.

use std::collections::BTreeMap;

use super::Found;
use crate::{
    observe::LinkKind,
    verify::kernel::{Hop, Kernel},
};

/// What the MTU of a vxlan device does not count: the inner Ethernet header, and the tag that may be in it.
const ETHERNET: u32 = 14;
const TAG: u32 = 4;
/// Headers around the inner frame: Ethernet is not of the outer packet (RFC 7348, RFC 8200).
const OVER_IPV4: u32 = 20 + 8 + 8;
const OVER_IPV6: u32 = 40 + 8 + 8;

pub(super) fn look(kernel: &Kernel<'_>, found: &mut Found) {
    // Of a device that carries many VNIs once.
    let devices: BTreeMap<u32, _> =
        kernel.tunnels.values().map(|tunnel| (tunnel.vxlan.ifindex, tunnel)).collect();
    let mut needed: BTreeMap<String, u32> = BTreeMap::new();
    for tunnel in devices.values() {
        let LinkKind::Vxlan(device) = &tunnel.vxlan.kind else { continue };
        let tag = if kernel.keeps_tags(tunnel) { TAG } else { 0 };
        let frame = tunnel.vxlan.mtu + ETHERNET + tag;
        let table = kernel.underlay(device);
        for remote in kernel.remotes(tunnel.vxlan) {
            let packet = frame + if remote.is_ipv6() { OVER_IPV6 } else { OVER_IPV4 };
            for hop in kernel.way(table, remote) {
                let Hop::To(_, port) = hop else { continue };
                let most = needed.entry(port).or_default();
                *most = packet.max(*most);
            }
        }
    }
    for (port, needed) in needed {
        let Some(link) = kernel.named(&port).filter(|link| link.mtu < needed) else { continue };
        found.add(
            format!("of port {port}"),
            format!("MTU {}, and tunnels need {needed}", link.mtu),
            "large frames of hosts do not fit the underlay: they are lost or sent in fragments",
            format!("ip link set {port} mtu {needed}, at both ends of the cable"),
        );
    }
}
