//! `trie`: longest-prefix match; the layout is in [`crate::trie`].

use bytemuck::{Pod, Zeroable};

/// Words if the settings do not say otherwise: 8 MiB.
pub const WORDS: u32 = 1 << 20;

/// A node: inner or leaf.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Word {
    /// See [`crate::trie`].
    pub word: u64,
}

super::map_value!(Word, 8);
