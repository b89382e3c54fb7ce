//! Longest-prefix match inside a BPF array of 64-bit words: a multibit trie whose nodes are one word.
//!
//! The first [`DIRECT_BITS`] bits of an address index a block of words (the root), then every
//! further [`STRIDE`] bits one entry of a node. A word is one of
//!
//! | low 32 bits | high 32 bits | meaning |
//! |---|---|---|
//! | 0 | target | leaf: the answer, 0 for none |
//! | bitmap, bit 0 set | base | node: entry *i* is word `base + ones(bitmap up to bit i) - 1`, so that equal neighbours share a word |
//! | number of bits << 8, plus 2 | base | skip: `base` holds a pattern, `base + 1` a leaf for addresses that differ from it, `base + 2` where the others go on, or their answer |
//!
//! Bitmaps come from "Poptrie" (Asai, Ohara: SIGCOMM 2015), skips from Patricia tries; they matter
//! where prefixes are few or long, so for IPv6.
//!
//! Because a node is one word, the writer puts new blocks where nobody looks, bottom-up, and makes
//! them valid with one store. Blocks that are not referred to any more rest before they are used
//! again, longer than any reader takes. A reader trusts nothing all the same: every index is
//! checked against the array, and the number of steps is fixed.

/// Address bits that index the root.
pub const DIRECT_BITS: u32 = 14;
/// Words of a root.
pub const DIRECT: u32 = 1 << DIRECT_BITS;
/// Address bits that a node consumes.
pub const STRIDE: u32 = 5;
/// Entries of a node.
pub const ENTRIES: usize = 1 << STRIDE;
/// Most bits that one skip consumes.
pub const SKIP_BITS: u32 = 60;
/// Words of a skip's block.
pub const SKIP_WORDS: u32 = 3;

/// Nodes below the root on the way to the longest IPv4 prefix.
pub const STEPS_4: u32 = (32 - DIRECT_BITS).div_ceil(STRIDE);
/// Nodes below the root on the way to the longest IPv6 prefix.
pub const STEPS_6: u32 = (128 - DIRECT_BITS).div_ceil(STRIDE);

/// Where words are read from.
pub trait Words {
    /// The word at `index`, loaded at once; `None` outside the array.
    fn word(&self, index: u32) -> Option<u64>;
}

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// The answer; 0 for none.
    Leaf(u32),
    /// One of 32 entries, of which equal neighbours share a word.
    Inner {
        /// Bit *i* is set if entry *i* differs from the one before it; bit 0 always.
        bitmap: u32,
        /// First word of the block.
        base: u32,
    },
    /// Many bits at once.
    Skip {
        /// Number of bits that are compared.
        bits: u32,
        /// First of the three words.
        base: u32,
    },
}

impl Node {
    /// What `word` means.
    #[must_use]
    pub const fn of(word: u64) -> Self {
        let (low, base) = (word as u32, (word >> 32) as u32);
        match low {
            0 => Self::Leaf(base),
            bitmap if bitmap & 1 != 0 => Self::Inner { bitmap, base },
            skip => Self::Skip { bits: skip >> 8, base },
        }
    }

    /// The word that means this.
    #[must_use]
    pub const fn word(self) -> u64 {
        let (low, high) = match self {
            Self::Leaf(target) => (0, target),
            Self::Inner { bitmap, base } => (bitmap, base),
            Self::Skip { bits, base } => (bits << 8 | 2, base),
        };
        (high as u64) << 32 | low as u64
    }
}

/// The target for an IPv4 address in host byte order; `None` if no prefix matches, if `root` is 0,
/// or if the array is not what the writer left.
#[inline(always)]
pub fn lookup4(words: &impl Words, root: u32, address: u32) -> Option<u32> {
    lookup::<STEPS_4>(words, root, [u64::from(address) << 32, 0])
}

/// The target for an IPv6 address, its upper and lower half in host byte order; `None` as for
/// [`lookup4`].
#[inline(always)]
pub fn lookup6(words: &impl Words, root: u32, address: [u64; 2]) -> Option<u32> {
    lookup::<STEPS_6>(words, root, address)
}

#[inline(always)]
fn lookup<const STEPS: u32>(words: &impl Words, root: u32, address: [u64; 2]) -> Option<u32> {
    if root == 0 {
        return None;
    }
    let [mut high, mut low] = address;
    let mut word = words.word(root.wrapping_add((high >> (64 - DIRECT_BITS)) as u32))?;
    high = high << DIRECT_BITS | low >> (64 - DIRECT_BITS);
    low <<= DIRECT_BITS;
    // 64 bits: a shorter counter may share a stack slot with an index, where the verifier loses it.
    for _ in 0..u64::from(STEPS) {
        let (bits, base) = (word as u32, (word >> 32) as u32);
        if bits & 1 != 0 {
            let entry = (high >> (64 - STRIDE)) as u32;
            // Counting takes as long as a load does, and where prefixes are dense there is nothing to count.
            let place = match bits {
                u32::MAX => entry,
                // The bits up to and including that of the entry.
                _ => ones(bits << (entry ^ (ENTRIES as u32 - 1))).wrapping_sub(1),
            };
            word = words.word(base.wrapping_add(place))?;
            high = high << STRIDE | low >> (64 - STRIDE);
            low <<= STRIDE;
        } else if bits == 0 {
            break;
        } else {
            let count = bits >> 8 & 63;
            if words.word(base)? != high >> ((64 - count) & 63) {
                word = words.word(base.wrapping_add(1))?;
                break;
            }
            word = words.word(base.wrapping_add(2))?;
            high = high << count | low >> ((64 - count) & 63);
            low <<= count;
        }
    }
    let (bits, target) = (word as u32, (word >> 32) as u32);
    (bits == 0 && target != 0).then_some(target)
}

