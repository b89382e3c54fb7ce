//! Tables of prefixes as routers have them, and what is right for them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::{Ipv4Addr, Ipv6Addr},
};

use fabric_common::flow_hash::mix;
use fabric_user::reconcile::trie::Address;

/// Which share of a table's prefixes has which length: (length, of a thousand).
type Shares = &'static [(u8, u64)];

/// As in the Internet's tables, with a few that are longer than providers accept.
const IPV4: Shares = &[
    (24, 590),
    (23, 95),
    (22, 105),
    (21, 50),
    (20, 45),
    (19, 30),
    (18, 20),
    (17, 15),
    (16, 30),
    (28, 10),
    (32, 10),
];
/// As in the Internet's tables, and sites that number their racks.
const IPV6: Shares =
    &[(48, 450), (32, 150), (64, 150), (44, 80), (40, 70), (56, 60), (36, 30), (128, 10)];

/// A family that tables can be made up for.
pub trait Family: Address {
    /// Name in tables and reports.
    const NAME: &'static str;
    /// Lengths.
    const SHARES: &'static [(u8, u64)];
    /// The address of left-aligned bits.
    fn from_bits(bits: u128) -> Self;
    /// Bits of some address that is in use.
    fn draw(chance: &mut Chance) -> u128;
}

impl Family for Ipv4Addr {
    const NAME: &'static str = "ipv4";
    const SHARES: Shares = IPV4;

    fn from_bits(bits: u128) -> Self {
        Self::from((bits >> 96) as u32)
    }

    /// 1.0.0.0 to 223.255.255.255.
    fn draw(chance: &mut Chance) -> u128 {
        let first = 1 + chance.below(223);
        u128::from(first << 24 | chance.below(1 << 24)) << 96
    }
}

impl Family for Ipv6Addr {
    const NAME: &'static str = "ipv6";
    const SHARES: Shares = IPV6;

    fn from_bits(bits: u128) -> Self {
        Self::from(bits)
    }

    /// In one of 32,768 allocations that registries gave to providers.
    fn draw(chance: &mut Chance) -> u128 {
        let blocks = [0x2001, 0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00];
        let allocation = mix(chance.below(32_768) + 1);
        let block = blocks[(allocation >> 32) as usize % blocks.len()];
        let provider = block << 16 | allocation & 0x000f_ffff;
        u128::from(provider) << 96
            | (u128::from(chance.next()) << 64 | u128::from(chance.next())) >> 32
    }
}

/// Random numbers, the same on every run.
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// Another seed gives other numbers.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `end`.
    pub const fn below(&mut self, end: u64) -> u64 {
        ((self.next() as u128 * end as u128) >> 64) as u64
    }
}

/// One prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    /// First address, left-aligned.
    pub bits: u128,
    /// Number of bits that count.
    pub length: u8,
    /// Where it leads, above 0.
    pub target: u32,
}

/// The first `length` of `bits`.
#[must_use]
pub const fn masked(bits: u128, length: u8) -> u128 {
    if length == 0 { 0 } else { bits & (u128::MAX << (128 - length as u32)) }
}

/// A table of `count` different prefixes, sorted.
#[must_use]
pub fn table<A: Family>(count: u32, chance: &mut Chance) -> Vec<Prefix> {
    let mut seen = HashSet::with_capacity(count as usize);
    let mut prefixes = Vec::with_capacity(count as usize);
    while prefixes.len() < count as usize {
        let mut share = chance.below(A::SHARES.iter().map(|(_, share)| share).sum());
        let length = A::SHARES.iter().find_map(|(length, of_all)| {
            let found = share < *of_all;
            share = share.saturating_sub(*of_all);
            found.then_some(*length)
        });
        let length = length.unwrap_or(A::BITS);
        let bits = masked(A::draw(chance), length);
        if seen.insert((bits, length)) {
            prefixes.push(Prefix { bits, length, target: 1 + chance.below(200) as u32 });
        }
    }
    prefixes.sort_unstable();
    prefixes
}

/// `count` addresses inside random prefixes of `table`.
#[must_use]
pub fn addresses<A: Family>(table: &[Prefix], count: u32, chance: &mut Chance) -> Vec<u128> {
    let one = |_| {
        let prefix = table[chance.below(table.len() as u64) as usize];
        let host = u128::from(chance.next()) << 64 | u128::from(chance.next());
        masked(prefix.bits | host.checked_shr(u32::from(prefix.length)).unwrap_or(0), A::BITS)
    };
    (0..count).map(one).collect()
}

/// A hash map for each length: slow, and too simple to be wrong.
#[derive(Debug, Default)]
pub struct Reference(BTreeMap<u8, HashMap<u128, u32>>);

impl Reference {
    /// All prefixes of a table.
    #[must_use]
    pub fn new(table: &[Prefix]) -> Self {
        let mut lengths = BTreeMap::<u8, HashMap<u128, u32>>::new();
        for prefix in table {
            lengths.entry(prefix.length).or_default().insert(prefix.bits, prefix.target);
        }
        Self(lengths)
    }

    /// The target of the longest prefix; 0 if there is none.
    #[must_use]
    pub fn lookup(&self, bits: u128) -> u32 {
        let longest_first = self.0.iter().rev();
        let answers = longest_first.map(|(length, map)| map.get(&masked(bits, *length)));
        answers.flatten().next().copied().unwrap_or(0)
    }
}
