//! Making nodes of prefixes, next to what is in memory already.
//!
//! What a set of prefixes looks like in memory depends on nothing but the set. So a part that is
//! built anew and comes out as it was is recognised and kept.

use std::{iter::Peekable, ops::Range};

use fabric_common::trie::{DIRECT, DIRECT_BITS, ENTRIES, Node, SKIP_BITS, SKIP_WORDS, STRIDE};

use super::{
    WordStore,
    blocks::{Block, Blocks},
    prefixes::{Route, masked},
};

/// There is no free block.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoRoom;

/// What has to happen once all new blocks are written.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Stores into blocks that readers use. Each changes the answer for addresses of its own.
    pub(super) stores: Vec<(u32, u64)>,
    /// Blocks written for this plan.
    pub(super) fresh: Vec<Block>,
    /// Blocks that nothing refers to after the stores.
    pub(super) freed: Vec<Block>,
}

/// A word that stands in no block: a chain of nodes with one way on, or with one answer that differs
/// from the others, which grows upwards until it is known how long it is. The high half is its number in `Builder::chains`.
const CHAIN: u32 = 0b100;

#[derive(Clone, Copy, Debug)]
struct Chain {
    /// The bits of addresses that go the way, the last node's lowest. If the way ends with an
    /// answer, it may be that of several entries of the last node, which lack the bits they differ in.
    pattern: u64,
    bits: u32,
    /// The answer for all other entries.
    other: u64,
    /// Where the chain ends: a word that can stand in a block.
    child: u64,
    /// What stood in its place.
    old: u64,
}

const fn is_leaf(word: u64) -> bool {
    word as u32 == 0
}

const fn is_chain(word: u64) -> bool {
    word as u32 == CHAIN
}

/// The block that a word refers to.
pub(super) const fn block_of(word: u64) -> Option<Block> {
    if is_chain(word) {
        return None;
    }
    match Node::of(word) {
        Node::Leaf(_) => None,
        Node::Inner { bitmap, base } => Some(Block { start: base, words: bitmap.count_ones() }),
        Node::Skip { base, .. } => Some(Block { start: base, words: SKIP_WORDS }),
    }
}

/// The entries of a node that have the given first bits.
const fn run(first: u64, bits: u32) -> Range<usize> {
    let shared = STRIDE - bits;
    let start = (first as usize) << shared;
    start..start + (1 << shared)
}

/// The node with these words as a chain, if it is one: all its entries are the same answer but one,
/// or but some that are one answer as well and have their first bits in common.
fn one_way(bitmap: u32, words: &[u64]) -> Option<Chain> {
    let second = (bitmap & bitmap.wrapping_sub(1)).trailing_zeros();
    let third = 32 - bitmap.leading_zeros() - 1;
    let (range, child, other) = match *words {
        // Halves are both: the first one is the way.
        [way, rest] if second.is_power_of_two() && is_leaf(rest) => (0..second, way, rest),
        [rest, way] => (second..32, way, rest),
        [rest, way, last] if rest == last => (second..third, way, rest),
        _ => return None,
    };
    let size = range.len() as u32;
    let in_common = size.is_power_of_two() && range.start.is_multiple_of(size);
    if !is_leaf(other) || !in_common || (!is_leaf(child) && size != 1) {
        return None;
    }
    let shared = size.trailing_zeros();
    let pattern = u64::from(range.start >> shared);
    Some(Chain { pattern, bits: STRIDE - shared, other, child, old: 0 })
}

/// Where the nodes stand that a word leads to.
pub(super) fn ways_of(word: u64) -> Range<u32> {
    match Node::of(word) {
        _ if is_chain(word) => 0..0,
        Node::Leaf(_) => 0..0,
        Node::Inner { bitmap, base } => base..base + bitmap.count_ones(),
        Node::Skip { base, .. } => base + 1..base + SKIP_WORDS,
    }
}

/// Builds from the prefixes that `routes` gives in their order.
pub(super) struct Builder<'a, W, I: Iterator<Item = Route>> {
    words: &'a W,
    blocks: &'a mut Blocks,
    writes: &'a mut u64,
    routes: Peekable<I>,
    chains: Vec<Chain>,
    pub(super) plan: Plan,
}

impl<'a, W: WordStore, I: Iterator<Item = Route>> Builder<'a, W, I> {
    pub(super) fn new(
        words: &'a W,
        blocks: &'a mut Blocks,
        writes: &'a mut u64,
        routes: I,
    ) -> Self {
        let routes = routes.peekable();
        Self { words, blocks, writes, routes, chains: Vec::new(), plan: Plan::default() }
    }

