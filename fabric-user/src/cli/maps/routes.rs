//! `maps routes`: hosts and ranges of addresses of all views, from `hosts`, `hosts6`, `addresses6` and
//! `trie`.

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
        /// What they lead to, as in `maps hosts`.
        "KIND" kind: &'static str,
        /// Index of the group or next hop.
        "INDEX" index: Option<u32>,
        /// The next hops with port, gateway and whether they live; null for what has none.
        "VIA" via: Way,
    }
}

pub(super) fn rows(source: &Source<'_>, rows: &mut Rows<'_>) -> anyhow::Result<()> {
    let mut ways = Ways::new(&source.view);
    routes::each(&source.maps, |Route { view, span, exact, target }| {
        rows.add(&RouteRow {
            view,
            addresses: span,
            entry: if exact { "host" } else { "range" },
            kind: ways::kind(target),
            index: ways::index(target),
            via: ways.of(target),
        })
    })
}
