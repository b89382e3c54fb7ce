//! What a trie answers for each address, as ranges of addresses with one answer.

use fabric_common::trie::{DIRECT, DIRECT_BITS, ENTRIES, Node, SKIP_WORDS, STRIDE, Words};

use super::span::{Span, Width};

/// Gives all ranges below `root` to `each`, in the order of addresses, those without an answer (target
/// 0) too. Returns how many words of the trie hold them.
///
/// # Errors
/// What `each` says; it is called no more then.
pub(crate) fn ranges<E>(
    words: &impl Words,
    root: u32,
    width: Width,
    each: impl FnMut(Span, u32) -> Result<(), E>,
) -> Result<u64, E> {
    if root == 0 {
        return Ok(0);
    }
    let mut walk = Walk { words, width, each, used: DIRECT.into(), open: None };
    let left = width.bits() - DIRECT_BITS;
    for entry in 0..DIRECT {
        walk.below(root.wrapping_add(entry), u128::from(entry) << left, left)?;
    }
    walk.close(u128::MAX >> (128 - width.bits()))?;
    Ok(walk.used)
}

struct Walk<'a, W, F> {
    words: &'a W,
    width: Width,
    each: F,
    used: u64,
    /// First address and target of the range that is not at its end yet.
    open: Option<(u128, u32)>,
}

