//! Which VNI a VLAN has.

use std::collections::{BTreeMap, BTreeSet};

use super::{Compared, Seen};
use crate::verify::{difference::Kind, kernel::Tunnel};

/// VLANs mean what each box wants. So two boxes are compared only if they have more of them in common than not, and only
/// such VNIs as the other does not have elsewhere: whoever is in one is alone.
pub(super) fn compare(boxes: &[Seen<'_>], found: &mut Compared) {
    let plans: Vec<BTreeMap<String, u32>> = boxes.iter().map(plan).collect();
    let mut odd = BTreeSet::new();
    for (number, (one, here)) in boxes.iter().zip(&plans).enumerate() {
        for (other, there) in boxes.iter().zip(&plans).skip(number + 1) {
            let both = || here.iter().filter_map(|(at, vni)| Some((at, *vni, *there.get(at)?)));
            let alike = both().filter(|(_, a, b)| a == b).count();
            let lacks = |seen: &Seen<'_>, vni| !seen.kernel.tunnels.contains_key(&vni);
            let unlike = both().filter(|(_, a, b)| a != b && lacks(other, *a) && lacks(one, *b));
            let unlike: Vec<&String> = unlike.map(|(at, ..)| at).collect();
            if unlike.len() < alike {
                odd.extend(unlike);
            }
        }
    }
    for at in odd {
        let vnis = boxes.iter().zip(&plans);
        let says =
            vnis.filter_map(|(seen, plan)| Some((&seen.name, format!("VNI {}", plan.get(at)?))));
        found.add(
            Kind::Domain,
            at,
            says,
            "one has a wrong VNI there, so that its hosts are alone in a network of their own",
            "vtysh -c 'show evpn vni', on each; then correct the vxlan device, or the tunnel ID of its VLAN",
        );
    }
}

/// The VNI of each network of a box, as it is called there: by its VLAN, and without VLANs by its bridge.
fn plan(seen: &Seen<'_>) -> BTreeMap<String, u32> {
    let called = |tunnel: &Tunnel<'_>| {
        let bridge = tunnel.bridge?;
        Some(match tunnel.vlan {
            0 => format!("of bridge {}", bridge.name),
            vlan => format!("of VLAN {vlan}"),
        })
    };
    let tunnels = seen.kernel.tunnels.iter();
    tunnels.filter_map(|(vni, tunnel)| Some((called(tunnel)?, *vni))).collect()
}
