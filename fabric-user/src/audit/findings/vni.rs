//! VLANs that have another VNI on a box than NetBox says, and stretched ones whose VNI is missing on a site.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    context::Context,
    finding::{Finding, Kind},
    stretched, words,
};
use crate::audit::{
    fabric::{Leaf, Network},
    model::{ACTIVE, L2vpn},
};

/// What was told of.
#[derive(Default)]
pub(super) struct Told {
    /// Networks with another VNI, by box and VNI.
    pub(super) networks: BTreeSet<(String, u32)>,
    /// VLANs, by box and place.
    vlans: BTreeSet<(String, usize)>,
}

impl Told {
    /// Whether a box has another VNI for a VLAN.
    pub(super) fn has_vlan(&self, vlan: usize) -> bool {
        self.vlans.iter().any(|(_, told)| *told == vlan)
    }
}

pub(super) fn find(context: &Context<'_>, found: &mut Vec<Finding>) -> Told {
    let mut told = Told::default();
    for (leaf, network) in context.networks().filter(|(_, network)| !network.is_layer3) {
        if let Some(finding) = other(context, leaf, network, &mut told) {
            found.push(finding);
        }
    }
    for l2vpn in context.netbox.l2vpns.iter().filter(|l2vpn| l2vpn.is_vxlan) {
        missing(context, l2vpn, &told, found);
    }
    told
}

/// The VLAN that a network is by what was configured, not by its VNI.
fn vlan_of(context: &Context<'_>, leaf: &Leaf, network: &Network) -> Option<usize> {
    let by_vid = context.vlan_by_vid(leaf, network);
    by_vid.or_else(|| context.vlans_by_gateways(network).first().copied())
}

fn other(
    context: &Context<'_>,
    leaf: &Leaf,
    network: &Network,
    told: &mut Told,
) -> Option<Finding> {
    let actual = network.vni?;
    let place = vlan_of(context, leaf, network)?;
    let wanted = context.vni(place)?;
    if wanted == actual {
        return None;
    }
    let vlan = &context.netbox.vlans[place];
    told.networks.insert((leaf.name.clone(), actual));
    told.vlans.insert((leaf.name.clone(), place));
    let whose = context.netbox.l2vpns.iter().find(|l2vpn| l2vpn.identifier == Some(actual));
    Some(Finding {
        id: Kind::VniOther.id(format_args!("{}/{}", leaf.name, vlan.vid)),
        kind: Kind::VniOther,
        what: format!("{vlan} at {}", leaf.name),
        netbox: format!("has VNI {wanted}"),
        fabric: format!("{} has VNI {actual}", network.name),
        likely: match whose {
            Some(l2vpn) => {
                format!("VNI {actual} is that of {l2vpn}: two networks are joined or swapped there")
            }
            None => "a digit is wrong on one of both sides".into(),
        },
        next: format!("give {} VNI {wanted}, or correct the L2VPN in NetBox", network.name),
    })
}

/// The VNI of a stretched VLAN is on some box, and on none of a site where it should be.
fn missing(context: &Context<'_>, l2vpn: &L2vpn, told: &Told, found: &mut Vec<Finding>) {
    let Some(vni) = l2vpn.identifier else { return };
    if l2vpn.status.as_deref().is_some_and(|status| status != ACTIVE) {
        return;
    }
    // Where no box has it, that is told of once.
    let Some(carriers) = context.carried.get(&vni) else { return };
    let Some(stretch) = stretched::of(context, l2vpn) else { return };
    for site in &stretch.sites {
        let leafs: Vec<&Leaf> = context.at(site).collect();
        let has_other = |leaf: &&Leaf| {
            l2vpn.vlans.iter().any(|vlan| told.vlans.contains(&(leaf.name.clone(), *vlan)))
        };
        let is_there = carriers.iter().any(|(leaf, _)| leaf.site.as_ref() == Some(site));
        if leafs.is_empty() || is_there || leafs.iter().any(has_other) {
            continue;
        }
        found.push(finding(context, l2vpn, vni, site, &stretch, &leafs));
    }
}

fn finding(
    context: &Context<'_>,
    l2vpn: &L2vpn,
    vni: u32,
    site: &str,
    stretch: &stretched::Stretch,
    leafs: &[&Leaf],
) -> Finding {
    let vlans: BTreeMap<usize, String> = l2vpn
        .vlans
        .iter()
        .map(|place| (*place, context.netbox.vlans[*place].to_string()))
        .collect();
    let bare =
        leafs.iter().flat_map(|leaf| leaf.networks.iter().map(move |network| (leaf, network)));
    let bare = bare.filter(|(leaf, network)| {
        network.vni.is_none()
            && vlan_of(context, leaf, network).is_some_and(|vlan| vlans.contains_key(&vlan))
    });
    let bare: Vec<String> =
        bare.map(|(leaf, network)| format!("{} of {}", network.name, leaf.name)).collect();
    let carriers = context.carried.get(&vni).into_iter().flatten();
    let elsewhere = words::set(carriers.map(|(leaf, _)| leaf.name.as_str()));
    let names = words::set(leafs.iter().map(|leaf| leaf.name.as_str()));
    Finding {
        id: Kind::VniMissing.id(format_args!("{vni}/{site}")),
        kind: Kind::VniMissing,
        what: format!("VNI {vni} of {} at site {site}", words::set(vlans.values())),
        netbox: format!("{} {}", stretch.rule, words::list(&stretch.sites)),
        fabric: format!("at {elsewhere}, and not at {names}"),
        likely: match bare.is_empty() {
            true => {
                "the network was not built on this site, or NetBox says that it is where it is not"
                    .into()
            }
            false => format!("{} has the VLAN and no vxlan device for it", words::list(&bare)),
        },
        next: format!("build VNI {vni} on a box of {site}, or give the VLAN its sites in NetBox"),
    }
}
