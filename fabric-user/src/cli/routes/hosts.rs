//! Exact hosts: `hosts`, and `hosts6` with `addresses6`.

use std::net::{Ipv4Addr, Ipv6Addr};

use fabric_common::schema::{hosts, hosts6::Address6};

use super::{Route, Span};
use crate::kernel::maps::Maps;

/// All hosts by view and address: those of IPv6 to which a fingerprint leads.
pub(in crate::cli) fn hosts(maps: &Maps) -> Vec<Route> {
    let host = |view, address, target| Route { view, span: Span::of(address), exact: true, target };
    let v4 = |(key, target, _): (u64, u32, u32)| {
        let (view, address_be) = hosts::split_key(key);
        host(view.into(), Ipv4Addr::from_bits(u32::from_be(address_be)).into(), target)
    };
    let entries = maps.addresses6.len();
    let v6 = |(_, index, _): (u64, u32, u32)| {
        let entry = (index < entries).then(|| maps.addresses6.get(index))?;
        // The writer may be at work: an entry without view is none.
        (entry.view != 0).then(|| host(entry.view, address6(&entry).into(), entry.target))
    };
    let mut all: Vec<Route> = maps.hosts_table().iter().map(v4).collect();
    all.extend(maps.hosts6_table().iter().filter_map(v6));
    all.sort_by_key(|host| (host.view, host.span.first));
    all
}

/// The address of an entry of `addresses6`.
fn address6(entry: &Address6) -> Ipv6Addr {
    let [high, low] = entry.address.map(u64::from_be);
    Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_an_address_are_read_as_they_stand_in_a_packet() {
        let address: Ipv6Addr = "2001:db8::a:1".parse().unwrap();
        let bytes = address.octets();
        let (high, low) = bytes.split_at(8);
        let half = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
        let entry = Address6 { address: [half(high), half(low)], view: 1, target: 0 };
        assert_eq!(address6(&entry), address);
    }
}