    /// Makes the trie at `root` one of all the prefixes, or makes a new one; returns where it is.
    pub(super) fn all(&mut self, root: Option<u32>) -> Result<u32, NoRoom> {
        let (start, fresh) = match root {
            Some(start) => (start, false),
            None => (self.take(DIRECT)?, true),
        };
        self.direct(start, 0..DIRECT, 0, fresh)?;
        Ok(start)
    }

    /// Brings what lies beneath one prefix up to date; the prefixes are those inside it, itself
    /// included, and `around` is the target of the one around it.
    pub(super) fn beneath(
        &mut self,
        root: u32,
        bits: u128,
        length: u8,
        around: u32,
    ) -> Result<(), NoRoom> {
        let length = u32::from(length);
        let first = (bits >> (128 - DIRECT_BITS)) as u32;
        if let Some(wider) = DIRECT_BITS.checked_sub(length) {
            return self.direct(root, first..first + (1 << wider), around, false);
        }
        let old = self.words.load(root + first);
        let new = self.change(DIRECT_BITS, old, &Changed { bits, length, around })?;
        let new = self.settle(new)?;
        self.store(root + first, old, new);
        Ok(())
    }

    fn direct(
        &mut self,
        root: u32,
        range: Range<u32>,
        around: u32,
        fresh: bool,
    ) -> Result<(), NoRoom> {
        let old: Vec<_> = match fresh {
            true => vec![0; range.len()],
            false => range.clone().map(|i| self.words.load(root + i)).collect(),
        };
        let mut new = vec![Node::Leaf(around).word(); range.len()];
        let node = Place { at: 0, depth: 0, width: DIRECT_BITS, first: range.start };
        self.paint(&node, &mut new, &old)?;
        for (i, (old, new)) in range.zip(old.into_iter().zip(new)) {
            let new = self.settle(new)?;
            if fresh {
                self.write(root + i, new);
            } else {
                self.store(root + i, old, new);
            }
        }
        Ok(())
    }

    /// Makes entries from the prefixes inside `place`, next to what they were before.
    fn paint(&mut self, place: &Place, new: &mut [u64], old: &[u64]) -> Result<(), NoRoom> {
        let end = place.depth + place.width;
        let mut next = 0;
        while let Some(route) = self.routes.peek().copied()
            && masked(route.bits, place.depth as u8) == place.at
        {
            let entry = (route.bits << place.depth >> (128 - place.width)) as u32;
            let i = (entry - place.first) as usize;
            if let Some(wider) = end.checked_sub(u32::from(route.length)) {
                // Those inside it come later, so that each is painted over what is around it.
                new[i..i + (1 << wider)].fill(Node::Leaf(route.target).word());
                self.routes.next();
                continue;
            }
            old[next..i].iter().for_each(|old| self.release(*old));
            next = i + 1;
            let cover = (new[i] >> 32) as u32;
            new[i] = self.node(masked(route.bits, end as u8), end, cover, old[i])?;
        }
        old[next..].iter().for_each(|old| self.release(*old));
        Ok(())
    }

    /// The node at `at`, after `depth` bits, from the prefixes inside it that are longer; `cover` is
    /// the target of the longest one around it.
    fn node(&mut self, at: u128, depth: u32, cover: u32, old: u64) -> Result<u64, NoRoom> {
        let mark = self.chains.len();
        let before = self.expand(old);
        let mut entries = [Node::Leaf(cover).word(); ENTRIES];
        self.paint(&Place { at, depth, width: STRIDE, first: 0 }, &mut entries, &before)?;
        self.compress(&entries, u32::MAX, old, mark)
    }

    /// The node after `depth` bits of a prefix that changed and is longer.
    fn change(&mut self, depth: u32, old: u64, changed: &Changed) -> Result<u64, NoRoom> {
        if let Some(done) = self.change_below(depth, old, changed)? {
            return Ok(done);
        }
        let mark = self.chains.len();
        let mut entries = self.expand(old);
        let first = changed.entry(depth);
        let end = depth + STRIDE;
        let touched = match end.checked_sub(changed.length) {
            None => {
                let entry = &mut entries[first as usize];
                *entry = self.change(end, *entry, changed)?;
                1 << first
            }
            Some(wider) => {
                let range = first as usize..first as usize + (1 << wider);
                let before = entries;
                let at = masked(changed.bits, depth as u8);
                entries[range.clone()].fill(Node::Leaf(changed.around).word());
                let place = Place { at, depth, width: STRIDE, first };
                self.paint(&place, &mut entries[range.clone()], &before[range.clone()])?;
                range.fold(0, |touched, i| touched | 1 << i)
            }
        };
        self.compress(&entries, touched, old, mark)
    }

