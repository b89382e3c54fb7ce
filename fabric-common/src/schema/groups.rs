//! `groups`: ECMP groups of nexthops, one word each, so that whatever changes is one store.
//!
//! The index stands for a nexthop object of the kernel or for a spelt-out list of next hops. Routes
//! and VTEPs refer to the index and never to members, so that a change of the object touches
//! nothing else.

use bytemuck::{Pod, Zeroable};

use super::{
    buckets::{CHUNK, MAX as MAX_CHUNKS},
    fits, nexthops,
};

/// Number of entries; index 0 is never used.
pub const MAX: u32 = 65_536;

/// A group in its packed form.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Group {
    /// Low 28 bits: index of the nexthop, or number of the first bucket; the `IS_` bits; upper half: number
    /// of buckets.
    pub word: u64,
}

super::map_value!(Group, 8);

// Where one instruction tests it: most packets meet a spread group, and the sign of the lower half.
const IS_SPREAD: u32 = 1 << 31;
const IS_SINGLE: u32 = 1 << 29;
const IS_BLACKHOLE: u32 = 1 << 28;
/// The index of a nexthop.
const INDEX: u32 = (1 << 28) - 1;
/// A spread group whose buckets have times.
const IS_TIMED: u32 = 1 << 30;
/// The number of a bucket among all.
const BUCKET: u32 = MAX_CHUNKS * CHUNK - 1;

const _: () = {
    assert!(fits(nexthops::MAX, 28) && fits(MAX_CHUNKS * CHUNK, 28));
    assert!((MAX_CHUNKS * CHUNK).is_power_of_two());
    // The kernel counts the buckets of its resilient groups in as many.
    assert!(fits(crate::bucket::MAX + 1, u16::BITS));
};

/// What a group does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// There is no nexthop: the kernel decides.
    Nothing,
    /// All packets take one nexthop.
    Single {
        /// Index in `nexthops`.
        nexthop: u32,
    },
    /// Each flow has a bucket.
    Spread {
        /// First entry in `buckets` (and in `bucket_use`).
        chunk: u32,
        /// Number of buckets, never 0.
        count: u32,
        /// The time of each bucket's last use is kept: a resilient group of the kernel, whose
        /// buckets may only move when they are idle.
        timed: bool,
    },
    /// Packets are dropped without a word (a blackhole nexthop object).
    Blackhole,
}

impl Group {
    /// Packs a choice.
    #[must_use]
    pub const fn new(choice: Choice) -> Self {
        let word = match choice {
            Choice::Nothing => 0,
            Choice::Single { nexthop } => (IS_SINGLE | nexthop) as u64,
            Choice::Spread { chunk, count, timed } => {
                let timed = if timed { IS_TIMED } else { 0 };
                let first = chunk.wrapping_mul(CHUNK) & BUCKET;
                (count as u64 & 0xffff) << 32 | (IS_SPREAD | timed | first) as u64
            }
            Choice::Blackhole => IS_BLACKHOLE as u64,
        };
        Self { word }
    }

    /// Number of the first bucket, counted over all chunks, in its low 21 bits, and number of buckets, if
    /// that is what the group does.
    #[inline(always)]
    #[must_use]
    pub const fn spread(self) -> Option<(u32, u32)> {
        if self.word as u32 & IS_SPREAD == 0 {
            return None;
        }
        Some((self.word as u32, (self.word >> 32) as u32))
    }

    /// Whether the time of each bucket's last use is kept.
    #[inline(always)]
    #[must_use]
    pub const fn is_timed(self) -> bool {
        self.word as u32 & IS_TIMED != 0
    }

    /// Unpacks the word.
    #[inline(always)]
    #[must_use]
    pub const fn choice(self) -> Choice {
        if let Some((first, count)) = self.spread() {
            Choice::Spread { chunk: (first & BUCKET) / CHUNK, count, timed: self.is_timed() }
        } else if self.word as u32 & IS_SINGLE != 0 {
            Choice::Single { nexthop: self.word as u32 & INDEX }
        } else if self.word as u32 & IS_BLACKHOLE != 0 {
            Choice::Blackhole
        } else {
            Choice::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_survives_packing() {
        for choice in [
            Choice::Nothing,
            Choice::Single { nexthop: 65_535 },
            Choice::Spread { chunk: 65_535, count: 16_384, timed: false },
            Choice::Spread { chunk: 1, count: 65_535, timed: true },
            Choice::Blackhole,
        ] {
            assert_eq!(Group::new(choice).choice(), choice);
        }
    }
}
