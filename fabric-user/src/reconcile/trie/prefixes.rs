//! The set of prefixes that a trie is made from, in the order of their addresses.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    net::{Ipv4Addr, Ipv6Addr},
    ops::Bound,
};

use fabric_common::trie::{STEPS_4, STEPS_6};

/// An address family.
pub trait Address: Copy + Debug {
    /// A prefix, ordered by first address, the shorter one first.
    type Key: Copy + Debug + Ord;
    /// Bits of an address.
    const BITS: u8;
    /// Nodes below the root at most.
    const STEPS: u32;
    /// The key of the prefix of `length` bits whose first address is `bits`, left-aligned.
    fn key(bits: u128, length: u8) -> Self::Key;
    /// First address, left-aligned, and length of a key.
    fn split(key: Self::Key) -> (u128, u8);
    /// The address, left-aligned.
    fn bits(self) -> u128;
}

impl Address for Ipv4Addr {
    // 64 bits: a million of them are worth the care.
    type Key = u64;
    const BITS: u8 = 32;
    const STEPS: u32 = STEPS_4;

    fn key(bits: u128, length: u8) -> u64 {
        (bits >> 96 << 8) as u64 | u64::from(length)
    }

    fn split(key: u64) -> (u128, u8) {
        (u128::from(key >> 8) << 96, key as u8)
    }

    fn bits(self) -> u128 {
        u128::from(self.to_bits()) << 96
    }
}

impl Address for Ipv6Addr {
    // Halves, as an u128 would be aligned to 16 bytes.
    type Key = (u64, u64, u8);
    const BITS: u8 = 128;
    const STEPS: u32 = STEPS_6;

    fn key(bits: u128, length: u8) -> (u64, u64, u8) {
        ((bits >> 64) as u64, bits as u64, length)
    }

    fn split((high, low, length): (u64, u64, u8)) -> (u128, u8) {
        (u128::from(high) << 64 | u128::from(low), length)
    }

    fn bits(self) -> u128 {
        self.to_bits()
    }
}

/// One prefix of any family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// First address, left-aligned.
    pub(super) bits: u128,
    pub(super) length: u8,
    pub(super) target: u32,
}

/// The first `length` of `bits`.
pub(super) const fn masked(bits: u128, length: u8) -> u128 {
    match length {
        0 => 0,
        length => bits >> (128 - length as u32) << (128 - length as u32),
    }
}

/// Prefixes and their targets.
#[derive(Clone, Debug)]
pub(super) struct Prefixes<A: Address>(BTreeMap<A::Key, u32>);

impl<A: Address> Default for Prefixes<A> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<A: Address> Prefixes<A> {
    pub(super) fn new(prefixes: impl IntoIterator<Item = (A, u8, u32)>) -> Self {
        let key = |(address, length, target): (A, u8, u32)| {
            let length = length.min(A::BITS);
            (A::key(masked(address.bits(), length), length), target)
        };
        Self(prefixes.into_iter().map(key).filter(|(_, target)| *target != 0).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What one prefix leads to.
    pub(super) fn get(&self, bits: u128, length: u8) -> Option<u32> {
        self.0.get(&A::key(bits, length)).copied()
    }

    /// Changes one prefix and returns what it led to before.
    pub(super) fn set(&mut self, bits: u128, length: u8, target: Option<u32>) -> Option<u32> {
        let key = A::key(bits, length);
        match target {
            Some(target) => self.0.insert(key, target),
            None => self.0.remove(&key),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Route> + '_ {
        self.0.iter().map(route::<A>)
    }

    /// A prefix and those inside it.
    pub(super) fn inside(&self, bits: u128, length: u8) -> impl Iterator<Item = Route> + '_ {
        let last = bits | u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
        self.0.range(A::key(bits, length)..=A::key(last, A::BITS)).map(route::<A>)
    }

    /// The target of the longest prefix around this one; 0 if there is none.
    pub(super) fn around(&self, bits: u128, length: u8) -> u32 {
        let mut end = Bound::Excluded(A::key(bits, length));
        // What precedes a prefix is the longest one around it, or shares only its first bits. In the
        // second case a prefix around both has no more bits than those.
        while let Some((key, target)) = self.0.range((Bound::Unbounded, end)).next_back() {
            let (other, other_length) = A::split(*key);
            let common = (bits ^ other).leading_zeros() as u8;
            if other_length <= common {
                return *target;
            }
            end = Bound::Included(A::key(masked(bits, common), common));
        }
        0
    }
}

fn route<A: Address>((key, target): (&A::Key, &u32)) -> Route {
    let (bits, length) = A::split(*key);
    Route { bits, length, target: *target }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(list: &[(&str, u8, u32)]) -> Prefixes<Ipv4Addr> {
        Prefixes::new(
            list.iter()
                .map(|(address, length, target)| (address.parse().unwrap(), *length, *target)),
        )
    }

    fn around(prefixes: &Prefixes<Ipv4Addr>, address: &str, length: u8) -> u32 {
        prefixes.around(address.parse::<Ipv4Addr>().unwrap().bits(), length)
    }

    #[test]
    fn the_longest_prefix_around_is_found_past_longer_ones_beside() {
        let prefixes = prefixes(&[
            ("0.0.0.0", 0, 1),
            ("10.0.0.0", 8, 2),
            ("10.1.0.0", 16, 3),
            ("10.1.1.0", 24, 4),
            ("10.1.1.128", 25, 5),
        ]);
        assert_eq!(around(&prefixes, "10.1.2.0", 24), 3);
        assert_eq!(around(&prefixes, "10.1.1.128", 25), 4);
        assert_eq!(around(&prefixes, "10.2.0.0", 16), 2);
        assert_eq!(around(&prefixes, "10.0.0.0", 8), 1);
        assert_eq!(around(&prefixes, "11.0.0.0", 8), 1);
        assert_eq!(around(&prefixes, "0.0.0.0", 0), 0);
    }

    #[test]
    fn bits_behind_the_length_do_not_count() {
        let prefixes = prefixes(&[("10.1.2.3", 16, 7)]);
        assert_eq!(around(&prefixes, "10.1.9.0", 24), 7);
    }
}