    /// As [`Self::change`], for the usual case that only something further below changes.
    fn change_below(
        &mut self,
        depth: u32,
        old: u64,
        changed: &Changed,
    ) -> Result<Option<u64>, NoRoom> {
        let mark = self.chains.len();
        match Node::of(old) {
            Node::Inner { bitmap, base } if depth + STRIDE < changed.length => {
                let entry = changed.entry(depth);
                let rank = (bitmap << (entry ^ (ENTRIES as u32 - 1))).count_ones();
                let index = base + rank - 1;
                let before = self.words.load(index);
                // A chain may become longer, which changes more than the one entry.
                if is_leaf(before) || self.read_chain(old).is_some() {
                    return Ok(None);
                }
                let after = self.change(depth + STRIDE, before, changed)?;
                if is_leaf(after) {
                    let mut entries = self.expand(old);
                    entries[entry as usize] = after;
                    return self.compress(&entries, 1 << entry, old, mark).map(Some);
                }
                let after = self.settle(after)?;
                self.chains.truncate(mark);
                self.store(index, before, after);
                Ok(Some(old))
            }
            Node::Skip { bits, base } if !is_chain(old) && depth + bits < changed.length => {
                let pattern = self.words.load(base);
                if (changed.bits << depth >> (128 - bits)) as u64 != pattern {
                    return Ok(None);
                }
                let [other, before] = [1, 2].map(|i| self.words.load(base + i));
                if is_leaf(before) {
                    return Ok(None);
                }
                let mut after = self.change(depth + bits, before, changed)?;
                if !is_leaf(after) && !is_chain(after) {
                    self.store(base + 2, before, after);
                    return Ok(Some(old));
                }
                for above in (0..bits).step_by(STRIDE as usize) {
                    let way = (pattern >> above) as usize % ENTRIES;
                    let mut entries = [other; ENTRIES];
                    entries[way] = after;
                    let old = if above + STRIDE == bits { old } else { 0 };
                    after = self.compress(&entries, 1 << way, old, mark)?;
                }
                Ok(Some(after))
            }
            _ => Ok(None),
        }
    }

    /// The entries of the node that `old` stands for.
    fn expand(&mut self, old: u64) -> [u64; ENTRIES] {
        if is_leaf(old) {
            return [old; ENTRIES];
        }
        if let Some(chain) = self.read_skip(old) {
            let mut entries = [chain.other; ENTRIES];
            match chain.bits.checked_sub(STRIDE) {
                None | Some(0) => entries[run(chain.pattern, chain.bits)].fill(chain.child),
                Some(bits) => {
                    let first = (chain.pattern >> bits) as usize % ENTRIES;
                    let pattern = chain.pattern & ((1 << bits) - 1);
                    entries[first] = self.push_chain(Chain { pattern, bits, old: 0, ..chain });
                }
            }
            return entries;
        }
        let mut entries = [0; ENTRIES];
        let (bitmap, base) = (old as u32, (old >> 32) as u32);
        let mut at = base;
        for (i, entry) in entries.iter_mut().enumerate() {
            at += u32::from(i > 0 && bitmap >> i & 1 != 0);
            *entry = self.words.load(at);
        }
        entries
    }

    /// One word of 32 entries. `touched` are those that have just been made; `old` is what stood
    /// there; the chains from `mark` on are those of the entries.
    fn compress(
        &mut self,
        entries: &[u64; ENTRIES],
        touched: u32,
        old: u64,
        mark: usize,
    ) -> Result<u64, NoRoom> {
        let mut words = [0; ENTRIES];
        let (mut bitmap, mut length) = (0_u32, 0);
        for (i, entry) in entries.iter().enumerate() {
            if i == 0 || !is_leaf(*entry) || *entry != entries[i - 1] {
                bitmap |= 1 << i;
                words[length] = *entry;
                length += 1;
            }
        }
        if length == 1 {
            self.forget(old);
            return Ok(entries[0]);
        }
        if let Some(one) = one_way(bitmap, &words[..length]) {
            let touched = is_leaf(one.child) || touched >> one.pattern & 1 != 0;
            let chain = self.lengthen(Chain { old, ..one }, touched)?;
            self.chains.truncate(mark);
            return Ok(self.push_chain(chain));
        }
        for word in &mut words[..length] {
            *word = self.settle(*word)?;
        }
        self.chains.truncate(mark);
        self.place(bitmap, &words[..length], old)
    }

    /// The chain of one node, together with the chain that its way leads to; `touched` says whether
    /// that has just been made.
    fn lengthen(&mut self, mut one: Chain, touched: bool) -> Result<Chain, NoRoom> {
        if is_chain(one.old) {
            // That one belongs to a node above.
            one.old = 0;
        }
        let child = one.child;
        // What was just made is in a block only if it is no chain.
        let below = if touched && !is_chain(child) { None } else { self.read_chain(child) };
        if let Some(below) = below
            && below.other == one.other
            && below.bits + STRIDE <= SKIP_BITS
        {
            self.forget(if is_chain(child) { below.old } else { child });
            let pattern = one.pattern << below.bits | below.pattern;
            return Ok(Chain { pattern, bits: below.bits + STRIDE, old: one.old, ..below });
        }
        Ok(Chain { child: self.settle(child)?, ..one })
    }

