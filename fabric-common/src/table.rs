//! A hash table inside a BPF array: 64-bit keys, four slots to a bucket, one cache line each.
//!
//! Why not the kernel's hash map: a lookup there costs 12 ns with 1k entries and 28 ns with 64k
//! (jhash, a bucket list, an element elsewhere), and every change is a system call. Here a lookup is
//! one multiplication and one cache line, and the daemon, the only writer, changes an entry with
//! single 64-bit stores through a memory mapping (`BPF_F_MMAPABLE`).
//!
//! Every key may stand in one of two buckets. At the half load for which [`buckets_for`] sizes a
//! table, an insertion practically never fails; when it does, the entry stays with the kernel.
//!
//! A table may begin in a part of its array and double while it is read: what is dense stays in the
//! processor's caches. The daemon copies every entry that a table of twice the size looks for
//! elsewhere ([`Table::unfold`]), publishes the new size, and takes away what is left behind
//! ([`Table::settle`]). Each bucket becomes two, so there is room for all in any case.
//!
//! Concurrency: a writer changes a slot in the order *key = 0, value, key*, and a reader looks at
//! the key again after it read the value, so it never pairs one key with the value of another.

/// Slots of a bucket: four of 16 bytes are one cache line.
pub const SLOTS: usize = 4;

/// One entry. A key of 0 marks a free slot.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// The key, never 0 in use.
    pub key: u64,
    /// What the key leads to; its meaning belongs to the map.
    pub target: u32,
    /// When the entry's owner was last shown to the kernel, in jiffies (low 32 bits). Written by
    /// the packet path, used by the `fdb` map only.
    pub shown: u32,
}

/// The element of the array.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The slots, in no order.
    pub slots: [Slot; SLOTS],
}

const _: () = assert!(size_of::<Slot>() == 16 && size_of::<Bucket>() == 64);

/// Where `key` may be in a table of `mask + 1` buckets: in one of two buckets, at best in the slot
/// that is given with it.
///
/// The slot is a matter of speed only: a reader that finds its key where it looks first has no
/// branch to mispredict, and so goes on with its work while memory is slow.
#[inline(always)]
#[must_use]
pub const fn places(key: u64, mask: u32) -> ([u32; 2], usize) {
    let hash = Hash::of(key);
    ([hash.home() & mask, hash.other() & mask], hash.first())
}

/// What [`places`] are made of; readers compute the other bucket only if they need it.
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

    /// The slot to look at first.
    #[inline(always)]
    #[must_use]
    pub const fn first(self) -> usize {
        (self.0 >> 62) as usize
    }
}

/// The slot to look at after `n` others, when `first` is the one to begin with.
#[inline(always)]
#[must_use]
pub const fn nth_slot(first: usize, n: usize) -> usize {
    (first ^ n) % SLOTS
}

/// The number of buckets for a table that is to hold `entries`: at most half full, a power of two.
#[must_use]
pub const fn buckets_for(entries: u32) -> u32 {
    let buckets = (entries as u64 * 2).div_ceil(SLOTS as u64).next_power_of_two();
    if buckets < 16 {
        16
    } else if buckets > 1 << 28 {
        1 << 28
    } else {
        buckets as u32
    }
}

#[cfg(any(test, feature = "user"))]
mod writer {
    use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    use super::{SLOTS, nth_slot, places};

    /// A [`super::Slot`] in memory that the packet path reads at the same time.
    #[repr(C, align(16))]
    #[derive(Debug, Default)]
    pub struct SharedSlot {
        pub(super) key: AtomicU64,
        target: AtomicU32,
        shown: AtomicU32,
    }

    /// A [`super::Bucket`] in memory that the packet path reads at the same time.
    pub type SharedBucket = [SharedSlot; SLOTS];

