//! A hash table inside a BPF array: 64-bit keys, five or six to a bucket, one cache line each, or three where
//! keys are longer.
//!
//! Why not the kernel's hash map: a lookup there costs 12 ns with 1k entries and 28 ns with 64k
//! (jhash, a bucket list, an element elsewhere), and every change is a system call. Here a lookup is
//! one multiplication and one cache line, and the daemon, the only writer, changes an entry with
//! single stores through a memory mapping (`BPF_F_MMAPABLE`).
//!
//! Every key may stand in one of two buckets. At the load of two thirds for which [`buckets_for`]
//! sizes a table, an insertion practically never fails; when it does, the entry stays with the kernel.
//!
//! A table may begin in a part of its array and double while it is read: what is dense stays in the
//! processor's caches. The daemon copies every entry that a table of twice the size looks for
//! elsewhere ([`Table::unfold`]), publishes the new size, and takes away what is left behind
//! ([`Table::settle`]). Each bucket becomes two, so there is room for all in any case.
//!
//! A bucket's last word is a filter: of each key whose first bucket this is, wherever it stands, one bit
//! ([`Hash::mark`]), and [`AWAY`] if one of them may stand in its other bucket. So who looks for a key that
//! is not there mostly knows it from the one cache line. Bits may be left over from keys that have gone
//! until the table settles: when it doubles, when a daemon takes it over, and of those that grow in each
//! full pass as well.
//!
//! # Concurrency
//!
//! A writer changes a slot in the order *key = 0, target, key*, and a reader looks at the key, at the
//! target, and at the key again, so it never pairs one key with the target of another. On every
//! processor: the writer's stores release, that is, nobody sees one before those in front of it. The
//! reader's loads have to keep their order too, which x86 sees to and others only if the address of
//! each depends on what the one before has loaded; `fabric-ebpf/src/table.rs` makes it depend. A slot
//! that goes from K with target T to L with U, and who reads it:
//!
//! ```text
//!   writer                      reader of L                 reader of K
//!   (1) key = 0                 (a) key: L                  (a) key: K
//!   (2) target = U  [release]   (b) target    [after a]     (b) target    [after a]
//!   (3) key = L     [release]                               (c) key again [after b]
//! ```
//!
//! - A reader of L has read (3) at (a). (3) released (2), and (b) is after (a), so (b) is U: the pattern
//!   MP+rel+addr, which no memory model that Linux runs on allows to end otherwise.
//! - A reader of K who gets U at (b) has read (2), which released (1), and (c) is after (b), so (c) is 0
//!   or newer and not K: a miss. Unless K is back by then: an entry that the writer moves to its other bucket and
//!   back while a reader stands between two loads, with an entry of another key in between, is beyond this. It
//!   takes two insertions or more that each move it, in some nanoseconds.
//!
//! # Longer keys
//!
//! Of a longer key, 64 bits (a fingerprint) stand where others do, and the rest beside it in the same line
//! ([`Long`]), most of it in a word of its own and some bits above the target, so that a line has three of them: a
//! second line would cost a second access to memory where the table does not stay in the processor's caches, even
//! though both can be fetched at a time. The rest is written where the target is, between the two
//! stores of the key, and read between its two loads. For that, a fingerprint that leaves the table must
//! not come back with another rest as long as a reader may be at work, which is the writer's to see to; and two
//! keys with one fingerprint cannot be in the table at a time.
//!
//! # Keys that move
//!
//! A key that stays in the table can be missed by a reader that has looked at its new place before the key
//! was there, or that knows the old size, and at the old place when the key had left. In the FDB, in `peers`
//! and in `vnis` a miss hands the packet to the kernel. Where no host is found, however, a shorter prefix
//! decides. So the tables of hosts have a number ([`Moves`], `moves` in the settings), which the reader
//! loads in front of the size and, if it does not meet the key, again when it knows what the trie of prefixes
//! says; if the two differ the kernel gets the packet. It also does if the key is met but gone when it is read
//! again. A host that finds no room in the table is in the trie, and may move from there into the table: for
//! it the trie is the old place.
//!
//! ```text
//!   writer                                              reader
//!   (1) keys, targets and marks at the new places,      (a) number
//!       then the size if it grows                       (b) size                       [after a]
//!   (2) number + 1                         [release]    (c) keys, filters              [after b]
//!   (3) keys leave the old places,         [release]        the trie's words
//!       filters become exact                            (d) number again           [after c]
//! ```
//!
//! - If a load of (c) has read (3), then (d), which is after it, reads (2) or newer: MP+rel+addr.
//! - If (a) has read (2), then (b) and (c), which are after it, read (1) or newer: the same.
//! - So if (a) and (d) are equal, the new places of each move were there for all of (b) and (c), or the old
//!   ones were. They have met a key that stays, and its mark, at the new place in the first case, unless they
//!   met it at the old one before; at the old one, or by the new size at the new one, in the second. Nothing
//!   else that the writer does takes away a key that stays, or its mark.
//!
//! The buckets' addresses depend on the size and that of the size on the number. That of the number depends,
//! the second time, on all that was loaded of what decided: the first bucket's filter, if the key has no mark
//! there; else all slots that were searched, and the filter that may have made the other bucket needless; and
//! the last of the trie's words, on which those before it led. These need no order among themselves, nor does
//! the filter that is read once more in front of the other bucket: they all lie between (a) and (d).
//!
//! # Indexes
//!
//! Other readers follow an index that they have loaded into another map, which is an address dependency
//! by itself (table → circuit, VTEP or domain; port → view → trie; group → bucket → nexthop →
//! port), to entries that were written before anything referred to them, and that stay as they are for
//! a second after nothing does.

