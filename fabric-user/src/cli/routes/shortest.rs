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
