//! The daemon's side: the only writer, while the packet path reads.

extern crate std;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::{vec, vec::Vec};

use super::{AWAY, Bucket, Hash, Shared};

/// What tells readers that keys change their places: a number that they read in front of a search and
/// behind one that has found nothing.
pub trait Moves: core::fmt::Debug {
    /// Keys stand at their new places and are about to leave the old ones: the number grows.
    fn moved(&self);
}

/// Where a key is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Spot {
    bucket: usize,
    slot: usize,
}

/// What stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<R> {
    /// The key, or its fingerprint.
    pub key: u64,
    /// What that leaves open of the key.
    pub rest: R,
    /// What the key leads to.
    pub target: u32,
    /// When the packet path last showed the owner of the key to the kernel, in jiffies.
    pub shown: u32,
}

/// What stands in a slot of a table of such buckets.
type EntryOf<S> = Entry<RestOf<S>>;
type RestOf<S> = <<S as Shared>::Plain as Bucket>::Rest;

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

    fn entry(&self, spot: Spot) -> EntryOf<S> {
        Entry {
            key: self.key(spot),
            rest: self.buckets[spot.bucket].rest(spot.slot),
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

    fn fill(&self, spot: Spot, entry: &EntryOf<S>) {
        let bucket = &self.buckets[spot.bucket];
        self.mark(entry.key, spot.bucket);
        bucket.keys()[spot.slot].store(0, Ordering::Release);
        bucket.set_target(spot.slot, entry.target);
        bucket.set_rest(spot.slot, entry.rest);
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
        // 0 marks free slots.
        if key == 0 {
            return None;
        }
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

    /// The target of the key with this fingerprint and rest.
    #[must_use]
    pub fn get_long(&self, key: u64, rest: RestOf<S>) -> Option<u32> {
        let entry = self.entry(self.find(key)?);
        (entry.rest == rest).then_some(entry.target)
    }

    /// Adds `key` or changes its target with one store. False when both of its buckets are
    /// full and no entry of theirs can move, not even after one in its other bucket: the table is then as it
    /// was.
    #[must_use]
    pub fn insert(&self, key: u64, target: u32) -> bool
    where
        S::Plain: Bucket<Rest = ()>,
    {
        self.insert_long(key, (), target)
    }

    /// As [`Self::insert`], for a key with this fingerprint and rest. False also when another key with the
    /// fingerprint is there.
    #[must_use]
    pub fn insert_long(&self, key: u64, rest: RestOf<S>, target: u32) -> bool {
        debug_assert_ne!(key, 0, "0 marks a free slot");
        if let Some(spot) = self.find(key) {
            if self.entry(spot).rest != rest {
                return false;
            }
            self.buckets[spot.bucket].set_target(spot.slot, target);
            self.count(1);
            return true;
        }
        let spot = self
            .preferred(key)
            .or_else(|| self.free(key))
            .or_else(|| self.spots(key).find(|spot| self.move_away(*spot)))
            .or_else(|| self.spots(key).find(|spot| self.move_two(*spot)));
        if let Some(spot) = spot {
            self.fill(spot, &Entry { key, rest, target, shown: 0 });
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

    /// As [`Self::move_away`], where another entry has to make room first.
    fn move_two(&self, spot: Spot) -> bool {
        let mut others = self.spots(self.key(spot)).filter(|other| other.bucket != spot.bucket);
        others.any(|other| self.move_away(other)) && self.move_away(spot)
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

    /// All entries, in no order, without those that another process changes meanwhile.
    pub fn entries(&self) -> impl Iterator<Item = EntryOf<S>> + use<'a, S> {
        let table = *self;
        self.all(self.buckets.len()).filter_map(move |spot| {
            let entry = table.entry(spot);
            (entry.key != 0 && table.key(spot) == entry.key).then_some(entry)
        })
    }

    /// All entries as (key, target, shown), in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32, u32)> + use<'a, S> {
        self.entries().map(|Entry { key, target, shown, .. }| (key, target, shown))
    }
}

#[cfg(test)]
mod tests;
