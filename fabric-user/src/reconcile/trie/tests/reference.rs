//! A table that is too simple to be wrong, and chance that repeats itself.

use std::collections::HashMap;

/// One hash map for each length.
#[derive(Clone, Default)]
pub(super) struct Reference {
    lengths: Vec<HashMap<u128, u32>>,
}

/// The first `length` of `bits`.
pub(super) fn masked(bits: u128, length: u8) -> u128 {
    if length == 0 { 0 } else { bits & (u128::MAX << (128 - u32::from(length))) }
}

impl Reference {
    pub(super) fn set(&mut self, bits: u128, length: u8, target: Option<u32>) {
        self.lengths.resize_with(129, HashMap::new);
        let map = &mut self.lengths[usize::from(length)];
        match target {
            Some(target) => map.insert(masked(bits, length), target),
            None => map.remove(&masked(bits, length)),
        };
    }

    pub(super) fn lookup(&self, bits: u128) -> Option<u32> {
        let lengths = self.lengths.iter().enumerate().rev();
        lengths
            .map(|(length, map)| map.get(&masked(bits, length as u8)))
            .find_map(Option::<&u32>::copied)
    }

    /// First address, length and target of all prefixes, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u128, u8, u32)> + '_ {
        self.lengths.iter().enumerate().flat_map(|(length, map)| {
            map.iter().map(move |(bits, target)| (*bits, length as u8, *target))
        })
    }
}

/// xorshift64*: the same numbers on every run.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        ((self.next() as u128 * end as u128) >> 64) as u64
    }

    pub(super) const fn wide(&mut self) -> u128 {
        (self.next() as u128) << 64 | self.next() as u128
    }
}
