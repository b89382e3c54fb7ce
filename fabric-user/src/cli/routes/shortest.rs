//! The shortest list of prefixes that gives the same answers as a trie.
//!
//! "Constructing Optimal IP Routing Tables" (Draves, King, Venkatachary, Zill: INFOCOM 1999): from
//! the leaves upwards, each place gets the set of targets that, if inherited from above, save most;
//! from the top downwards, each place takes one of its set unless it inherits one. Two things are
//! different. Addresses without a route stay without one, so that no entry says "no route". And
//! where an entry above two different ones would save nothing, there is none, so that the list
//! looks like what was configured.

use std::net::{Ipv4Addr, Ipv6Addr};

use fabric_common::trie::{DIRECT_BITS, Words};

use super::walk::{Place, Width};
use crate::observe::Prefix;

/// A prefix and its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Entry {
    /// The prefix's bits at the upper end, zeros below.
    bits: u128,
    length: u32,
    pub(in crate::cli) target: u32,
}

impl Entry {
    pub(in crate::cli) fn prefix(self, width: Width) -> Prefix {
        let address = match width {
            Width::V4 => Ipv4Addr::from_bits((self.bits >> 96) as u32).into(),
            Width::V6 => Ipv6Addr::from_bits(self.bits).into(),
        };
        Prefix { address, length: self.length as u8 }
    }
}

/// The targets that are best inherited.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Set {
    /// 0: some addresses here have no route.
    One(u32),
    /// In ascending order, none of them 0.
    Many(Box<[u32]>),
}

impl Set {
    fn targets(&self) -> &[u32] {
        match self {
            Self::One(target) => std::slice::from_ref(target),
            Self::Many(targets) => targets,
        }
    }

    fn has(&self, target: u32) -> bool {
        self.targets().binary_search(&target).is_ok()
    }

