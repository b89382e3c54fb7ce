//! Finding out which words an earlier daemon used.

use fabric_common::trie::{DIRECT, DIRECT_BITS, Node, SKIP_BITS, STRIDE};

use super::{
    Table, Tries, WordStore,
    blocks::{Block, Blocks},
    build::block_of,
    prefixes::{Address, Prefixes},
};

/// Takes over what is in the array, root by root. Whatever no root leads to is free afterwards.
#[derive(Debug)]
pub struct Recovery<'a, W> {
    words: &'a W,
    /// One bit a word.
    used: Vec<u64>,
}

impl<'a, W: WordStore> Recovery<'a, W> {
    /// Starts with nothing in use.
    pub fn new(words: &'a W) -> Self {
        let mut this = Self { words, used: vec![0; words.len().div_ceil(64) as usize] };
        // Word 0 is never used: as a root it means none.
        this.claim(Block { start: 0, words: 1 });
        this
    }

    /// The table whose root is at `root`. It knows none of its prefixes: nothing but
    /// [`Tries::sync`] or [`Tries::remove`] may follow. `None` if what is there is not a whole trie
    /// that shares no word with another one.
    pub fn adopt<A: Address>(&mut self, root: u32) -> Option<Table<A>> {
        let mut blocks = Vec::new();
        let whole = root != 0 && self.root::<A>(root, &mut blocks);
        if !whole {
            for block in blocks {
                self.mark(block, false);
            }
            return None;
        }
        Some(Table { root, prefixes: Prefixes::default() })
    }

    /// The array with what is left as free.
    #[must_use]
    pub fn finish(self) -> Tries {
        let mut free: Vec<Block> = Vec::new();
        for index in (0..self.words.len()).filter(|index| !self.is_used(*index)) {
            match free.last_mut() {
                Some(run) if run.start + run.words == index => run.words += 1,
                _ => free.push(Block { start: index, words: 1 }),
            }
        }
        let capacity = self.words.len();
        Tries { blocks: Blocks::new(free), writes: 0, capacity }
    }

    fn is_used(&self, index: u32) -> bool {
        self.used[index as usize / 64] >> (index % 64) & 1 != 0
    }

    fn mark(&mut self, block: Block, used: bool) {
        for index in block.start..block.start + block.words {
            let word = &mut self.used[index as usize / 64];
            *word = *word & !(1 << (index % 64)) | u64::from(used) << (index % 64);
        }
    }

    /// False if the block is not inside the array or not free.
    fn claim(&mut self, block: Block) -> bool {
        let free = block.start.checked_add(block.words).is_some_and(|end| {
            end <= self.words.len() && (block.start..end).all(|index| !self.is_used(index))
        });
        if free {
            self.mark(block, true);
        }
        free
    }

    fn root<A: Address>(&mut self, root: u32, blocks: &mut Vec<Block>) -> bool {
        let block = Block { start: root, words: DIRECT };
        self.claim(block) && {
            blocks.push(block);
            (root..root + DIRECT).all(|index| self.node::<A>(index, DIRECT_BITS, blocks))
        }
    }

    /// Walks what the word at `index` leads to, after `depth` bits of an address.
    fn node<A: Address>(&mut self, index: u32, depth: u32, blocks: &mut Vec<Block>) -> bool {
        let word = self.words.load(index);
        let Some(block) = block_of(word) else { return true };
        if depth >= u32::from(A::BITS) || !self.claim(block) {
            return false;
        }
        blocks.push(block);
        let end = block.start + block.words;
        match Node::of(word) {
            Node::Leaf(_) => true,
            Node::Inner { .. } => {
                (block.start..end).all(|index| self.node::<A>(index, depth + STRIDE, blocks))
            }
            Node::Skip { bits, .. } => {
                let [other, child] = [2, 1].map(|back| Node::of(self.words.load(end - back)));
                let ends = matches!(child, Node::Leaf(_));
                (STRIDE + 1..=SKIP_BITS).contains(&bits)
                    && (ends || bits.is_multiple_of(STRIDE))
                    && matches!(other, Node::Leaf(_))
                    && self.node::<A>(end - 1, depth + bits, blocks)
            }
        }
    }
}
