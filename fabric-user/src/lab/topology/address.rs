//! Addresses as the inventory writes them: with the length of a prefix.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;

/// An IPv4 or IPv6 address with the length of its subnet's prefix, as in `10.1.11.10/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Prefixed {
    /// The address.
    pub address: IpAddr,
    /// Length of the prefix in bits.
    pub length: u8,
}

/// What a provider announces: a prefix, of any length, with nothing behind it, as in `0.0.0.0/0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Announcement(pub Prefixed);

/// The address of a host in one family: with a prefix on a routed port, without one in a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String", bound = "A: Family")]
pub struct HostAddress<A> {
    /// The address.
    pub address: A,
    /// Length of the prefix in bits.
    pub length: Option<u8>,
}

/// A family of addresses.
pub trait Family: FromStr {
    /// Bits of an address.
    const BITS: u8;
    /// What an address of a host looks like, as the end of a sentence.
    const LOOKS: &'static str;
}

impl Family for Ipv4Addr {
    const BITS: u8 = 32;
    const LOOKS: &'static str = "an IPv4 address; write it as 10.20.0.11 in a network and as 10.1.11.10/24 on a routed port";
}

impl Family for Ipv6Addr {
    const BITS: u8 = 128;
    const LOOKS: &'static str = "an IPv6 address; write it as fd00:20::11 in a network and as fd00:1:11::10/64 on a routed port";
}

impl Prefixed {
    /// A single address.
    pub fn single(address: IpAddr) -> Self {
        Self::new(address, if address.is_ipv4() { 32 } else { 128 })
    }

    /// An address with a prefix.
    pub fn new(address: IpAddr, length: u8) -> Self {
        Self { address, length }
    }

    /// An address that is a destination of its own: `/32` or `/128`.
    pub fn is_host(&self) -> bool {
        self.length == self.bits()
    }

    /// The subnet: all bits behind the prefix are 0.
    #[must_use]
    pub fn subnet(&self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) & self.mask() as u32).into(),
            IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & self.mask()).into(),
        };
        Self { address, ..*self }
    }

    /// Whether the address stands for the subnet and not for a node of it: all bits behind the prefix are 0, which
    /// in IPv6 is every router's (RFC 4291, section 2.6.1), or 1, IPv4's broadcast.
    pub fn is_of_all(&self) -> bool {
        let is_broadcast = match self.address {
            IpAddr::V4(address) => u32::from(address) | self.mask() as u32 == u32::MAX,
            IpAddr::V6(_) => false,
        };
        !self.is_host() && (self.subnet() == *self || is_broadcast)
    }

    /// Whether an address is in the subnet; one of the other family never is.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && Self { address, ..*self }.subnet() == self.subnet()
    }

    /// Whether two subnets have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.address) && self.length <= other.length
            || other.contains(self.address) && other.length <= self.length
    }

    fn bits(&self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// Bits of the prefix; of an IPv4 address in the low half.
    fn mask(&self) -> u128 {
        let behind = u32::from(self.bits().saturating_sub(self.length));
        u128::MAX.checked_shl(behind).unwrap_or(0)
    }
}

impl fmt::Display for Prefixed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.length)
    }
}

impl FromStr for Prefixed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{text}\" is not an address with a prefix; write it as 10.1.11.10/24 or fd00:1:11::10/64"
            )
        };
        let (address, length) = text.split_once('/').ok_or_else(wrong)?;
        let this = Self {
            address: address.parse().map_err(|_| wrong())?,
            length: length.parse().map_err(|_| wrong())?,
        };
        if (1..=this.bits()).contains(&this.length) { Ok(this) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Prefixed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for Announcement {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let prefix = text.split_once('/').and_then(|(address, length)| {
            let prefix = Prefixed::new(address.parse().ok()?, length.parse().ok()?);
            (prefix.length <= prefix.bits() && prefix.subnet() == prefix).then_some(prefix)
        });
        prefix.map(Self).ok_or_else(|| {
            format!("\"{text}\" is not a prefix; write it as 0.0.0.0/0, 203.0.113.0/24 or ::/0")
        })
    }
}

impl<A: Family> TryFrom<String> for HostAddress<A> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (address, length) = match text.split_once('/') {
            None => (text.as_str(), Some(None)),
            Some((address, length)) => {
                let length = length.parse().ok().filter(|it| (1..=A::BITS).contains(it));
                (address, length.map(Some))
            }
        };
        match (address.parse(), length) {
            (Ok(address), Some(length)) => Ok(Self { address, length }),
            _ => Err(format!("\"{text}\" is not {}", A::LOOKS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixed(text: &str) -> Prefixed {
        text.parse().expect("valid")
    }

    #[test]
    fn the_subnet_keeps_the_bits_of_the_prefix_only() {
        for (address, subnet) in [
            ("10.1.11.10/24", "10.1.11.0/24"),
            ("10.1.11.255/25", "10.1.11.128/25"),
            ("10.99.0.1/32", "10.99.0.1/32"),
            ("fd00:1:11::10/64", "fd00:1:11::/64"),
            ("fd00:99::1/128", "fd00:99::1/128"),
            ("255.1.2.3/1", "128.0.0.0/1"),
        ] {
            assert_eq!(prefixed(address).subnet().to_string(), subnet);
        }
    }

    #[test]
    fn the_first_address_of_a_subnet_and_the_last_one_of_ipv4_are_no_nodes() {
        for (address, is_of_all) in [
            ("10.50.0.0/24", true),
            ("10.50.0.255/24", true),
            ("10.50.0.127/25", true),
            ("10.50.0.255/23", false),
            ("10.50.0.1/24", false),
            ("10.50.0.4/32", false),
            ("fd00:50::/64", true),
            ("fd00:50::ffff:ffff:ffff:ffff/64", false),
        ] {
            assert_eq!(prefixed(address).is_of_all(), is_of_all, "{address}");
        }
    }

    #[test]
    fn subnets_overlap_when_one_lies_in_the_other() {
        let wide = prefixed("10.1.0.0/16");
        assert!(wide.overlaps(&prefixed("10.1.11.10/24")));
        assert!(prefixed("10.1.11.10/24").overlaps(&wide));
        assert!(!wide.overlaps(&prefixed("10.2.0.0/16")));
        assert!(!wide.overlaps(&prefixed("fd00::1/1")));
    }

    #[test]
    fn what_is_announced_is_a_prefix_of_any_length_without_bits_behind_it() {
        for (text, is_one) in [
            ("0.0.0.0/0", true),
            ("::/0", true),
            ("203.0.113.0/24", true),
            ("203.0.113.1/24", false),
            ("0.0.0.0/33", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(Announcement::try_from(text.to_owned()).is_ok(), is_one, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_with_a_prefix_is_refused() {
        for text in ["10.1.11.10", "10.1.11.10/33", "10.1.11.10/0", "10.1.11/24", "fd00::1/129"] {
            assert!(text.parse::<Prefixed>().is_err(), "{text}");
        }
        assert!(HostAddress::<Ipv4Addr>::try_from("fd00::1/64".to_owned()).is_err());
        assert!(HostAddress::<Ipv6Addr>::try_from("fd00::1/129".to_owned()).is_err());
        assert!(HostAddress::<Ipv6Addr>::try_from("10.1.11.10".to_owned()).is_err());
    }
}
