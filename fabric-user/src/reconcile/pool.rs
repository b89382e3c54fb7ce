//! Ranges of an array's entries, given out and taken back.

use std::collections::BTreeMap;

/// Entries 1 to `capacity - 1` of a map; 0 always means "none".
#[derive(Debug)]
pub(super) struct Pool {
    /// Length by start. Neighbours are joined.
    free: BTreeMap<u32, u32>,
}

impl Pool {
    pub(super) fn new(capacity: u32) -> Self {
        Self { free: BTreeMap::from([(1, capacity - 1)]) }
    }

    /// Takes over a range that an earlier daemon gave out; false if it is not free.
    pub(super) fn adopt(&mut self, start: u32, length: u32) -> bool {
        let Some((&from, &size)) = self.free.range(..=start).next_back() else {
            return false;
        };
        let end = from + size;
        if length == 0 || start + length > end {
            return false;
        }
        self.free.remove(&from);
        self.give_back(from, start - from);
        self.give_back(start + length, end - start - length);
        true
    }

    /// A range of `length` entries, or `None` if there is none.
    pub(super) fn allocate(&mut self, length: u32) -> Option<u32> {
        let (&start, &size) = self.free.iter().find(|(_, size)| **size >= length)?;
        self.free.remove(&start);
        self.give_back(start + length, size - length);
        Some(start)
    }

    /// Takes a range back, which has rested (see [`super::rest`]).
    pub(super) fn give_back(&mut self, mut start: u32, mut length: u32) {
        if length == 0 {
            return;
        }
        if let Some((&before, &size)) = self.free.range(..start).next_back()
            && before + size == start
        {
            self.free.remove(&before);
            (start, length) = (before, size + length);
        }
        if let Some(after) = self.free.remove(&(start + length)) {
            length += after;
        }
        self.free.insert(start, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_do_not_overlap_and_entry_0_is_never_given_out() {
        let mut pool = Pool::new(100);
        let ranges: Vec<u32> = (0..9).map(|_| pool.allocate(10).unwrap()).collect();
        assert_eq!(ranges, [1, 11, 21, 31, 41, 51, 61, 71, 81]);
        assert_eq!(pool.allocate(10), None, "nine entries are left");
        assert_eq!(pool.allocate(9), Some(91));
    }

    #[test]
    fn a_range_is_taken_until_it_is_given_back_and_adopted_ones_are_taken() {
        let mut pool = Pool::new(33);
        assert!(pool.adopt(9, 8));
        assert!(!pool.adopt(10, 2), "it is in use");
        assert_eq!(pool.allocate(9), Some(17));
        assert_eq!(pool.allocate(9), None);
        pool.give_back(17, 9);
        assert_eq!(pool.allocate(9), Some(17));
        assert_eq!(pool.allocate(8), Some(1));
    }
}
