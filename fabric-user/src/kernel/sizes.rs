//! How large the maps are whose size the settings decide.

use fabric_common::{
    reason::REASONS,
    schema::{MapSpec, counters::Counter, fdb, hosts, hosts6, ports, trie, vlans},
    table::{Long, Narrow, Wide, buckets_for},
};

/// Words of a root of the trie: one per view and family.
const ROOT: u32 = fabric_common::trie::DIRECT;
/// Roots for which there is room in any case.
const ROOTS: u32 = 8;
/// Words per prefix that suffice for tables like those of the Internet, twice, because a restarted
/// daemon builds a new trie beside the old one.
const WORDS_PER_PREFIX: u32 = 7;

/// What the counters of reasons may take on all CPUs together.
const REASONS_BYTES: u32 = 64 << 20;
/// Rows of them that there are on any machine, if there are so many ports.
const LEAST_ROWS: u32 = 64;
/// Tables of VLANs that there are in any case.
const LEAST_TABLES: u32 = 16;

/// Sizes of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Buckets of `fdb`, a power of two.
    pub fdb: u32,
    /// Buckets of `hosts`, a power of two.
    pub hosts: u32,
    /// Buckets of `hosts6`, a power of two.
    pub hosts6: u32,
    /// Words of `trie`, a power of two.
    pub trie: u32,
    /// Entries of `ports`, `port_tx` and `tx_ports`, a power of two.
    pub ports: u32,
    /// Entries of `vlans`, a power of two.
    pub vlans: u32,
}

impl Default for Sizes {
    /// As the schema has them.
    fn default() -> Self {
        Self {
            fdb: fdb::BUCKETS,
            hosts: hosts::BUCKETS,
            hosts6: hosts6::BUCKETS,
            trie: trie::WORDS,
            ports: ports::MAX,
            vlans: vlans::TABLES,
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
    /// Sizes for so many MAC addresses, hosts of each family, prefixes, and ports.
    #[must_use]
    pub fn for_entries(macs: u32, hosts: u32, prefixes: u32, ports: u32) -> Self {
        let ports = power_of_two(ports);
        Self {
            fdb: buckets_for::<Narrow>(macs),
            hosts: buckets_for::<Wide>(hosts),
            hosts6: buckets_for::<Long>(hosts),
            trie: power_of_two(
                prefixes.saturating_mul(WORDS_PER_PREFIX).saturating_add(ROOTS * ROOT),
            ),
            ports: 2 * ports,
            vlans: (ports / 4).max(LEAST_TABLES),
        }
    }

    /// The number that the programs call `name`, on a machine that may have so many CPUs; `None` if
    /// there is none. Masks are the sizes of blocks less one.
    #[must_use]
    pub fn limit(&self, name: &str, cpus: u32) -> Option<u32> {
        let size = match name {
            "cpus" => return Some(cpus),
            "ports" => return Some(self.ports),
            "reasons" => return Some(self.rows(cpus) * REASONS),
            "fdb_mask" => self.fdb,
            "hosts_mask" => self.hosts,
            "hosts6_mask" => self.hosts6,
            "trie_mask" => self.trie,
            "ports_mask" => self.ports,
            "vlans_mask" => self.vlans,
            "reasons_mask" => self.rows(cpus) * REASONS,
            _ => return None,
        };
        Some(size - 1)
    }

    /// Rows of `reasons`: one for each port, or as many as the counters of so many CPUs have room for.
    #[must_use]
    pub fn rows(&self, cpus: u32) -> u32 {
        let room = REASONS_BYTES / (REASONS * size_of::<Counter>() as u32) / cpus.max(1);
        // The largest power of two among them.
        let room = 1 << room.max(LEAST_ROWS).ilog2();
        room.min(self.ports / 2)
    }

    /// Number of entries of a map on a machine that may have so many CPUs, for each of them if it
    /// counts.
    #[must_use]
    pub fn entries(&self, spec: &MapSpec, cpus: u32) -> u32 {
        match spec.name {
            "ports" | "port_tx" | "tx_ports" => self.ports,
            "vlans" => self.vlans,
            "reasons" => self.rows(cpus) * REASONS,
            "fdb" | "fdb_times" => self.fdb,
            "hosts" => self.hosts,
            "hosts6" => self.hosts6,
            "trie" => self.trie,
            _ => spec.max_entries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabric_common::schema::{Kind, MAPS};

    use crate::settings::Settings;

    /// What the verifier lets a program add to an address is less (`BPF_MAX_VAR_OFF` of
    /// `include/linux/bpf_verifier.h`).
    const REACH: u64 = 1 << 29;

    #[test]
    fn the_largest_settings_give_maps_of_which_programs_reach_every_entry() {
        let sizes = Sizes::for_entries(16_777_216, 8_388_608, 8_388_608, 32_768);
        for spec in MAPS.iter().filter(|spec| spec.kind == Kind::Block) {
            let bytes = u64::from(sizes.entries(spec, 1)) * u64::from(spec.value_size);
            assert!(bytes <= REACH, "{}: {bytes}", spec.name);
        }
        let largest = Settings {
            fdb_entries: 16_777_216,
            host_entries: 8_388_608,
            prefix_entries: 8_388_608,
            port_entries: 32_768,
            ..Settings::default()
        };
        assert_eq!(largest.sizes(), sizes);
        largest.check().expect("these are the largest");
        let more = [
            Settings { fdb_entries: 16_777_217, ..Settings::default() },
            Settings { host_entries: 8_388_609, ..Settings::default() },
            Settings { prefix_entries: 8_388_609, ..Settings::default() },
            Settings { port_entries: 32_769, ..Settings::default() },
        ];
        assert!(more.iter().all(|settings| settings.check().is_err()));
    }

    #[test]
    fn the_default_settings_give_the_sizes_of_the_schema() {
        assert_eq!(Settings::default().sizes(), Sizes::default());
    }

    #[test]
    fn counters_of_many_cpus_have_fewer_rows_and_never_outgrow_their_memory() {
        let sizes = Sizes::default();
        for (cpus, rows) in [(1, 4096), (8, 4096), (16, 2048), (64, 512), (100, 256), (4096, 64)] {
            assert_eq!(sizes.rows(cpus), rows, "{cpus} CPUs");
        }
        let few = Sizes { ports: 32, ..sizes };
        assert_eq!(few.rows(2), 16);
    }
}
