//! `maps routes`: hosts and ranges of addresses of all views, from `hosts`, `hosts6`, `addresses6` and
//! `trie`. `maps hosts`: the hosts among them.

use super::{Rows, Source};
use crate::cli::{
    routes::{self, Route, Span},
    row::rows,
    ways::{self, Way, Ways},
};

rows! {
    /// Addresses that are routed alike.
    pub(super) struct RouteRow, "no route is known" {
        /// Index of the routing view.
        "VIEW" view: u32,
        /// The addresses: a prefix, or the first and the last one with `-` between them. What is inside
        /// others goes before them.
        "ADDRESSES" addresses: Span,
        /// `host`, or `range` for what is looked up by longest match.
        "ENTRY" entry: &'static str,
        /// What they lead to: `group`, `nexthop`, `local`, `kernel`, `blackhole`, `unreachable`,
        /// `connected`, `view` (into another VRF) or `none`.
        "KIND" kind: &'static str,
        /// Index of the group, next hop or view.
        "INDEX" index: Option<u32>,
        /// The next hops with port, gateway and whether they live; null for what has none.
        "VIA" via: Way,
    }
}

/// Hosts and ranges.
pub(super) fn rows(source: &Source<'_>, rows: &mut Rows<'_>) -> anyhow::Result<()> {
    let mut ways = Ways::new(&source.view);
    let span = rows.filter.span();
    let add = |route| rows.add(&row(route, &mut ways));
    match span {
        Some(wanted) => routes::overlapping(&source.maps, &wanted, add),
        None => routes::each(&source.maps, add),
    }
}

/// Hosts alone.
pub(super) fn hosts(source: &Source<'_>, rows: &mut Rows<'_>) -> anyhow::Result<()> {
    let mut ways = Ways::new(&source.view);
    let wanted = rows.filter.span();
    let hosts = routes::hosts(&source.maps).into_iter();
    let hosts = hosts.filter(|host| wanted.is_none_or(|wanted| host.span.overlaps(&wanted)));
    rows.all(hosts.map(|host| row(host, &mut ways)))
}

fn row(Route { view, span, exact, target }: Route, ways: &mut Ways<'_>) -> RouteRow {
    RouteRow {
        view,
        addresses: span,
        entry: if exact { "host" } else { "range" },
        kind: ways::kind(target),
        index: ways::index(target),
        via: ways.of(target),
    }
}
