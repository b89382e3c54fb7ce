//! The table of MAC addresses, which takes no more of its array than it needs: the fewer cache lines
//! it is spread over, the more of them stay near the processor.

use fabric_common::table::{SLOTS, Table};

use super::maps::Maps;

/// A smaller table would gain nothing: this one fits into any cache.
const SMALLEST: u32 = 64;

impl Maps {
    /// The MAC addresses, in the part of `fdb` that is in use.
    #[must_use]
    pub fn fdb_table(&self) -> Table<'_> {
        self.fdb.first_buckets(self.settings.get(0).fdb_mask.saturating_add(1).min(self.fdb.len()))
    }

    /// Takes away what an earlier daemon, which ended while the table doubled, left in its old places.
    /// Returns the number of entries.
    #[must_use]
    pub fn recover_fdb(&self) -> usize {
        let table = self.fdb_table();
        table.settle();
        table.iter().count()
    }

    /// Doubles the table until `macs` entries take at most three quarters of it, or until all of
    /// `fdb` is in use.
    pub fn fit_fdb(&self, macs: usize) {
        let fits = |buckets: u32| buckets >= SMALLEST && macs * 4 <= buckets as usize * SLOTS * 3;
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
        let table = self.fdb.first_buckets(buckets);
        table.unfold();
        self.settings.update(0, |settings| settings.fdb_mask = buckets - 1);
        table.settle();
        true
    }
}