    fn common<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u32> + 'a {
        self.targets().iter().copied().filter(|target| other.has(*target))
    }

    /// The set of a place whose halves have these sets.
    fn above(&self, other: &Self) -> Self {
        if self.has(0) || other.has(0) {
            return Self::One(0);
        }
        let mut targets: Vec<u32> = self.common(other).collect();
        if targets.is_empty() {
            targets = [self.targets(), other.targets()].concat();
            targets.sort_unstable();
        }
        match targets[..] {
            [target] => Self::One(target),
            _ => Self::Many(targets.into()),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Below {
    /// One answer.
    Nothing,
    /// Places by their number.
    Halves([u32; 2]),
    /// Looked at again when its turn comes, so that not all of a large trie is in memory.
    Later(Place),
}

/// Places by number, with the sets of what is below them.
struct Tree<'a, W> {
    words: &'a W,
    width: Width,
    /// Depth at which places are left for later.
    horizon: u32,
    places: Vec<(Set, Below)>,
}

impl<'a, W: Words> Tree<'a, W> {
    const fn new(words: &'a W, width: Width, horizon: u32) -> Self {
        Self { words, width, horizon, places: Vec::new() }
    }

    /// Adds what is below `place`, which is behind `depth` bits; its number.
    fn add(&mut self, place: Place, depth: u32) -> u32 {
        let place = place.settled(self.words, self.width.bits() - depth);
        let (set, below) = match place {
            Place::Leaf(target) => (Set::One(target), Below::Nothing),
            _ if depth == self.horizon => {
                let mut below = Self::new(self.words, self.width, u32::MAX);
                let top = below.add(place, depth);
                (below.set(top).clone(), Below::Later(place))
            }
            _ => {
                let before = self.places.len();
                let halves = place.halves(self.words).map(|half| self.add(half, depth + 1));
                let [left, right] = halves.map(|half| self.set(half));
                let leaves = halves.iter().all(|half| {
                    matches!(self.places[*half as usize], (Set::One(_), Below::Nothing))
                });
                if leaves && left == right {
                    let set = left.clone();
                    self.places.truncate(before);
                    (set, Below::Nothing)
                } else {
                    (left.above(right), Below::Halves(halves))
                }
            }
        };
        self.places.push((set, below));
        self.places.len() as u32 - 1
    }

    fn set(&self, number: u32) -> &Set {
        &self.places[number as usize].0
    }

    /// Gives the entries below a place to `each`, in the order of their addresses.
    fn list<E>(
        &self,
        number: u32,
        at: Entry,
        each: &mut impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let (set, below) = &self.places[number as usize];
        let (depth, inherited) = (at.length, at.target);
        let mut target = inherited;
        match below {
            Below::Later(place) => {
                let mut tree = Self::new(self.words, self.width, u32::MAX);
                let top = tree.add(*place, depth);
                return tree.list(top, at, each);
            }
            _ if set.has(inherited) => {}
            Below::Nothing => target = set.targets()[0],
            Below::Halves([left, right]) => {
                let (left, right) = (self.set(*left), self.set(*right));
                if !left.has(inherited) && !right.has(inherited) {
                    target = left.common(right).next().unwrap_or(inherited);
                }
            }
        }
        // 0 inside something else: the trie has just changed.
        if target != inherited && target != 0 {
            each(Entry { target, ..at })?;
        }
        if let Below::Halves(halves) = below {
            for (bit, half) in (0_u128..).zip(halves) {
                let bits = at.bits | bit << (127 - depth);
                self.list(*half, Entry { bits, length: depth + 1, target }, each)?;
            }
        }
        Ok(())
    }
}

/// Gives the shortest list for `root` to `each`, in the order of addresses, shorter prefixes first.
///
/// # Errors
/// What `each` says; it is called no more then.
pub(in crate::cli) fn shortest<E>(
    words: &impl Words,
    root: u32,
    width: Width,
    mut each: impl FnMut(Entry) -> Result<(), E>,
) -> Result<(), E> {
    let mut tree = Tree::new(words, width, DIRECT_BITS);
    let top = tree.add(Place::root(root), 0);
    tree.list(top, Entry { bits: 0, length: 0, target: 0 }, &mut each)
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, convert::Infallible, time::Instant};

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

    fn entries(memory: &Memory, root: u32, width: Width) -> Vec<Entry> {
        let mut list = Vec::new();
        let Ok(()) = shortest(memory, root, width, |entry| {
            list.push(entry);
            Ok::<(), Infallible>(())
        });
        list
    }

    fn listed<A: Address>(prefixes: &[(A, u8, u32)], width: Width) -> Vec<(String, u32)> {
        let (memory, root) = trie(prefixes);
        let text = |entry: Entry| {
            let prefix = entry.prefix(width);
            (format!("{}/{}", prefix.address, prefix.length), entry.target)
        };
        entries(&memory, root, width).into_iter().map(text).collect()
    }

    fn ip4(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    fn a_table_as_people_configure_it_is_listed_as_it_is() {
        let prefixes = [
            (ip4("0.0.0.0"), 0, 1),
            (ip4("10.0.0.0"), 8, 2),
            (ip4("10.1.0.0"), 16, 3),
            (ip4("10.1.2.3"), 32, 1),
            (ip4("192.0.2.0"), 24, 5),
            (ip4("192.0.3.0"), 24, 6),
        ];
        let expected = [
            ("0.0.0.0/0", 1),
            ("10.0.0.0/8", 2),
            ("10.1.0.0/16", 3),
            ("10.1.2.3/32", 1),
            ("192.0.2.0/24", 5),
            ("192.0.3.0/24", 6),
        ]
        .map(|(text, target)| (text.to_owned(), target));
        assert_eq!(listed(&prefixes, Width::V4), expected);
        // Nothing says "no route" where there is none.
        assert_eq!(listed(&prefixes[4..], Width::V4), expected[4..]);
    }

    #[test]
    fn neighbours_with_one_answer_are_one_prefix_and_what_adds_nothing_is_left_out() {
        let prefixes = [
            (ip4("10.0.0.0"), 24, 7),
            (ip4("10.0.1.0"), 24, 7),
            (ip4("10.0.1.128"), 25, 7),
            (ip4("10.0.2.0"), 24, 8),
        ];
        let expected = [("10.0.0.0/23".to_owned(), 7), ("10.0.2.0/24".to_owned(), 8)];
        assert_eq!(listed(&prefixes, Width::V4), expected);
    }

    #[test]
    fn long_prefixes_of_ipv6_are_listed() {
        let ip6 = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        let prefixes = [
            (ip6("::"), 0, 1),
            (ip6("2001:db8::"), 32, 2),
            (ip6("2001:db8:0:7::"), 64, 3),
            (ip6("2001:db8:0:7::1"), 128, 4),
        ];
        let expected = [
            ("::/0", 1),
            ("2001:db8::/32", 2),
            ("2001:db8:0:7::/64", 3),
            ("2001:db8:0:7::1/128", 4),
        ]
        .map(|(text, target)| (text.to_owned(), target));
        assert_eq!(listed(&prefixes, Width::V6), expected);
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
        let prefix = |state: &mut u64| {
            let length = random(state) % u64::from(width.bits() + 1);
            let bits = u128::from(random(state) & 0x1f) << 123
                | u128::from(random(state) & 0x7) << (128 - width.bits());
            let mask = u128::MAX.checked_shl(128 - length as u32).unwrap_or(0);
            (bits & mask, length as u8, 1 + (random(state) % 3) as u32)
        };
        let count = random(state) % 40;
        let mut list: Vec<_> = (0..count).map(|_| prefix(state)).collect();
        list.sort_unstable();
        list.dedup_by_key(|(bits, length, _)| (*bits, *length));
        list
    }

    fn answer(list: &[(u128, u8, u32)], address: u128) -> Option<u32> {
        let holds = |(bits, length, _): &&(u128, u8, u32)| {
            (bits ^ address).checked_shr(128 - u32::from(*length)).unwrap_or(0) == 0
        };
        list.iter().filter(holds).max_by_key(|(_, length, _)| *length).map(|(_, _, t)| *t)
    }

    #[test]
    fn the_list_gives_every_address_the_answer_of_the_trie_and_is_never_longer_than_the_table() {
        let mut state = 11;
        for round in 0..200 {
            let width = if round % 2 == 0 { Width::V4 } else { Width::V6 };
            let given = crowd(&mut state, width);
            let (memory, root) = match width {
                Width::V4 => {
                    let address = |bits: u128| Ipv4Addr::from_bits((bits >> 96) as u32);
                    let list: Vec<_> =
                        given.iter().map(|(b, l, t)| (address(*b), *l, *t)).collect();
                    trie(&list)
                }
                Width::V6 => {
                    let address = Ipv6Addr::from_bits;
                    let list: Vec<_> =
                        given.iter().map(|(b, l, t)| (address(*b), *l, *t)).collect();
                    trie(&list)
                }
            };
            let list: Vec<_> = entries(&memory, root, width)
                .iter()
                .map(|entry| (entry.bits, entry.length as u8, entry.target))
                .collect();
            assert!(list.is_sorted_by_key(|(bits, length, _)| (*bits, *length)), "{list:?}");
            assert!(list.len() <= given.len(), "round {round}: {given:?} became {list:?}");
            // The first and last address of every prefix, and those beside them.
            let step = 1_u128 << (128 - width.bits());
            let edges = given.iter().flat_map(|(bits, length, _)| {
                let last = bits | u128::MAX.checked_shr(u32::from(*length)).unwrap_or(0);
                [
                    *bits,
                    last & !(step - 1),
                    bits.wrapping_sub(step),
                    (last & !(step - 1)).wrapping_add(step),
                ]
            });
            for address in edges {
                let halves = [(address >> 64) as u64, address as u64];
                let expected = match width {
                    Width::V4 => lookup4(&memory, root, (address >> 96) as u32),
                    Width::V6 => lookup6(&memory, root, halves),
                };
                assert_eq!(
                    answer(&list, address),
                    expected,
                    "round {round}: {address:#x} in {given:?}"
                );
                assert_eq!(answer(&given, address), expected, "round {round}");
            }
        }
    }
}
