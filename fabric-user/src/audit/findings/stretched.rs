//! Which L2VPNs are at which sites, by which rule: NetBox has no word for a VLAN that is stretched.

use std::collections::BTreeSet;

use super::context::Context;
use crate::audit::model::{ACTIVE, L2vpn, Site, Sites, Vlan};

/// Where a VNI should be.
pub(super) struct Stretch {
    /// Sites, of which the audited ones can be looked at.
    pub(super) sites: BTreeSet<Site>,
    /// Why these: a part of a sentence about NetBox.
    pub(super) rule: &'static str,
}

/// Where the VNI of an L2VPN should be; none if it is at one site, or nobody knows.
pub(super) fn of(context: &Context<'_>, l2vpn: &L2vpn) -> Option<Stretch> {
    let vlans: Vec<(usize, &Vlan)> = l2vpn
        .vlans
        .iter()
        .map(|place| (*place, &context.netbox.vlans[*place]))
        .filter(|(_, vlan)| vlan.status == ACTIVE)
        .collect();
    let named = vlans.iter().flat_map(|(_, vlan)| vlan.sites.named()).chain(&l2vpn.sites);
    let named: BTreeSet<Site> = named.cloned().collect();
    let prefixes = vlans.iter().filter_map(|(place, _)| context.prefixes_of.get(place)).flatten();
    let prefixes = prefixes.map(|place| &context.netbox.prefixes[*place]);
    let prefixes = prefixes.filter(|prefix| prefix.status == ACTIVE);
    let of_prefixes: BTreeSet<Site> =
        prefixes.flat_map(|prefix| prefix.sites.named()).cloned().collect();
    if of_prefixes.len() > 1 {
        let sites = of_prefixes.union(&named).cloned().collect();
        return Some(Stretch { sites, rule: "its prefixes lie at" });
    }
    if named.len() > 1 {
        return Some(Stretch { sites: named, rule: "what is in it lies at" });
    }
    let is_anywhere = |vlan: &Vlan| vlan.sites == Sites::Anywhere;
    // A prefix at one site says that it is there, whatever the VLAN does not say.
    let is_everywhere = vlans.iter().any(|(_, vlan)| is_anywhere(vlan))
        && named.is_empty()
        && of_prefixes.is_empty();
    is_everywhere.then(|| Stretch {
        sites: context.sites().clone(),
        rule: "neither it nor its group has a site, so it is at all of",
    })
}