    fn push_chain(&mut self, chain: Chain) -> u64 {
        self.chains.push(chain);
        ((self.chains.len() - 1) as u64) << 32 | u64::from(CHAIN)
    }

    /// The chain that a word is, whatever its form.
    fn read_chain(&self, word: u64) -> Option<Chain> {
        if let Some(chain) = self.read_skip(word) {
            return Some(chain);
        }
        let Node::Inner { bitmap, base } = Node::of(word) else { return None };
        let length = bitmap.count_ones();
        if length > 3 {
            return None;
        }
        let words = [0, 1, 2].map(|i| if i < length { self.words.load(base + i) } else { 0 });
        one_way(bitmap, &words[..length as usize])
    }

    /// The chain that a word is, if it stands for more than a node.
    fn read_skip(&self, word: u64) -> Option<Chain> {
        if is_chain(word) {
            return self.chains.get((word >> 32) as usize).copied();
        }
        match Node::of(word) {
            Node::Skip { bits, base } => Some(Chain {
                pattern: self.words.load(base),
                bits,
                other: self.words.load(base + 1),
                child: self.words.load(base + 2),
                old: 0,
            }),
            _ => None,
        }
    }

    /// A word that can stand in a block.
    fn settle(&mut self, word: u64) -> Result<u64, NoRoom> {
        if !is_chain(word) {
            return Ok(word);
        }
        let Some(chain) = self.read_skip(word) else { return Ok(word) };
        let Chain { pattern, bits, other, child, old } = chain;
        if bits > STRIDE {
            let header = Node::Skip { bits, base: 0 }.word() as u32;
            return self.place(header, &[pattern, other, child], old);
        }
        let run = run(pattern, bits);
        match (run.start, run.end) {
            (0, end) => self.place(1 | 1 << end, &[child, other], old),
            (start, ENTRIES) => self.place(1 | 1 << start, &[other, child], old),
            (start, end) => self.place(1 | 1 << start | 1 << end, &[other, child, other], old),
        }
    }

    /// A word with `low` for a block that holds `words`: the block of `old` if it is alike.
    fn place(&mut self, low: u32, words: &[u64], old: u64) -> Result<u64, NoRoom> {
        if old as u32 == low {
            let base = (old >> 32) as u32;
            // The pattern of a skip holds for what it leads to, so the two cannot change apart.
            if low & 1 != 0 || self.words.load(base) == words[0] {
                for (index, word) in (base..).zip(words) {
                    let now = self.words.load(index);
                    self.store(index, now, *word);
                }
                return Ok(old);
            }
        }
        let base = self.take(words.len() as u32)?;
        for (index, word) in (base..).zip(words) {
            self.write(index, *word);
        }
        self.forget(old);
        Ok(u64::from(base) << 32 | u64::from(low))
    }

    fn take(&mut self, words: u32) -> Result<u32, NoRoom> {
        let start = self.blocks.take(words).ok_or(NoRoom)?;
        self.plan.fresh.push(Block { start, words });
        Ok(start)
    }

    /// Writes where no reader looks.
    fn write(&mut self, index: u32, word: u64) {
        self.words.store(index, word);
        *self.writes += 1;
    }

    /// Plans a store where readers look.
    fn store(&mut self, index: u32, old: u64, new: u64) {
        if old != new {
            self.plan.stores.push((index, new));
        }
    }

    /// Nothing will refer to the block of `word` any more; what that refers to, others decide.
    fn forget(&mut self, word: u64) {
        self.plan.freed.extend(block_of(word));
    }

    /// Nothing will refer to `word` and all that is beneath it any more.
    fn release(&mut self, word: u64) {
        if is_leaf(word) {
            return;
        }
        self.forget(word);
        if is_chain(word)
            && let Some(chain) = self.read_skip(word)
        {
            self.release(chain.child);
        }
        for index in ways_of(word) {
            self.release(self.words.load(index));
        }
    }
}

/// Where entries stand.
struct Place {
    /// First address of the node.
    at: u128,
    /// Bits of an address before it.
    depth: u32,
    /// Bits that choose an entry.
    width: u32,
    /// The first entry that is made.
    first: u32,
}

/// The prefix that changed.
struct Changed {
    bits: u128,
    length: u32,
    /// Target of the prefix around it.
    around: u32,
}

impl Changed {
    /// Its first entry in the node after `depth` bits.
    const fn entry(&self, depth: u32) -> u32 {
        (self.bits << depth >> (128 - STRIDE)) as u32
    }
}
