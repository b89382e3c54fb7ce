//! Addresses as numbers, so that both families share one table.

use std::net::IpAddr;

use crate::observe::Prefix;

/// An address as a number in host order.
pub(super) trait Address: Copy + Ord {
    /// Number of bits.
    const BITS: u8;

    /// The address with all bits from `length` on set to 0.
    fn first(self, length: u8) -> Self;

    /// The address with all bits from `length` on set to 1.
    fn last(self, length: u8) -> Self;

    /// How many leading bits are the same.
    fn common(self, other: Self) -> u8;

    /// The prefix of this address and length.
    fn prefix(self, length: u8) -> Prefix;
}

macro_rules! address {
    ($number:ty, $ip:path) => {
        impl Address for $number {
            const BITS: u8 = <$number>::BITS as u8;

            fn first(self, length: u8) -> Self {
                self & !(<$number>::MAX.checked_shr(u32::from(length)).unwrap_or(0))
            }

            fn last(self, length: u8) -> Self {
                self | <$number>::MAX.checked_shr(u32::from(length)).unwrap_or(0)
            }

            fn common(self, other: Self) -> u8 {
                (self ^ other).leading_zeros() as u8
            }

            fn prefix(self, length: u8) -> Prefix {
                Prefix { address: <$ip>::from_bits(self).into(), length }
            }
        }
    };
}

address!(u32, std::net::Ipv4Addr);
address!(u128, std::net::Ipv6Addr);

/// The prefix without bits beyond its length; none if it is longer than an address.
pub(in crate::model) fn normal(prefix: Prefix) -> Option<Prefix> {
    let Prefix { address, length } = prefix;
    Some(match address {
        IpAddr::V4(v4) if length <= 32 => v4.to_bits().first(length).prefix(length),
        IpAddr::V6(v6) if length <= 128 => v6.to_bits().first(length).prefix(length),
        _ => return None,
    })
}

/// The highest address of a prefix.
pub(in crate::model) fn last(prefix: Prefix) -> IpAddr {
    match prefix.address {
        IpAddr::V4(v4) => v4.to_bits().last(prefix.length).prefix(32).address,
        IpAddr::V6(v6) => v6.to_bits().last(prefix.length).prefix(128).address,
    }
}

/// The prefix of one address.
pub(in crate::model) fn host(address: IpAddr) -> Prefix {
    Prefix { address, length: if address.is_ipv4() { 32 } else { 128 } }
}

/// Addresses that are never forwarded, whatever a route says: this network, loopback, multicast,
/// IPv6 link-local. The packet path leaves packets to them to the kernel.
pub(in crate::model) fn never_forwarded(prefix: Prefix) -> bool {
    match prefix.address {
        IpAddr::V4(v4) => match v4.octets()[0] {
            0 | 127 => prefix.length >= 8,
            224..=239 => prefix.length >= 4,
            _ => false,
        },
        IpAddr::V6(v6) => match v6.segments()[0] {
            0xff00.. => prefix.length >= 8,
            0xfe80..=0xfebf => prefix.length >= 10,
            _ => v6.is_loopback() && prefix.length == 128,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        let (address, length) = text.split_once('/').unwrap();
        Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
    }

    #[test]
    fn prefixes_lose_what_is_beyond_their_length() {
        for (given, expected) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3/32", "10.1.2.3/32"),
            ("10.1.2.3/0", "0.0.0.0/0"),
            ("2001:db8:1:2::3/33", "2001:db8::/33"),
            ("2001:db8::1/128", "2001:db8::1/128"),
            ("ffff::/0", "::/0"),
        ] {
            assert_eq!(normal(prefix(given)), Some(prefix(expected)), "{given}");
        }
        assert_eq!(normal(prefix("10.0.0.0/33")), None);
        assert_eq!(normal(prefix("::/129")), None);
        assert_eq!(last(prefix("10.0.0.0/8")).to_string(), "10.255.255.255");
        assert_eq!(last(prefix("0.0.0.0/0")).to_string(), "255.255.255.255");
        assert_eq!(last(prefix("10.0.0.7/32")).to_string(), "10.0.0.7");
    }

    #[test]
    fn what_is_never_forwarded_are_whole_prefixes_only() {
        for text in ["127.0.0.1/32", "0.0.0.0/8", "224.0.0.5/32", "224.0.0.0/4", "fe80::/64"] {
            assert!(never_forwarded(prefix(text)), "{text}");
        }
        for text in ["ff00::/8", "ff02::1/128", "::1/128", "fe80::1/128", "febf::/16"] {
            assert!(never_forwarded(prefix(text)), "{text}");
        }
        for text in ["0.0.0.0/0", "::/0", "128.0.0.0/1", "10.0.0.0/8", "fec0::/10", "240.0.0.0/4"] {
            assert!(!never_forwarded(prefix(text)), "{text}");
        }
    }
}
