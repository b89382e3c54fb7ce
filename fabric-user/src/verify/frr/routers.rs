//! Routers of other leafs: where packets of a VRF are sent.

use super::{Found, Said};
use crate::{
    frr::facts::Frr,
    verify::{
        difference::{Kind, Side},
        kernel::Kernel,
    },
};

pub(super) fn compare(frr: &Frr, kernel: &Kernel<'_>, found: &mut Found) {
    for entry in &frr.routers {
        let Some(tunnel) = kernel.tunnels.get(&entry.l3vni) else { continue };
        let next = format!("vtysh -c 'show evpn next-hops vni {}'", entry.l3vni);
        let what = format!("MAC of {} in L3VNI {}", entry.vtep, entry.l3vni);
        let actual = kernel.router(tunnel, entry.mac);
        if entry.in_fdb && actual != Some(entry.vtep) {
            let at = actual.map_or_else(|| "nothing".into(), |vtep| format!("VTEP {vtep}"));
            found.add(
                Kind::Router,
                what.clone(),
                Side::Kernel,
                Said::new(
                    format!("{} at VTEP {}", entry.mac, entry.vtep),
                    format!("{} at {at}", entry.mac),
                ),
                "somebody has changed the vxlan device's entry, or the kernel refused it",
                next.clone(),
            );
        }
        let Some(svi) = tunnel.svi.filter(|svi| svi.up) else { continue };
        for hop in &entry.hops {
            let actual = kernel.neighbour(svi, *hop);
            if actual != Some(entry.mac) {
                let actual = actual.map_or_else(|| "nothing".into(), |mac| mac.to_string());
                found.add(
                    Kind::Router,
                    what.clone(),
                    Side::Kernel,
                    Said::new(
                        format!("{hop} has {}", entry.mac),
                        format!("{hop} has {actual} at {}", svi.name),
                    ),
                    "somebody has changed the neighbour: what is routed there is lost, or goes astray",
                    next.clone(),
                );
            }
        }
    }
}
