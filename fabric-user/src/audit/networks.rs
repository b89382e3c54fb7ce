//! Arithmetic of prefixes, of both families alike.

use std::net::IpAddr;

use crate::observe::Prefix;

/// Bits of an address.
pub(super) const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// An address as a number, in the highest bits.
const fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => (address.to_bits() as u128) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

const fn address(number: u128, is_v4: bool) -> IpAddr {
    if is_v4 {
        IpAddr::V4(std::net::Ipv4Addr::from_bits((number >> 96) as u32))
    } else {
        IpAddr::V6(std::net::Ipv6Addr::from_bits(number))
    }
}

/// The bits that a length leaves to hosts.
const fn hosts(length: u8) -> u128 {
    match length {
        0 => u128::MAX,
        length => match u128::MAX.checked_shr(length as u32) {
            Some(bits) => bits,
            None => 0,
        },
    }
}

/// The network of so many bits in which an address is.
pub(super) const fn network(of: IpAddr, length: u8) -> Prefix {
    Prefix { address: address(number(of) & !hosts(length), of.is_ipv4()), length }
}

/// A prefix without its host bits.
pub(super) const fn normal(prefix: Prefix) -> Prefix {
    network(prefix.address, prefix.length)
}

/// The last address of a network.
pub(super) const fn last(network: Prefix) -> IpAddr {
    let is_v4 = network.address.is_ipv4();
    address(number(network.address) | hosts(network.length), is_v4)
}

/// Whether an address is in a network.
pub(super) fn contains(network: Prefix, address: IpAddr) -> bool {
    network.address.is_ipv4() == address.is_ipv4()
        && (network.address..=last(network)).contains(&address)
}

/// Reads `ADDRESS/LENGTH`, host bits kept.
pub(super) fn parse(text: &str) -> Option<Prefix> {
    let (address, length) = text.trim().split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    (length <= width(address)).then_some(Prefix { address, length })
}

/// Whether an address says nothing beyond its link: link-local, multicast, loopback, unspecified.
pub(super) const fn is_local(address: IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    is_link_local || address.is_multicast() || address.is_loopback() || address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        parse(text).unwrap()
    }

    #[test]
    fn networks_lose_their_host_bits_and_know_their_last_address() {
        let network = |text| normal(prefix(text)).to_string();
        assert_eq!(network("10.1.2.3/24"), "10.1.2.0/24");
        assert_eq!(network("10.1.2.3/0"), "0.0.0.0/0");
        assert_eq!(network("10.1.2.3/32"), "10.1.2.3/32");
        assert_eq!(network("2001:db8::7/64"), "2001:db8::/64");
        assert_eq!(network("2001:db8::7/128"), "2001:db8::7/128");
        assert_eq!(last(prefix("10.1.2.0/23")).to_string(), "10.1.3.255");
        assert_eq!(last(prefix("0.0.0.0/0")).to_string(), "255.255.255.255");
        assert_eq!(last(prefix("2001:db8::/126")).to_string(), "2001:db8::3");
    }

    #[test]
    fn a_network_contains_addresses_of_its_own_family_alone() {
        let all = prefix("0.0.0.0/0");
        assert!(contains(all, "10.0.0.1".parse().unwrap()));
        assert!(!contains(all, "2001:db8::1".parse().unwrap()));
        assert!(!contains(prefix("10.1.0.0/24"), "10.1.1.0".parse().unwrap()));
    }

    #[test]
    fn what_is_no_prefix_is_none() {
        for text in
            ["", "10.0.0.0", "10.0.0.0/33", "2001:db8::/129", "10.0.0/8", "a/8", "10.0.0.0/-1"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