/// Number of ones. BPF has no instruction for it.
#[inline(always)]
const fn ones(word: u32) -> u32 {
    word.count_ones()
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::{vec, vec::Vec};

    struct Memory(Vec<u64>);

    impl Words for Memory {
        fn word(&self, index: u32) -> Option<u64> {
            self.0.get(index as usize).copied()
        }
    }

    const ROOT: u32 = 8;

    /// An array whose root has only the entry of address 0.
    fn memory(word: u64, block: &[u64]) -> Memory {
        let mut words = vec![0; (ROOT + DIRECT) as usize];
        words[ROOT as usize] = word;
        words.extend(block);
        Memory(words)
    }

    #[test]
    fn words_mean_what_they_were_made_of() {
        for node in [
            Node::Leaf(0),
            Node::Leaf(u32::MAX),
            Node::Inner { bitmap: 1, base: 0 },
            Node::Inner { bitmap: u32::MAX, base: u32::MAX },
            Node::Skip { bits: 10, base: 7 },
            Node::Skip { bits: SKIP_BITS, base: u32::MAX },
        ] {
            assert_eq!(Node::of(node.word()), node);
        }
    }

    #[test]
    fn equal_neighbours_share_a_word() {
        let block = [5, 6, 7].map(|target| Node::Leaf(target).word());
        let bitmap = 1 | 1 << 3 | 1 << 31;
        let memory = memory(Node::Inner { bitmap, base: ROOT + DIRECT }.word(), &block);
        let expected = |entry| match entry {
            0..3 => 5,
            3..31 => 6,
            _ => 7,
        };
        for entry in 0..32 {
            let address = entry << (32 - DIRECT_BITS - STRIDE);
            assert_eq!(lookup4(&memory, ROOT, address), Some(expected(entry)));
        }
    }

    #[test]
    fn entries_that_all_differ_have_a_word_each() {
        let block: Vec<u64> = (1..=32).map(|target| Node::Leaf(target).word()).collect();
        let memory = memory(Node::Inner { bitmap: u32::MAX, base: ROOT + DIRECT }.word(), &block);
        for entry in 0..32 {
            let address = entry << (32 - DIRECT_BITS - STRIDE);
            assert_eq!(lookup4(&memory, ROOT, address), Some(entry + 1));
        }
    }

    #[test]
    fn a_skip_answers_for_those_who_differ_in_any_bit() {
        let bits = SKIP_BITS;
        let pattern = 0x0123_4567_89ab_cdef >> (64 - bits);
        let block = [pattern, Node::Leaf(1).word(), Node::Leaf(2).word()];
        let memory = memory(Node::Skip { bits, base: ROOT + DIRECT }.word(), &block);
        let address = u128::from(pattern) << (128 - DIRECT_BITS - bits);
        let halves = |address: u128| [(address >> 64) as u64, address as u64];
        assert_eq!(lookup6(&memory, ROOT, halves(address)), Some(2));
        for bit in 0..bits {
            let other = address ^ 1 << (128 - DIRECT_BITS - bits + bit);
            assert_eq!(lookup6(&memory, ROOT, halves(other)), Some(1), "bit {bit}");
        }
    }

    #[test]
    fn no_root_means_no_answer() {
        let memory = Memory(vec![Node::Leaf(1).word(); DIRECT as usize]);
        assert_eq!(lookup4(&memory, 0, 0), None);
    }

    #[test]
    fn a_broken_array_gives_no_answer_and_no_endless_loop() {
        // A node and a skip whose way leads back to themselves.
        let own_block = Node::Inner { bitmap: 1, base: ROOT };
        assert_eq!(lookup4(&memory(own_block.word(), &[]), ROOT, 0), None);
        assert_eq!(lookup6(&memory(own_block.word(), &[]), ROOT, [0; 2]), None);
        let base = ROOT + DIRECT;
        let skip = Node::Skip { bits: 5, base }.word();
        assert_eq!(lookup6(&memory(skip, &[0, 0, skip]), ROOT, [0; 2]), None);
        // Indexes outside, also such that an addition to them overflows.
        for base in [base, u32::MAX] {
            for node in [Node::Inner { bitmap: u32::MAX, base }, Node::Skip { bits: 60, base }] {
                assert_eq!(lookup4(&memory(node.word(), &[]), ROOT, 0), None);
            }
        }
        assert_eq!(lookup4(&Memory(vec![1; 64]), u32::MAX, u32::MAX), None);
        // A word that no writer makes.
        assert_eq!(lookup6(&memory(0xffff_fffe, &[]), ROOT, [0; 2]), None);
    }
}