#[cfg(test)]
mod moving;
#[cfg(any(test, feature = "user"))]
mod shared;
#[cfg(any(test, feature = "user"))]
mod writer;

#[cfg(any(test, feature = "user"))]
pub use self::{
    shared::{Share, Shared, SharedLong, SharedNarrow, SharedWide},
    writer::{Entry, Moves, Table},
};

use bytemuck::{Pod, Zeroable};

/// A bucket with small targets. A key of 0 marks a free slot.
#[repr(C, align(64))]
#[derive(Clone, Copy, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Narrow {
    /// The keys, in no order, never 0 in use.
    pub keys: [u64; 6],
    /// What each key leads to; its meaning belongs to the map.
    pub targets: [u16; 6],
    /// Which keys may have this bucket as their first one.
    pub filter: u32,
}

/// A bucket with large targets, see [`Narrow`].
#[repr(C, align(64))]
#[derive(Clone, Copy, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Wide {
    /// The keys.
    pub keys: [u64; 5],
    /// What each key leads to.
    pub targets: [u32; 5],
    /// Which keys may have this bucket as their first one.
    pub filter: u32,
}

/// A bucket with keys that have more than 64 bits, see [`Narrow`].
#[repr(C, align(64))]
#[derive(Clone, Copy, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Long {
    /// Fingerprints of the keys.
    pub keys: [u64; 3],
    /// Of each key's rest, [`Rest::word`].
    pub words: [u64; 3],
    /// What each key leads to, and above the [`Long::TARGET_BITS`] of that [`Rest::tag`].
    pub targets: [u32; 3],
    /// Which keys may have this bucket as their first one.
    pub filter: u32,
}

impl Long {
    /// Bits of a target.
    pub const TARGET_BITS: u32 = 20;
    /// Bits of a tag.
    pub const TAG_BITS: u32 = u32::BITS - Self::TARGET_BITS;

    /// Target and tag as they stand in the bucket.
    #[inline(always)]
    #[must_use]
    pub const fn word(target: u32, tag: u32) -> u32 {
        debug_assert!(target >> Self::TARGET_BITS == 0 && tag >> Self::TAG_BITS == 0);
        tag << Self::TARGET_BITS | target
    }

    /// Target and tag of what stands in the bucket.
    #[inline(always)]
    #[must_use]
    pub const fn split_word(word: u32) -> (u32, u32) {
        (word & ((1 << Self::TARGET_BITS) - 1), word >> Self::TARGET_BITS)
    }
}

/// What a fingerprint leaves open of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// 64 bits of it.
    pub word: u64,
    /// The others, at most [`Long::TAG_BITS`].
    pub tag: u32,
}

macro_rules! debug_slots {
    ($($bucket:ty),+) => {
        $(impl core::fmt::Debug for $bucket {
            /// The slots in use: target by key.
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let slots = self.keys.iter().zip(&self.targets).filter(|(key, _)| **key != 0);
                f.debug_map().entries(slots).finish()
            }
        })+
    };
}
debug_slots!(Narrow, Wide, Long);

/// Places of a bucket, of which the first ones are slots: a place is as far from the next one as their
/// keys are, so the number of a place in the table leads to its key by a shift.
pub const PLACES: u32 = 8;

/// Kinds of buckets. The keys stand foremost, the filter last.
pub trait Bucket: Copy {
    /// Slots of a bucket.
    const SLOTS: u32;
    /// Bytes in front of the targets.
    const TARGETS: usize;
    /// What a target is in memory.
    type Target: Copy + Into<u32>;
    /// What a key in memory leaves open of a key; nothing if it is the key.
    type Rest: Copy + Default + Eq;

