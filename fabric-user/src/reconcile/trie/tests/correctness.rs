//! Every answer is that of the reference.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use super::{
    memory::{Family, Memory},
    reference::{Chance, Reference, masked},
};
use crate::reconcile::trie::{Recovery, Table, Tries};

const WORDS: u32 = 1 << 18;

/// How prefixes lie in the address space.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lie {
    /// Anywhere, of any length.
    Uniform,
    /// Close together: first bits in common, then few choices.
    Clustered,
}

/// A made-up prefix: first address and length.
pub(super) fn prefix<A: Family>(chance: &mut Chance, lie: Lie) -> (u128, u8) {
    let family = u32::from(A::BITS);
    let length = match chance.below(16) {
        0 => chance.below(15) as u8,
        1 => A::BITS - chance.below(2) as u8,
        _ => chance.below(u64::from(A::BITS) + 1) as u8,
    };
    let bits = match lie {
        Lie::Uniform => chance.wide(),
        // A stretch of zeros, then three free bits at each of a few places.
        Lie::Clustered => {
            let shifts = [0, 3, family / 4, family / 2, family - 8, family - 3];
            shifts.iter().fold(0, |bits, shift| bits | u128::from(chance.below(8)) << (125 - shift))
        }
    };
    (masked(masked(bits, A::BITS), length), length)
}

/// Addresses that matter for a prefix: its first and last, and those beside it.
pub(super) fn edges<A: Family>(bits: u128, length: u8) -> [u128; 4] {
    let one = 1_u128 << (128 - u32::from(A::BITS));
    let size = 1_u128.checked_shl(128 - u32::from(length)).unwrap_or(0);
    let last = bits.wrapping_add(size).wrapping_sub(one);
    [bits, last, bits.wrapping_sub(one), last.wrapping_add(one)].map(|bits| masked(bits, A::BITS))
}

fn compare<A: Family>(memory: &Memory<'_>, table: &Table<A>, reference: &Reference, bits: u128) {
    assert_eq!(
        A::lookup(memory, table.root(), bits),
        reference.lookup(bits),
        "{:?}",
        A::from_bits(bits)
    );
}

pub(super) fn list<A: Family>(reference: &Reference) -> Vec<(A, u8, u32)> {
    reference.iter().map(|(bits, length, target)| (A::from_bits(bits), length, target)).collect()
}

fn updates<A: Family>(lie: Lie, seed: u64) {
    let memory = Memory::new(WORDS);
    let mut tries = Recovery::new(&memory).finish();
    let mut table = Table::<A>::default();
    let mut reference = Reference::default();
    let mut chance = Chance::new(seed);
    let mut now = Instant::now();
    let mut known: Vec<(u128, u8)> = Vec::new();
    for _ in 0..3_000 {
        now += Duration::from_millis(chance.below(30));
        let again = !known.is_empty() && chance.below(2) == 0;
        let (bits, length) = if again {
            known[chance.below(known.len() as u64) as usize]
        } else {
            let new = prefix::<A>(&mut chance, lie);
            known.push(new);
            new
        };
        // Few targets, so that neighbours are often alike.
        let target = (chance.below(5) > 1).then(|| 1 + chance.below(4) as u32);
        tries.set(&memory, &mut table, (A::from_bits(bits), length), target, now).unwrap();
        reference.set(bits, length, target);
        for address in edges::<A>(bits, length) {
            compare(&memory, &table, &reference, address);
        }
        let (bits, length) = known[chance.below(known.len() as u64) as usize];
        for address in edges::<A>(bits, length) {
            compare(&memory, &table, &reference, address);
        }
    }
    for (bits, length) in &known {
        for address in edges::<A>(*bits, *length) {
            compare(&memory, &table, &reference, address);
        }
    }
    for _ in 0..2_000 {
        compare(&memory, &table, &reference, masked(chance.wide(), A::BITS));
    }
    unchanged_by_sync(&memory, &mut tries, &mut table, &reference, now);
    let mut tries = recovered(&memory, &mut table, &reference, now);
    nothing_is_lost(&memory, &mut tries, table, now);
}

/// However a trie came to be, it is what its prefixes alone would make it.
fn unchanged_by_sync<A: Family>(
    memory: &Memory<'_>,
    tries: &mut Tries,
    table: &mut Table<A>,
    reference: &Reference,
    now: Instant,
) {
    let (before, writes) = (memory.contents(), tries.writes());
    tries.sync(memory, table, list::<A>(reference), now).unwrap();
    assert_eq!(tries.writes(), writes);
    assert!(memory.contents() == before, "a synchronisation wrote something");
    assert_eq!(table.len(), reference.iter().count());
}

/// A writer that finds the trie in memory has nothing to write.
fn recovered<A: Family>(
    memory: &Memory<'_>,
    table: &mut Table<A>,
    reference: &Reference,
    now: Instant,
) -> Tries {
    let mut recovery = Recovery::new(memory);
    *table = recovery.adopt(table.root()).unwrap();
    assert!(recovery.adopt::<A>(table.root()).is_none(), "two tables share a root");
    let mut tries = recovery.finish();
    unchanged_by_sync(memory, &mut tries, table, reference, now);
    tries
}

