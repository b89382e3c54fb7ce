//! Exact hosts: `hosts` and `hosts6`.

use std::net::Ipv4Addr;

use fabric_common::{
    halves,
    schema::{hosts, hosts6},
    table::{Entry, Rest},
};

use super::{Route, Span};
use crate::kernel::maps::Maps;

/// All hosts by view and address.
pub(crate) fn hosts(maps: &Maps) -> Vec<Route> {
    let host = |view, address, target| Route { view, span: Span::of(address), exact: true, target };
    let v4 = |(key, target, _): (u64, u32, u32)| {
        let (view, address_be) = hosts::split_key(key);
        host(view.into(), Ipv4Addr::from_bits(u32::from_be(address_be)).into(), target)
    };
    let v6 = |entry: Entry<Rest>| {
        let (view, address) = hosts6::split_key(entry.key, entry.rest);
        host(view.into(), halves::address(address).into(), entry.target)
    };
    let mut all: Vec<Route> = maps.hosts_table().iter().map(v4).collect();
    all.extend(maps.hosts6_table().entries().map(v6));
    all.sort_by_key(|host| (host.view, host.span.first));
    all
}
