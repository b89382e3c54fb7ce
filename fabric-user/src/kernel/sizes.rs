//! How large the maps are whose size the settings decide.

use fabric_common::{
    schema::{MapSpec, fdb, hosts, hosts6, limits::Limits, trie},
    table::{Narrow, Wide, buckets_for},
};

/// Words of a root of the trie: one per view and family.
const ROOT: u32 = fabric_common::trie::DIRECT;
/// Roots for which there is room in any case.
const ROOTS: u32 = 8;
/// Words per prefix that suffice for tables like those of the Internet, twice, because a restarted
/// daemon builds a new trie beside the old one.
const WORDS_PER_PREFIX: u32 = 7;

/// Sizes of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Buckets of `fdb`, a power of two.
    pub fdb: u32,
    /// Buckets of `hosts`, a power of two.
    pub hosts: u32,
    /// Buckets of `hosts6`, a power of two.
    pub hosts6: u32,
    /// Entries of `addresses6`, a power of two.
    pub addresses6: u32,
    /// Words of `trie`, a power of two.
    pub trie: u32,
}

impl Default for Sizes {
    /// As the schema has them.
    fn default() -> Self {
        Self {
            fdb: fdb::BUCKETS,
            hosts: hosts::BUCKETS,
            hosts6: hosts6::BUCKETS,
            addresses6: hosts6::ADDRESSES,
            trie: trie::WORDS,
        }
    }
}

/// At least so many, and a number that the packet path can mask indexes by. The kernel takes no element
/// of 2 GiB, which the largest that the settings allow do not reach.
const fn power_of_two(entries: u32) -> u32 {
    match entries.checked_next_power_of_two() {
        Some(power) if power <= 1 << 27 => power,
        _ => 1 << 27,
    }
}

impl Sizes {
    /// Sizes for so many MAC addresses, hosts of each family, and prefixes.
    #[must_use]
    pub fn for_entries(macs: u32, hosts: u32, prefixes: u32) -> Self {
        Self {
            fdb: buckets_for::<Narrow>(macs),
            hosts: buckets_for::<Wide>(hosts),
            hosts6: buckets_for::<Wide>(hosts),
            addresses6: power_of_two(hosts),
            trie: power_of_two(
                prefixes.saturating_mul(WORDS_PER_PREFIX).saturating_add(ROOTS * ROOT),
            ),
        }
    }

    /// The same for the programs, on a machine that may have so many CPUs.
    #[must_use]
    pub const fn limits(&self, cpus: u32) -> Limits {
        Limits {
            fdb_mask: self.fdb - 1,
            hosts_mask: self.hosts - 1,
            hosts6_mask: self.hosts6 - 1,
            addresses6_mask: self.addresses6 - 1,
            trie_mask: self.trie - 1,
            cpus,
        }
    }

    /// Number of entries of a map, for each CPU if it counts.
    #[must_use]
    pub fn entries(&self, spec: &MapSpec) -> u32 {
        match spec.name {
            "fdb" | "fdb_times" => self.fdb,
            "hosts" => self.hosts,
            "hosts6" => self.hosts6,
            "addresses6" => self.addresses6,
            "trie" => self.trie,
            _ => spec.max_entries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn the_default_settings_give_the_sizes_of_the_schema() {
        assert_eq!(Settings::default().sizes(), Sizes::default());
    }
}
