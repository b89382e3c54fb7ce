//! One routing table of one family: ordered by address and length, so that a longest-prefix match
//! takes a few steps and all prefixes below another stand in a row.

use std::collections::BTreeMap;

use super::{address::Address, entry::Entry};

/// Entries by network address and prefix length.
#[derive(Clone, Debug)]
pub(super) struct Table<A>(BTreeMap<(A, u8), Entry>);

impl<A> Default for Table<A> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<A: Address> Table<A> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, address: A, length: u8) -> Option<&Entry> {
        self.0.get(&(address, length))
    }

    pub(super) fn insert(&mut self, address: A, length: u8, entry: Entry) {
        self.0.insert((address, length), entry);
    }

    pub(super) fn remove(&mut self, address: A, length: u8) {
        self.0.remove(&(address, length));
    }

    /// The longest prefix of at most `length` bits that contains `address`.
    ///
    /// The greatest key up to (address, length) is either it, or has only some leading bits in
    /// common with the address; then nothing longer than these can match.
    pub(super) fn longest(&self, address: A, length: u8) -> Option<((A, u8), &Entry)> {
        let mut bound = (address.first(length), length);
        loop {
            let (key, entry) = self.0.range(..=bound).next_back()?;
            let common = key.0.common(address);
            if key.1 <= common {
                return Some((*key, entry));
            }
            bound = (address.first(common), common);
        }
    }

    /// All prefixes that are equal to one or inside it.
    pub(super) fn within(&self, address: A, length: u8) -> impl Iterator<Item = (A, u8)> {
        let range = (address, length)..=(address.last(length), A::BITS);
        self.0.range(range).map(|(key, _)| *key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (A, u8)> {
        self.0.keys().copied()
    }
}
