//! VNIs with their devices and addresses, and the VRFs of L3VNIs.

use super::{Found, Said};
use crate::{
    frr::facts::{Frr, Vni, VniKind},
    observe::{Link, LinkKind},
    verify::{
        difference::{Kind, Side},
        kernel::{Kernel, Tunnel},
    },
};

pub(super) fn compare(frr: &Frr, kernel: &Kernel<'_>, found: &mut Found) {
    for (vni, entry) in &frr.vnis {
        let Some(tunnel) = kernel.tunnels.get(vni) else {
            found.add(
                Kind::Vni,
                vni.to_string(),
                Side::Kernel,
                Said::new("known", "no vxlan device"),
                "the vxlan device is gone, or lost its VLAN's tunnel ID, and zebra was not told",
                "ip -d link show type vxlan",
            );
            continue;
        };
        let LinkKind::Vxlan(device) = &tunnel.vxlan.kind else { continue };
        if entry.local.is_some() && device.local.is_some() && entry.local != device.local {
            found.add(
                Kind::Vni,
                vni.to_string(),
                Side::Frr,
                Said::new(
                    format!("local address {}", said(entry.local)),
                    format!("local address {}", said(device.local)),
                ),
                "the address of the vxlan device was changed behind zebra",
                format!("ip -d link show {}", tunnel.vxlan.name),
            );
        }
        let down = [Some(tunnel.vxlan), tunnel.bridge];
        for link in down.into_iter().flatten().filter(|link| !link.up) {
            found.add(
                Kind::Vni,
                vni.to_string(),
                Side::Kernel,
                Said::new("known", format!("{} is switched off", link.name)),
                "somebody has switched it off, and nothing goes through the tunnel",
                format!("ip link set {} up", link.name),
            );
        }
        if entry.kind == VniKind::L3 {
            of_vrf(*vni, entry, tunnel, kernel, found);
        }
    }
    // zebra takes a vxlan device for a VNI when bgpd asks for all; without any it may be another's.
    if frr.vnis.is_empty() {
        return;
    }
    for (vni, tunnel) in kernel.tunnels.iter().filter(|(vni, _)| !frr.vnis.contains_key(*vni)) {
        found.add(
            Kind::Vni,
            vni.to_string(),
            Side::Frr,
            Said::new("unknown", format!("{} carries it", tunnel.vxlan.name)),
            "zebra does not know the vxlan device: nobody hears of what is in it",
            format!("vtysh -c 'show evpn vni {vni}'"),
        );
    }
}

/// The VRF of an L3VNI is that which its SVI is in, and it works if both are switched on.
fn of_vrf(vni: u32, entry: &Vni, tunnel: &Tunnel<'_>, kernel: &Kernel<'_>, found: &mut Found) {
    let vrf = entry.vrf.as_deref().unwrap_or("default");
    let mut differs = |side, kernel: String, likely: String, next: String| {
        let frr = format!("L3VNI {vni}{}", if entry.up { "" } else { ", down" });
        found.add(Kind::Vrf, vrf, side, Said::new(frr, kernel), likely, next);
    };
    let Some(svi) = tunnel.svi else {
        return differs(
            Side::Kernel,
            format!("{} has no SVI", tunnel.vxlan.name),
            "the vxlan device is in no bridge, or the bridge's VLAN has no interface".into(),
            format!("bridge link show dev {}", tunnel.vxlan.name),
        );
    };
    let device = kernel.vrf_of(svi);
    let actual = device.map_or("default", |vrf| vrf.name.as_str());
    if actual != vrf {
        return differs(
            Side::Kernel,
            format!("{} is in VRF {actual}", svi.name),
            format!("the SVI of L3VNI {vni} is in another VRF than FRR's `vni {vni}`"),
            format!(
                "ip link set {} vrf {vrf}, or correct `vni` below `vrf {vrf}` in FRR",
                svi.name
            ),
        );
    }
    // That bridges and vxlan devices are switched off is said of the VNI.
    let own = [tunnel.bridge, Some(tunnel.vxlan)];
    let is_said = |link: &Link| own.iter().flatten().any(|it| it.ifindex == link.ifindex);
    let off = |link: &&Link| !link.up && !is_said(link);
    if let Some(link) = [Some(svi), device].into_iter().flatten().find(off) {
        differs(
            Side::Kernel,
            format!("{} is switched off", link.name),
            "somebody has switched it off, and what the VRF routes does not go through the tunnel"
                .into(),
            format!("ip link set {} up", link.name),
        );
    } else if !entry.up && own.iter().flatten().all(|link| link.up) {
        differs(
            Side::Frr,
            "all of its interfaces are there and up".into(),
            "zebra lacks something that it needs: a local address, or news of an interface".into(),
            format!("vtysh -c 'show evpn vni {vni}'"),
        );
    }
}

fn said(address: Option<std::net::IpAddr>) -> String {
    address.map_or_else(|| "none".into(), |address| address.to_string())
}
