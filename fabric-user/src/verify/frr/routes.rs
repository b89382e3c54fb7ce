//! Routes that zebra says to have installed, and those that it says the kernel has refused.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use super::{Found, Said, leftovers::writes};
use crate::{
    frr::facts::{Frr, HopEntry, HopKind, RouteEntry},
    verify::{
        difference::{Kind, Side},
        kernel::{Hop, Kernel},
    },
};

pub(super) fn compare(frr: &Frr, kernel: &Kernel<'_>, found: &mut Found) {
    let known = |route: &&RouteEntry| (route.installed || route.failed) && writes(route);
    for route in frr.routes.iter().filter(known) {
        let vrf = route.vrf.as_deref();
        let Some(table) = kernel.table(vrf) else { continue };
        let expected = hops(route);
        let actual = kernel.route(table, route.prefix);
        if actual.as_ref() == Some(&expected)
            || actual.as_ref() == Some(&without_via(&expected, route.prefix.address.is_ipv4()))
        {
            continue;
        }
        let family = if route.prefix.address.is_ipv4() { "ip" } else { "ipv6" };
        let within = vrf.map(|vrf| format!(" vrf {vrf}")).unwrap_or_default();
        let show = format!("vtysh -c 'show {family} route{within} {}'", route.prefix);
        let (likely, next) = match &actual {
            _ if route.failed => (
                "the kernel has refused it, as for a next hop that is on no link, or for want of memory; zebra's log \
                 says why, and zebra tries again only when something about it changes",
                "vtysh -c 'show logging', for where to look for `Route install failed`".into(),
            ),
            None => {
                ("somebody has removed the route, or the kernel has with an address or link", show)
            }
            Some(_) => (
                "the kernel has taken next hops away with a link, or somebody has a better route",
                show,
            ),
        };
        let refused = if route.failed { ", refused" } else { "" };
        let actual = actual.map_or_else(|| "nothing".into(), |actual| list(&actual));
        found.add(
            Kind::Route,
            format!("{} in {} ({})", route.prefix, vrf.unwrap_or("default"), route.protocol),
            Side::Kernel,
            Said::new(format!("{}{refused}", list(&expected)), actual),
            likely,
            next,
        );
    }
}

/// The next hops that the kernel should have.
fn hops(route: &RouteEntry) -> BTreeSet<Hop> {
    // A hop whose link has gone keeps `fib` in FRR 10 until the route changes; of a route that was refused none has it.
    let wanted = |hop: &&HopEntry| hop.active && !hop.recursive && (hop.fib || route.failed);
    let hop = |hop: &HopEntry| match hop.kind {
        HopKind::Forward => Hop::To(hop.gateway, hop.interface.clone().unwrap_or_default()),
        _ => Hop::Discards,
    };
    route.hops.iter().filter(wanted).map(hop).collect()
}

/// The same as zebra writes them without `via` of another family: IPv4 routes over IPv6 link-local neighbours go by an
/// address that stands for any of an interface.
fn without_via(hops: &BTreeSet<Hop>, v4: bool) -> BTreeSet<Hop> {
    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 0, 1));
    let hop = |hop: &Hop| match hop {
        Hop::To(Some(IpAddr::V6(_)), interface) if v4 => Hop::To(Some(ANY), interface.clone()),
        hop => hop.clone(),
    };
    hops.iter().map(hop).collect()
}

pub(super) fn list(hops: &BTreeSet<Hop>) -> String {
    if hops.is_empty() {
        return "no next hop".into();
    }
    hops.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
