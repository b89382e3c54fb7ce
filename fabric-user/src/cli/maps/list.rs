//! The list of all maps.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use anyhow::Context as _;
use aya::maps::MapData;
use fabric_common::{
    schema::{Kind, MAPS},
    table::{Bucket, Long, Narrow, Wide},
};

use super::{Source, redirect_targets};
use crate::{
    cli::{
        contents::Contents,
        routes::words_used,
        row::{Said, percent, rows, size},
        view::View,
    },
    kernel::{blocks, maps::Maps},
};

rows! {
    /// A map.
    pub(super) struct MapRow, "there are no maps" {
        /// Its name.
        "MAP" map: &'static str,
        /// `array`, `percpu` (an array for each CPU) or `devmap`.
        "TYPE" r#type: &'static str,
        /// Number of entries in use; of counters those that have counted.
        "USED" used: u64,
        /// Number of entries for which there is room.
        "MAX" max: u64,
        /// Part of them that is in use, in percent.
        "FILL" [right] fill_percent: Said<Option<f64>>,
        /// Size of an entry in bytes, of tables of a bucket.
        "VALUE" value_bytes: u32,
        /// Memory that the kernel holds for it, in bytes.
        "MEMORY" [right] memory_bytes: Option<Said<u64>>,
        /// What it holds.
        "WHAT" [cut] about: &'static str,
        /// The kernel's number for it.
        "ID" [detail] id: u32,
    }
}

pub(super) fn rows(source: &Source<'_>) -> anyhow::Result<Vec<MapRow>> {
    let cpus = blocks::cpus()?;
    let mut rows = Vec::new();
    for spec in MAPS {
        let data = MapData::from_pin(source.chosen.instance.map(spec.name))
            .with_context(|| format!("cannot open the map {}", spec.name))?;
        let info = data.info().with_context(|| format!("cannot look at the map {}", spec.name))?;
        let used = match spec.name {
            "tx_ports" => redirect_targets(source.chosen)?.len() as u64,
            name => used(name, &source.maps, &source.view),
        };
        let entries = spec.entries(info.value_size(), info.max_entries(), cpus);
        let max = u64::from(entries) * places(spec.name);
        rows.push(MapRow {
            map: spec.name,
            r#type: kind(spec.kind),
            used,
            max,
            fill_percent: percent(used, max),
            value_bytes: spec.value_size,
            memory_bytes: memory(&data).map(size),
            about: spec.about,
            id: info.id(),
        });
    }
    Ok(rows)
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Block => "array",
        Kind::PerCpuBlock => "percpu",
        Kind::DevMap => "devmap",
    }
}

/// The maps that can be full, which metrics show.
pub(crate) const FILLED: [&str; 18] = [
    "ports",
    "vlans",
    "circuits",
    "domains",
    "fdb",
    "answers",
    "neighbours",
    "vteps",
    "segments",
    "peers",
    "vnis",
    "views",
    "hosts",
    "hosts6",
    "trie",
    "groups",
    "buckets",
    "nexthops",
];

/// Entries of a map of [`FILLED`] that are in use, and how many there may be.
pub(crate) fn fill(map: &'static str, maps: &Maps, view: &View) -> (&'static str, u64, u64) {
    let room = u64::from(maps.room(map)) * places(map);
    // Half of the slots stay free, so that every port finds one.
    let room = if map == "ports" { room / 2 } else { room };
    let Contents { ports, circuits, domains, vteps, segments, nexthops, .. } = &view.contents;
    // What was read already is not read once more.
    let used = match map {
        "ports" => ports.len() as u64,
        "vlans" => ports.values().filter(|port| port.vlans != 0).count() as u64,
        "circuits" => circuits.len() as u64,
        "domains" => domains.len() as u64,
        "vteps" => vteps.len() as u64,
        "segments" => segments.len() as u64,
        "nexthops" => nexthops.len() as u64,
        _ => used(map, maps, view),
    };
    (map, used, room)
}

/// How many entries fit into an element.
const fn places(map: &str) -> u64 {
    match map.as_bytes() {
        b"fdb" | b"answers" | b"peers" | b"vnis" => Narrow::SLOTS as u64,
        b"hosts" => Wide::SLOTS as u64,
        b"hosts6" => Long::SLOTS as u64,
        _ => 1,
    }
}

/// How many entries are in use of a map that is in memory.
fn used(map: &str, maps: &Maps, view: &View) -> u64 {
    match map {
        "fdb" => view.contents.fdb.len() as u64,
        "answers" => maps.answers.table().iter().count() as u64,
        "peers" => maps.peers.table().iter().count() as u64,
        "vnis" => maps.vnis.table().iter().count() as u64,
        "hosts" => maps.hosts_table().iter().count() as u64,
        "hosts6" => maps.hosts6_table().iter().count() as u64,
        // What was given back is not zero.
        "trie" => maps.views.iter().map(|(_, view)| words_used(maps, view)).sum(),
        "buckets" => view.chunks() as u64,
        _ => {
            let mut used = 0;
            maps.each_entry(map, &mut |_, _| used += 1);
            used
        }
    }
}

/// Bytes that the kernel holds for the map (`memlock` of its fdinfo).
fn memory(map: &MapData) -> Option<u64> {
    let path = format!("/proc/self/fdinfo/{}", map.fd().as_fd().as_raw_fd());
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok())
}
