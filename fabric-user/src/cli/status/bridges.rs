//! Bridge domains: their VNI, members and MAC addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use fabric_common::schema::{
    fdb::{KIND_LOCAL, KIND_REMOTE, KIND_SEGMENT},
    ports::is_tunnel,
};

use crate::cli::{row::rows, view::View};

rows! {
    /// An accelerated bridge.
    pub(super) struct BridgeRow, "no bridge is accelerated" {
        /// Its name, with the VLAN if it is VLAN-aware.
        "BRIDGE" bridge: String,
        /// Its VNI.
        "VNI" vni: Option<u32>,
        /// The local VTEP address; null where each VTEP has its own.
        "LOCAL VTEP" local: Option<IpAddr>,
        /// Number of ports.
        "PORTS" ports: usize,
        /// Number of MAC addresses behind ports.
        "LOCAL MACS" local_macs: usize,
        /// Number of MAC addresses behind VTEPs, those behind Ethernet segments among them.
        "REMOTE MACS" remote_macs: usize,
        /// Number of VTEPs with such addresses.
        "VTEPS" vteps: usize,
        /// Index of the bridge domain.
        "INDEX" [detail] index: u32,
    }
}

/// What is counted of a domain.
#[derive(Default)]
struct Members {
    ports: usize,
    local_macs: usize,
    remote_macs: usize,
    vteps: BTreeSet<u32>,
}

pub(super) fn rows(view: &View) -> impl Iterator<Item = BridgeRow> {
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
            KIND_SEGMENT => {
                domain.remote_macs += 1;
                let segment = view.contents.segments.get(&entry.index);
                domain.vteps.extend(segment.iter().flat_map(|entry| entry.group.shares.keys()));
            }
            _ => {}
        }
    }
    let bridges = view.contents.domains.iter().filter(|(_, domain)| !is_tunnel(domain.bridge));
    bridges.map(move |(index, domain)| {
        let members = members.remove(index).unwrap_or_default();
        BridgeRow {
            bridge: view.bridge_name(*index, domain),
            vni: view.vni(*index),
            local: view.local(*index),
            ports: members.ports,
            local_macs: members.local_macs,
            remote_macs: members.remote_macs,
            vteps: members.vteps.len(),
            index: *index,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{
        table::{Look, Table},
        view::tests::{downstream, leaf, tenants},
    };

    #[test]
    fn what_stands_for_a_tunnel_of_next_hops_is_no_bridge() {
        let text = |view: &View| Table::of(rows(view)).text(Look::default());
        assert_eq!(text(&downstream()), text(&tenants()));
    }

    #[test]
    fn a_bridge_is_shown_with_its_members_macs_and_vteps() {
        let expected = "\
BRIDGE    VNI  LOCAL VTEP  PORTS  LOCAL MACS  REMOTE MACS  VTEPS
br200   10200  10.0.0.1        2           2            1      1
br7         -  -               0           0            0      0
";
        assert_eq!(Table::of(rows(&leaf())).text(Look::default()), expected);
    }
}
