//! Gateways whose network NetBox does not have as a prefix.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    context::{Context, Gateway},
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
    let mut outside: BTreeMap<(&Vrf, Addresses), Vec<Gateway<'_>>> = BTreeMap::new();
    for gateway in context.all_gateways() {
        let address = gateway.address.address;
        let network = gateway.network().unwrap_or_else(|| network(address, width(address)));
        let is_prefix = match gateway.network() {
            Some(network) => {
                let exact = context.index.exact(gateway.vrf, network);
                exact.iter().any(|place| !context.is_container(*place))
            }
            None => context.index.around(context.netbox, gateway.vrf, address).is_some(),
        };
        let is_told = !context.known_vrfs.contains(gateway.vrf)
            || context.moved_to.contains(&(gateway.vrf.clone(), network));
        if !is_prefix && !is_told {
            outside.entry((gateway.vrf, network)).or_default().push(gateway);
        }
    }
    for ((vrf, network), gateways) in outside {
        found.push(finding(context, vrf, network, &gateways));
    }
}

fn finding(
    context: &Context<'_>,
    vrf: &Vrf,
    network: Addresses,
    gateways: &[Gateway<'_>],
) -> Finding {
    let leafs = words::set(gateways.iter().map(|gateway| gateway.leaf.name.as_str()));
    let addresses: BTreeSet<_> = gateways.iter().map(|gateway| gateway.address.address).collect();
    let exact = context.index.exact(vrf, network);
    let around = context.index.around(context.netbox, vrf, network.address);
    let others: BTreeSet<&Vrf> = context.index.anywhere(network).map(|(vrf, _)| vrf).collect();
    let (netbox, likely, next) = if !exact.is_empty() {
        (
            format!("{network} is a container"),
            "the prefix is in use itself and was never set to active".to_owned(),
            "set the prefix to active in NetBox, or enter the one that is in use".to_owned(),
        )
    } else if let Some(place) = around {
        let other = context.netbox.prefixes[place].network;
        (
            format!("has {other} there"),
            "the length of the gateway's network is not the prefix's".to_owned(),
            format!(
                "give the gateway a network of {} bits, or correct the prefix in NetBox",
                other.length
            ),
        )
    } else if !others.is_empty() {
        (
            format!("has {network} only in {}", words::list(&others)),
            "the gateway's interface is in another VRF than it should, or NetBox lacks the prefix \
             in this one"
                .to_owned(),
            "move the interface, or enter the prefix in NetBox".to_owned(),
        )
    } else {
        (
            "has no prefix there".to_owned(),
            "the network was built without NetBox".to_owned(),
            format!("enter {network} in NetBox, or remove the address"),
        )
    };
    let networks = words::set(gateways.iter().map(|gateway| gateway.network.name.as_str()));
    Finding {
        id: Kind::GatewayOutside.id(format_args!("{}/{network}", vrf.key())),
        kind: Kind::GatewayOutside,
        what: format!("gateway of {network} in {vrf}"),
        netbox,
        fabric: format!("{} is an address of {networks} at {leafs}", words::list(&addresses)),
        likely,
        next,
    }
}
