//! Routes in FRR's name that the kernel has and zebra has not.

use std::collections::{BTreeMap, HashSet};

use super::{Found, Said};
use crate::{
    frr::facts::{Frr, RouteEntry},
    observe::Prefix,
    verify::{
        difference::{Kind, Side},
        kernel::Kernel,
    },
};

pub(super) fn compare(frr: &Frr, kernel: &Kernel<'_>, found: &mut Found) {
    let tables = tables(frr, kernel);
    let known: HashSet<(u32, Prefix)> = frr
        .routes
        .iter()
        .filter(|route| writes(route))
        .filter_map(|route| Some((kernel.table(route.vrf.as_deref())?, route.prefix)))
        .collect();
    let mut left: BTreeMap<(u32, Prefix), u8> = BTreeMap::new();
    for route in kernel.routes() {
        let key = (route.key.table, route.key.prefix);
        // FRR names no source in a prefix as plain as these.
        let plain = route.key.source.is_none();
        if plain && owner(route.protocol).is_some() && !known.contains(&key) {
            left.insert(key, route.protocol);
        }
    }
    for ((table, prefix), protocol) in left {
        let (Some(vrf), Some(owner)) = (tables.get(&table), owner(protocol)) else { continue };
        let actual = kernel.route(table, prefix).unwrap_or_default();
        let family = if prefix.address.is_ipv4() { "ip" } else { "ip -6" };
        found.add(
            Kind::Route,
            format!("{prefix} in {vrf} ({owner})"),
            Side::Kernel,
            Said::new("nothing", super::routes::list(&actual)),
            "an earlier zebra has left it behind, or somebody has written it in FRR's name; one that zebra has \
             found when it started goes by itself when the time of its `-K` is over",
            format!("{family} route del {prefix} table {table} proto {protocol}"),
        );
    }
}

/// Whether zebra writes such a route: what the kernel makes itself, and what others have written, it only repeats.
pub(super) fn writes(route: &RouteEntry) -> bool {
    !matches!(route.protocol.as_str(), "connected" | "local" | "kernel")
}

/// The VRFs that zebra knows, by their table.
fn tables<'a>(frr: &'a Frr, kernel: &Kernel<'_>) -> BTreeMap<u32, &'a str> {
    let routes = frr.routes.iter().filter_map(|route| route.vrf.as_deref());
    let vnis = frr.vnis.values().filter_map(|vni| vni.vrf.as_deref());
    let vrfs = frr.vrfs.keys().map(String::as_str);
    let names: HashSet<&str> = routes.chain(vnis).chain(vrfs).chain(["default"]).collect();
    names.into_iter().filter_map(|name| Some((kernel.table(Some(name))?, name))).collect()
}

/// By whom a route is that zebra takes for its own (`is_selfroute` of `zebra/rt_netlink.c`; the numbers are `RTPROT_…`
/// of `linux/rtnetlink.h` and `zebra/rt_netlink.h`).
const fn owner(protocol: u8) -> Option<&'static str> {
    Some(match protocol {
        11 => "zebra",
        42 => "babel",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        190 => "ripng",
        191 => "nhrp",
        192 => "eigrp",
        193 => "ldp",
        194 => "sharp",
        195 => "pbr",
        196 => "static",
        197 => "openfabric",
        198 => "srte",
        _ => return None,
    })
}
