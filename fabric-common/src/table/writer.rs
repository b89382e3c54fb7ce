//! The daemon's side: the only writer, while the packet path reads.

extern crate std;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::{vec, vec::Vec};

use super::{AWAY, Bucket, Hash, Narrow, Wide};

/// What tells readers that keys change their places: a number that they read in front of a search and
/// behind one that has found nothing.
pub trait Moves: core::fmt::Debug {
    /// Keys stand at their new places and are about to leave the old ones: the number grows.
    fn moved(&self);
}

/// A bucket in memory that the packet path reads at the same time.
pub trait Shared: 'static {
    /// The same as plain data.
    type Plain: Bucket;
    /// The keys.
    fn keys(&self) -> &[AtomicU64];
    /// The filter.
    fn filter(&self) -> &AtomicU32;
    /// The target of a slot.
    fn target(&self, slot: usize) -> u32;
    /// Changes the target of a slot.
    fn set_target(&self, slot: usize, target: u32);
}

/// A plain bucket that can be shared.
pub trait Share: Bucket {
    /// The same, made of atomics.
    type Shared: Shared<Plain = Self>;
}

macro_rules! shared {
    ($shared:ident of $plain:ident, $slots:literal of $target:ty as $atomic:ty) => {
        #[doc = concat!("A [`", stringify!($plain), "`] that is read meanwhile.")]
        #[repr(C, align(64))]
        #[derive(Debug, Default)]
        pub struct $shared {
            keys: [AtomicU64; $slots],
            targets: [$atomic; $slots],
            filter: AtomicU32,
        }

        impl Share for $plain {
            type Shared = $shared;
        }

        impl Shared for $shared {
            type Plain = $plain;

            fn keys(&self) -> &[AtomicU64] {
                &self.keys
            }

            fn filter(&self) -> &AtomicU32 {
                &self.filter
            }

            fn target(&self, slot: usize) -> u32 {
                self.targets[slot].load(Ordering::Acquire).into()
            }

            fn set_target(&self, slot: usize, target: u32) {
                debug_assert!(target <= <$target>::MAX.into(), "target {target:#x}");
                self.targets[slot].store(target as $target, Ordering::Release);
            }
        }

        const _: () = assert!(size_of::<$shared>() == size_of::<$plain>());
    };
}

shared!(SharedNarrow of Narrow, 6 of u16 as AtomicU16);
shared!(SharedWide of Wide, 5 of u32 as AtomicU32);

/// Where a key is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Spot {
    bucket: usize,
    slot: usize,
}

/// What stands in a slot.
struct Entry {
    key: u64,
    target: u32,
    shown: u32,
}

/// The whole table, seen by its only writer. Readers may use it as well.
#[derive(Debug)]
pub struct Table<'a, S> {
    buckets: &'a [S],
    shown: Option<&'a [[AtomicU32; 8]]>,
    stores: Option<&'a AtomicU64>,
    moves: Option<&'a dyn Moves>,
}

impl<S> Clone for Table<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Table<'_, S> {}

impl<'a, S: Shared> Table<'a, S> {
    /// A table over the map's memory; the number of buckets must be a power of two.
    #[must_use]
    pub const fn new(buckets: &'a [S]) -> Self {
        assert!(buckets.len().is_power_of_two());
        Self { buckets, shown: None, stores: None, moves: None }
    }

    /// The same table, which counts its stores in `stores`.
    #[must_use]
    pub const fn counted(self, stores: &'a AtomicU64) -> Self {
        Self { stores: Some(stores), ..self }
    }

    /// The same table, with a time for each entry.
    #[must_use]
    pub const fn with_times(self, shown: &'a [[AtomicU32; 8]]) -> Self {
        assert!(shown.len() >= self.buckets.len());
        Self { shown: Some(shown), ..self }
    }

