//! DIR-24-8 for IPv4: the first 24 bits index one table, the rest a block of a second one. Only for
//! comparison: fast to look up, 64 MiB for each view, and a change of a short prefix writes
//! thousands of entries.

use anyhow::{Result, ensure};
use fabric_user::kernel::memory::MappedArray;

use crate::{
    lookups::{DIRECT_24, SECOND_8},
    prefixes::Prefix,
};

/// Fills the two tables, whose elements are pairs of entries. Returns the number of blocks of the
/// second one.
///
/// # Errors
/// If the second table is too small.
pub fn fill(first: &MappedArray<u64>, second: &MappedArray<u64>, table: &[Prefix]) -> Result<u32> {
    let mut sorted: Vec<_> = table.iter().collect();
    sorted.sort_by_key(|prefix| prefix.length);
    let mut entries = vec![0_u32; 1 << 24];
    let mut blocks: Vec<u32> = Vec::new();
    for Prefix { bits, length, target } in sorted.into_iter().copied() {
        let address = (bits >> 96) as usize;
        let place = address >> 8;
        if length <= 24 {
            entries[place..place + (1 << (24 - length))].fill(target);
            continue;
        }
        if entries[place] & DIRECT_24 == 0 {
            let block = blocks.len() as u32 / 256;
            blocks.extend([entries[place]; 256]);
            entries[place] = DIRECT_24 | block;
        }
        let start = (entries[place] & !DIRECT_24) as usize * 256 + (address & 0xff);
        blocks[start..start + (1 << (32 - length))].fill(target);
    }
    ensure!(
        blocks.len() <= SECOND_8 as usize,
        "the table has prefixes longer than 24 bits in {} places, more than DIR-24-8 is given here",
        blocks.len() / 256
    );
    for (map, entries) in [(first, &entries), (second, &blocks)] {
        for (index, pair) in entries.chunks_exact(2).enumerate() {
            // As the program reads them: an array of two.
            let mut bytes = [0; 8];
            bytes[..4].copy_from_slice(&pair[0].to_ne_bytes());
            bytes[4..].copy_from_slice(&pair[1].to_ne_bytes());
            let word = u64::from_ne_bytes(bytes);
            map.set(index as u32, &word);
        }
    }
    Ok(blocks.len() as u32 / 256)
}
