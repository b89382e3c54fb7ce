//! Exact hosts: `hosts`, and `hosts6` with `addresses6`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fabric_common::schema::{hosts, hosts6::Address6};

use crate::kernel::maps::Maps;

/// An address that is found without longest match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Host {
    /// Index of the view.
    pub(in crate::cli) view: u32,
    pub(in crate::cli) address: IpAddr,
    /// See `fabric_common::schema::routes`.
    pub(in crate::cli) target: u32,
}

/// All IPv4 hosts, in no order.
pub(in crate::cli) fn hosts4(maps: &Maps) -> Vec<Host> {
    let host = |(key, target, _): (u64, u32, u32)| {
        let (view, address_be) = hosts::split_key(key);
        let address = Ipv4Addr::from_bits(u32::from_be(address_be)).into();
        Host { view: view.into(), address, target }
    };
    maps.hosts_table().iter().map(host).collect()
}

/// All IPv6 hosts that a fingerprint leads to, in no order.
pub(in crate::cli) fn hosts6(maps: &Maps) -> Vec<Host> {
    let entries = maps.addresses6.len();
    let host = |(_, index, _): (u64, u32, u32)| {
        let entry = (index < entries).then(|| maps.addresses6.get(index))?;
        // The writer may be at work: an entry without view is none.
        (entry.view != 0).then(|| Host {
            view: entry.view,
            address: address6(&entry).into(),
            target: entry.target,
        })
    };
    maps.hosts6_table().iter().filter_map(host).collect()
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
