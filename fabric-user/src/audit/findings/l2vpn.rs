//! L2VPNs that only one side has, that are carried and not active, or for another VLAN.

use std::collections::BTreeSet;

use super::{
    Found,
    context::{Context, Seat, Sight},
    finding::{Finding, Kind},
    vni::Told,
    words,
};
use crate::audit::model::{ACTIVE, L2vpn, Sites, Table, Vrf};

pub(super) fn find(context: &Context<'_>, told: &Told, found: &mut Found) {
    if !context.netbox.has(Table::L2vpns) {
        return;
    }
    let carried = &context.carried;
    let mut known = BTreeSet::new();
    for l2vpn in context.netbox.l2vpns.iter().filter(|l2vpn| l2vpn.is_vxlan) {
        let Some(vni) = l2vpn.identifier else { continue };
        if !known.insert(vni) {
            continue;
        }
        match carried.get(&vni) {
            Some(networks) => found.findings.extend(other(context, l2vpn, networks, told)),
            None => missing(context, l2vpn, vni, told, found),
        }
    }
    for (vni, networks) in carried.iter().filter(|(vni, _)| !known.contains(*vni)) {
        found.findings.extend(unknown(context, *vni, networks, told));
    }
}

fn missing(context: &Context<'_>, l2vpn: &L2vpn, vni: u32, told: &Told, found: &mut Found) {
    let is_active = l2vpn.status.as_deref().is_none_or(|status| status == ACTIVE);
    let vlans = || l2vpn.vlans.iter().map(|place| &context.netbox.vlans[*place]);
    let is_in_use = l2vpn.vlans.is_empty() || vlans().any(|vlan| vlan.status == ACTIVE);
    let of_interfaces = match (l2vpn.interfaces, l2vpn.sites.is_empty()) {
        (0, _) => None,
        (_, true) => Some(Sites::Unknown),
        (_, false) => Some(Sites::At(l2vpn.sites.clone())),
    };
    let sights = vlans().map(|vlan| &vlan.sites).chain(&of_interfaces);
    let sight = sights.map(|sites| context.sight(sites)).max().unwrap_or(Sight::In);
    // As an L3VNI it is told of there; where a box has another VNI for its VLAN, with that.
    let is_l3vni = l2vpn.vlans.is_empty() && context.vrfs.contains(&Vrf::named(&l2vpn.name));
    let has_other = l2vpn.vlans.iter().any(|vlan| told.has_vlan(*vlan));
    if !is_active || !is_in_use || is_l3vni || has_other {
        return;
    }
    let finding = Finding {
        id: Kind::L2vpnMissing.id(vni),
        kind: Kind::L2vpnMissing,
        what: l2vpn.to_string(),
        netbox: match (l2vpn.vlans.is_empty(), l2vpn.interfaces) {
            (true, 0) => "has nothing in it".into(),
            (true, interfaces) => format!("has {} in it", words::count(interfaces, "interface")),
            (false, _) => format!("has {} in it", words::set(vlans().map(ToString::to_string))),
        },
        fabric: format!("no box has VNI {vni}"),
        likely: "it was never built, or was removed and NetBox was not told".into(),
        next: format!("build VNI {vni}, or set the L2VPN to planned or delete it in NetBox"),
    };
    found.tell(sight, finding);
}

fn unknown(context: &Context<'_>, vni: u32, networks: &[Seat<'_>], told: &Told) -> Option<Finding> {
    let networks = networks.iter().filter(|(leaf, network)| {
        // NetBox has no place of its own for L3VNIs.
        !network.is_layer3 && !told.networks.contains(&(leaf.name.clone(), vni))
    });
    let networks: Vec<_> = networks.collect();
    if networks.is_empty() {
        return None;
    }
    let vlans: BTreeSet<usize> =
        networks.iter().flat_map(|(_, network)| context.vlans_of(network)).copied().collect();
    let vlans = vlans.iter().map(|place| context.netbox.vlans[*place].to_string());
    let vlans: Vec<String> = vlans.collect();
    let leafs = words::set(networks.iter().map(|(leaf, _)| leaf.name.as_str()));
    let names = words::set(networks.iter().map(|(_, network)| network.name.as_str()));
    Some(Finding {
        id: Kind::L2vpnUnknown.id(vni),
        kind: Kind::L2vpnUnknown,
        what: format!("VNI {vni}"),
        netbox: match vlans.is_empty() {
            true => "has no L2VPN of that identifier".into(),
            false => format!("has no VNI for {}", words::list(&vlans)),
        },
        fabric: format!("{names} at {leafs} has it"),
        likely: "it was built without NetBox, or its L2VPN lacks the identifier".into(),
        next: match vlans.is_empty() {
            true => {
                format!("enter an L2VPN with identifier {vni} and its VLAN in NetBox, or remove it")
            }
            false => format!(
                "enter an L2VPN with identifier {vni} in NetBox and put {} into it",
                words::list(&vlans)
            ),
        },
    })
}

fn other(
    context: &Context<'_>,
    l2vpn: &L2vpn,
    networks: &[Seat<'_>],
    told: &Told,
) -> Option<Finding> {
    let vni = l2vpn.identifier?;
    let finding = |netbox, fabric, likely: &str, next: &str| {
        Some(Finding {
            id: Kind::L2vpnOther.id(vni),
            kind: Kind::L2vpnOther,
            what: l2vpn.to_string(),
            netbox,
            fabric,
            likely: likely.into(),
            next: next.into(),
        })
    };
    let leafs = || words::set(networks.iter().map(|(leaf, _)| leaf.name.as_str()));
    if let Some(status) = l2vpn.status.as_deref().filter(|status| *status != ACTIVE) {
        return finding(
            format!("is {status}"),
            format!("carried at {}", leafs()),
            "its status in NetBox was not set when it was built or given up",
            "set its status to active in NetBox, or remove the VNI",
        );
    }
    // Local VLAN IDs may differ from port to port; of a VLAN-aware bridge the bridge has one.
    let wanted: BTreeSet<u16> =
        l2vpn.vlans.iter().map(|place| context.netbox.vlans[*place].vid).collect();
    let others = networks.iter().filter(|(leaf, network)| {
        network.vids.len() == 1
            && network.vids.is_disjoint(&wanted)
            && context.vlan_by_vid(leaf, network).is_some()
            && !told.networks.contains(&(leaf.name.clone(), vni))
    });
    let others: Vec<_> = others.collect();
    if wanted.is_empty() || others.is_empty() {
        return None;
    }
    let names = others.iter().map(|(leaf, network)| format!("{} of {}", network.name, leaf.name));
    let vids = words::set(others.iter().flat_map(|(_, network)| &network.vids));
    finding(
        format!("has VLAN {} in it", words::set(wanted)),
        format!("has VLAN {vids} in it: {}", words::list(names)),
        "VLANs were mixed up where tunnels are put together",
        "correct the VLAN of the VNI on the box, or what is in the L2VPN in NetBox",
    )
}
