//! Which index of a map belongs to which object.

use std::{
    collections::VecDeque,
    hash::Hash,
    time::{Duration, Instant},
};

use crate::hashed::HashMap;

/// A packet on its way may still use a freed index for as long as it is in the program: far less
/// than this.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// Indexes 1 to `capacity - 1` of a map; 0 always means "none".
#[derive(Debug)]
pub(super) struct Indexes<K> {
    used: HashMap<K, u32>,
    keys: HashMap<u32, K>,
    next: u32,
    capacity: u32,
    freed: VecDeque<(u32, Instant)>,
    /// Taken from their keys, and still referred to.
    superseded: Vec<u32>,
}

impl<K: Hash + Eq + Clone> Indexes<K> {
    pub(super) fn new(capacity: u32) -> Self {
        Self {
            used: HashMap::default(),
            keys: HashMap::default(),
            next: 1,
            capacity,
            freed: VecDeque::new(),
            superseded: Vec::new(),
        }
    }

    /// Takes over an index that an earlier daemon gave out. To be called before the first
    /// [`Self::allocate`], in ascending order of indexes.
    pub(super) fn adopt(&mut self, key: K, index: u32) {
        for skipped in self.next..index {
            self.freed.push_back((skipped, Instant::now()));
        }
        self.next = self.next.max(index + 1);
        self.keys.insert(index, key.clone());
        if let Some(duplicate) = self.used.insert(key, index) {
            self.keys.remove(&duplicate);
            self.freed.push_back((duplicate, Instant::now()));
        }
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
        let rested = self.freed.front().is_some_and(|(_, since)| since.elapsed() >= GRACE);
        let index = if rested {
            self.freed.pop_front()?.0
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

    /// Takes its index from a key, which is to get another one. It is free only after
    /// [`Self::free_superseded`].
    pub(super) fn supersede(&mut self, key: &K) {
        if let Some(index) = self.used.remove(key) {
            self.keys.remove(&index);
            self.superseded.push(index);
        }
    }

    /// Frees what was superseded, to which nothing refers any more.
    pub(super) fn free_superseded(&mut self) -> Vec<u32> {
        let now = Instant::now();
        self.freed.extend(self.superseded.iter().map(|index| (*index, now)));
        std::mem::take(&mut self.superseded)
    }

    pub(super) fn free(&mut self, key: &K) {
        if let Some(index) = self.used.remove(key) {
            self.keys.remove(&index);
            self.freed.push_back((index, Instant::now()));
        }
    }

    /// Frees all keys that `keep` refuses and returns them with their indexes.
    pub(super) fn retain(&mut self, keep: impl Fn(&K) -> bool) -> Vec<(K, u32)> {
        let gone: Vec<_> =
            self.used.iter().filter(|(k, _)| !keep(k)).map(|(k, i)| (k.clone(), *i)).collect();
        for (key, _) in &gone {
            self.free(key);
        }
        gone
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity as usize - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_kept_as_long_as_its_object_lives_and_rests_afterwards() {
        let mut indexes = Indexes::new(4);
        assert_eq!(indexes.allocate(&"a"), Some((1, true)));
        assert_eq!(indexes.allocate(&"a"), Some((1, false)));
        assert_eq!(indexes.allocate(&"b"), Some((2, true)));
        indexes.free(&"a");
        assert_eq!(indexes.allocate(&"c"), Some((3, true)), "the freed index 1 has to rest");
        assert_eq!(indexes.allocate(&"d"), None, "all are used or resting");
    }

    #[test]
    fn an_index_that_was_passed_on_belongs_to_its_new_key_alone() {
        let mut indexes = Indexes::new(10);
        indexes.allocate(&"old");
        let old = indexes.key_of(1).copied().unwrap();
        indexes.pass_on(&old, "new");
        assert_eq!((indexes.get(&"old"), indexes.get(&"new")), (None, Some(1)));
        assert_eq!(indexes.retain(|key| *key == "new"), [], "nobody gives it back");
    }

    #[test]
    fn a_superseded_index_is_kept_until_nothing_refers_to_it_and_rests_then() {
        let mut indexes = Indexes::new(4);
        assert_eq!(indexes.allocate(&"a"), Some((1, true)));
        indexes.supersede(&"a");
        assert_eq!(indexes.get(&"a"), None);
        assert_eq!(indexes.allocate(&"a"), Some((2, true)));
        assert_eq!(indexes.free_superseded(), [1]);
        assert!(indexes.free_superseded().is_empty(), "only once");
        assert_eq!(indexes.allocate(&"b"), Some((3, true)), "the old index rests");
        assert_eq!(indexes.allocate(&"c"), None);
    }

    #[test]
    fn adopted_indexes_are_never_given_out_again() {
        let mut indexes = Indexes::new(10);
        indexes.adopt("a", 2);
        indexes.adopt("b", 5);
        assert_eq!(indexes.get(&"a"), Some(2));
        assert_eq!(indexes.allocate(&"c"), Some((6, true)));
    }
}
