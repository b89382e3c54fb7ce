//! `groups`: ECMP groups of nexthops, one word each, so that whatever changes is one store.
//!
//! The index stands for a nexthop object of the kernel or for a spelt-out list of next hops. Routes
//! and VTEPs refer to the index and never to members, so that a change of the object touches
//! nothing else.

/// Number of entries; index 0 is never used.
pub const MAX: u32 = 65_536;

/// A group in its packed form.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Low 32 bits: index of the nexthop, or first chunk in `buckets`; then 16 bits: number of
    /// buckets; then 8 bits: one of the `KIND_` constants.
    pub word: u64,
}

super::map_value!(Group, 8);

const KIND_NOTHING: u8 = 0;
const KIND_SINGLE: u8 = 1;
const KIND_SPREAD: u8 = 2;
const KIND_SPREAD_TIMED: u8 = 3;
const KIND_BLACKHOLE: u8 = 4;

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
        let (low, count, kind) = match choice {
            Choice::Nothing => (0, 0, KIND_NOTHING),
            Choice::Single { nexthop } => (nexthop, 0, KIND_SINGLE),
            Choice::Spread { chunk, count, timed: false } => (chunk, count, KIND_SPREAD),
            Choice::Spread { chunk, count, timed: true } => (chunk, count, KIND_SPREAD_TIMED),
            Choice::Blackhole => (0, 0, KIND_BLACKHOLE),
        };
        Self { word: low as u64 | (count as u64 & 0xffff) << 32 | (kind as u64) << 48 }
    }

    /// First entry in `buckets` and number of buckets, if that is what the group does.
    #[inline(always)]
    #[must_use]
    pub const fn spread(self) -> Option<(u32, u32)> {
        match (self.word >> 48) as u8 {
            KIND_SPREAD | KIND_SPREAD_TIMED => {
                Some((self.word as u32, (self.word >> 32) as u32 & 0xffff))
            }
            _ => None,
        }
    }

    /// Whether the time of each bucket's last use is kept.
    #[inline(always)]
    #[must_use]
    pub const fn is_timed(self) -> bool {
        (self.word >> 48) as u8 == KIND_SPREAD_TIMED
    }

    /// Unpacks the word.
    #[inline(always)]
    #[must_use]
    pub const fn choice(self) -> Choice {
        let low = self.word as u32;
        let count = (self.word >> 32) as u32 & 0xffff;
        match (self.word >> 48) as u8 {
            KIND_SINGLE => Choice::Single { nexthop: low },
            KIND_SPREAD => Choice::Spread { chunk: low, count, timed: false },
            KIND_SPREAD_TIMED => Choice::Spread { chunk: low, count, timed: true },
            KIND_BLACKHOLE => Choice::Blackhole,
            _ => Choice::Nothing,
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
