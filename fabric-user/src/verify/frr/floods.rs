//! Whom broadcasts are sent to.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Found, Said};
use crate::{
    frr::facts::{Frr, VniKind},
    verify::{
        difference::{Kind, Side},
        kernel::Kernel,
    },
};

pub(super) fn compare(frr: &Frr, kernel: &Kernel<'_>, found: &mut Found) {
    for (vni, entry) in frr.vnis.iter().filter(|(_, entry)| entry.kind == VniKind::L2) {
        let Some(tunnel) = kernel.tunnels.get(vni) else { continue };
        let actual = kernel.flood(tunnel);
        if actual == entry.flood {
            continue;
        }
        let likely = match actual.is_superset(&entry.flood) {
            true => "somebody has added flood entries by hand, or an earlier zebra has left them",
            false => "a flood entry was removed behind zebra, or the kernel refused it",
        };
        found.add(
            Kind::Flood,
            format!("list of VNI {vni}"),
            Side::Kernel,
            Said::new(list(&entry.flood), list(&actual)),
            likely,
            format!("bridge fdb show dev {} | grep 00:00:00:00:00:00", tunnel.vxlan.name),
        );
    }
}

fn list(vteps: &BTreeSet<IpAddr>) -> String {
    match vteps.is_empty() {
        true => "nobody".into(),
        false => vteps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
