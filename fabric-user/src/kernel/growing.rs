//! Hash tables that take no more of their arrays than they need: the fewer cache lines they are spread over,
//! the more of them stay near the processor.

use fabric_common::{
    schema::{fdb::Times, settings::Settings},
    table::{Bucket, Entry, Long, Moves, Narrow, Share, Table, Wide},
};

use super::{
    maps::Maps,
    memory::{Atomics, MappedArray},
};

/// A smaller table would gain nothing: this one fits into any cache.
const SMALLEST: u32 = 64;
/// Tables of up to so many buckets (128 KiB) stay in a processor's own caches whatever their load, and
/// the fewer entries they hold the more of these stand where the packet path looks first.
const CHEAP: u32 = 2_048;

/// Such a table, of which the first buckets are in use; how many, the settings say.
pub struct Growing<'a, B> {
    array: &'a MappedArray<B>,
    times: Option<&'a MappedArray<Times>>,
    settings: &'a MappedArray<Settings>,
    mask: fn(&mut Settings) -> &mut u32,
    /// What a miss means depends on it.
    moves: Option<&'a MappedArray<Settings>>,
}

impl Moves for MappedArray<Settings> {
    fn moved(&self) {
        self.update(0, |settings| settings.moves = settings.moves.wrapping_add(1));
    }
}

impl Maps {
    /// The MAC addresses.
    #[must_use]
    pub fn fdb_table(&self) -> Growing<'_, Narrow> {
        Growing {
            array: &self.fdb,
            times: Some(&self.fdb_times),
            settings: &self.settings,
            mask: |settings| &mut settings.fdb_mask,
            moves: None,
        }
    }

    /// The IPv4 hosts.
    #[must_use]
    pub fn hosts_table(&self) -> Growing<'_, Wide> {
        self.table_of_hosts(&self.hosts, |settings| &mut settings.hosts_mask)
    }

    /// The IPv6 hosts.
    #[must_use]
    pub fn hosts6_table(&self) -> Growing<'_, Long> {
        self.table_of_hosts(&self.hosts6, |settings| &mut settings.hosts6_mask)
    }

    /// Where no host is found a prefix decides, so readers are told when hosts move.
    const fn table_of_hosts<'a, B>(
        &'a self,
        array: &'a MappedArray<B>,
        mask: fn(&mut Settings) -> &mut u32,
    ) -> Growing<'a, B> {
        let settings = &self.settings;
        Growing { array, times: None, settings, mask, moves: Some(settings) }
    }
}

impl<'a, B: bytemuck::Pod + Share<Shared: Atomics>> Growing<'a, B> {
    /// The part that is in use, as it is at this moment.
    #[must_use]
    pub fn table(&self) -> Table<'a, B::Shared> {
        let mask = *(self.mask)(&mut self.settings.get(0));
        self.part(mask.saturating_add(1).min(self.array.len()))
    }

    fn part(&self, buckets: u32) -> Table<'a, B::Shared> {
        let mut table = self.array.first_buckets(buckets);
        if let Some(times) = self.times {
            table = table.with_times(times.times());
        }
        if let Some(moves) = self.moves {
            table = table.telling(moves);
        }
        table
    }

    /// The target of `key`.
    #[must_use]
    pub fn get(&self, key: u64) -> Option<u32> {
        self.table().get(key)
    }

    /// The target of the key with this fingerprint and rest.
    #[must_use]
    pub fn get_long(&self, key: u64, rest: B::Rest) -> Option<u32> {
        self.table().get_long(key, rest)
    }

    /// All entries, in no order; see [`Table::entries`].
    pub fn entries(&self) -> impl Iterator<Item = Entry<B::Rest>> + use<'a, B> {
        self.table().entries()
    }

    /// All entries as (key, target, shown), in no order; see [`Table::iter`].
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32, u32)> + use<'a, B> {
        self.table().iter()
    }

    /// Removes `key`; false if it was not there.
    pub fn remove(&self, key: u64) -> bool {
        self.table().remove(key)
    }

    /// Takes away what an earlier daemon, which ended while the table doubled or an entry moved, left in
    /// old places.
    /// Returns the number of entries.
    #[must_use]
    pub fn recover(&self) -> usize {
        let table = self.table();
        table.settle();
        table.iter().count()
    }

    /// Doubles the table until `entries` take at most three quarters of it, or a third of a small one, or
    /// until all of the array is in use.
    pub fn fit(&self, entries: usize) {
        let fits = |buckets: u32| {
            let slots = buckets as usize * B::SLOTS as usize;
            let full = if buckets <= CHEAP { entries * 3 > slots } else { entries * 4 > slots * 3 };
            buckets >= SMALLEST && !full
        };
        while !fits(self.table().len()) && self.double() {}
    }

    /// Adds an entry or changes its target, in a table of twice the size if both of its buckets are
    /// full. False if all of the array is in use already.
    #[must_use]
    pub fn insert(&self, key: u64, target: u32) -> bool
    where
        B: Bucket<Rest = ()>,
    {
        self.insert_long(key, (), target)
    }

    /// As [`Self::insert`], for a key with this fingerprint and rest. False also if another key with the
    /// fingerprint is there.
    #[must_use]
    pub fn insert_long(&self, key: u64, rest: B::Rest, target: u32) -> bool {
        if self.get(key).is_some() && self.get_long(key, rest).is_none() {
            return false;
        }
        while !self.table().insert_long(key, rest, target) {
            if !self.double() {
                return false;
            }
        }
        true
    }

    /// False if there is no more of the array. The packet path finds every entry meanwhile, but for
    /// packets on their way in the moment in which the old places of moved entries are freed. These go
    /// to the kernel: with the FDB because every miss does, with hosts because [`Settings::moves`] says
    /// that a miss may not be one.
    fn double(&self) -> bool {
        let buckets = self.table().len() * 2;
        if buckets > self.array.len() {
            return false;
        }
        let table = self.part(buckets);
        table.unfold();
        self.settings.update(0, |settings| *(self.mask)(settings) = buckets - 1);
        table.settle();
        true
    }
}
