//! `maps hosts`: those of both families, from `hosts`, `hosts6` and `addresses6`.

use std::net::IpAddr;

use super::{Rows, Source};
use crate::cli::{
    routes::{Host, hosts4, hosts6},
    row::rows,
    ways::{self, Way, Ways},
};

rows! {
    /// An address that is found without longest match.
    pub(super) struct HostRow, "no host is known" {
        /// Index of the routing view.
        "VIEW" view: u32,
        /// The address.
        "ADDRESS" address: IpAddr,
        /// What it leads to: `group`, `nexthop`, `local`, `kernel`, `blackhole`, `unreachable`,
        /// `connected` or `none`.
        "KIND" kind: &'static str,
        /// Index of the group or next hop.
        "INDEX" index: Option<u32>,
        /// The next hops with port, gateway and whether they live; null for what has none.
        "VIA" via: Way,
    }
}

/// By view and address.
pub(super) fn rows(source: &Source<'_>, rows: &mut Rows<'_>) -> anyhow::Result<()> {
    let mut hosts: Vec<Host> =
        hosts4(&source.maps).into_iter().chain(hosts6(&source.maps)).collect();
    hosts.sort_by_key(|host| (host.view, host.address));
    let mut ways = Ways::new(&source.view);
    for Host { view, address, target } in hosts {
        let (kind, index) = (ways::kind(target), ways::index(target));
        rows.add(&HostRow { view, address, kind, index, via: ways.of(target) })?;
    }
    Ok(())
}
