//! Bridge domains: their VNI, members and MAC addresses.

use std::collections::{BTreeMap, BTreeSet};

use fabric_common::schema::fdb::{KIND_LOCAL, KIND_REMOTE};

use crate::cli::{
    sheet::{Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("bridge", "BRIDGE"),
    Column::number("vni", "VNI"),
    Column::text("local", "LOCAL VTEP"),
    Column::number("ports", "PORTS"),
    Column::number("local_macs", "LOCAL MACS"),
    Column::number("remote_macs", "REMOTE MACS"),
    Column::number("vteps", "VTEPS"),
    Column::number("index", "INDEX").detail(),
];

/// What is counted of a domain.
#[derive(Default)]
struct Members {
    ports: usize,
    local_macs: usize,
    remote_macs: usize,
    vteps: BTreeSet<u32>,
}

pub(super) fn sheet(view: &View) -> Sheet {
    let mut members: BTreeMap<u32, Members> = BTreeMap::new();
    for circuit in view.contents.circuits.values() {
        members.entry(circuit.domain.into()).or_default().ports += 1;
    }
    for entry in &view.contents.fdb {
        let domain = members.entry(entry.domain).or_default();
        match entry.kind {
            KIND_LOCAL => domain.local_macs += 1,
            KIND_REMOTE => {
                domain.remote_macs += 1;
                domain.vteps.insert(entry.index);
            }
            _ => {}
        }
    }
    let mut sheet = Sheet::new(COLUMNS, "no bridge is accelerated");
    for (index, domain) in &view.contents.domains {
        let members = members.remove(index).unwrap_or_default();
        let local = view.local(*index).map(|local| local.to_string());
        sheet.row([
            view.bridge_name(domain).into(),
            view.vni(*index),
            local.into(),
            members.ports.into(),
            members.local_macs.into(),
            members.remote_macs.into(),
            members.vteps.len().into(),
            (*index).into(),
        ]);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{sheet::Look, view::tests::leaf};

    #[test]
    fn a_bridge_is_shown_with_its_members_macs_and_vteps() {
        let expected = "\
BRIDGE    VNI  LOCAL VTEP  PORTS  LOCAL MACS  REMOTE MACS  VTEPS
br200   10200  10.0.0.1        2           2            1      1
br7         -  -               0           0            0      0
";
        assert_eq!(sheet(&leaf()).text(Look::default()), expected);
    }
}
