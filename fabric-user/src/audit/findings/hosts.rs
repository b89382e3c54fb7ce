//! Hosts outside any prefix, and hosts in the prefix of another VLAN than theirs.
//!
//! A finding for each block of addresses and not for each host: what is missing in NetBox, or plugged in wrong, is one
//! thing, and hosts come and go.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    context::{Context, Host},
    finding::{Finding, Kind},
    words,
};
use crate::{
    audit::{
        model::Vrf,
        networks::{network, width},
    },
    observe::Prefix as Addresses,
};

pub(super) fn find(context: &Context<'_>, found: &mut Vec<Finding>) {
    outside(context, found);
    elsewhere(context, found);
}

/// The block of addresses that a host is told of with.
const fn block(host: &Host<'_>) -> Addresses {
    network(host.address, if host.address.is_ipv4() { 24 } else { 64 })
}

/// `10.9.0.5 (02:…:05) and 10.9.0.6 (02:…:06)`.
fn list(hosts: &[&Host<'_>]) -> String {
    words::list(hosts.iter().map(|host| format!("{} ({})", host.address, host.mac)))
}

/// A network in an identifier.
fn place(network: &crate::audit::fabric::Network) -> String {
    match network.vni {
        Some(vni) => format!("vni{vni}"),
        None => network.name.clone(),
    }
}

fn outside(context: &Context<'_>, found: &mut Vec<Finding>) {
    // Networks of gateways that NetBox does not have are told of as such, with all that is in them.
    let told: HashSet<(Option<&Vrf>, Addresses)> = context
        .all_gateways()
        .filter_map(|gateway| Some((Some(gateway.vrf), gateway.network()?)))
        .collect();
    let lengths: BTreeSet<u8> = told.iter().map(|(_, network)| network.length).collect();
    let is_told = |host: &Host<'_>| {
        let mut lengths = lengths.iter().filter(|length| **length < width(host.address));
        lengths.any(|length| told.contains(&(host.vrf, network(host.address, *length))))
    };
    let mut blocks: BTreeMap<(Option<&Vrf>, Addresses, String), Vec<&Host<'_>>> = BTreeMap::new();
    for host in &context.outside {
        let is_known = host.vrf.is_none_or(|vrf| context.known_vrfs.contains(vrf));
        if !is_told(host) && is_known {
            blocks.entry((host.vrf, block(host), place(host.network))).or_default().push(host);
        }
    }
    for ((vrf, block, place), hosts) in blocks {
        let whose = vrf.map_or_else(|| "a VRF that is not known".into(), ToString::to_string);
        let leafs = words::set(hosts.iter().map(|host| host.leaf.name.as_str()));
        found.push(Finding {
            id: Kind::HostOutside
                .id(format_args!("{}/{block}/{place}", vrf.map_or("unknown", Vrf::key))),
            kind: Kind::HostOutside,
            what: format!(
                "{} of {block} in {}",
                words::count(hosts.len(), "host"),
                hosts[0].network.name
            ),
            netbox: match vrf {
                Some(vrf) => format!("has no prefix around in {vrf}"),
                None => "has no prefix around in any VRF".into(),
            },
            fabric: format!("{} at {leafs}, in {whose}", list(&hosts)),
            likely:
                "a host has an address of its own making, or of a network that it has left; or \
                NetBox lacks the prefix"
                    .into(),
            next: format!(
                "find the host by its MAC (`fabricctl lookup`, `bridge fdb`), or enter a \
                prefix in {block}"
            ),
        });
    }
}

fn elsewhere(context: &Context<'_>, found: &mut Vec<Finding>) {
    let mut groups: BTreeMap<(usize, usize), Vec<&Host<'_>>> = BTreeMap::new();
    for (place, hosts) in &context.hosts {
        let Some(wanted) = context.netbox.prefixes[*place].vlan else { continue };
        for host in hosts {
            let actual = context.vlans_of(host.network);
            let is_same = |vlan: &usize| {
                let l2vpn = |vlan: usize| context.netbox.vlans[vlan].l2vpn;
                // One VLAN may have an entry for each site.
                *vlan == wanted || l2vpn(*vlan).is_some() && l2vpn(*vlan) == l2vpn(wanted)
            };
            if let Some(first) = actual.first()
                && !actual.iter().any(is_same)
            {
                groups.entry((*place, *first)).or_default().push(host);
            }
        }
    }
    for ((place, actual), hosts) in groups {
        let prefix = &context.netbox.prefixes[place];
        let actual = &context.netbox.vlans[actual];
        let Some(wanted) = context.vlan(prefix) else { continue };
        let leafs = words::set(hosts.iter().map(|host| host.leaf.name.as_str()));
        found.push(Finding {
            id: Kind::HostElsewhere.id(format_args!(
                "{}/{}/{}",
                prefix.vrf.key(),
                prefix.network,
                actual.vid
            )),
            kind: Kind::HostElsewhere,
            what: format!(
                "{} of {} in {}",
                words::count(hosts.len(), "host"),
                prefix.network,
                prefix.vrf
            ),
            netbox: format!("{} belongs to {wanted}", prefix.network),
            fabric: format!("{} at {leafs}, in {actual}", list(&hosts)),
            likely: "a host's port is in another VLAN than its address, or the host was moved and \
                kept its address"
                .into(),
            next: format!("move the port to {wanted}, or give the host an address of {actual}"),
        });
    }
}
