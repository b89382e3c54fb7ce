//! Neighbours behind VTEPs, which zebra writes for bridges that answer ARP for them, and for gateways.

use super::{Found, Said};
use crate::{
    frr::facts::{Frr, Place, VniKind},
    verify::{
        difference::{Kind, Side},
        kernel::Kernel,
    },
};

pub(super) fn compare(frr: &Frr, kernel: &Kernel<'_>, found: &mut Found) {
    for entry in &frr.neighbours {
        let what = format!("{} in VNI {}", entry.address, entry.vni);
        let next = format!("vtysh -c 'show evpn arp-cache vni {} ip {}'", entry.vni, entry.address);
        if entry.duplicate {
            found.add(
                Kind::Neighbour,
                what.clone(),
                Side::Frr,
                Said::new("duplicate", "as FRR has frozen it"),
                "two hosts have this address, so that FRR does not follow it",
                format!(
                    "vtysh -c 'clear evpn dup-addr vni {} ip {}', when that is mended",
                    entry.vni, entry.address
                ),
            );
        }
        let is_l2 = frr.vnis.get(&entry.vni).is_some_and(|vni| vni.kind == VniKind::L2);
        let svi = kernel.tunnels.get(&entry.vni).and_then(|tunnel| tunnel.svi);
        // One that is switched off has no neighbours.
        let svi = svi.filter(|svi| svi.up);
        let (Place::Vtep(_) | Place::Segment(_), true, Some(svi)) = (&entry.place, is_l2, svi)
        else {
            continue;
        };
        let actual = kernel.neighbour(svi, entry.address);
        if actual != Some(entry.mac) {
            let likely = match actual {
                None => "somebody has removed the entry, or the table of neighbours is full",
                Some(_) => "the kernel has heard another answer, or somebody has written the entry",
            };
            let actual = actual.map_or_else(|| "nothing".into(), |mac| mac.to_string());
            let said = Said::new(entry.mac, format!("{actual} at {}", svi.name));
            found.add(Kind::Neighbour, what, Side::Kernel, said, likely, next);
        }
    }
}
