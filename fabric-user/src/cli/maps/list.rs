//! The list of all maps.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use anyhow::Context as _;
use aya::maps::{MapData, MapInfo};
use fabric_common::{
    reason::Reason,
    schema::{Kind, MAPS, buckets::CHUNK, fdb::KIND_LOCAL, groups::Choice, local_addresses::WORDS},
    table::{Bucket, Narrow, Wide},
};
use serde_json::json;

use super::{Source, local_addresses, tx_ports};
use crate::{
    cli::{
        format::{bytes, share},
        routes::{Width, words_used},
        sheet::{Cell, Column, Sheet},
    },
    kernel::blocks,
};

const COLUMNS: &[Column] = &[
    Column::text("map", "MAP"),
    Column::text("type", "TYPE"),
    Column::number("used", "USED"),
    Column::number("max", "MAX"),
    Column::number("fill_percent", "FILL"),
    Column::number("value_bytes", "VALUE"),
    Column::number("memory_bytes", "MEMORY"),
    Column::text("about", "WHAT").cut(),
    Column::number("id", "ID").detail(),
];

pub(super) fn sheet(source: &Source<'_>) -> anyhow::Result<Sheet> {
    let mut sheet = Sheet::new(COLUMNS, "there are no maps");
    let targets = tx_ports::targets(source.chosen)?.len();
    let cpus = blocks::cpus()?;
    for spec in MAPS {
        let data = MapData::from_pin(source.chosen.instance.map(spec.name))
            .with_context(|| format!("cannot open the map {}", spec.name))?;
        let info = data.info().with_context(|| format!("cannot look at the map {}", spec.name))?;
        let (used, places) = used(spec.name, source, targets);
        let entries = spec.entries(info.value_size(), info.max_entries(), cpus);
        let max = u64::from(entries) * places;
        sheet.row([
            spec.name.into(),
            kind(spec.kind).into(),
            used.into(),
            max.into(),
            Cell::new(share(used, max), json!(used as f64 * 100.0 / max as f64)),
            spec.value_size.into(),
            memory(&data).map_or_else(Cell::none, |size| Cell::new(bytes(size), size)),
            spec.about.into(),
            id(&info).into(),
        ]);
    }
    Ok(sheet)
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Block => "array",
        Kind::PerCpuBlock => "percpu",
        Kind::DevMap => "devmap",
    }
}

const fn id(info: &MapInfo) -> u32 {
    info.id()
}

/// How many entries are in use, and how many fit into an element. Counters are in use when what
/// they count is there.
fn used(map: &str, source: &Source<'_>, targets: usize) -> (u64, u64) {
    let (narrow, wide) = (u64::from(Narrow::SLOTS), u64::from(Wide::SLOTS));
    let (contents, maps) = (&source.view.contents, &source.maps);
    let (used, places) = match map {
        "settings" => (1, 1),
        "ports" | "port_tx" => (contents.ports.len(), 1),
        "vlans" => {
            let mut ports: Vec<u32> = contents.vlans.keys().map(|(port, _)| *port).collect();
            ports.dedup();
            (ports.len(), 1)
        }
        "circuits" => (contents.circuits.len(), 1),
        "domains" => (contents.domains.len(), 1),
        "domains6" => (contents.domains6.len(), 1),
        "fdb" => (contents.fdb.len(), narrow),
        "fdb_times" => {
            (contents.fdb.iter().filter(|entry| entry.kind == KIND_LOCAL).count(), narrow)
        }
        "vteps" | "vtep_traffic" => (contents.vteps.len(), 1),
        "reverse_paths" => (contents.reverse_paths.len(), 1),
        "peers" => (contents.peers.len(), narrow),
        "vnis" => (contents.vnis.len(), narrow),
        "local_addresses" => (local_addresses::bits_set(source) as usize, WORDS as u64 * 64),
        "views" => (maps.views.iter().filter(|(_, v)| v.root4 != 0 || v.root6 != 0).count(), 1),
        "hosts" => (maps.hosts.table().iter().count(), wide),
        "hosts6" => (maps.hosts6.table().iter().count(), wide),
        "addresses6" => (maps.addresses6.iter().filter(|(_, entry)| entry.view != 0).count(), 1),
        "trie" => return (trie_words(source), 1),
        "groups" => (contents.groups.len(), 1),
        "buckets" => (chunks(source, |_| true), 1),
        "bucket_use" => (chunks(source, |timed| timed), 1),
        "nexthops" => (contents.nexthops.len(), 1),
        "tx_ports" => (targets, 1),
        "reasons" => (contents.ports.len() * Reason::ALL.len(), 1),
        "domain_traffic" => (contents.domains.values().filter(|d| d.vni != 0).count(), 1),
        _ => (0, 1),
    };
    (used as u64, places)
}

/// Words of the trie that some view leads to.
fn trie_words(source: &Source<'_>) -> u64 {
    let words = &source.maps.trie;
    let used = source.maps.views.iter().map(|(_, view)| {
        words_used(words, view.root4, Width::V4) + words_used(words, view.root6, Width::V6)
    });
    used.sum()
}

/// Chunks of the groups for which `wanted` is true, given whether they are resilient.
fn chunks(source: &Source<'_>, wanted: impl Fn(bool) -> bool) -> usize {
    let groups = source.view.contents.groups.values();
    let chunks = groups.map(|group| match group.choice {
        Choice::Spread { count, timed, .. } if wanted(timed) => count.div_ceil(CHUNK) as usize,
        _ => 0,
    });
    chunks.sum()
}

/// Bytes that the kernel holds for the map (`memlock` of its fdinfo).
fn memory(map: &MapData) -> Option<u64> {
    let path = format!("/proc/self/fdinfo/{}", map.fd().as_fd().as_raw_fd());
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok())
}
