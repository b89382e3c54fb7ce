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
        routes::words_used,
        row::{Said, percent, rows, size},
    },
    kernel::blocks,
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
        let (used, places) = used(spec.name, source)?;
        let max = u64::from(spec.entries(info.value_size(), info.max_entries(), cpus)) * places;
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

/// How many entries are in use, and how many fit into an element.
fn used(map: &str, source: &Source<'_>) -> anyhow::Result<(u64, u64)> {
    let (narrow, wide) = (u64::from(Narrow::SLOTS), u64::from(Wide::SLOTS));
    let Source { maps, view, .. } = source;
    let (used, places) = match map {
        "fdb" => (view.contents.fdb.len(), narrow),
        "answers" => (maps.answers.table().iter().count(), narrow),
        "peers" => (maps.peers.table().iter().count(), narrow),
        "vnis" => (maps.vnis.table().iter().count(), narrow),
        "hosts" => (maps.hosts_table().iter().count(), wide),
        "hosts6" => (maps.hosts6_table().iter().count(), Long::SLOTS.into()),
        // What was given back is not zero.
        "trie" => (maps.views.iter().map(|(_, view)| words_used(maps, view) as usize).sum(), 1),
        "buckets" => (view.chunks(), 1),
        "tx_ports" => (redirect_targets(source.chosen)?.len(), 1),
        _ => {
            let mut used = 0;
            maps.each_entry(map, &mut |_, _| used += 1);
            (used, 1)
        }
    };
    Ok((used as u64, places))
}

/// Bytes that the kernel holds for the map (`memlock` of its fdinfo).
fn memory(map: &MapData) -> Option<u64> {
    let path = format!("/proc/self/fdinfo/{}", map.fd().as_fd().as_raw_fd());
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok())
}