impl<E, W: Words, F: FnMut(Span, u32) -> Result<(), E>> Walk<'_, W, F> {
    /// The word at `index` is for the addresses from `first` on that differ from it in the last `left`
    /// bits.
    fn below(&mut self, index: u32, first: u128, left: u32) -> Result<(), E> {
        match self.node(index) {
            Node::Leaf(target) => self.leaf(first, target),
            Node::Inner { bitmap, base } if left > 0 => {
                self.used += u64::from(bitmap.count_ones());
                // Of the last node of a way only entries that addresses can have.
                let bits = left.min(STRIDE);
                for entry in 0..1 << bits {
                    let last = ENTRIES as u32 - 1;
                    let rank = (bitmap << (last - (entry << (STRIDE - bits)))).count_ones();
                    let first = first + (u128::from(entry) << (left - bits));
                    self.below(base.wrapping_add(rank).wrapping_sub(1), first, left - bits)?;
                }
                Ok(())
            }
            Node::Skip { bits, base } if (1..=left.min(63)).contains(&bits) => {
                self.used += u64::from(SKIP_WORDS);
                let pattern = u128::from(self.words.word(base).unwrap_or(0)) & ((1 << bits) - 1);
                let Node::Leaf(others) = self.node(base.wrapping_add(1)) else {
                    return self.leaf(first, 0);
                };
                let left = left - bits;
                if pattern > 0 {
                    self.leaf(first, others)?;
                }
                self.below(base.wrapping_add(SKIP_WORDS - 1), first + (pattern << left), left)?;
                if pattern + 1 < 1 << bits {
                    self.leaf(first + ((pattern + 1) << left), others)?;
                }
                Ok(())
            }
            // What no writer makes.
            Node::Inner { .. } | Node::Skip { .. } => self.leaf(first, 0),
        }
    }

    /// What the word at `index` means; outside the array there is no answer.
    fn node(&self, index: u32) -> Node {
        self.words.word(index).map_or(Node::Leaf(0), Node::of)
    }

    /// From `first` on the answer is `target`.
    fn leaf(&mut self, first: u128, target: u32) -> Result<(), E> {
        if self.open.is_some_and(|(_, open)| open == target) {
            return Ok(());
        }
        if first > 0 {
            self.close(first - 1)?;
        }
        self.open = Some((first, target));
        Ok(())
    }

    fn close(&mut self, last: u128) -> Result<(), E> {
        let Some((first, target)) = self.open.take() else { return Ok(()) };
        let [first, last] = [first, last].map(|bits| self.width.address(bits));
        (self.each)(Span { first, last }, target)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        convert::Infallible,
        net::{IpAddr, Ipv4Addr, Ipv6Addr},
        time::Instant,
    };

    use fabric_common::trie::{lookup4, lookup6};

    use super::*;
    use crate::reconcile::trie::{Address, Recovery, Table, WordStore};

    struct Memory(RefCell<Vec<u64>>);

    impl WordStore for Memory {
        fn load(&self, index: u32) -> u64 {
            self.0.borrow()[index as usize]
        }

        fn store(&self, index: u32, word: u64) {
            self.0.borrow_mut()[index as usize] = word;
        }

        fn len(&self) -> u32 {
            self.0.borrow().len() as u32
        }
    }

    impl Words for Memory {
        fn word(&self, index: u32) -> Option<u64> {
            self.0.borrow().get(index as usize).copied()
        }
    }

    /// A trie of prefixes with their targets, and its root.
    fn trie<A: Address>(prefixes: &[(A, u8, u32)]) -> (Memory, u32) {
        let memory = Memory(RefCell::new(vec![0; 1 << 16]));
        let mut table = Table::default();
        let mut tries = Recovery::new(&memory).finish();
        tries.sync(&memory, &mut table, prefixes.iter().copied(), Instant::now()).unwrap();
        (memory, table.root())
    }

    fn listed(memory: &Memory, root: u32, width: Width) -> Vec<(Span, u32)> {
        let mut list = Vec::new();
        let Ok(_words) = ranges(memory, root, width, |span, target| {
            list.push((span, target));
            Ok::<(), Infallible>(())
        });
        list
    }

    fn texts(memory: &Memory, root: u32, width: Width) -> Vec<(String, u32)> {
        let list = listed(memory, root, width).into_iter();
        list.filter(|(_, target)| *target != 0).map(|(span, t)| (span.to_string(), t)).collect()
    }

    fn ip4(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    fn prefixes_are_listed_as_they_are_and_what_is_around_others_as_ranges() {
        let prefixes = [
            (ip4("10.0.0.0"), 8, 2),
            (ip4("10.1.0.0"), 16, 3),
            (ip4("10.1.2.3"), 32, 1),
            (ip4("192.0.2.0"), 24, 5),
            (ip4("192.0.3.0"), 24, 6),
        ];
        let (memory, root) = trie(&prefixes);
        let expected = [
            ("10.0.0.0/16", 2),
            ("10.1.0.0-10.1.2.2", 3),
            ("10.1.2.3/32", 1),
            ("10.1.2.4-10.1.255.255", 3),
            ("10.2.0.0-10.255.255.255", 2),
            ("192.0.2.0/24", 5),
            ("192.0.3.0/24", 6),
        ]
        .map(|(text, target)| (text.to_owned(), target));
        assert_eq!(texts(&memory, root, Width::V4), expected);
    }

    #[test]
    fn neighbours_with_one_answer_are_one_range() {
        let prefixes = [
            (ip4("10.0.0.0"), 24, 7),
            (ip4("10.0.1.0"), 24, 7),
            (ip4("10.0.1.128"), 25, 7),
            (ip4("10.0.2.0"), 24, 8),
        ];
        let (memory, root) = trie(&prefixes);
        let expected = [("10.0.0.0/23".to_owned(), 7), ("10.0.2.0/24".to_owned(), 8)];
        assert_eq!(texts(&memory, root, Width::V4), expected);
    }

    #[test]
    fn long_prefixes_of_ipv6_are_listed() {
        let ip6 = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        let prefixes = [
            (ip6("2001:db8::"), 32, 2),
            (ip6("2001:db8:0:7::"), 64, 3),
            (ip6("2001:db8:0:7::1"), 128, 4),
        ];
        let (memory, root) = trie(&prefixes);
        let expected = [
            ("2001:db8::-2001:db8:0:6:ffff:ffff:ffff:ffff", 2),
            ("2001:db8:0:7::/128", 3),
            ("2001:db8:0:7::1/128", 4),
            ("2001:db8:0:7::2-2001:db8:0:7:ffff:ffff:ffff:ffff", 3),
            ("2001:db8:0:8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 2),
        ]
        .map(|(text, target)| (text.to_owned(), target));
        assert_eq!(texts(&memory, root, Width::V6), expected);
    }

    #[test]
    fn a_trie_that_leads_back_to_itself_has_an_end() {
        let root = 8;
        for word in [
            Node::Inner { bitmap: u32::MAX, base: root },
            Node::Inner { bitmap: 1, base: u32::MAX },
            Node::Skip { bits: 63, base: root },
            Node::Skip { bits: 0, base: root },
        ] {
            let mut words = vec![0; (root + DIRECT) as usize];
            words[root as usize] = word.word();
            let memory = Memory(RefCell::new(words));
            assert!(texts(&memory, root, Width::V4).is_empty(), "{word:?}");
        }
    }

    /// SplitMix64.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Prefixes close together, so that many are inside each other or neighbours.
    fn crowd(state: &mut u64, width: Width) -> Vec<(u128, u8, u32)> {
        let bits = width.bits();
        let prefix = |state: &mut u64| {
            let length = random(state) % u64::from(bits + 1);
            let address =
                u128::from(random(state) & 0x1f) << (bits - 5) | u128::from(random(state) & 7);
            let free = u128::MAX.checked_shr(128 - bits + length as u32).unwrap_or(0);
            (address & !free, length as u8, 1 + (random(state) % 3) as u32)
        };
        let count = random(state) % 40;
        let mut list: Vec<_> = (0..count).map(|_| prefix(state)).collect();
        list.sort_unstable();
        list.dedup_by_key(|(bits, length, _)| (*bits, *length));
        list
    }

    #[test]
    fn ranges_follow_each_other_and_give_every_address_the_answer_of_the_trie() {
        let mut state = 11;
        for round in 0..200 {
            let width = if round % 2 == 0 { Width::V4 } else { Width::V6 };
            let given = crowd(&mut state, width);
            let (memory, root) = match width {
                Width::V4 => trie(&Vec::from_iter(
                    given.iter().map(|(b, l, t)| (Ipv4Addr::from_bits(*b as u32), *l, *t)),
                )),
                Width::V6 => trie(&Vec::from_iter(
                    given.iter().map(|(b, l, t)| (Ipv6Addr::from_bits(*b), *l, *t)),
                )),
            };
            let list = listed(&memory, root, width);
            let all = u128::MAX >> (128 - width.bits());
            if root != 0 {
                assert_eq!(list.first().map(|(span, _)| span.first), Some(width.address(0)));
                assert_eq!(list.last().map(|(span, _)| span.last), Some(width.address(all)));
            }
            for pair in list.windows(2) {
                let [(before, a), (after, b)] = [pair[0], pair[1]];
                assert!(a != b && before.last < after.first, "round {round}: {pair:?}");
            }
            // At every edge of a prefix and of a range, the answer is the trie's.
            let edges = given.iter().flat_map(|(bits, length, _)| {
                let free = all.checked_shr(u32::from(*length)).unwrap_or(0);
                let last = bits | free;
                [*bits, last, bits.wrapping_sub(1) & all, last.wrapping_add(1) & all]
            });
            for bits in edges {
                let address = width.address(bits);
                let expected = match address {
                    IpAddr::V4(address) => lookup4(&memory, root, address.to_bits()),
                    IpAddr::V6(_) => lookup6(&memory, root, [(bits >> 64) as u64, bits as u64]),
                };
                let found = list.iter().find(|(span, _)| span.holds(&Span::of(address)));
                let found = found.map(|(_, target)| *target).filter(|target| *target != 0);
                assert_eq!(found, expected, "round {round}: {address} in {given:?}");
            }
        }
    }
}
