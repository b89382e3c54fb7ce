//! Readers that look between any two stores.

use std::{
    cell::Cell,
    net::{Ipv4Addr, Ipv6Addr},
    rc::Rc,
    time::{Duration, Instant},
};

use super::{
    correctness::{Lie, edges, list, prefix},
    memory::{Family, Memory},
    reference::{Chance, Reference},
};
use crate::reconcile::trie::{Recovery, Table};

/// Addresses with the answers before and after a change.
struct Expected {
    root: u32,
    answers: Vec<(u128, [Option<u32>; 2])>,
    stores: Rc<Cell<u64>>,
}

impl Expected {
    fn check<A: Family>(&self, memory: &Memory<'_>) {
        self.stores.set(self.stores.get() + 1);
        for (bits, allowed) in &self.answers {
            let answer = A::lookup(memory, self.root, *bits);
            assert!(
                allowed.contains(&answer),
                "{:?} leads to {answer:?} instead of one of {allowed:?}",
                A::from_bits(*bits)
            );
        }
    }
}

fn watch<A: Family>(lie: Lie, seed: u64) {
    let memory = Memory::new(1 << 17);
    let mut tries = Recovery::new(&memory).finish();
    let mut table = Table::<A>::default();
    let mut reference = Reference::default();
    let mut chance = Chance::new(seed);
    let mut now = Instant::now();
    let mut known = Vec::new();
    for _ in 0..150 {
        let (bits, length) = prefix::<A>(&mut chance, lie);
        reference.set(bits, length, Some(1 + chance.below(4) as u32));
        known.push((bits, length));
    }
    tries.sync(&memory, &mut table, list::<A>(&reference), now).unwrap();
    for round in 0..200 {
        now += Duration::from_millis(40);
        let before = reference.clone();
        // Every tenth round changes many prefixes at once.
        let changes = if round % 10 == 0 { 30 } else { 1 };
        let mut changed = Vec::new();
        for _ in 0..changes {
            let (bits, length) = if chance.below(2) == 0 {
                known[chance.below(known.len() as u64) as usize]
            } else {
                prefix::<A>(&mut chance, lie)
            };
            let target = (chance.below(3) > 0).then(|| 1 + chance.below(4) as u32);
            reference.set(bits, length, target);
            known.push((bits, length));
            changed.push((bits, length, target));
        }
        let others: Vec<_> =
            (0..40).map(|_| known[chance.below(known.len() as u64) as usize]).collect();
        let addresses = changed
            .iter()
            .map(|(bits, length, _)| (*bits, *length))
            .chain(others)
            .flat_map(|(bits, length)| edges::<A>(bits, length));
        let stores = Rc::new(Cell::new(0));
        let expected = Expected {
            root: table.root(),
            answers: addresses
                .map(|bits| (bits, [before.lookup(bits), reference.lookup(bits)]))
                .collect(),
            stores: Rc::clone(&stores),
        };
        let writes = tries.writes();
        memory.watched(
            move |memory| expected.check::<A>(memory),
            |memory| match changed[..] {
                [(bits, length, target)] => tries
                    .set(memory, &mut table, (A::from_bits(bits), length), target, now)
                    .unwrap(),
                _ => tries.sync(memory, &mut table, list::<A>(&reference), now).unwrap(),
            },
        );
        assert_eq!(stores.get(), tries.writes() - writes, "a store was not counted");
    }
}

#[test]
fn between_any_two_stores_every_ipv4_address_has_its_old_or_its_new_answer() {
    for seed in 0..3 {
        watch::<Ipv4Addr>(Lie::Clustered, seed);
        watch::<Ipv4Addr>(Lie::Uniform, seed);
    }
}

#[test]
fn between_any_two_stores_every_ipv6_address_has_its_old_or_its_new_answer() {
    for seed in 0..3 {
        watch::<Ipv6Addr>(Lie::Clustered, seed);
        watch::<Ipv6Addr>(Lie::Uniform, seed);
    }
}
