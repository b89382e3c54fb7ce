//! Prefixes that are routed and not active.
//!
//! Those that are reserved or deprecated and have gateways or hosts are told of as being in use. Containers are routed
//! as sums of what is in them.

use super::{
    context::Context,
    finding::{Finding, Kind},
    words,
};
use crate::audit::model::{ACTIVE, CONTAINER, is_out_of_use};

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
        let routing = context.fabric.boxes.iter().filter(|leaf| {
            leaf.routes(&prefix.vrf).is_some_and(|routes| routes.has(prefix.network))
        });
        let routing: Vec<&str> = routing.map(|leaf| leaf.name.as_str()).collect();
        if routing.is_empty() {
            continue;
        }
        let gateways = context.gateways.get(&place);
        let gateways =
            gateways.map(|all| words::set(all.iter().map(|gateway| gateway.leaf.name.as_str())));
        found.push(Finding {
            id: Kind::RoutedNotActive.id(format_args!("{}/{}", prefix.vrf.key(), prefix.network)),
            kind: Kind::RoutedNotActive,
            what: format!("prefix {} in {}", prefix.network, prefix.vrf),
            netbox: format!("is {}", prefix.status),
            fabric: match gateways {
                Some(gateways) => {
                    format!("routed at {}, with its gateway at {gateways}", words::list(routing))
                }
                None => format!("routed at {}", words::list(routing)),
            },
            likely: match is_out_of_use(&prefix.status) {
                true => "a route was left behind, or somebody announces it".into(),
                false => "it was built, and its status was not set to active".into(),
            },
            next: "withdraw the route, or set the prefix to active in NetBox".into(),
        });
    }
}