    /// The same table, whose readers take a miss for an answer unless keys move meanwhile.
    #[must_use]
    pub const fn telling(self, moves: &'a dyn Moves) -> Self {
        Self { moves: Some(moves), ..self }
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

    /// Between the arrival of keys at new places and their departure from the old ones.
    fn moved(&self) {
        if let Some(moves) = self.moves {
            moves.moved();
        }
    }

    fn key(&self, Spot { bucket, slot }: Spot) -> u64 {
        self.buckets[bucket].keys()[slot].load(Ordering::Acquire)
    }

    fn entry(&self, spot: Spot) -> Entry {
        Entry {
            key: self.key(spot),
            target: self.buckets[spot.bucket].target(spot.slot),
            shown: self.time(spot).map_or(0, |time| time.load(Ordering::Acquire)),
        }
    }

    fn time(&self, Spot { bucket, slot }: Spot) -> Option<&'a AtomicU32> {
        self.shown.map(|shown| &shown[bucket][slot])
    }

    /// The bucket in whose filter a key that stands in `bucket` is noted, and the bits there.
    fn marks(&self, key: u64, bucket: usize) -> (usize, u32) {
        let home = self.homes(key).0[0];
        let away = if bucket == home { 0 } else { AWAY };
        (home, Hash::of(key).mark() | away)
    }

    fn set_filter(&self, bucket: usize, filter: u32) {
        let shared = self.buckets[bucket].filter();
        if shared.load(Ordering::Acquire) != filter {
            shared.store(filter, Ordering::Release);
            self.count(1);
        }
    }

    fn mark(&self, key: u64, bucket: usize) {
        let (home, marks) = self.marks(key, bucket);
        self.set_filter(home, self.buckets[home].filter().load(Ordering::Acquire) | marks);
    }

    /// Takes a key that has gone out of the filter of its first bucket, if no other key may need what
    /// stands there.
    fn unmark(&self, key: u64) {
        let home = self.homes(key).0[0];
        let bucket = &self.buckets[home];
        if bucket.filter().load(Ordering::Acquire) & AWAY != 0 {
            return;
        }
        let keys = bucket.keys().iter().map(|key| key.load(Ordering::Acquire));
        let own = keys.filter(|key| *key != 0).map(|key| self.marks(key, home));
        let filter = own.filter(|(of, _)| *of == home).fold(0, |all, (_, marks)| all | marks);
        self.set_filter(home, filter);
    }

    fn fill(&self, spot: Spot, entry: &Entry) {
        let bucket = &self.buckets[spot.bucket];
        self.mark(entry.key, spot.bucket);
        bucket.keys()[spot.slot].store(0, Ordering::Release);
        bucket.set_target(spot.slot, entry.target);
        if let Some(time) = self.time(spot) {
            time.store(entry.shown, Ordering::Release);
        }
        bucket.keys()[spot.slot].store(entry.key, Ordering::Release);
        self.count(4);
    }

    fn clear(&self, Spot { bucket, slot }: Spot) {
        self.buckets[bucket].keys()[slot].store(0, Ordering::Release);
        self.count(1);
    }

    /// The buckets of a key, and the slot to look at first.
    fn homes(&self, key: u64) -> ([usize; 2], usize) {
        let (hash, mask) = (Hash::of(key), self.len() - 1);
        let homes = [hash.home() & mask, hash.other() & mask];
        (homes.map(|home| home as usize), hash.first::<S::Plain>() as usize)
    }

    /// Whether readers look for `key` in this bucket.
    fn is_place(&self, key: u64, bucket: usize) -> bool {
        self.homes(key).0.contains(&bucket)
    }

    /// The slots where `key` may be, those that a reader looks at soonest foremost.
    fn spots(&self, key: u64) -> impl Iterator<Item = Spot> + use<S> {
        let slots = S::Plain::SLOTS as usize;
        let (homes, first) = self.homes(key);
        homes.into_iter().flat_map(move |bucket| {
            (0..slots).map(move |n| Spot { bucket, slot: (first + n) % slots })
        })
    }

    fn find(&self, key: u64) -> Option<Spot> {
        self.spots(key).find(|spot| self.key(*spot) == key)
    }

    fn free(&self, key: u64) -> Option<Spot> {
        self.spots(key).find(|spot| self.key(*spot) == 0)
    }

    /// The target of `key`.
    #[must_use]
    pub fn get(&self, key: u64) -> Option<u32> {
        self.find(key).map(|spot| self.entry(spot).target)
    }

