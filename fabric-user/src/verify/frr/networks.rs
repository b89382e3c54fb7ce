//! VNIs with their devices and addresses, and the VRFs of L3VNIs.

use super::{Found, Said};
use crate::{
    frr::facts::{Frr, VniKind},
    observe::LinkKind,
    verify::{
        difference::{Kind, Side},
        kernel::Kernel,
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
            of_vrf(*vni, entry.vrf.as_deref().unwrap_or("default"), kernel, found);
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

/// The VRF of an L3VNI is that which its SVI is in.
fn of_vrf(vni: u32, vrf: &str, kernel: &Kernel<'_>, found: &mut Found) {
    let Some(tunnel) = kernel.tunnels.get(&vni) else { return };
    let Some(svi) = tunnel.svi else {
        found.add(
            Kind::Vrf,
            vrf,
            Side::Kernel,
            Said::new(format!("L3VNI {vni}"), format!("{} has no SVI", tunnel.vxlan.name)),
            "the vxlan device is in no bridge, or the bridge's VLAN has no interface",
            format!("bridge link show dev {}", tunnel.vxlan.name),
        );
        return;
    };
    let actual = kernel.vrf_of(svi).map_or("default", |vrf| vrf.name.as_str());
    if actual != vrf {
        found.add(
            Kind::Vrf,
            vrf,
            Side::Kernel,
            Said::new(format!("L3VNI {vni}"), format!("{} is in VRF {actual}", svi.name)),
            format!("the SVI of L3VNI {vni} is in another VRF than FRR's `vni {vni}`"),
            format!(
                "ip link set {} vrf {vrf}, or correct `vni` below `vrf {vrf}` in FRR",
                svi.name
            ),
        );
    }
}

fn said(address: Option<std::net::IpAddr>) -> String {
    address.map_or_else(|| "none".into(), |address| address.to_string())
}