    /// The whole table, seen by its only writer. Readers may use it as well.
    #[derive(Clone, Copy, Debug)]
    pub struct Table<'a> {
        buckets: &'a [SharedBucket],
        stores: Option<&'a AtomicU64>,
    }

    impl<'a> Table<'a> {
        /// A table over the map's memory; the number of buckets must be a power of two.
        #[must_use]
        pub const fn new(buckets: &'a [SharedBucket]) -> Self {
            assert!(buckets.len().is_power_of_two());
            Self { buckets, stores: None }
        }

        /// The same table, which counts its stores in `stores`.
        #[must_use]
        pub const fn counted(self, stores: &'a AtomicU64) -> Self {
            Self { stores: Some(stores), ..self }
        }

        /// Number of buckets.
        #[must_use]
        pub const fn len(&self) -> u32 {
            self.buckets.len() as u32
        }

        /// Never true: a table has a bucket at least.
        #[must_use]
        pub const fn is_empty(&self) -> bool {
            self.buckets.is_empty()
        }

        fn count(&self, stores: u64) {
            if let Some(total) = self.stores {
                total.fetch_add(stores, Ordering::Relaxed);
            }
        }

        fn fill(&self, slot: &SharedSlot, key: u64, target: u32, shown: u32) {
            slot.key.store(0, Ordering::Release);
            slot.target.store(target, Ordering::Release);
            slot.shown.store(shown, Ordering::Release);
            slot.key.store(key, Ordering::Release);
            self.count(4);
        }

        fn clear(&self, slot: &SharedSlot) {
            slot.key.store(0, Ordering::Release);
            self.count(1);
        }

        const fn mask(&self) -> u32 {
            self.buckets.len() as u32 - 1
        }

        /// Whether readers look for `key` in this bucket.
        fn is_place(&self, key: u64, bucket: usize) -> bool {
            let (homes, _) = places(key, self.mask());
            homes.iter().any(|home| *home as usize == bucket)
        }

        fn find(&self, key: u64) -> Option<&'a SharedSlot> {
            let (homes, _) = places(key, self.mask());
            homes
                .into_iter()
                .flat_map(|home| &self.buckets[home as usize])
                .find(|slot| slot.key.load(Ordering::Acquire) == key)
        }

        /// The free slot for `key` that a reader finds soonest.
        fn free_slot(&self, key: u64) -> Option<&'a SharedSlot> {
            let (homes, first) = places(key, self.mask());
            homes.into_iter().find_map(|home| {
                let bucket = &self.buckets[home as usize];
                (0..SLOTS)
                    .map(|n| &bucket[nth_slot(first, n)])
                    .find(|slot| slot.key.load(Ordering::Acquire) == 0)
            })
        }

        /// The target of `key`.
        #[must_use]
        pub fn get(&self, key: u64) -> Option<u32> {
            self.find(key).map(|slot| slot.target.load(Ordering::Acquire))
        }

        /// When the packet path last showed the owner of `key` to the kernel, in jiffies.
        #[must_use]
        pub fn shown(&self, key: u64) -> Option<u32> {
            self.find(key).map(|slot| slot.shown.load(Ordering::Acquire))
        }

        /// Adds `key` or changes its target with one store. False when both of its buckets are
        /// full and no entry of theirs can move: the table is then as it was.
        #[must_use]
        pub fn insert(&self, key: u64, target: u32) -> bool {
            debug_assert_ne!(key, 0, "0 marks a free slot");
            if let Some(slot) = self.find(key) {
                slot.target.store(target, Ordering::Release);
                self.count(1);
                return true;
            }
            if let Some(slot) = self.free_slot(key) {
                self.fill(slot, key, target, 0);
                return true;
            }
            let (homes, _) = places(key, self.mask());
            for slot in homes.into_iter().flat_map(|p| &self.buckets[p as usize]) {
                if self.move_away(slot) {
                    self.fill(slot, key, target, 0);
                    return true;
                }
            }
            false
        }

        /// Copies a slot into the other bucket of its key, if that has room, and frees it. A reader
        /// in between finds the entry twice or, if it has passed the new place already, not at all,
        /// and a miss only means that the kernel gets the packet.
        fn move_away(&self, slot: &SharedSlot) -> bool {
            let key = slot.key.load(Ordering::Acquire);
            let Some(free) = self.free_slot(key) else { return false };
            let target = slot.target.load(Ordering::Acquire);
            self.fill(free, key, target, slot.shown.load(Ordering::Acquire));
            self.clear(slot);
            true
        }

        /// Removes `key`; false if it was not there.
        pub fn remove(&self, key: u64) -> bool {
            let slot = self.find(key);
            if let Some(slot) = slot {
                self.clear(slot);
            }
            slot.is_some()
        }

        /// Puts into the upper half of this table what of the lower half belongs there, for readers to
        /// whom the lower half is still all there is. They notice nothing: nobody looks at the upper
        /// half yet, and nothing leaves the lower one.
        pub fn unfold(&self) {
            let (lower, upper) = self.buckets.split_at(self.buckets.len() / 2);
            for (number, (old, new)) in lower.iter().zip(upper).enumerate() {
                for (old, new) in old.iter().zip(new) {
                    let key = old.key.load(Ordering::Acquire);
                    // The larger table has this bucket's other half in the same place of the upper
                    // half, so a copy is all that is needed.
                    if key != 0 && !self.is_place(key, number) {
                        let shown = old.shown.load(Ordering::Acquire);
                        self.fill(new, key, old.target.load(Ordering::Acquire), shown);
                    } else if new.key.load(Ordering::Acquire) != 0 {
                        // Of a daemon that ended before it was done.
                        self.clear(new);
                    }
                }
            }
        }

        /// Takes away entries that readers do not look for where they are: what [`Self::unfold`] has
        /// copied, when all readers know the new size.
        pub fn settle(&self) {
            for (number, bucket) in self.buckets.iter().enumerate() {
                for slot in bucket {
                    let key = slot.key.load(Ordering::Acquire);
                    if key != 0 && !self.is_place(key, number) {
                        self.clear(slot);
                    }
                }
            }
        }

        /// All entries as (key, target, shown), in no order.
        pub fn iter(&self) -> impl Iterator<Item = (u64, u32, u32)> + 'a {
            self.buckets.iter().flatten().filter_map(|slot| {
                let key = slot.key.load(Ordering::Acquire);
                let entry =
                    (key, slot.target.load(Ordering::Acquire), slot.shown.load(Ordering::Acquire));
                (key != 0).then_some(entry)
            })
        }
    }
}
#[cfg(any(test, feature = "user"))]
pub use writer::{SharedBucket, SharedSlot, Table};

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use core::sync::atomic::Ordering;
    use std::vec::Vec;

    fn memory(entries: u32) -> Vec<SharedBucket> {
        (0..buckets_for(entries)).map(|_| SharedBucket::default()).collect()
    }

    /// MAC addresses as hypervisors hand them out: one prefix, counting up, in few domains.
    fn key(i: u32) -> u64 {
        let [a, b, c, d] = i.to_be_bytes();
        u64::from(1 + i % 7) << 48 | u64::from_le_bytes([0x52, 0x54, a, b, c, d, 0, 0])
    }

    #[test]
    fn a_table_at_half_load_places_and_finds_every_entry() {
        for entries in [1_000_u32, 65_536, 1_000_000] {
            let memory = memory(entries);
            let table = Table::new(&memory);
            for i in 0..entries {
                assert!(table.insert(key(i), i), "entry {i} of {entries} found no slot");
            }
            for i in 0..entries {
                assert_eq!(table.get(key(i)), Some(i));
            }
            assert_eq!(table.iter().count(), entries as usize);
        }
    }

    /// At the load of 64k MACs in a table of the default size.
    #[test]
    fn at_a_quarter_of_the_load_most_keys_stand_where_readers_look_first() {
        let memory = memory(131_072);
        let table = Table::new(&memory);
        let stands_first = |key| {
            let (homes, first) = places(key, memory.len() as u32 - 1);
            memory[homes[0] as usize][first].key.load(Ordering::Relaxed) == key
        };
        for i in 0..65_536 {
            assert!(table.insert(key(i), i));
        }
        let first = (0..65_536).filter(|i| stands_first(key(*i))).count();
        assert!(first > 65_536 * 8 / 10, "{first} of 65536");
    }

    /// The table of the first `buckets` of some memory.
    fn part(memory: &[SharedBucket], buckets: usize) -> Table<'_> {
        Table::new(&memory[..buckets])
    }

    #[test]
    fn a_table_that_doubles_keeps_every_entry_and_is_complete_at_every_step() {
        let memory = memory(4_096);
        let mut buckets = 1;
        let holds =
            |table: Table<'_>, entries: u32| (0..entries).all(|i| table.get(key(i)) == Some(i));
        for entries in 1..=4_096_u32 {
            if !part(&memory, buckets).insert(key(entries - 1), entries - 1) {
                let (small, large) = (part(&memory, buckets), part(&memory, 2 * buckets));
                large.unfold();
                assert!(holds(small, entries - 1), "the readers of {buckets} buckets miss some");
                assert!(holds(large, entries - 1), "{buckets} buckets and as many again");
                large.settle();
                buckets *= 2;
                assert!(large.insert(key(entries - 1), entries - 1));
            }
            if entries.is_power_of_two() {
                let table = part(&memory, buckets);
                assert!(holds(table, entries));
                assert_eq!(table.iter().count(), entries as usize, "none is there twice");
            }
        }
        assert!(buckets > 512, "it has doubled often: {buckets}");
    }

    #[test]
    fn what_an_interrupted_doubling_left_does_not_come_back() {
        let memory = memory(1_000);
        let (small, large) = (part(&memory, 64), part(&memory, 128));
        for i in 0..150 {
            assert!(small.insert(key(i), i));
        }
        large.unfold();
        // The new size was never published; the old table goes on.
        for i in 0..100 {
            assert!(small.remove(key(i)));
        }
        assert!(small.insert(key(120), 7));
        large.unfold();
        large.settle();
        for i in 0..150 {
            let expected = (i >= 100).then_some(if i == 120 { 7 } else { i });
            assert_eq!(large.get(key(i)), expected);
        }
        assert_eq!(large.iter().count(), 50);
    }

    #[test]
    fn changing_and_removing_touches_only_the_entry_meant() {
        let memory = memory(1_000);
        let table = Table::new(&memory);
        for i in 0..1_000 {
            assert!(table.insert(key(i), i));
        }
        assert!(table.insert(key(500), 7));
        assert!(table.remove(key(501)) && !table.remove(key(501)));
        for i in 0..1_000 {
            let expected = match i {
                500 => Some(7),
                501 => None,
                i => Some(i),
            };
            assert_eq!(table.get(key(i)), expected);
        }
    }

    #[test]
    fn a_full_table_refuses_and_keeps_what_it_has() {
        let memory: Vec<_> = (0..16).map(|_| SharedBucket::default()).collect();
        let table = Table::new(&memory);
        let placed: Vec<_> = (0..1_000).filter(|i| table.insert(key(*i), *i)).collect();
        assert!(placed.len() <= 64 && placed.len() > 48, "{} of 64 slots used", placed.len());
        assert!(placed.iter().all(|i| table.get(key(*i)) == Some(*i)));
    }
}