    /// When the packet path last showed the owner of `key` to the kernel, in jiffies.
    #[must_use]
    pub fn shown(&self, key: u64) -> Option<u32> {
        self.find(key).map(|spot| self.entry(spot).shown)
    }

    /// Sets when the owner of `key` was last shown to the kernel, in jiffies; false if there is no
    /// such key.
    pub fn show(&self, key: u64, jiffies: u32) -> bool {
        let time = self.find(key).and_then(|spot| self.time(spot));
        if let Some(time) = time {
            time.store(jiffies, Ordering::Release);
        }
        time.is_some()
    }

    /// Adds `key` or changes its target with one store. False when both of its buckets are
    /// full and no entry of theirs can move: the table is then as it was.
    #[must_use]
    pub fn insert(&self, key: u64, target: u32) -> bool {
        debug_assert_ne!(key, 0, "0 marks a free slot");
        if let Some(spot) = self.find(key) {
            self.buckets[spot.bucket].set_target(spot.slot, target);
            self.count(1);
            return true;
        }
        let spot = self
            .preferred(key)
            .or_else(|| self.free(key))
            .or_else(|| self.spots(key).find(|spot| self.move_away(*spot)));
        if let Some(spot) = spot {
            self.fill(spot, &Entry { key, target, shown: 0 });
        }
        spot.is_some()
    }

    /// The slot where readers look for `key` first, if it is free or can be: who stands there without
    /// being looked for there first gives way.
    fn preferred(&self, key: u64) -> Option<Spot> {
        let first = |key| self.spots(key).next();
        let spot = first(key)?;
        let holder = self.key(spot);
        let is_free = holder == 0 || (first(holder) != Some(spot) && self.move_away(spot));
        is_free.then_some(spot)
    }

    /// Copies a slot to the soonest place of its key that has room, and frees it. A reader
    /// in between finds the entry twice or, if it has passed the new place already, not at all: then the
    /// kernel gets the packet, because a miss means that anyway or because of what [`Moves`] tells.
    fn move_away(&self, spot: Spot) -> bool {
        let entry = self.entry(spot);
        let Some(free) = self.free(entry.key) else { return false };
        self.fill(free, &entry);
        self.moved();
        self.clear(spot);
        true
    }

    /// Removes `key`; false if it was not there.
    pub fn remove(&self, key: u64) -> bool {
        let spot = self.find(key);
        if let Some(spot) = spot {
            self.clear(spot);
            self.unmark(key);
        }
        spot.is_some()
    }

    /// All slots of some buckets.
    fn all(&self, buckets: usize) -> impl Iterator<Item = Spot> + use<S> {
        let slots = S::Plain::SLOTS as usize;
        (0..buckets).flat_map(move |bucket| (0..slots).map(move |slot| Spot { bucket, slot }))
    }

    /// Puts into the upper half of this table what of the lower half belongs there, for readers to
    /// whom the lower half is still all there is. They notice nothing: nobody looks at the upper
    /// half yet, and nothing leaves the lower one.
    pub fn unfold(&self) {
        let half = self.buckets.len() / 2;
        for bucket in 0..half {
            // More than is needed, until the table has settled.
            let filter = self.buckets[bucket].filter().load(Ordering::Acquire);
            self.set_filter(bucket + half, filter);
        }
        for old in self.all(half) {
            let new = Spot { bucket: old.bucket + half, ..old };
            let entry = self.entry(old);
            let stays = entry.key != 0 && self.is_place(entry.key, old.bucket);
            // The larger table has this bucket's other half in the same place of the upper
            // half, so a copy is all that is needed.
            if entry.key != 0 && !stays {
                self.fill(new, &entry);
            } else if self.key(new) != 0 {
                // Of a daemon that ended before it was done.
                self.clear(new);
            }
            if stays {
                // It may be the bucket that readers look into second by now.
                self.mark(entry.key, old.bucket);
            }
        }
    }

