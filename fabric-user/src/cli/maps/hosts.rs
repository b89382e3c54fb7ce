//! `maps hosts`, `maps hosts6`, `maps addresses6`.

use super::{Each, Source};
use crate::cli::{
    routes::{Host, address6, hosts4, hosts6},
    sheet::Column,
    ways::{self, Ways},
};

pub(super) const COLUMNS: &[Column] = &[
    Column::number("view", "VIEW"),
    Column::text("address", "ADDRESS"),
    Column::text("kind", "KIND"),
    Column::number("index", "INDEX"),
    Column::text("via", "VIA"),
    Column::number("place", "PLACE").detail(),
];

/// IPv4 hosts by view and address.
pub(super) fn ipv4(source: &Source<'_>, each: Each<'_>) -> anyhow::Result<()> {
    rows(source, hosts4(&source.maps), each)
}

/// IPv6 hosts by view and address: those that a fingerprint leads to.
pub(super) fn ipv6(source: &Source<'_>, each: Each<'_>) -> anyhow::Result<()> {
    rows(source, hosts6(&source.maps), each)
}

/// IPv6 hosts by the place where they stand.
pub(super) fn addresses6(source: &Source<'_>, each: Each<'_>) -> anyhow::Result<()> {
    let used = source.maps.addresses6.iter().filter(|(_, entry)| entry.view != 0);
    let host = |(index, entry)| {
        let address = address6(&entry).into();
        Host { view: entry.view, address, target: entry.target, index }
    };
    rows(source, used.map(host).collect(), each)
}

fn rows(source: &Source<'_>, mut hosts: Vec<Host>, each: Each<'_>) -> anyhow::Result<()> {
    hosts.sort_by_key(|host| (host.view, host.address));
    let mut ways = Ways::new(&source.view);
    for Host { view, address, target, index } in hosts {
        each(vec![
            view.into(),
            address.to_string().into(),
            ways::kind(target).into(),
            ways::index(target).into(),
            ways.cell(target),
            Some(index).filter(|index| *index != 0).into(),
        ])?;
    }
    Ok(())
}
