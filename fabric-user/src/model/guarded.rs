//! Destinations that are left to the kernel whatever routes say.

use std::collections::BTreeSet;

use serde::Serialize;

use super::routes::{never_forwarded, normal};
use crate::observe::Prefix;

/// Prefixes whose addresses are all left to the kernel, also where a longer prefix leads somewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Guarded {
    prefixes: BTreeSet<Prefix>,
    /// Those that occur: by IPv6, and length.
    lengths: BTreeSet<(bool, u8)>,
}

impl Guarded {
    /// These prefixes, without what is never forwarded anyway.
    pub(super) fn new(prefixes: impl IntoIterator<Item = Prefix>) -> Self {
        let prefixes = prefixes.into_iter().filter_map(normal);
        let prefixes: BTreeSet<Prefix> =
            prefixes.filter(|prefix| !never_forwarded(*prefix)).collect();
        let lengths = prefixes.iter().map(|each| (each.address.is_ipv6(), each.length)).collect();
        Self { prefixes, lengths }
    }

    /// With some more prefixes.
    pub(super) fn and(self, more: impl IntoIterator<Item = Prefix>) -> Self {
        Self::new(self.prefixes.into_iter().chain(more))
    }

    /// The prefixes of a family.
    pub(super) fn of(&self, v6: bool) -> impl Iterator<Item = Prefix> {
        self.prefixes.iter().filter(move |prefix| prefix.address.is_ipv6() == v6).copied()
    }

    /// Whether it is one of the prefixes.
    pub(super) fn contains(&self, prefix: Prefix) -> bool {
        self.prefixes.contains(&prefix)
    }

    /// Whether one of the prefixes is this one or around it.
    pub(super) fn covers(&self, prefix: Prefix) -> bool {
        let v6 = prefix.address.is_ipv6();
        let lengths = self.lengths.range((v6, 0)..=(v6, prefix.length));
        let mut around =
            lengths.filter_map(|(_, length)| normal(Prefix { length: *length, ..prefix }));
        around.any(|prefix| self.contains(prefix))
    }

    /// The prefixes that only one of both has.
    pub(super) fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Prefix> {
        self.prefixes.symmetric_difference(&other.prefixes).copied()
    }
}
