//! Settings that the two ends of a tunnel must have alike, by VNI.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{Compared, Seen};
use crate::{
    frr::facts::VniKind,
    observe::{Df, LinkKind, Vxlan},
    verify::{difference::Kind, kernel::Tunnel},
};

/// A setting, as one end says it, and what follows where ends say different things.
struct Setting {
    name: &'static str,
    says: fn(&Ends<'_>) -> Option<String>,
    likely: &'static str,
    next: &'static str,
}

/// One end of the tunnels of a VNI.
struct Ends<'a> {
    seen: &'a Seen<'a>,
    vni: u32,
    tunnel: &'a Tunnel<'a>,
    vxlan: &'a Vxlan,
}

const CHANGED_BY_MAKING_ANEW: &str =
    "delete the vxlan device that is wrong and make it anew: the kernel does not change this";

const SETTINGS: [Setting; 9] = [
    Setting {
        name: "kind",
        says: |end| {
            let vni = end.seen.facts.frr.as_ref()?.vnis.get(&end.vni)?;
            Some(match vni.kind {
                VniKind::L2 => "a bridged network".into(),
                VniKind::L3 => "what is routed in a VRF".into(),
            })
        },
        likely: "one has `vni` of a VRF set to the VNI of a network, or both have chosen the same number",
        next: "vtysh -c 'show evpn vni', on each",
    },
    Setting {
        name: "VRF",
        says: |end| {
            let vni = end.seen.facts.frr.as_ref()?.vnis.get(&end.vni)?;
            let is_l3 = vni.kind == VniKind::L3;
            is_l3.then(|| vni.vrf.clone().unwrap_or_else(|| "default".into()))
        },
        likely: "the L3VNI belongs to another VRF on one of them, so that tenants are mixed",
        next: "correct `vni` below `vrf` in FRR",
    },
    Setting {
        name: "UDP port",
        says: |end| Some(end.vxlan.port.to_string()),
        likely: "nobody hears what is sent to the other port",
        next: CHANGED_BY_MAKING_ANEW,
    },
    Setting {
        name: "underlay",
        says: |end| {
            let family = |local: IpAddr| if local.is_ipv4() { "IPv4" } else { "IPv6" };
            end.vxlan.local.map(|local| family(local).into())
        },
        likely: "tunnels over IPv4 and over IPv6 do not meet",
        next: CHANGED_BY_MAKING_ANEW,
    },
    Setting {
        name: "options",
        says: |end| {
            let options: BTreeSet<&str> =
                end.vxlan.unsupported.iter().map(String::as_str).collect();
            let options = options.into_iter().collect::<Vec<_>>().join(" ");
            Some(if options.is_empty() { "none".into() } else { options })
        },
        likely: "bits of the VXLAN header mean something to one end alone (GBP, GPE, remote checksums): the other drops \
                 such packets, or takes them for plain ones",
        next: CHANGED_BY_MAKING_ANEW,
    },
    Setting {
        name: "MTU",
        says: |end| Some(end.tunnel.vxlan.mtu.to_string()),
        likely: "frames that fit one end are too long for the other",
        next: "ip link set DEVICE mtu MTU, and the bridge and its interfaces with it",
    },
    Setting {
        name: "TOS",
        says: |end| Some(if end.vxlan.tos_inherit { "inherited" } else { "fixed" }.into()),
        likely: "marks of hosts (DSCP, ECN) are seen by the underlay in one direction alone",
        next: "ip link set DEVICE type vxlan tos inherit, or a value",
    },
    Setting {
        name: "TTL",
        says: |end| Some(if end.vxlan.ttl_inherit { "inherited" } else { "fixed" }.into()),
        likely: "what hosts send with a small TTL crosses the underlay in one direction alone",
        next: CHANGED_BY_MAKING_ANEW,
    },
    Setting {
        name: "DF",
        says: |end| {
            let df = match end.vxlan.df {
                Df::Unset => "unset",
                Df::Set => "set",
                Df::Inherit => "inherited",
            };
            // IPv6 has no such bit.
            end.vxlan.local.is_some_and(|local| local.is_ipv4()).then(|| df.into())
        },
        likely: "where the underlay is too small, packets are sent in fragments in one direction and lost in the other",
        next: "ip link set DEVICE type vxlan df set, or unset or inherit",
    },
];

pub(super) fn compare(boxes: &[Seen<'_>], found: &mut Compared) {
    let mut ends: BTreeMap<u32, Vec<Ends<'_>>> = BTreeMap::new();
    for seen in boxes {
        for (vni, tunnel) in &seen.kernel.tunnels {
            if let LinkKind::Vxlan(vxlan) = &tunnel.vxlan.kind {
                ends.entry(*vni).or_default().push(Ends { seen, vni: *vni, tunnel, vxlan });
            }
        }
    }
    for (vni, ends) in &ends {
        for setting in &SETTINGS {
            unequal(*vni, setting, ends, found);
        }
        checksums(*vni, ends, found);
    }
}

fn unequal(vni: u32, setting: &Setting, ends: &[Ends<'_>], found: &mut Compared) {
    let said = ends.iter().filter_map(|end| Some((end.seen.name.clone(), (setting.says)(end)?)));
    let said: Vec<(String, String)> = said.collect();
    let different: BTreeSet<&str> = said.iter().map(|(_, says)| says.as_str()).collect();
    if different.len() > 1 {
        let what = format!("{vni}, {}", setting.name);
        found.add(Kind::Vni, what, said, setting.likely, setting.next);
    }
}

/// Checksum 0 over IPv6 is a matter of who sends and who takes it (RFC 6935).
fn checksums(vni: u32, ends: &[Ends<'_>], found: &mut Compared) {
    let v6 = || ends.iter().filter(|end| end.vxlan.local.is_some_and(|local| local.is_ipv6()));
    let Some(sends) = v6().find(|end| end.vxlan.udp6_zero_checksum_tx) else { return };
    let other = |end: &&Ends<'_>| end.seen.name != sends.seen.name;
    let Some(refuses) = v6().filter(other).find(|end| !end.vxlan.udp6_zero_checksum_rx) else {
        return;
    };
    found.add(
        Kind::Vni,
        format!("{vni}, UDP checksum"),
        [
            (&sends.seen.name, "sends 0 (udp6zerocsumtx)".to_owned()),
            (&refuses.seen.name, "does not take 0 (noudp6zerocsumrx)".to_owned()),
        ],
        "everything that the one sends is dropped by the other",
        CHANGED_BY_MAKING_ANEW,
    );
}
