//! Who sends broadcasts to whom: of two VTEPs in a VNI each to the other.

use std::net::IpAddr;

use super::{Compared, Seen};
use crate::{
    observe::LinkKind,
    verify::{difference::Kind, kernel::Tunnel},
};

pub(super) fn compare(boxes: &[Seen<'_>], found: &mut Compared) {
    for (number, one) in boxes.iter().enumerate() {
        for other in &boxes[number + 1..] {
            for (vni, tunnel) in &one.kernel.tunnels {
                if let Some(back) = other.kernel.tunnels.get(vni) {
                    pair(*vni, (one, tunnel), (other, back), found);
                }
            }
        }
    }
}

fn pair(
    vni: u32,
    (one, there): (&Seen<'_>, &Tunnel<'_>),
    (other, back): (&Seen<'_>, &Tunnel<'_>),
    found: &mut Compared,
) {
    let (Some(here), Some(far)) = (local(there), local(back)) else { return };
    let sends = |seen: &Seen<'_>, tunnel, to| seen.kernel.flood(tunnel).contains(&to);
    let (goes, comes) = (sends(one, there, far), sends(other, back, here));
    if here == far || goes == comes {
        return;
    }
    let says = |goes: bool, to| match goes {
        true => format!("sends broadcasts to {to}"),
        false => format!("sends no broadcasts to {to}"),
    };
    found.add(
        Kind::Flood,
        format!("of VNI {vni} between {} and {}", one.name, other.name),
        [(&one.name, says(goes, far)), (&other.name, says(comes, here))],
        "the other's route of type 3 did not arrive, or was not taken: route targets, a policy, or a session that is down",
        "vtysh -c 'show bgp l2vpn evpn route type multicast', where none are sent",
    );
}

fn local(tunnel: &Tunnel<'_>) -> Option<IpAddr> {
    match &tunnel.vxlan.kind {
        LinkKind::Vxlan(device) => device.local,
        _ => None,
    }
}