    /// Takes away entries that are not where their keys are looked for, and makes all filters exact. To be
    /// called when the new size is published after [`Self::unfold`]: what that has copied leaves its old
    /// places. Also for what a daemon left that ended while it doubled the table or moved an entry, which
    /// is then there twice. Stores nothing where nothing is to be done.
    pub fn settle(&self) {
        let mut filters = vec![0; self.buckets.len()];
        let mut left = Vec::new();
        for spot in self.all(self.buckets.len()) {
            let key = self.key(spot);
            if key == 0 {
                continue;
            }
            if self.find(key) == Some(spot) {
                let (home, marks) = self.marks(key, spot.bucket);
                filters[home] |= marks;
            } else {
                left.push(spot);
            }
        }
        let is_exact =
            |(bucket, filter): (&S, &u32)| bucket.filter().load(Ordering::Acquire) == *filter;
        if left.is_empty() && self.buckets.iter().zip(&filters).all(is_exact) {
            return;
        }
        // Readers of the old size miss what stands in the upper half only, by its key or by its mark.
        self.moved();
        for spot in left {
            self.clear(spot);
        }
        for (bucket, filter) in filters.into_iter().enumerate() {
            self.set_filter(bucket, filter);
        }
    }

    /// All entries as (key, target, shown), in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32, u32)> + use<'a, S> {
        let table = *self;
        self.all(self.buckets.len()).filter_map(move |spot| {
            let Entry { key, target, shown } = table.entry(spot);
            (key != 0).then_some((key, target, shown))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::buckets_for;

    fn memory(entries: u32) -> Vec<SharedNarrow> {
        (0..buckets_for::<Narrow>(entries)).map(|_| SharedNarrow::default()).collect()
    }

    /// MAC addresses as hypervisors hand them out: one prefix, counting up, in few domains.
    fn key(i: u32) -> u64 {
        let [a, b, c, d] = i.to_be_bytes();
        u64::from(1 + i % 7) << 48 | u64::from_le_bytes([0x52, 0x54, a, b, c, d, 0, 0])
    }

    #[test]
    fn a_table_at_two_thirds_of_its_load_places_and_finds_every_entry() {
        for entries in [1_000_u32, 65_536, 1_000_000] {
            let memory = memory(entries);
            let table = Table::new(&memory);
            for i in 0..entries {
                assert!(table.insert(key(i), i & 0xffff), "entry {i} of {entries} found no slot");
            }
            for i in 0..entries {
                assert_eq!(table.get(key(i)), Some(i & 0xffff));
            }
            assert_eq!(table.iter().count(), entries as usize);
        }
    }

    /// At the highest load that is aimed at.
    #[test]
    fn most_keys_stand_where_readers_look_first_and_few_in_their_other_bucket() {
        let memory = memory(65_536);
        let table = Table::new(&memory);
        let mask = memory.len() as u32 - 1;
        for i in 0..65_536 {
            assert!(table.insert(key(i), i));
        }
        let home = |key| &memory[(Hash::of(key).home() & mask) as usize];
        let has = |key, slot: usize| home(key).keys()[slot].load(Ordering::Relaxed) == key;
        let stands_first = |key| has(key, Hash::of(key).first::<Narrow>() as usize);
        let first = (0..65_536).filter(|i| stands_first(key(*i))).count();
        let at_home = (0..65_536).filter(|i| (0..6).any(|slot| has(key(*i), slot))).count();
        assert!(first > 65_536 * 70 / 100, "{first} of 65536");
        assert!(at_home > 65_536 * 93 / 100, "{at_home} of 65536");
    }

    #[test]
    fn both_kinds_of_buckets_keep_targets_of_their_size() {
        let wide: Vec<_> = (0..16).map(|_| SharedWide::default()).collect();
        let narrow: Vec<_> = (0..16).map(|_| SharedNarrow::default()).collect();
        for i in 1..40 {
            assert!(Table::new(&wide).insert(key(i), u32::MAX - i));
            assert!(Table::new(&narrow).insert(key(i), 0xffff - i));
        }
        for i in 1..40 {
            assert_eq!(Table::new(&wide).get(key(i)), Some(u32::MAX - i));
            assert_eq!(Table::new(&narrow).get(key(i)), Some(0xffff - i));
        }
    }

    /// The table of the first `buckets` of some memory.
    fn part(memory: &[SharedNarrow], buckets: usize) -> Table<'_, SharedNarrow> {
        Table::new(&memory[..buckets])
    }

    #[test]
    fn a_table_that_doubles_keeps_every_entry_and_is_complete_at_every_step() {
        let memory = memory(4_096);
        let mut buckets = 1;
        let holds = |table: Table<'_, SharedNarrow>, entries: u32| {
            (0..entries).all(|i| table.get(key(i)) == Some(i))
        };
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
        assert!(buckets > 256, "it has doubled often: {buckets}");
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
    fn what_an_interrupted_move_left_is_there_once_and_where_writers_look() {
        let memory = memory(1_000);
        let table = Table::new(&memory);
        let mut twice = Vec::new();
        for i in 0..400 {
            assert!(table.insert(key(i), i));
            // The daemon ends in front of the last step.
            let (spot, free) = (table.find(key(i)).unwrap(), table.free(key(i)));
            if let Some(free) = free.filter(|_| i % 4 == 0) {
                table.fill(free, &table.entry(spot));
                twice.push(i);
            }
        }
        assert!(table.iter().count() > 450, "{}", table.iter().count());
        table.settle();
        assert_eq!(table.iter().count(), 400);
        for i in twice {
            assert!(table.insert(key(i), 7) && may_hold(&memory, key(i)));
            assert_eq!(table.iter().filter(|(k, ..)| *k == key(i)).count(), 1);
            assert!(table.remove(key(i)) && table.get(key(i)).is_none());
        }
        let stores = AtomicU64::new(0);
        table.settle();
        table.counted(&stores).settle();
        assert_eq!(stores.into_inner(), 0, "a table that is settled stays as it is");
    }

    /// As the packet path does it: no key, if the filter does not know it.
    fn may_hold(table: &[SharedNarrow], key: u64) -> bool {
        let hash = Hash::of(key);
        let home = &table[(hash.home() & (table.len() as u32 - 1)) as usize];
        let filter = home.filter().load(Ordering::Relaxed);
        let is_away = home.keys().iter().all(|k| k.load(Ordering::Relaxed) != key);
        filter & hash.mark() != 0 && (!is_away || filter & AWAY != 0)
    }

    #[test]
    fn filters_know_all_keys_and_few_others_while_keys_come_and_go_and_the_table_doubles() {
        let memory = memory(8_192);
        let mut buckets = 16;
        for i in 0..6_000 {
            while !part(&memory, buckets).insert(key(i), i) {
                let large = part(&memory, 2 * buckets);
                large.unfold();
                assert!(
                    (0..i).filter(|i| i % 3 != 1).all(|i| may_hold(&memory[..buckets], key(i)))
                );
                buckets *= 2;
                assert!(
                    (0..i).filter(|i| i % 3 != 1).all(|i| may_hold(&memory[..buckets], key(i)))
                );
                large.settle();
            }
            if i % 3 == 2 {
                assert!(part(&memory, buckets).remove(key(i - 1)));
            }
        }
        let table = &memory[..buckets];
        assert!((0..6_000).filter(|i| i % 3 != 1).all(|i| may_hold(table, key(i))));
        let strangers = (10_000..20_000).filter(|i| may_hold(table, key(*i))).count();
        assert!(strangers < 2_000, "{strangers} of 10000 unknown keys are looked for");
        (0..6_000)
            .filter(|i| i % 3 != 1)
            .for_each(|i| assert!(part(table, buckets).remove(key(i))));
        part(table, buckets).settle();
        assert!(table.iter().all(|bucket| bucket.filter().load(Ordering::Relaxed) == 0));
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
        let memory: Vec<_> = (0..16).map(|_| SharedNarrow::default()).collect();
        let table = Table::new(&memory);
        let placed: Vec<_> = (0..1_000).filter(|i| table.insert(key(*i), *i)).collect();
        assert!(placed.len() <= 96 && placed.len() > 72, "{} of 96 slots used", placed.len());
        assert!(placed.iter().all(|i| table.get(key(*i)) == Some(*i)));
    }
}
