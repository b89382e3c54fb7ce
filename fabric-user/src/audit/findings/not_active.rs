//! Prefixes that are routed, or parts of which are, and not active.
//!
//! Those that are reserved or deprecated and have gateways or hosts are told of as being in use. Containers are routed
//! as sums of what is in them.

use std::collections::BTreeSet;

use super::{
    context::{Context, Gateway},
    finding::{Finding, Kind},
    words,
};
use crate::{
    audit::model::{ACTIVE, CONTAINER, is_out_of_use},
    observe::Prefix as Addresses,
};

pub(super) fn find(context: &Context<'_>, found: &mut Vec<Finding>) {
    for (place, prefix) in context.netbox.prefixes.iter().enumerate() {
        let same = context.index.exact(&prefix.vrf, prefix.network);
        let has = |status: &str| {
            same.iter().any(|place| context.netbox.prefixes[*place].status == status)
        };
        let is_used = context.gateways.contains_key(&place) || context.hosts.contains_key(&place);
        if same[0] != place
            || has(ACTIVE)
            || has(CONTAINER)
            || is_used && is_out_of_use(&prefix.status)
        {
            continue;
        }
        let gateways = context.gateways.get(&place);
        let others = gateways.into_iter().flatten().filter_map(Gateway::network);
        let others: BTreeSet<Addresses> = others.filter(|it| *it != prefix.network).collect();
        // Of a prefix inside that NetBox has, that one's status counts; networks of gateways that it lacks are told of
        // as such.
        let is_its_own = |route: &Addresses| {
            let around =
                context.index.longest(context.netbox, &prefix.vrf, route.address, route.length);
            around == Some(place) && !others.contains(route)
        };
        let (mut routing, mut parts) = (Vec::new(), BTreeSet::new());
        for leaf in &context.fabric.boxes {
            let routes =
                leaf.routes(&prefix.vrf).into_iter().flat_map(|it| it.inside(prefix.network));
            let own: Vec<Addresses> = routes.filter(is_its_own).collect();
            if !own.is_empty() {
                routing.push(leaf.name.as_str());
                parts.extend(own);
            }
        }
        if routing.is_empty() {
            continue;
        }
        let what = match parts.contains(&prefix.network) {
            true => String::new(),
            false => format!("{} of it ", words::list(&parts)),
        };
        let gateways =
            gateways.map(|all| words::set(all.iter().map(|gateway| gateway.leaf.name.as_str())));
        found.push(Finding {
            id: Kind::RoutedNotActive.id(format_args!("{}/{}", prefix.vrf.key(), prefix.network)),
            kind: Kind::RoutedNotActive,
            what: format!("prefix {} in {}", prefix.network, prefix.vrf),
            netbox: format!("is {}", prefix.status),
            fabric: match gateways {
                Some(gateways) => {
                    format!(
                        "{what}routed at {}, with its gateway at {gateways}",
                        words::list(routing)
                    )
                }
                None => format!("{what}routed at {}", words::list(routing)),
            },
            likely: match is_out_of_use(&prefix.status) {
                true => "a route was left behind, or somebody announces it".into(),
                false => "it was built, and its status was not set to active".into(),
            },
            next: "withdraw the route, or set the prefix to active in NetBox".into(),
        });
    }
}
