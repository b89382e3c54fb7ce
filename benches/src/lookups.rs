//! What the programs that look addresses up share with the benchmark. They include this file as
//! well, so it uses nothing but `core`.

/// Addresses that are looked up in turn.
pub const ADDRESSES: u32 = 1 << 16;
/// Lookups of one run.
pub const BATCH: u32 = 4;
/// Prefixes of the largest table.
pub const PREFIXES: u32 = 1 << 20;
/// Words for the tries: 128 MiB.
pub const WORDS: u32 = 1 << 24;
/// The view whose hosts are looked up.
pub const VIEW: u16 = 1;
/// In a word of the first table of DIR-24-8: the rest is the number of a block of the second.
pub const DIRECT_24: u32 = 1 << 31;
/// Entries of the second table of DIR-24-8: 65,536 blocks.
pub const SECOND_8: u32 = 1 << 24;

/// Where the programs are, and what compilers may not know.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct State {
    /// The next address.
    pub next: u32,
    /// Zero. Added to `next`, masked by every answer.
    pub zero: u32,
    /// Root of the trie that is looked into.
    pub root: u32,
    /// Zero.
    pub _pad: u32,
}
