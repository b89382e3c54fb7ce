//! Which index of a map belongs to which object.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::Hash,
};

use crate::hashed::HashMap;

/// Indexes 1 to `capacity - 1` of a map; 0 always means "none". One that is taken from its key is free
/// only when it is given back, after it has rested (see [`super::rest`]).
#[derive(Debug)]
pub(super) struct Indexes<K> {
    used: HashMap<K, u32>,
    keys: HashMap<u32, K>,
    next: u32,
    capacity: u32,
    free: VecDeque<u32>,
    /// Taken from their keys, and perhaps still referred to.
    superseded: Vec<u32>,
}

impl<K: Hash + Eq + Clone> Indexes<K> {
    pub(super) fn new(capacity: u32) -> Self {
        Self {
            used: HashMap::default(),
            keys: HashMap::default(),
            next: 1,
            capacity,
            free: VecDeque::new(),
            superseded: Vec::new(),
        }
    }

    /// Takes over an index that an earlier daemon gave out. To be called before the first
    /// [`Self::allocate`]. Of two that one key has it keeps the later one; something may refer to the other
    /// one as well, which is superseded.
    pub(super) fn adopt(&mut self, key: K, index: u32) {
        self.next = self.next.max(index + 1);
        self.keys.insert(index, key.clone());
        if let Some(duplicate) = self.used.insert(key, index) {
            self.keys.remove(&duplicate);
            self.superseded.push(duplicate);
        }
    }

    /// When all are adopted: those in between, which were free or rested.
    pub(super) fn gaps(&self) -> Vec<u32> {
        let superseded: BTreeSet<u32> = self.superseded.iter().copied().collect();
        let is_gap = |index: &u32| !self.keys.contains_key(index) && !superseded.contains(index);
        (1..self.next).filter(is_gap).collect()
    }

    /// As [`Self::gaps`], where something may refer to them.
    pub(super) fn supersede_gaps(&mut self) {
        self.superseded.extend(self.gaps());
    }

    /// The key that has an index.
    pub(super) fn key_of(&self, index: u32) -> Option<&K> {
        self.keys.get(&index)
    }

    /// All keys with their indexes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, u32)> {
        self.used.iter().map(|(key, index)| (key, *index))
    }

    /// Gives the index of a key that is not wanted any more to another one, which must have none.
    pub(super) fn pass_on(&mut self, old: &K, new: K) {
        if let Some(index) = self.used.remove(old) {
            self.keys.insert(index, new.clone());
            self.used.insert(new, index);
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<u32> {
        self.used.get(key).copied()
    }

    /// The index of `key`, a new one if it has none; true if it is new. `None` when the map is
    /// full.
    pub(super) fn allocate(&mut self, key: &K) -> Option<(u32, bool)> {
        if let Some(index) = self.get(key) {
            return Some((index, false));
        }
        let index = if let Some(free) = self.free.pop_front() {
            free
        } else if self.next < self.capacity {
            self.next += 1;
            self.next - 1
        } else {
            return None;
        };
        self.used.insert(key.clone(), index);
        self.keys.insert(index, key.clone());
        Some((index, true))
    }

    /// Takes its index from a key, which is to get another one, while something refers to it.
    pub(super) fn supersede(&mut self, key: &K) {
        let index = self.remove(key);
        self.superseded.extend(index);
    }

    /// What was superseded, when nothing refers to it any more.
    pub(super) fn take_superseded(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.superseded)
    }

    /// Takes its index from a key.
    pub(super) fn remove(&mut self, key: &K) -> Option<u32> {
        let index = self.used.remove(key)?;
        self.keys.remove(&index);
        Some(index)
    }

    /// Takes their indexes from all keys that `keep` refuses; which they were.
    pub(super) fn retain(&mut self, keep: impl Fn(&K) -> bool) -> Vec<u32> {
        let gone: Vec<K> = self.used.keys().filter(|key| !keep(key)).cloned().collect();
        gone.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// Frees an index that no key has and that has rested.
    pub(super) fn give_back(&mut self, index: u32) {
        self.free.push_back(index);
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity as usize - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_kept_as_long_as_its_object_lives_and_until_it_is_given_back() {
        let mut indexes = Indexes::new(4);
        assert_eq!(indexes.allocate(&"a"), Some((1, true)));
        assert_eq!(indexes.allocate(&"a"), Some((1, false)));
        assert_eq!(indexes.allocate(&"b"), Some((2, true)));
        assert_eq!(indexes.remove(&"a"), Some(1));
        assert_eq!(indexes.allocate(&"c"), Some((3, true)), "index 1 has to rest");
        assert_eq!(indexes.allocate(&"d"), None, "all are used or rest");
        indexes.give_back(1);
        assert_eq!(indexes.allocate(&"d"), Some((1, true)));
    }

    #[test]
    fn an_index_that_was_passed_on_belongs_to_its_new_key_alone() {
        let mut indexes = Indexes::new(10);
        indexes.allocate(&"old");
        let old = indexes.key_of(1).copied().unwrap();
        indexes.pass_on(&old, "new");
        assert_eq!((indexes.get(&"old"), indexes.get(&"new")), (None, Some(1)));
        assert_eq!(indexes.retain(|key| *key == "new"), [0; 0], "nobody gives it back");
    }

    #[test]
    fn a_superseded_index_is_kept_until_nothing_refers_to_it_and_rests_then() {
        let mut indexes = Indexes::new(4);
        assert_eq!(indexes.allocate(&"a"), Some((1, true)));
        indexes.supersede(&"a");
        assert_eq!(indexes.get(&"a"), None);
        assert_eq!(indexes.allocate(&"a"), Some((2, true)));
        assert_eq!(indexes.take_superseded(), [1]);
        assert!(indexes.take_superseded().is_empty(), "only once");
        assert_eq!(indexes.allocate(&"b"), Some((3, true)), "the old index rests");
        assert_eq!(indexes.allocate(&"c"), None);
    }

    #[test]
    fn adopted_indexes_are_never_given_out_again() {
        let mut indexes = Indexes::new(10);
        indexes.adopt("b", 5);
        indexes.adopt("a", 2);
        assert_eq!(indexes.gaps(), [1, 3, 4], "a packet may be on its way to them");
        assert_eq!(indexes.get(&"a"), Some(2));
        assert_eq!(indexes.allocate(&"c"), Some((6, true)));
        assert!(indexes.take_superseded().is_empty(), "nothing refers to them");
    }

    #[test]
    fn of_two_indexes_that_one_key_had_one_is_superseded() {
        let mut indexes = Indexes::new(10);
        indexes.adopt("a", 1);
        indexes.adopt("a", 2);
        indexes.adopt("b", 4);
        assert_eq!((indexes.get(&"a"), indexes.key_of(1)), (Some(2), None));
        assert_eq!(indexes.gaps(), [3]);
        assert_eq!(indexes.take_superseded(), [1]);
    }
}
