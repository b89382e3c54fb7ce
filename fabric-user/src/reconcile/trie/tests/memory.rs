//! An array in usual memory, with someone who looks after every store.

use std::{
    cell::{Cell, RefCell},
    net::{Ipv4Addr, Ipv6Addr},
};

use fabric_common::trie::{Words, lookup4, lookup6};

use crate::reconcile::trie::{Address, WordStore};

type Watcher<'a> = Box<dyn FnMut(&Memory<'a>) + 'a>;

/// Words, and what is called after each store.
pub(super) struct Memory<'a> {
    words: Vec<Cell<u64>>,
    watcher: RefCell<Option<Watcher<'a>>>,
}

impl<'a> Memory<'a> {
    pub(super) fn new(words: u32) -> Self {
        // Garbage: nothing may rely on fresh words.
        let words = (0..words).map(|i| Cell::new(0xdead_beef_0000_0001 ^ u64::from(i))).collect();
        Self { words, watcher: RefCell::new(None) }
    }

    /// Calls `watcher` after every store while `during` runs.
    pub(super) fn watched<T>(
        &self,
        watcher: impl FnMut(&Self) + 'a,
        during: impl FnOnce(&Self) -> T,
    ) -> T {
        *self.watcher.borrow_mut() = Some(Box::new(watcher));
        let result = during(self);
        *self.watcher.borrow_mut() = None;
        result
    }

    pub(super) fn contents(&self) -> Vec<u64> {
        self.words.iter().map(Cell::get).collect()
    }
}

impl WordStore for Memory<'_> {
    fn load(&self, index: u32) -> u64 {
        self.words[index as usize].get()
    }

    fn store(&self, index: u32, word: u64) {
        self.words[index as usize].set(word);
        if let Some(watcher) = self.watcher.borrow_mut().as_mut() {
            watcher(self);
        }
    }

    fn len(&self) -> u32 {
        self.words.len() as u32
    }
}

impl Words for Memory<'_> {
    fn word(&self, index: u32) -> Option<u64> {
        self.words.get(index as usize).map(Cell::get)
    }
}

/// A family whose addresses tests can make up and look up.
pub(super) trait Family: Address {
    fn from_bits(bits: u128) -> Self;
    fn lookup(words: &impl Words, root: u32, bits: u128) -> Option<u32>;
}

impl Family for Ipv4Addr {
    fn from_bits(bits: u128) -> Self {
        Self::from((bits >> 96) as u32)
    }

    fn lookup(words: &impl Words, root: u32, bits: u128) -> Option<u32> {
        lookup4(words, root, (bits >> 96) as u32)
    }
}

impl Family for Ipv6Addr {
    fn from_bits(bits: u128) -> Self {
        Self::from(bits)
    }

    fn lookup(words: &impl Words, root: u32, bits: u128) -> Option<u32> {
        lookup6(words, root, [(bits >> 64) as u64, bits as u64])
    }
}
