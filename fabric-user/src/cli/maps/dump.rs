//! Maps without a view of their own: each entry as it is, by its index.

use super::{Rows, Source, redirect_targets};
use crate::cli::row::rows;

rows! {
    /// An entry as it is in the map.
    pub(super) struct EntryRow, "there is nothing in it" {
        /// Index of the entry, of tables of the bucket.
        "INDEX" index: u32,
        /// Its fields as they stand in the map. Not for programs: it changes with the maps' version.
        "VALUE" value: String,
    }
}

/// All entries that are not zero; counters are summed up over the CPUs.
pub(super) fn rows(map: &str, source: &Source<'_>, rows: &mut Rows<'_>) -> anyhow::Result<()> {
    if map == "tx_ports" {
        for (index, ifindex) in redirect_targets(source.chosen)? {
            rows.add(&EntryRow { index, value: format!("ifindex: {ifindex}") })?;
        }
        return Ok(());
    }
    let mut listed = Ok(());
    source.maps.each_entry(map, &mut |index, entry| {
        if listed.is_ok() {
            let text = format!("{entry:?}");
            // Without the name of the type.
            let fields = text.split_once(" { ").and_then(|(_, rest)| rest.strip_suffix(" }"));
            let value = fields.unwrap_or(&text).to_owned();
            listed = rows.add(&EntryRow { index, value });
        }
    });
    listed
}
