//! The table of MAC addresses, which takes no more of its array than it needs: the fewer cache lines
//! it is spread over, the more of them stay near the processor.

use fabric_common::table::{Bucket as _, Narrow, SharedNarrow, Table};

use super::maps::Maps;

/// A smaller table would gain nothing: this one fits into any cache.
const SMALLEST: u32 = 64;
/// Tables of up to so many buckets (128 KiB) stay in a processor's own caches whatever their load, and
/// the fewer entries they hold the more of these stand where the packet path looks first.
const CHEAP: u32 = 2_048;

impl Maps {
    /// The MAC addresses, in the part of `fdb` that is in use.
    #[must_use]
    pub fn fdb_table(&self) -> Table<'_, SharedNarrow> {
        self.fdb_part(self.settings.get(0).fdb_mask.saturating_add(1).min(self.fdb.len()))
    }

    fn fdb_part(&self, buckets: u32) -> Table<'_, SharedNarrow> {
        self.fdb.first_buckets(buckets).with_times(self.fdb_times.times())
    }

    /// Takes away what an earlier daemon, which ended while the table doubled, left in its old places.
    /// Returns the number of entries.
    #[must_use]
    pub fn recover_fdb(&self) -> usize {
        let table = self.fdb_table();
        table.settle();
        table.iter().count()
    }

    /// Doubles the table until `macs` entries take at most three quarters of it, or a third of a small
    /// one, or until all of `fdb` is in use.
    pub fn fit_fdb(&self, macs: usize) {
        let fits = |buckets: u32| {
            let slots = buckets as usize * Narrow::SLOTS as usize;
            let full = if buckets <= CHEAP { macs * 3 > slots } else { macs * 4 > slots * 3 };
            buckets >= SMALLEST && !full
        };
        while !fits(self.fdb_table().len()) && self.double_fdb() {}
    }

    /// Adds an entry or changes its target, in a table of twice the size if both of its buckets are
    /// full. False if all of `fdb` is in use already.
    #[must_use]
    pub fn insert_mac(&self, key: u64, target: u32) -> bool {
        while !self.fdb_table().insert(key, target) {
            if !self.double_fdb() {
                return false;
            }
        }
        true
    }

    /// False if there is no more of `fdb`. The packet path finds every entry meanwhile, but for
    /// packets on their way in the moment in which the old places of moved entries are freed; these go
    /// to the kernel.
    fn double_fdb(&self) -> bool {
        let buckets = self.fdb_table().len() * 2;
        if buckets > self.fdb.len() {
            return false;
        }
        let table = self.fdb_part(buckets);
        table.unfold();
        self.settings.update(0, |settings| settings.fdb_mask = buckets - 1);
        table.settle();
        true
    }
}
