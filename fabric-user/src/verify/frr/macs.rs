//! MACs of bridged networks.

use std::collections::BTreeMap;

use super::{Found, Said};
use crate::{
    frr::facts::{Frr, MacEntry, Place as Known, VniKind},
    mac::Mac,
    verify::{
        difference::{Kind, Side},
        kernel::{Kernel, Place, Tunnel},
    },
};

pub(super) fn compare(frr: &Frr, kernel: &Kernel<'_>, found: &mut Found) {
    let mut known: BTreeMap<(u32, Mac), &MacEntry> = BTreeMap::new();
    let segments: BTreeMap<&str, u32> =
        frr.segments.iter().filter_map(|it| Some((it.esi.as_str(), it.group?))).collect();
    for entry in &frr.macs {
        known.insert((entry.vni, entry.mac), entry);
        let Some(tunnel) = kernel.tunnels.get(&entry.vni) else { continue };
        let what = format!("{} in VNI {}", entry.mac, entry.vni);
        let next = format!("vtysh -c 'show evpn mac vni {} mac {}'", entry.vni, entry.mac);
        if entry.duplicate {
            found.add(
                Kind::Mac,
                what.clone(),
                Side::Frr,
                Said::new("duplicate", "as FRR has frozen it"),
                "two hosts have this MAC, or a loop makes it move, so that FRR does not follow it",
                format!(
                    "vtysh -c 'clear evpn dup-addr vni {} mac {}', when that is mended",
                    entry.vni, entry.mac
                ),
            );
        }
        let actual = kernel.place(tunnel, entry.mac);
        let (expected, side, likely) = match &entry.place {
            Known::Vtep(vtep) => {
                let likely = match &actual {
                    None => "somebody has removed what zebra has written, or the kernel refused it",
                    Some(Place::Port(_)) => {
                        "the MAC was heard here, and zebra has not taken that for a move"
                    }
                    Some(_) => "somebody else has written the entry",
                };
                (Place::Vtep(*vtep), Side::Kernel, likely)
            }
            Known::Local { interface: Some(port), .. }
                if !entry.gateway && !entry.own_svi && !entry.inactive =>
            {
                let likely = match &actual {
                    None => "the bridge has forgotten it, and zebra was not told",
                    Some(_) => "the bridge has learned it elsewhere, and zebra has not followed",
                };
                (Place::Port(port.clone()), Side::Frr, likely)
            }
            Known::Segment(esi) => match segments.get(esi.as_str()) {
                Some(group) => (
                    Place::Segment(*group),
                    Side::Kernel,
                    "the kernel refused what zebra has written for the segment",
                ),
                None => continue,
            },
            _ => continue,
        };
        if actual.as_ref() != Some(&expected) {
            let actual = actual.map_or_else(|| "nothing".into(), |actual| actual.to_string());
            found.add(Kind::Mac, what, side, Said::new(expected, actual), likely, next);
        }
    }
    let networks = frr.vnis.iter().filter(|(_, entry)| entry.kind == VniKind::L2);
    for vni in networks.map(|(vni, _)| *vni) {
        unknown(vni, kernel, &known, found);
    }
}

/// The command that removes a MAC from a bridge and from the vxlan device at it: the device keeps its half by itself, and
/// one of many VNIs has one for each.
fn forgets(mac: Mac, tunnel: &Tunnel<'_>) -> String {
    let vni = tunnel.source_vni.map(|vni| format!(" src_vni {vni}")).unwrap_or_default();
    let vlan = if tunnel.vlan == 0 { String::new() } else { format!(" vlan {}", tunnel.vlan) };
    format!("bridge fdb del {mac} dev {}{vlan}{vni} self master", tunnel.vxlan.name)
}

/// What bridges have and FRR has not.
fn unknown(
    vni: u32,
    kernel: &Kernel<'_>,
    known: &BTreeMap<(u32, Mac), &MacEntry>,
    found: &mut Found,
) {
    let Some(tunnel) = kernel.tunnels.get(&vni) else { return };
    for entry in kernel.macs(tunnel) {
        let is_station = entry.mac.is_unicast() && !entry.permanent && !entry.locked;
        if !is_station || known.contains_key(&(vni, entry.mac)) {
            continue;
        }
        let Some(actual) = kernel.place(tunnel, entry.mac) else { continue };
        let (likely, next) = match actual {
            Place::Port(_) if entry.extern_learn => continue,
            Place::Port(_) => (
                "zebra has missed that the bridge has learned it: no other leaf hears of it",
                format!(
                    "bridge fdb del {} dev {} master, so that it is learned anew",
                    entry.mac,
                    kernel.name(entry.port)
                ),
            ),
            _ if entry.extern_learn => (
                "an earlier zebra has left it behind, or somebody has written it in its name",
                forgets(entry.mac, tunnel),
            ),
            // Learned out of the tunnel, of which the setup is said to be wrong.
            _ => continue,
        };
        found.add(
            Kind::Mac,
            format!("{} in VNI {vni}", entry.mac),
            Side::Frr,
            Said::new("nothing", actual),
            likely,
            next,
        );
    }
}
