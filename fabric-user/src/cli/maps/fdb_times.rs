//! `maps fdb_times`.

use fabric_common::schema::fdb::KIND_LOCAL;

use super::fdb::shown;
use crate::cli::{
    contents::FdbEntry,
    sheet::{Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("bridge", "BRIDGE"),
    Column::text("mac", "MAC"),
    Column::text("shown_s", "LAST SHOWN").moving(),
];

/// Local MACs, sorted by bridge and MAC; no other entry of `fdb` has a time.
pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no local MAC address is known");
    let local = view.contents.fdb.iter().filter(|entry| entry.kind == KIND_LOCAL);
    let mut entries: Vec<&FdbEntry> = local.collect();
    entries.sort_by_key(|entry| (entry.domain, entry.mac));
    for entry in entries {
        sheet.row([view.bridge(entry.domain), entry.mac.to_string().into(), shown(view, entry)]);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{sheet::Look, view::tests::leaf};

    #[test]
    fn only_local_macs_have_a_time() {
        let expected = "\
BRIDGE  MAC                LAST SHOWN
br200   02:00:00:00:00:01  never
br200   02:00:00:00:00:02  2.0 s ago
";
        assert_eq!(sheet(&leaf()).text(Look::default()), expected);
    }
}
