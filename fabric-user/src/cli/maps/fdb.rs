//! `maps fdb`.

use fabric_common::schema::fdb::{KIND_LOCAL, KIND_OWN, KIND_REMOTE};
use serde_json::json;

use super::vlan;
use crate::cli::{
    contents::FdbEntry,
    format::duration,
    sheet::{Cell, Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("bridge", "BRIDGE"),
    Column::number("vni", "VNI"),
    Column::text("mac", "MAC"),
    Column::text("type", "TYPE"),
    Column::text("where", "WHERE"),
    Column::number("vlan", "VLAN"),
    Column::text("shown_s", "LAST SHOWN").moving(),
    Column::number("domain", "DOMAIN").detail(),
    Column::number("index", "INDEX").detail(),
];

/// Sorted by VNI, bridge and MAC. `LAST SHOWN` is when the kernel last saw a frame of the MAC.
pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no MAC address is known");
    let mut entries: Vec<&FdbEntry> = view.contents.fdb.iter().collect();
    let vni = |domain: u32| view.contents.domains.get(&domain).map(|d| d.vni);
    entries.sort_by_key(|entry| (vni(entry.domain), entry.domain, entry.mac));
    for entry in entries {
        let (kind, place, tag) = place(view, entry);
        let shown = if entry.kind == KIND_LOCAL { shown(view, entry) } else { Cell::none() };
        sheet.row([
            view.bridge(entry.domain),
            view.vni(entry.domain),
            entry.mac.to_string().into(),
            kind.into(),
            place,
            tag,
            shown,
            entry.domain.into(),
            entry.index.into(),
        ]);
    }
    sheet
}

/// When the kernel last saw a frame of the MAC.
pub(super) fn shown(view: &View, entry: &FdbEntry) -> Cell {
    match view.since(entry.shown) {
        None => Cell::new("never", json!(null)),
        Some(age) => Cell::new(format!("{} ago", duration(age)), json!(age.as_secs_f64())),
    }
}

/// Kind, place and VLAN of an entry.
fn place(view: &View, entry: &FdbEntry) -> (&'static str, Cell, Cell) {
    match entry.kind {
        KIND_LOCAL => match view.contents.circuits.get(&entry.index) {
            Some(circuit) => ("local", view.port(circuit.port.into()).into(), vlan(circuit.vlan)),
            None => ("local", Cell::none(), Cell::none()),
        },
        KIND_REMOTE => (
            "remote",
            view.vtep(entry.index).map(|address| address.to_string()).into(),
            Cell::none(),
        ),
        KIND_OWN => ("own", "this box".into(), Cell::none()),
        _ => ("unknown", Cell::none(), Cell::none()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{sheet::Look, view::tests::leaf};

    #[test]
    fn macs_are_shown_with_names_and_the_time_since_the_kernel_saw_them() {
        let expected = "\
BRIDGE    VNI  MAC                TYPE    WHERE     VLAN  LAST SHOWN
br200   10200  02:00:00:00:00:01  local   h1           -  never
br200   10200  02:00:00:00:00:02  local   h2          20  2.0 s ago
br200   10200  02:00:00:00:00:03  remote  10.0.0.2     -  -
br200   10200  02:00:00:00:00:04  own     this box     -  -
";
        assert_eq!(sheet(&leaf()).text(Look::default()), expected);
    }

    #[test]
    fn an_entry_that_refers_to_what_has_just_gone_is_shown_without_it() {
        let mut view = leaf();
        view.contents.circuits.clear();
        view.contents.vteps.clear();
        let text = sheet(&view).text(Look::default());
        assert!(text.contains("02:00:00:00:00:03  remote  -"), "{text}");
    }
}
