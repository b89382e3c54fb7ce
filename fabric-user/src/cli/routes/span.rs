//! Addresses in a row.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::Serialize;

use crate::cli::row::Shown;

/// A family by the length of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    V4,
    V6,
}

impl Width {
    pub(crate) const fn bits(self) -> u32 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// The address with these bits.
    pub(crate) const fn address(self, bits: u128) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
            Self::V6 => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        }
    }

    /// The family of an address, and its bits.
    const fn of(address: IpAddr) -> (Self, u128) {
        match address {
            IpAddr::V4(address) => (Self::V4, address.to_bits() as u128),
            IpAddr::V6(address) => (Self::V6, address.to_bits()),
        }
    }
}

/// All addresses of a family from one to another. Written as a prefix where it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: IpAddr,
    pub(crate) last: IpAddr,
}

impl Span {
    /// A single address.
    pub(crate) const fn of(address: IpAddr) -> Self {
        Self { first: address, last: address }
    }

    /// True if all of `other` is in it.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        // Addresses of the other family are all below or above.
        self.first <= other.first && other.last <= self.last
    }

    /// True if an address is in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// True if it is a whole family.
    pub(crate) fn is_all(&self) -> bool {
        self.length() == Some(0)
    }

    /// The length of the prefix that it is.
    fn length(&self) -> Option<u32> {
        let ((width, first), (_, last)) = (Width::of(self.first), Width::of(self.last));
        // Ones where the addresses differ: all of them at the end, where the first address has none.
        let free = last.wrapping_sub(first);
        let is_prefix = free & free.wrapping_add(1) == 0 && first & free == 0;
        is_prefix.then(|| width.bits() - free.count_ones())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length() {
            Some(length) => write!(f, "{}/{length}", self.first),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// Why a text is no [`Span`], to be said after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSpan {
    #[error("is neither an address nor a prefix such as 10.0.0.0/8")]
    Form,
    #[error("has addresses of two families; write two of one family")]
    Families,
    #[error("ends before it begins; write the lower address first")]
    Backwards,
}

impl FromStr for Span {
    type Err = NoSpan;

    fn from_str(text: &str) -> Result<Self, NoSpan> {
        let address = |text: &str| text.parse::<IpAddr>().map_err(|_| NoSpan::Form);
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (address(first)?, address(last)?);
            return match first.is_ipv4() == last.is_ipv4() {
                false => Err(NoSpan::Families),
                true if last < first => Err(NoSpan::Backwards),
                true => Ok(Self { first, last }),
            };
        }
        let (first, length) = text.split_once('/').ok_or(NoSpan::Form)?;
        let length: u32 = length.parse().map_err(|_| NoSpan::Form)?;
        let (width, bits) = Width::of(address(first)?);
        let free = width.bits().checked_sub(length).ok_or(NoSpan::Form)?;
        let free = u128::MAX.checked_shr(128 - free).unwrap_or(0);
        Ok(Self { first: width.address(bits & !free), last: width.address(bits | free) })
    }
}

impl Shown for Span {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Span {
        text.parse().unwrap_or_else(|error| panic!("{text} {error}"))
    }

    #[test]
    fn a_span_is_written_as_a_prefix_where_it_is_one() {
        for text in ["0.0.0.0/0", "10.1.2.0/23", "10.0.0.1/32", "::/0", "2001:db8::/33", "::1/128"]
        {
            assert_eq!(span(text).to_string(), text);
        }
        for text in ["10.0.0.0-10.0.2.255", "10.0.1.0-10.0.2.255", "::-2001:db8::"] {
            assert_eq!(span(text).to_string(), text);
        }
        assert_eq!(span("10.0.0.0-10.0.1.255").to_string(), "10.0.0.0/23");
        assert_eq!(span("10.1.2.3/16").to_string(), "10.1.0.0/16");
        for text in ["10.0.0.0/33", "10.0.0.1", "::/129", "-", "10.0.0.0-", "leaf01"] {
            assert_eq!(text.parse::<Span>(), Err(NoSpan::Form), "{text}");
        }
    }

    #[test]
    fn a_range_has_an_order_and_one_family() {
        assert_eq!("10.0.0.9-10.0.0.1".parse::<Span>(), Err(NoSpan::Backwards));
        for text in ["10.0.0.1-::1", "::1-10.0.0.1"] {
            assert_eq!(text.parse::<Span>(), Err(NoSpan::Families), "{text}");
        }
        assert_eq!(span("::1-::1").to_string(), "::1/128");
    }

    #[test]
    fn spans_with_an_address_in_common_overlap() {
        let overlap = |a: &str, b: &str| {
            let (a, b) = (span(a), span(b));
            assert_eq!(a.overlaps(&b), b.overlaps(&a));
            a.overlaps(&b)
        };
        assert!(overlap("10.0.0.0/23", "10.0.1.0/24"));
        assert!(overlap("10.0.0.0-10.0.2.0", "10.0.2.0/24"));
        assert!(!overlap("10.0.0.0/24", "10.0.1.0/24"));
        assert!(!overlap("0.0.0.0/0", "::/0"));
        assert!(span("::/0").is_all() && !span("::/1").is_all());
    }

    #[test]
    fn a_span_holds_addresses_of_its_family_that_are_between_its_ends() {
        let holds =
            |text: &str, address: &str| span(text).holds(&Span::of(address.parse().unwrap()));
        assert!(holds("10.1.0.0/16", "10.1.255.255"));
        assert!(!holds("10.1.0.0/16", "10.2.0.0"));
        assert!(holds("0.0.0.0/0", "255.0.0.1"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(!holds("::/0", "10.0.0.1"));
        assert!(!holds("0.0.0.0/0", "::1"));
        assert!(holds("10.0.0.1/32", "10.0.0.1"));
        assert!(!holds("2001:db8::1/128", "2001:db8::2"));
        assert!(holds("10.0.0.9-10.0.0.11", "10.0.0.10"));
        assert!(span("10.0.0.0/8").holds(&span("10.1.0.0-10.1.2.255")));
        assert!(!span("10.1.0.0/16").holds(&span("10.0.0.0/8")));
    }
}