    /// The target of a slot and the rest of its key, of which `word` is what stands as its target in memory.
    ///
    /// # Safety
    /// `bucket` points to one, which others may store to, and has that slot.
    unsafe fn read_rest(bucket: *const Self, slot: u32, word: u32) -> (u32, Self::Rest);

    /// A number that depends on all of it that was not in the target's word.
    fn number_of(rest: Self::Rest) -> u64;
}

impl Bucket for Narrow {
    const SLOTS: u32 = 6;
    const TARGETS: usize = core::mem::offset_of!(Self, targets);
    type Target = u16;
    type Rest = ();

    #[inline(always)]
    unsafe fn read_rest(_: *const Self, _: u32, word: u32) -> (u32, ()) {
        (word, ())
    }

    #[inline(always)]
    fn number_of((): ()) -> u64 {
        0
    }
}

impl Bucket for Wide {
    const SLOTS: u32 = 5;
    const TARGETS: usize = core::mem::offset_of!(Self, targets);
    type Target = u32;
    type Rest = ();

    #[inline(always)]
    unsafe fn read_rest(_: *const Self, _: u32, word: u32) -> (u32, ()) {
        (word, ())
    }

    #[inline(always)]
    fn number_of((): ()) -> u64 {
        0
    }
}

impl Bucket for Long {
    const SLOTS: u32 = 3;
    const TARGETS: usize = core::mem::offset_of!(Self, targets);
    type Target = u32;
    type Rest = Rest;

    #[inline(always)]
    unsafe fn read_rest(bucket: *const Self, slot: u32, word: u32) -> (u32, Rest) {
        let (target, tag) = Self::split_word(word);
        // SAFETY: an aligned field inside the bucket, by the caller's promise.
        let word = unsafe {
            (&raw const (*bucket).words).cast::<u64>().add(slot as usize).read_volatile()
        };
        (target, Rest { word, tag })
    }

    #[inline(always)]
    fn number_of(rest: Rest) -> u64 {
        rest.word
    }
}

const _: () = {
    assert!(size_of::<Narrow>() == 8 * PLACES as usize);
    assert!(size_of::<Wide>() == 8 * PLACES as usize);
    assert!(core::mem::offset_of!(Narrow, filter) == FILTER);
    assert!(size_of::<Long>() == 8 * PLACES as usize);
    assert!(core::mem::offset_of!(Wide, filter) == FILTER);
    assert!(core::mem::offset_of!(Long, filter) == FILTER);
};

/// Bytes in front of the filter of a bucket.
pub const FILTER: usize = 60;
/// The bit of a filter that says that a key may stand in its other bucket; some keys have it as their own.
pub const AWAY: u32 = 1 << 31;

/// Where a key may be: in one of two buckets, at best in the slot of the first one that is looked at
/// first.
///
/// The slot is a matter of speed only: a reader that finds its key where it looks first has no
/// branch to mispredict, and so goes on with its work while memory is slow. Readers compute the other
/// bucket only if they need it.
#[derive(Clone, Copy, Debug)]
pub struct Hash(u64);

impl Hash {
    const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;

    /// The hash of a key. One multiplication: its upper half depends on all of the key, which is
    /// folded first.
    #[inline(always)]
    #[must_use]
    pub const fn of(key: u64) -> Self {
        Self((key ^ key >> 32).wrapping_mul(Self::FACTOR))
    }

    /// The bucket to look into first, before it is masked.
    #[inline(always)]
    #[must_use]
    pub const fn home(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The other bucket, before it is masked.
    #[inline(always)]
    #[must_use]
    pub const fn other(self) -> u32 {
        ((self.0 ^ self.0 >> 32).wrapping_mul(Self::FACTOR) >> 32) as u32
    }

    /// The bit of the key in the filter of its first bucket, by bits that decide nothing else.
    #[inline(always)]
    #[must_use]
    pub const fn mark(self) -> u32 {
        1 << (self.0 as u32 >> 27)
    }

    /// The slot to look at first, by the bits that decide least about the bucket.
    #[inline(always)]
    #[must_use]
    pub const fn first<B: Bucket>(self) -> u32 {
        ((self.0 >> 48) as u32).wrapping_mul(B::SLOTS) >> 16
    }
}

/// The number of buckets for a table that is to hold `entries`: at most two thirds full, a power of
/// two.
#[must_use]
pub const fn buckets_for<B: Bucket>(entries: u32) -> u32 {
    let buckets = (entries as u64 * 3).div_ceil(2 * B::SLOTS as u64).next_power_of_two();
    if buckets < 16 {
        16
    } else if buckets > 1 << 28 {
        1 << 28
    } else {
        buckets as u32
    }
}
