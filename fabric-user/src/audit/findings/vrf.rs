//! VRFs that only one side has, prefixes that are in another one, and L3VNIs that differ.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Found,
    context::{Context, Sight},
    finding::{Finding, Kind},
    words,
};
use crate::audit::model::{ACTIVE, Table, Vrf};

pub(super) fn find(context: &Context<'_>, found: &mut Found) {
    missing(context, found);
    unknown(context, &mut found.findings);
    moved(context, &mut found.findings);
    l3vnis(context, &mut found.findings);
}

/// VRFs with active prefixes in sight that no box has.
fn missing(context: &Context<'_>, found: &mut Found) {
    let mut vrfs: BTreeMap<&Vrf, BTreeMap<Sight, usize>> = BTreeMap::new();
    for prefix in context.netbox.prefixes.iter().filter(|prefix| prefix.status == ACTIVE) {
        if !context.vrfs.contains(&prefix.vrf) {
            let prefixes = vrfs.entry(&prefix.vrf).or_default();
            *prefixes.entry(context.sight_of(prefix)).or_default() += 1;
        }
    }
    for (vrf, prefixes) in vrfs {
        let Some((sight, prefixes)) = prefixes.into_iter().next_back() else { continue };
        let finding = Finding {
            id: Kind::VrfMissing.id(vrf.key()),
            kind: Kind::VrfMissing,
            what: vrf.to_string(),
            netbox: match prefixes {
                1 => "has an active prefix in it".into(),
                several => format!("has {several} active prefixes in it"),
            },
            fabric: "no box has a VRF of that name".into(),
            likely:
                "it was never built, or its device has a name that cannot be told from NetBox's"
                    .into(),
            next: match vrf.name() {
                Some(name) => format!(
                    "build it, or say what its device is called by --vrf '{name}=DEVICE', of what boxes \
                     have in no VRF by --vrf '{name}=default'"
                ),
                None => "move them to the VRF that boxes have as their default one".into(),
            },
        };
        found.tell(sight, finding);
    }
}

/// VRFs of boxes that NetBox does not have.
fn unknown(context: &Context<'_>, found: &mut Vec<Finding>) {
    if !context.netbox.has(Table::Vrfs) {
        return;
    }
    for vrf in context.vrfs.difference(&context.known_vrfs) {
        let leafs = context.fabric.boxes.iter().filter(|leaf| leaf.vrfs.contains_key(vrf));
        let leafs: Vec<&str> = leafs.map(|leaf| leaf.name.as_str()).collect();
        let gateways = context.all_gateways().filter(|gateway| gateway.vrf == vrf);
        let networks: BTreeSet<_> = gateways.filter_map(|gateway| gateway.network()).collect();
        found.push(Finding {
            id: Kind::VrfUnknown.id(vrf.key()),
            kind: Kind::VrfUnknown,
            what: vrf.to_string(),
            netbox: "has no VRF of that name".into(),
            fabric: format!(
                "{} has it, with gateways of {}",
                words::list(leafs),
                words::count(networks.len(), "network")
            ),
            likely: "it was built without NetBox, or has another name there".into(),
            next: format!(
                "enter it in NetBox, or say what it is called there by --vrf 'NAME={}'",
                vrf.key()
            ),
        });
    }
}

/// Prefixes whose gateway is in another VRF.
fn moved(context: &Context<'_>, found: &mut Vec<Finding>) {
    for (place, (vrf, leafs)) in &context.moved {
        let prefix = &context.netbox.prefixes[*place];
        found.push(Finding {
            id: Kind::VrfOther.id(format_args!("{}/{}", prefix.vrf.key(), prefix.network)),
            kind: Kind::VrfOther,
            what: format!("prefix {}", prefix.network),
            netbox: format!("is in {}", prefix.vrf),
            fabric: format!("its gateway at {} is in {vrf}", words::list(leafs)),
            likely: "the gateway's interface has another master than it should, or the prefix was \
                entered for another VRF"
                .into(),
            next: "move the gateway's interface (`ip link set dev … master …`), or the prefix in \
                NetBox"
                .into(),
        });
    }
}

/// An L2VPN without VLANs that has the name of a VRF is what NetBox has for its L3VNI.
fn l3vnis(context: &Context<'_>, found: &mut Vec<Finding>) {
    for l2vpn in
        context.netbox.l2vpns.iter().filter(|l2vpn| l2vpn.is_vxlan && l2vpn.vlans.is_empty())
    {
        let (Some(wanted), vrf) = (l2vpn.identifier, Vrf::named(&l2vpn.name)) else { continue };
        let boxes = context.fabric.boxes.iter();
        let tenants = boxes.filter_map(|leaf| Some((leaf, leaf.vrfs.get(&vrf)?)));
        let others: BTreeMap<&str, String> = tenants
            .filter(|(_, tenant)| tenant.is_asked && tenant.l3vni != Some(wanted))
            .map(|(leaf, tenant)| {
                let l3vni = tenant.l3vni.map_or_else(|| "missing".into(), |it| it.to_string());
                (leaf.name.as_str(), l3vni)
            })
            .collect();
        if others.is_empty() {
            continue;
        }
        found.push(Finding {
            id: Kind::L3vniOther.id(vrf.key()),
            kind: Kind::L3vniOther,
            what: format!("L3VNI of {vrf}"),
            netbox: format!("L2VPN {} is {wanted}", l2vpn.name),
            fabric: format!("is {} at {}", words::set(others.values()), words::list(others.keys())),
            likely: "one of both was renumbered without the other".into(),
            next: format!(
                "correct `vni` below `vrf {}` in FRR, or the L2VPN's identifier in NetBox",
                vrf.key()
            ),
        });
    }
}
