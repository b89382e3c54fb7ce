//! The trie as a binary tree, one address bit at a time.

use fabric_common::trie::{DIRECT, DIRECT_BITS, ENTRIES, Node, SKIP_WORDS, STRIDE, Words};

/// Length of the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Width {
    V4,
    V6,
}

impl Width {
    pub(in crate::cli) const fn bits(self) -> u32 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// All addresses that begin with some bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// They all have this answer, 0 for none.
    Leaf(u32),
    /// Entries of a root or of a node: `1 << bits` of them from `first` on.
    Entries { bitmap: Option<u32>, base: u32, first: u32, bits: u32 },
    /// Bits that are compared at once; the lowest `bits` of the pattern are still to come.
    Skip { pattern: u64, bits: u32, base: u32 },
}

impl Place {
    /// All addresses of a root.
    pub(super) const fn root(root: u32) -> Self {
        if root == 0 {
            return Self::Leaf(0);
        }
        Self::Entries { bitmap: None, base: root, first: 0, bits: DIRECT_BITS }
    }

    fn of(words: &impl Words, index: u32) -> Self {
        // Outside the array, as for what no writer makes, there is no answer.
        let Some(word) = words.word(index) else { return Self::Leaf(0) };
        match Node::of(word) {
            Node::Leaf(target) => Self::Leaf(target),
            Node::Inner { bitmap, base } => {
                Self::Entries { bitmap: Some(bitmap), base, first: 0, bits: STRIDE }
            }
            Node::Skip { bits: bits @ 1..=63, base } => {
                Self::Skip { pattern: words.word(base).unwrap_or(0), bits, base }
            }
            Node::Skip { .. } => Self::Leaf(0),
        }
    }

    /// The word of the first of some entries.
    const fn index(bitmap: Option<u32>, base: u32, first: u32) -> u32 {
        match bitmap {
            None => base.wrapping_add(first),
            Some(bitmap) => {
                let rank = (bitmap << (ENTRIES as u32 - 1 - first)).count_ones();
                base.wrapping_add(rank).wrapping_sub(1)
            }
        }
    }

    /// The same place without what takes no bit: a leaf if there is one answer, otherwise something
    /// that has halves. `left` is the number of address bits that are still to come.
    pub(super) fn settled(self, words: &impl Words, left: u32) -> Self {
        let mut place = self;
        // No more in a row take no bit, unless the trie is broken and leads back to itself.
        for _ in 0..4 {
            place = match place {
                Self::Leaf(_) => return place,
                Self::Entries { bitmap, base, first, bits } if bits == 0 || left == 0 => {
                    Self::of(words, Self::index(bitmap, base, first))
                }
                Self::Entries { bitmap: Some(bitmap), base, first, bits } => {
                    let others = ((1_u64 << (1 << bits)) - 2) as u32;
                    let index = Self::index(Some(bitmap), base, first);
                    return match Self::of(words, index) {
                        leaf @ Self::Leaf(_) if bitmap >> first & others == 0 => leaf,
                        _ => place,
                    };
                }
                Self::Skip { bits, base, .. } if bits == 0 || left == 0 => {
                    Self::of(words, base.wrapping_add(SKIP_WORDS - 1))
                }
                Self::Entries { .. } | Self::Skip { .. } => return place,
            };
        }
        Self::Leaf(0)
    }

    /// The addresses whose next bit is 0, and those whose next bit is 1. A leaf is both.
    pub(super) fn halves(self, words: &impl Words) -> [Self; 2] {
        match self {
            Self::Leaf(_) => [self, self],
            Self::Entries { bitmap, base, first, bits } => {
                let bits = bits.saturating_sub(1);
                [first, first + (1 << bits)].map(|first| Self::Entries {
                    bitmap,
                    base,
                    first,
                    bits,
                })
            }
            Self::Skip { pattern, bits, base } => {
                let bits = bits.saturating_sub(1);
                let equal = Self::Skip { pattern, bits, base };
                let different = Self::of(words, base.wrapping_add(1));
                if pattern >> bits & 1 == 0 { [equal, different] } else { [different, equal] }
            }
        }
    }
}

/// How many words hold the prefixes of a root.
pub(in crate::cli) fn words_used(words: &impl Words, root: u32, width: Width) -> u64 {
    if root == 0 {
        return 0;
    }
    let left = width.bits() - DIRECT_BITS;
    let direct = (0..DIRECT).map(|entry| below(words, root.wrapping_add(entry), left));
    u64::from(DIRECT) + direct.sum::<u64>()
}

fn below(words: &impl Words, index: u32, left: u32) -> u64 {
    let Some(word) = words.word(index).filter(|_| left > 0) else { return 0 };
    match Node::of(word) {
        Node::Leaf(_) => 0,
        Node::Inner { bitmap, base } => {
            let count = bitmap.count_ones();
            let left = left.saturating_sub(STRIDE);
            let entries = (0..count).map(|entry| below(words, base.wrapping_add(entry), left));
            u64::from(count) + entries.sum::<u64>()
        }
        Node::Skip { bits, base } => {
            let left = left.saturating_sub(bits.max(1));
            u64::from(SKIP_WORDS) + below(words, base.wrapping_add(SKIP_WORDS - 1), left)
        }
    }
}