/// After the table has gone, every word but the first is free.
fn nothing_is_lost<A: Family>(
    memory: &Memory<'_>,
    tries: &mut Tries,
    table: Table<A>,
    now: Instant,
) {
    tries.remove(memory, table, now);
    let mut empty = Table::<Ipv4Addr>::default();
    tries.sync(memory, &mut empty, [], now + Duration::from_secs(1)).unwrap();
    assert_eq!(tries.used(), 1 + fabric_common::trie::DIRECT);
}

#[test]
fn random_updates_of_random_ipv4_tables_give_the_answers_of_the_reference() {
    for seed in 0..6 {
        updates::<Ipv4Addr>(Lie::Uniform, seed);
        updates::<Ipv4Addr>(Lie::Clustered, seed);
    }
}

#[test]
fn random_updates_of_random_ipv6_tables_give_the_answers_of_the_reference() {
    for seed in 0..6 {
        updates::<Ipv6Addr>(Lie::Uniform, seed);
        updates::<Ipv6Addr>(Lie::Clustered, seed);
    }
}

#[test]
fn from_one_random_table_to_another_only_differences_are_written() {
    fn check<A: Family>(seed: u64) {
        let memory = Memory::new(1 << 20);
        let mut tries = Recovery::new(&memory).finish();
        let mut table = Table::<A>::default();
        let mut chance = Chance::new(seed);
        let mut reference = Reference::default();
        let now = Instant::now();
        for _ in 0..20_000 {
            let (bits, length) = prefix::<A>(&mut chance, Lie::Uniform);
            reference.set(bits, length, Some(1 + chance.below(1_000) as u32));
        }
        tries.sync(&memory, &mut table, list::<A>(&reference), now).unwrap();
        let built = tries.writes();
        // Longer than the root's prefixes: each concerns one way down.
        for _ in 0..10 {
            let (bits, length) = prefix::<A>(&mut chance, Lie::Uniform);
            let length = length.max(20);
            reference.set(bits, length, Some(5_000));
        }
        tries.sync(&memory, &mut table, list::<A>(&reference), now).unwrap();
        let changed = tries.writes() - built;
        assert!(changed < 10 * 32 * 8 && changed * 20 < built, "{changed} after {built} writes");
        for (bits, length, _) in reference.iter().collect::<Vec<_>>() {
            for address in edges::<A>(bits, length) {
                compare(&memory, &table, &reference, address);
            }
        }
    }
    check::<Ipv4Addr>(1);
    check::<Ipv6Addr>(2);
}

#[test]
fn every_length_is_served_from_the_default_route_to_a_host() {
    fn check<A: Family>() {
        let memory = Memory::new(WORDS);
        let mut tries = Recovery::new(&memory).finish();
        let mut table = Table::<A>::default();
        let now = Instant::now();
        let address = masked(0xc0a8_0101_5555_aaaa_1234_5678_9abc_def1, A::BITS);
        // One prefix around the other, the longest first.
        let mut reference = Reference::default();
        for length in (0..=A::BITS).rev() {
            let target = Some(u32::from(length) + 1);
            tries.set(&memory, &mut table, (A::from_bits(address), length), target, now).unwrap();
            reference.set(address, length, target);
            for length in 0..=A::BITS {
                for edge in edges::<A>(masked(address, length), length) {
                    compare(&memory, &table, &reference, edge);
                }
            }
        }
        // The longest goes, so that the next one answers.
        for length in (0..=A::BITS).rev() {
            tries.set(&memory, &mut table, (A::from_bits(address), length), None, now).unwrap();
            let next = (length > 0).then_some(u32::from(length));
            assert_eq!(A::lookup(&memory, table.root(), address), next);
        }
        assert!(table.is_empty());
    }
    check::<Ipv4Addr>();
    check::<Ipv6Addr>();
}

#[test]
fn the_longest_prefixes_tell_neighbouring_addresses_apart() {
    fn check<A: Family>() {
        let memory = Memory::new(WORDS);
        let mut tries = Recovery::new(&memory).finish();
        let mut table = Table::<A>::default();
        let one = 1_u128 << (128 - u32::from(A::BITS));
        let now = Instant::now();
        let prefixes = [(2, 1, 12), (1, 0, 1), (3, 0, 3)]
            .map(|(host, shorter, target)| (A::from_bits(host * one), A::BITS - shorter, target));
        tries.sync(&memory, &mut table, prefixes, now).unwrap();
        let answers = [0, 1, 2, 3, 4].map(|host| A::lookup(&memory, table.root(), host * one));
        assert_eq!(answers, [None, Some(1), Some(12), Some(3), None]);
    }
    check::<Ipv4Addr>();
    check::<Ipv6Addr>();
}

#[test]
fn a_change_of_one_target_is_one_store() {
    let memory = Memory::new(WORDS);
    let mut tries = Recovery::new(&memory).finish();
    let mut table = Table::<Ipv4Addr>::default();
    let now = Instant::now();
    let rack = |i: u32| Ipv4Addr::from(0x0a00_0000 | i << 8);
    let all = (0..1_000).map(|i| (rack(i), 24, 1 + i));
    tries.sync(&memory, &mut table, all, now).unwrap();
    let before = tries.writes();
    tries.set(&memory, &mut table, (rack(500), 24), Some(7_777), now).unwrap();
    assert_eq!(tries.writes() - before, 1);
    tries.set(&memory, &mut table, (rack(500), 24), Some(7_777), now).unwrap();
    assert_eq!(tries.writes() - before, 1);
}
