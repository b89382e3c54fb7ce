//! Active prefixes that nobody forwards to.
//!
//! One with a VLAN needs a gateway in it, here or, as a route for exactly this prefix shows, at a box that is not
//! audited. One without a VLAN may be anything: a route or an own address inside of it is enough, and one that holds
//! others needs nothing.

use std::collections::HashSet;

use super::{
    Found,
    context::{Context, Sight},
    finding::{Finding, Kind},
    words,
};
use crate::audit::{
    model::{ACTIVE, Prefix},
    networks::last,
};

pub(super) fn find(context: &Context<'_>, found: &mut Found) {
    let parents = parents(context);
    for (place, prefix) in context.netbox.prefixes.iter().enumerate() {
        let same = context.index.exact(&prefix.vrf, prefix.network);
        let is_first = same.iter().find(|place| context.netbox.prefixes[**place].status == ACTIVE)
            == Some(&place);
        let sight = context.sight_of(prefix);
        if !is_first
            || sight == Sight::Out
            || !context.vrfs.contains(&prefix.vrf)
            || context.moved.contains_key(&place)
            || same.iter().any(|place| context.gateways.contains_key(place))
            || is_forwarded(context, prefix, parents.contains(&place))
        {
            continue;
        }
        found.tell(sight, finding(context, prefix));
    }
}

/// Places of prefixes that hold others of their VRF.
fn parents(context: &Context<'_>) -> HashSet<usize> {
    let above = |prefix: &Prefix| {
        let bits = prefix.network.length.checked_sub(1)?;
        context.index.longest(context.netbox, &prefix.vrf, prefix.network.address, bits)
    };
    context.netbox.prefixes.iter().filter_map(above).collect()
}

fn is_forwarded(context: &Context<'_>, prefix: &Prefix, is_parent: bool) -> bool {
    let mut routes = context.fabric.boxes.iter().filter_map(|leaf| leaf.routes(&prefix.vrf));
    if prefix.vlan.is_some() {
        return routes.any(|routes| routes.leads_away(prefix.network));
    }
    let (first, last) = (prefix.network.address, last(prefix.network));
    let own = (prefix.vrf.clone(), first)..=(prefix.vrf.clone(), last);
    let mut owners = context.fabric.boxes.iter();
    let mut has_own = || owners.any(|leaf| leaf.own.range(own.clone()).next().is_some());
    is_parent || routes.any(|routes| routes.reaches_into(prefix.network)) || has_own()
}

fn finding(context: &Context<'_>, prefix: &Prefix) -> Finding {
    let vlan = context.vlan(prefix);
    let carriers = prefix.vlan.and_then(|vlan| context.carriers.get(&vlan));
    let carriers = carriers.map_or(&[][..], Vec::as_slice);
    let leafs = words::set(carriers.iter().map(|(leaf, _)| leaf.name.as_str()));
    let (fabric, likely, next) = match vlan {
        Some(vlan) if carriers.is_empty() => (
            "no address of a box is in it, and no route leads to it".to_owned(),
            format!("{vlan} was never built, or was removed and NetBox was not told"),
            "build the network, or set the prefix to deprecated in NetBox".to_owned(),
        ),
        Some(vlan) => {
            let vnis = words::set(carriers.iter().filter_map(|(_, network)| network.vni));
            (
                format!("{vlan} is carried at {leafs} (VNI {vnis}), without an address in it"),
                "its interface has lost its address, or never had one; or its gateway is no box of \
                 the fabric".to_owned(),
                format!("give the interface of {vlan} an address of it in {}", prefix.vrf),
            )
        }
        None => (
            "no address of a box is in it, and no route leads into it".to_owned(),
            "it is not in use, or a route to it is missing".to_owned(),
            "set it to reserved or deprecated in NetBox, or announce it".to_owned(),
        ),
    };
    Finding {
        id: Kind::PrefixWithoutGateway.id(format_args!("{}/{}", prefix.vrf.key(), prefix.network)),
        kind: Kind::PrefixWithoutGateway,
        what: format!("prefix {} in {}", prefix.network, prefix.vrf),
        netbox: match vlan {
            Some(vlan) => format!("is active, in {vlan}"),
            None => "is active".into(),
        },
        fabric,
        likely,
        next,
    }
}
