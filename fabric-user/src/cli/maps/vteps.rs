//! `maps vteps`.

use std::collections::{BTreeMap, BTreeSet};

use fabric_common::schema::fdb::KIND_REMOTE;
use serde_json::json;

use crate::cli::{
    sheet::{Cell, Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("vtep", "VTEP"),
    Column::text("local", "LOCAL"),
    Column::number("macs", "MACS"),
    Column::text("via", "REACHABLE VIA").wrapped(),
    Column::number("group", "GROUP").detail(),
    Column::number("index", "INDEX").detail(),
];

/// Also a part of `fabricctl status`.
pub(in crate::cli) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no remote VTEP is known");
    let mut vteps: Vec<_> = view.contents.vteps.iter().collect();
    vteps.sort_by_key(|(_, vtep)| (vtep.remote(), vtep.local()));
    let mut macs: BTreeMap<u32, usize> = BTreeMap::new();
    for entry in view.contents.fdb.iter().filter(|entry| entry.kind == KIND_REMOTE) {
        *macs.entry(entry.index).or_default() += 1;
    }
    for (index, vtep) in vteps {
        let members = view.group_members(vtep.group);
        let alive: BTreeSet<&String> =
            members.iter().filter(|(_, death)| death.is_empty()).map(|(port, _)| port).collect();
        let via = if alive.is_empty() {
            let dead = members.iter().map(|(port, death)| format!("{port}: {}", death.join(", ")));
            let dead: BTreeSet<String> = dead.collect();
            let why = if dead.is_empty() {
                String::new()
            } else {
                format!(" ({})", dead.into_iter().collect::<Vec<_>>().join("; "))
            };
            Cell::new(format!("not reachable{why}"), json!([]))
        } else {
            let list: Vec<String> = alive.into_iter().cloned().collect();
            Cell::new(list.join(", "), json!(list))
        };
        sheet.row([
            vtep.remote().to_string().into(),
            vtep.local().to_string().into(),
            macs.get(index).copied().unwrap_or(0).into(),
            via,
            Some(vtep.group).filter(|group| *group != 0).into(),
            (*index).into(),
        ]);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::nexthops::FLAG_DOWN;

    use super::*;
    use crate::cli::{sheet::Look, view::tests::leaf};

    #[test]
    fn a_vtep_is_shown_with_the_ports_towards_it_or_as_not_reachable() {
        let expected = "\
VTEP      LOCAL     MACS  REACHABLE VIA
10.0.0.2  10.0.0.1     1  swp1, swp2
10.0.0.9  10.0.0.1     0  not reachable
";
        assert_eq!(sheet(&leaf()).text(Look::default()), expected);
    }

    #[test]
    fn a_vtep_is_reachable_only_via_next_hops_that_live() {
        let mut view = leaf();
        view.contents.nexthops.get_mut(&1).unwrap().flags = FLAG_DOWN;
        assert_eq!(sheet(&view).json()[0]["via"], json!(["swp2"]));
        view.contents.ports.get_mut(&2).unwrap().down = 1;
        let vteps = sheet(&view);
        assert_eq!(vteps.json()[0]["via"], json!([]));
        let text = vteps.text(Look::default());
        assert!(text.contains("not reachable (swp1: neighbour; swp2: port)"), "{text}");
    }
}
