//! `maps vteps`, with the ports of `reverse_paths`. Also a part of `fabricctl status`.

use std::{collections::BTreeMap, net::IpAddr};

use fabric_common::schema::{fdb::KIND_REMOTE, ports::DECAPSULATES_ALL, reverse_paths};

use crate::cli::{
    row::{Said, rows},
    view::View,
};

rows! {
    /// A remote VTEP.
    pub(in crate::cli) struct VtepRow, "no remote VTEP is known" {
        /// Its address.
        "VTEP" vtep: IpAddr,
        /// The local address of tunnels to it.
        "LOCAL" local: IpAddr,
        /// Number of MAC addresses behind it, without those behind segments.
        "MACS" macs: usize,
        /// Ports of next hops that live.
        "REACHABLE VIA" [wrapped] via: Said<Vec<String>>,
        /// Of the ports that take only some VTEPs' packets those that take this one's; null if there is
        /// no such port.
        "ACCEPTED FROM" [detail] accepted_from: Option<Vec<String>>,
        /// Index of its group.
        "GROUP" [detail] group: Option<u32>,
        /// Its place in the map.
        "INDEX" [detail] index: u32,
    }
}

/// Sorted by address.
pub(in crate::cli) fn rows(view: &View) -> impl Iterator<Item = VtepRow> {
    let mut vteps: Vec<_> = view.contents.vteps.iter().collect();
    vteps.sort_by_key(|(_, vtep)| (vtep.remote(), vtep.local()));
    let mut macs: BTreeMap<u32, usize> = BTreeMap::new();
    for entry in view.contents.fdb.iter().filter(|entry| entry.kind == KIND_REMOTE) {
        *macs.entry(entry.index).or_default() += 1;
    }
    vteps.into_iter().map(move |(index, vtep)| VtepRow {
        vtep: vtep.remote(),
        local: vtep.local(),
        macs: macs.get(index).copied().unwrap_or(0),
        via: view.via(vtep.group),
        accepted_from: accepted_from(view, *index),
        group: Some(vtep.group).filter(|group| *group != 0),
        index: *index,
    })
}

fn accepted_from(view: &View, vtep: u32) -> Option<Vec<String>> {
    let checked = view
        .contents
        .ports
        .iter()
        .filter(|(_, port)| !matches!(port.decapsulates, 0 | DECAPSULATES_ALL));
    let mut checked = checked.peekable();
    checked.peek()?;
    let accepts = view.contents.reverse_paths.get(&vtep).map_or(0, |path| path.ports);
    let from = checked.filter(|(_, port)| accepts & reverse_paths::bit(port.decapsulates) != 0);
    Some(from.map(|(slot, _)| view.port(*slot)).collect())
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::{nexthops::FLAG_DOWN, reverse_paths::ReversePath};

    use super::*;
    use crate::cli::{
        table::{Look, Table},
        view::tests::leaf,
    };

    #[test]
    fn a_vtep_is_shown_with_the_ports_towards_it_or_as_not_reachable() {
        let expected = "\
VTEP      LOCAL     MACS  REACHABLE VIA
10.0.0.2  10.0.0.1     1  swp1, swp2
10.0.0.9  10.0.0.1     0  not reachable
";
        assert_eq!(Table::of(rows(&leaf())).text(Look::default()), expected);
    }

    #[test]
    fn a_vtep_is_reachable_only_via_next_hops_that_live() {
        let mut view = leaf();
        let first = |view: &View| rows(view).next().expect("there is a VTEP").via;
        view.contents.nexthops.get_mut(&1).unwrap().flags = FLAG_DOWN;
        assert_eq!(first(&view).value, ["swp2"]);
        view.contents.ports.get_mut(&2).unwrap().down = 1;
        let none = Said::new("not reachable (swp1: neighbour; swp2: port)", Vec::new());
        assert_eq!(first(&view), none);
    }

    #[test]
    fn each_vtep_has_the_ports_that_accept_it_among_those_that_do_not_accept_all() {
        let mut view = leaf();
        let all = |view: &View| rows(view).map(|row| row.accepted_from).collect::<Vec<_>>();
        assert_eq!(all(&view), [None, None]);
        let slots: Vec<u32> = view.contents.ports.keys().copied().collect();
        for (slot, number) in slots.into_iter().zip([1, 64]) {
            view.contents.ports.get_mut(&slot).unwrap().decapsulates = number;
        }
        let first = *view.contents.vteps.keys().next().unwrap();
        let both = ReversePath { ports: 1 << 63 | 1 };
        view.contents.reverse_paths.insert(first, both);
        assert_eq!(all(&view), [Some(vec!["swp1".into(), "swp2".into()]), Some(Vec::new())]);
    }
}
