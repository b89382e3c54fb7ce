//! `maps routes`, `maps trie`: hosts and prefixes of all views.

use super::{Each, Source};
use crate::cli::{
    routes::{self, Part, Route},
    sheet::Column,
    ways::{self, Ways, prefix},
};

pub(super) const COLUMNS: &[Column] = &[
    Column::number("view", "VIEW"),
    Column::text("prefix", "PREFIX"),
    Column::text("entry", "ENTRY"),
    Column::text("kind", "KIND"),
    Column::number("index", "INDEX"),
    Column::text("via", "VIA"),
];

/// Hosts and prefixes.
pub(super) fn all(source: &Source<'_>, each: Each<'_>) -> anyhow::Result<()> {
    rows(source, Part::All, each)
}

/// What the trie holds.
pub(super) fn prefixes(source: &Source<'_>, each: Each<'_>) -> anyhow::Result<()> {
    rows(source, Part::Prefixes, each)
}

fn rows(source: &Source<'_>, part: Part, each: Each<'_>) -> anyhow::Result<()> {
    let mut ways = Ways::new(&source.view);
    routes::each(&source.maps, part, |Route { view, prefix: range, exact, target }| {
        each(vec![
            view.into(),
            prefix(range.address, range.length).into(),
            if exact { "host" } else { "prefix" }.into(),
            ways::kind(target).into(),
            ways::index(target).into(),
            ways.cell(target),
        ])
    })
}
