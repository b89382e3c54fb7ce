//! The writer of the longest-prefix match whose layout is in [`fabric_common::trie`].
//!
//! All tables share one array. A change builds new blocks where no reader looks and then makes them
//! valid; readers see the old answer or the new one, for each address. In most cases that is one
//! store; a prefix that covers several words that readers use is as many, each for addresses of its
//! own. If there is no room for the new blocks, nothing changes.

mod blocks;
mod build;
mod prefixes;
mod recover;
#[cfg(test)]
mod tests;

use std::time::Instant;

use fabric_common::{
    schema::trie::Word,
    trie::{DIRECT, Words},
};
use thiserror::Error;

use crate::kernel::memory::MappedArray;

use blocks::{Block, Blocks};
use build::{Builder, NoRoom, block_of, ways_of};
pub use prefixes::Address;
use prefixes::{Prefixes, Route, masked};
pub use recover::Recovery;

/// The array, shared with readers: each word is loaded and stored at once, and later stores are not
/// seen before earlier ones.
pub trait WordStore {
    /// The word at `index`, which is below [`Self::len`].
    fn load(&self, index: u32) -> u64;
    /// Stores the word at `index`, which is below [`Self::len`].
    fn store(&self, index: u32, word: u64);
    /// Words of the array.
    fn len(&self) -> u32;
    /// True for an array without words.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl WordStore for MappedArray<Word> {
    fn load(&self, index: u32) -> u64 {
        self.get(index).word
    }

    fn store(&self, index: u32, word: u64) {
        self.set(index, &Word { word });
    }

    fn len(&self) -> u32 {
        self.len()
    }
}

impl Words for MappedArray<Word> {
    fn word(&self, index: u32) -> Option<u64> {
        (index < self.len()).then(|| self.get(index).word)
    }
}

/// There is no room in the array; it is as it was before.
///
/// A table that lacks a prefix gives wrong answers for the addresses inside it. Unless a later try
/// succeeds, the table must not be used: packets of its view belong to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the map trie is full: {free} of {capacity} words are free and {resting} more in a moment, which \
     is not enough for the change; make the map larger or routes fewer"
)]
pub struct Full {
    /// Words of the array.
    pub capacity: u32,
    /// Free words.
    pub free: u32,
    /// Words that were freed in the last 100 ms and cannot be used yet.
    pub resting: u32,
}

/// The prefixes of one view and family, and where they are in the array.
#[derive(Debug)]
pub struct Table<A: Address> {
    root: u32,
    prefixes: Prefixes<A>,
}

impl<A: Address> Default for Table<A> {
    fn default() -> Self {
        Self { root: 0, prefixes: Prefixes::default() }
    }
}

impl<A: Address> Table<A> {
    /// First word of the root, for readers; 0 as long as there is none.
    #[must_use]
    pub const fn root(&self) -> u32 {
        self.root
    }

    /// What a prefix leads to; `None` if the table does not have it.
    #[must_use]
    pub fn get(&self, (address, length): (A, u8)) -> Option<u32> {
        let length = length.min(A::BITS);
        self.prefixes.get(masked(address.bits(), length), length)
    }

    /// Number of prefixes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// True without prefixes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The only writer of the array.
#[derive(Debug)]
pub struct Tries {
    blocks: Blocks,
    writes: u64,
    capacity: u32,
}

impl Tries {
    /// Stores into the array so far, those into blocks that no reader saw yet included.
    #[must_use]
    pub const fn writes(&self) -> u64 {
        self.writes
    }

    /// Words in use or resting.
    #[must_use]
    pub const fn used(&self) -> u32 {
        self.capacity - self.blocks.free_words()
    }

    /// Makes `prefixes` (address, length, target above 0) the contents of `table`. What is in the
    /// array already is kept, so that nothing is written if it is all the same. A table without a
    /// root gets one, which readers may be told of afterwards.
    ///
    /// # Errors
    /// If there is no room; the table is as it was then.
    pub fn sync<A: Address>(
        &mut self,
        words: &impl WordStore,
        table: &mut Table<A>,
        prefixes: impl IntoIterator<Item = (A, u8, u32)>,
        now: Instant,
    ) -> Result<(), Full> {
        let prefixes = Prefixes::new(prefixes);
        let root = (table.root != 0).then_some(table.root);
        table.root = self.run(words, prefixes.iter(), now, |builder| builder.all(root))?;
        table.prefixes = prefixes;
        Ok(())
    }

    /// Gives one prefix another target, or none. Bits of `address` behind `length` do not count.
    ///
    /// # Errors
    /// If there is no room; the table is as it was then.
    pub fn set<A: Address>(
        &mut self,
        words: &impl WordStore,
        table: &mut Table<A>,
        (address, length): (A, u8),
        target: Option<u32>,
        now: Instant,
    ) -> Result<(), Full> {
        let length = length.min(A::BITS);
        let bits = masked(address.bits(), length);
        let target = target.filter(|target| *target != 0);
        let before = table.prefixes.set(bits, length, target);
        if before == target && table.root != 0 {
            return Ok(());
        }
        let root = table.root;
        let done = if root == 0 {
            self.run(words, table.prefixes.iter(), now, |builder| builder.all(None))
        } else {
            let around = match target {
                // Its own target holds for all that is inside it.
                Some(_) => 0,
                None => table.prefixes.around(bits, length),
            };
            let inside = table.prefixes.inside(bits, length);
            self.run(words, inside, now, |builder| {
                builder.beneath(root, bits, length, around).map(|()| root)
            })
        };
        match done {
            Ok(root) => table.root = root,
            Err(_) => {
                table.prefixes.set(bits, length, before);
            }
        }
        done.map(|_| ())
    }

    /// Frees everything of a table, which no reader may be told of any more.
    pub fn remove<A: Address>(&mut self, words: &impl WordStore, table: Table<A>, now: Instant) {
        if table.root == 0 {
            return;
        }
        let root = Block { start: table.root, words: DIRECT };
        self.blocks.rest(root, now);
        let mut ways: Vec<_> = (root.start..root.start + root.words).collect();
        while let Some(index) = ways.pop() {
            let word = words.load(index);
            ways.extend(ways_of(word));
            if let Some(block) = block_of(word) {
                self.blocks.rest(block, now);
            }
        }
    }

    /// Lets `build` write new blocks, then makes them valid, or undoes all of it.
    fn run<W: WordStore, I: Iterator<Item = Route>>(
        &mut self,
        words: &W,
        routes: I,
        now: Instant,
        build: impl FnOnce(&mut Builder<'_, W, I>) -> Result<u32, NoRoom>,
    ) -> Result<u32, Full> {
        self.blocks.wake(now);
        let mut builder = Builder::new(words, &mut self.blocks, &mut self.writes, routes);
        let done = build(&mut builder);
        let plan = builder.plan;
        match done {
            Ok(root) => {
                for (index, word) in &plan.stores {
                    words.store(*index, *word);
                }
                self.writes += plan.stores.len() as u64;
                for block in plan.freed {
                    self.blocks.rest(block, now);
                }
                Ok(root)
            }
            Err(NoRoom) => {
                let resting = self.blocks.resting_words();
                for block in plan.fresh {
                    self.blocks.free(block);
                }
                Err(Full { capacity: self.capacity, free: self.blocks.free_words(), resting })
            }
        }
    }
}
