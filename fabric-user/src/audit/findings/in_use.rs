//! What is reserved or deprecated and in use: prefixes with gateways or hosts, VLANs that are carried, addresses that
//! hosts have.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    context::{Context, Gateway, Host},
    finding::{Finding, Kind},
    words,
};
use crate::audit::model::{ACTIVE, DEPRECATED, Vrf, is_out_of_use};

pub(super) fn find(context: &Context<'_>, found: &mut Vec<Finding>) {
    prefixes(context, found);
    vlans(context, found);
    addresses(context, found);
}

fn next(status: &str) -> String {
    match status {
        DEPRECATED => "move what is there and remove it, or set it to active in NetBox".into(),
        _ => "set it to active in NetBox, or find out who took it before its time".into(),
    }
}

fn likely(status: &str) -> String {
    match status {
        DEPRECATED => "it was given up in NetBox and not in the network".into(),
        _ => "it was put into use, and its status was not set to active".into(),
    }
}

/// Whether a prefix is told of here.
fn is_found(context: &Context<'_>, place: usize) -> bool {
    let prefix = &context.netbox.prefixes[place];
    let same = context.index.exact(&prefix.vrf, prefix.network);
    is_out_of_use(&prefix.status)
        && !same.iter().any(|place| context.netbox.prefixes[*place].status == ACTIVE)
        && (!gateways(context, place).is_empty() || context.hosts.contains_key(&place))
}

/// Gateways of a prefix; those of a network of another length are outside of it, and told of as such.
fn gateways<'a>(context: &Context<'a>, place: usize) -> Vec<Gateway<'a>> {
    let wanted = context.netbox.prefixes[place].network;
    let all = context.gateways.get(&place).into_iter().flatten();
    all.filter(|gateway| gateway.network().is_none_or(|network| network == wanted))
        .copied()
        .collect()
}

fn prefixes(context: &Context<'_>, found: &mut Vec<Finding>) {
    for (place, prefix) in context.netbox.prefixes.iter().enumerate() {
        if !is_found(context, place) {
            continue;
        }
        let gateways = gateways(context, place);
        let hosts = context.hosts.get(&place).map_or(&[][..], Vec::as_slice);
        let mut said = Vec::new();
        if !gateways.is_empty() {
            let leafs = words::set(gateways.iter().map(|gateway| gateway.leaf.name.as_str()));
            said.push(format!("its gateway is at {leafs}"));
        }
        if !hosts.is_empty() {
            let addresses = words::set(hosts.iter().map(|host| host.address));
            said.push(format!("{} in it: {addresses}", words::count(hosts.len(), "host")));
        }
        found.push(Finding {
            id: Kind::InUse.id(format_args!("{}/{}", prefix.vrf.key(), prefix.network)),
            kind: Kind::InUse,
            what: format!("prefix {} in {}", prefix.network, prefix.vrf),
            netbox: format!("is {}", prefix.status),
            fabric: said.join("; "),
            likely: likely(&prefix.status),
            next: next(&prefix.status),
        });
    }
}

fn vlans(context: &Context<'_>, found: &mut Vec<Finding>) {
    for (place, networks) in &context.carriers {
        let networks = networks.iter().filter(|(_, network)| network.vni.is_some());
        let leafs: BTreeSet<&str> = networks.map(|(leaf, _)| leaf.name.as_str()).collect();
        let vlan = &context.netbox.vlans[*place];
        if !is_out_of_use(&vlan.status) || leafs.is_empty() {
            continue;
        }
        let l2vpn = vlan.l2vpn.map(|place| context.netbox.l2vpns[place].to_string());
        let l2vpn = l2vpn.map(|l2vpn| format!(", in {l2vpn}")).unwrap_or_default();
        let site = words::list(vlan.sites.named());
        found.push(Finding {
            // VLANs of different sites may have the same number.
            id: Kind::InUse.id(format_args!("vlan/{}/{site}/{}", vlan.vid, vlan.name)),
            kind: Kind::InUse,
            what: vlan.to_string(),
            netbox: format!("is {}{l2vpn}", vlan.status),
            fabric: format!("carried at {}", words::list(leafs)),
            likely: likely(&vlan.status),
            next: next(&vlan.status),
        });
    }
}

fn addresses(context: &Context<'_>, found: &mut Vec<Finding>) {
    if context.netbox.addresses.is_empty() {
        return;
    }
    let mut hosts: BTreeMap<(Option<&Vrf>, IpAddr), &Host<'_>> = BTreeMap::new();
    for (place, some) in &context.hosts {
        if !is_found(context, *place) {
            hosts.extend(some.iter().map(|host| ((host.vrf, host.address), host)));
        }
    }
    for address in &context.netbox.addresses {
        let host = hosts.get(&(Some(&address.vrf), address.address));
        // A gateway's address is commonly reserved for it.
        let is_given_up = address.status == DEPRECATED;
        let owner = || context.owner(&address.vrf, address.address).filter(|_| is_given_up);
        let said = match host {
            Some(host) => {
                format!("{} at {} has it, in {}", host.mac, host.leaf.name, host.network.name)
            }
            None => match owner() {
                Some(leaf) => format!("{} has it itself", leaf.name),
                None => continue,
            },
        };
        found.push(Finding {
            id: Kind::InUse.id(format_args!("{}/{}", address.vrf.key(), address.address)),
            kind: Kind::InUse,
            what: format!("address {} in {}", address.address, address.vrf),
            netbox: format!("is {}", address.status),
            fabric: said,
            likely: likely(&address.status),
            next: next(&address.status),
        });
    }
}
