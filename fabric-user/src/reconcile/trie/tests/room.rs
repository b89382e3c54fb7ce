//! An array that is full, damaged, or was used by somebody else before.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use fabric_common::trie::{DIRECT, Node, lookup4};

use super::memory::Memory;
use crate::reconcile::trie::{Recovery, Table, WordStore, blocks::REST};

fn rack(i: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 | i << 8)
}

#[test]
fn a_full_array_keeps_the_old_answers_and_says_so() {
    let memory = Memory::new(DIRECT + 60);
    let mut tries = Recovery::new(&memory).finish();
    let mut table = Table::<Ipv4Addr>::default();
    let mut now = Instant::now();
    let mut placed = 0;
    let full = loop {
        now += REST;
        match tries.set(&memory, &mut table, (rack(placed), 24), Some(placed + 1), now) {
            Ok(()) => placed += 1,
            Err(full) => break full,
        }
    };
    assert!((5..60).contains(&placed), "{placed} prefixes in 60 words");
    assert_eq!(full.capacity, DIRECT + 60);
    assert!(full.to_string().starts_with("the map trie is full"), "{full}");
    assert_eq!(table.len(), placed as usize);
    let root = table.root();
    let answers =
        || (0..=placed).map(|i| lookup4(&memory, root, rack(i).to_bits() + 9)).collect::<Vec<_>>();
    let expected: Vec<_> = (0..=placed).map(|i| (i < placed).then_some(i + 1)).collect();
    assert_eq!(answers(), expected);

    // More at once does not fit either, and leaves no trace.
    let before = tries.used();
    let many: Vec<_> = (0..500).map(|i| (rack(i * 3), 24, i + 9)).collect();
    assert!(tries.sync(&memory, &mut table, many, now + REST).is_err());
    assert_eq!((answers(), table.len()), (expected, placed as usize));
    assert!(tries.used() <= before);

    // What goes away makes room.
    tries.sync(&memory, &mut table, [(rack(0), 24, 1)], now + REST).unwrap();
    tries.set(&memory, &mut table, (rack(placed), 24), Some(5), now + 2 * REST).unwrap();
    assert_eq!(lookup4(&memory, table.root(), rack(placed).to_bits()), Some(5));
}

#[test]
fn an_array_without_room_for_a_root_has_no_table() {
    let memory = Memory::new(DIRECT);
    let mut tries = Recovery::new(&memory).finish();
    let mut table = Table::<Ipv6Addr>::default();
    let one = (Ipv6Addr::LOCALHOST, 128);
    let full = tries.set(&memory, &mut table, one, Some(1), Instant::now()).unwrap_err();
    assert_eq!((full.free, full.resting), (DIRECT - 1, 0));
    assert_eq!((table.root(), table.len()), (0, 0));
}

#[test]
fn words_that_readers_may_still_look_at_stay_as_they_are_for_100_milliseconds() {
    let memory = Memory::new(DIRECT + 500);
    let mut tries = Recovery::new(&memory).finish();
    let mut table = Table::<Ipv4Addr>::default();
    let start = Instant::now();
    tries.sync(&memory, &mut table, (0..8).map(|i| (rack(i), 24, 1 + i)), start).unwrap();
    // The word that a reader holds just before it is replaced.
    let root_entry = table.root() + (rack(0).to_bits() >> 18);
    let held = memory.load(root_entry);
    let Node::Inner { bitmap, base } = Node::of(held) else { panic!("no node: {held:x}") };
    let block: Vec<_> =
        (base..base + bitmap.count_ones()).map(|index| memory.load(index)).collect();
    let unchanged = || (base..).zip(&block).all(|(index, word)| memory.load(index) == *word);
    // Another shape: the node moves elsewhere.
    tries.set(&memory, &mut table, (rack(0x80), 17), Some(99), start).unwrap();
    assert_ne!(memory.load(root_entry), held);
    let mut i = 0;
    let mut churn = |tries: &mut crate::reconcile::trie::Tries, now| {
        i += 1;
        // May run out of words, as all that it frees has to rest.
        let _ = tries.set(&memory, &mut table, (rack(0x1000 + i * 64), 24), Some(i), now);
    };
    for _ in 0..200 {
        churn(&mut tries, start + REST - Duration::from_millis(1));
        assert!(unchanged());
    }
    let mut after = start + REST;
    while unchanged() {
        after += REST;
        assert!(after < start + 1_000 * REST, "the words were never used again");
        churn(&mut tries, after);
    }
}

#[test]
fn a_trie_that_leads_out_of_the_array_or_into_another_one_is_not_taken_over() {
    let memory = Memory::new(3 * DIRECT);
    let mut tries = Recovery::new(&memory).finish();
    let now = Instant::now();
    let mut four = Table::<Ipv4Addr>::default();
    tries.sync(&memory, &mut four, (0..99).map(|i| (rack(i), 24, 1 + i)), now).unwrap();
    let mut six = Table::<Ipv6Addr>::default();
    let site: Ipv6Addr = "2001:db8::".parse().unwrap();
    tries.sync(&memory, &mut six, [(site, 64, 1), (site, 32, 2)], now).unwrap();

    let entry = |table: u32, bits: u32| table + (bits >> 18);
    let at = entry(six.root(), 0x2001_0db8);
    let good = memory.load(at);
    let stolen = memory.load(entry(four.root(), rack(0).to_bits()));
    for bad in [
        stolen,
        Node::Inner { bitmap: u32::MAX, base: memory.len() - 31 }.word(),
        Node::Inner { bitmap: u32::MAX, base: u32::MAX }.word(),
        Node::Inner { bitmap: 1, base: at }.word(),
        Node::Skip { bits: 7, base: memory.len() - 3 }.word(),
    ] {
        memory.store(at, bad);
        let mut recovery = Recovery::new(&memory);
        assert!(recovery.adopt::<Ipv4Addr>(four.root()).is_some());
        assert!(recovery.adopt::<Ipv6Addr>(six.root()).is_none(), "{:?}", Node::of(bad));
        // Its words are free.
        assert!(recovery.finish().used() < 2 * DIRECT);
    }
    memory.store(at, good);
    let mut recovery = Recovery::new(&memory);
    assert!(recovery.adopt::<Ipv4Addr>(four.root()).is_some());
    assert!(recovery.adopt::<Ipv6Addr>(six.root()).is_some());
    assert_eq!(recovery.finish().used(), tries.used());
    assert!(Recovery::new(&memory).adopt::<Ipv4Addr>(3 * DIRECT - 1).is_none());
    assert!(Recovery::new(&memory).adopt::<Ipv4Addr>(0).is_none());
}
