//! `maps views`: what each view holds and which ports use it.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::IpAddr,
};

use fabric_common::schema::ports::view as view_of;

use super::Source;
use crate::cli::{routes, row::rows};

rows! {
    /// A routing view.
    pub(super) struct ViewRow, "no port routes packets" {
        /// Its index.
        "VIEW" view: u32,
        /// The VRF of its ports; null for the default one.
        "VRF" vrf: Option<String>,
        /// Number of IPv4 hosts.
        "IPV4 HOSTS" hosts4: usize,
        /// Number of ranges of IPv4 addresses.
        "IPV4 RANGES" ranges4: usize,
        /// Number of IPv6 hosts.
        "IPV6 HOSTS" hosts6: usize,
        /// Number of ranges of IPv6 addresses.
        "IPV6 RANGES" ranges6: usize,
        /// Number of 64-bit words of `trie` that its ranges take.
        "TRIE WORDS" words: u64,
        /// The ports that route by it.
        "PORTS" [wrapped] ports: Vec<String>,
        /// Where its IPv4 ranges begin in `trie`.
        "ROOT4" [detail] root4: u32,
        /// Where its IPv6 ranges begin in `trie`.
        "ROOT6" [detail] root6: u32,
    }
}

pub(super) fn rows(source: &Source<'_>) -> Vec<ViewRow> {
    let mut counts: BTreeMap<u32, [usize; 4]> = BTreeMap::new();
    let Ok(()) = routes::each(&source.maps, |route| {
        let place = match (route.span.first, route.exact) {
            (IpAddr::V4(_), true) => 0,
            (IpAddr::V4(_), false) => 1,
            (IpAddr::V6(_), true) => 2,
            (IpAddr::V6(_), false) => 3,
        };
        counts.entry(route.view).or_default()[place] += 1;
        Ok::<(), Infallible>(())
    });
    let mut ports: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let mut vrfs: BTreeMap<u32, String> = BTreeMap::new();
    for (slot, port) in &source.view.contents.ports {
        let view = u32::from(view_of(port.mac_and_view));
        vrfs.extend(source.view.vrf(*slot).map(|vrf| (view, vrf)));
        ports.entry(view).or_default().insert(source.view.port(*slot));
    }
    let mut rows = Vec::new();
    for (index, view) in source.maps.views.iter().skip(1) {
        let (counts, ports) = (counts.get(&index), ports.remove(&index));
        if counts.is_none() && ports.is_none() && view.root4 == 0 && view.root6 == 0 {
            continue;
        }
        let [hosts4, ranges4, hosts6, ranges6] = counts.copied().unwrap_or_default();
        rows.push(ViewRow {
            view: index,
            vrf: vrfs.remove(&index),
            hosts4,
            ranges4,
            hosts6,
            ranges6,
            words: routes::words_used(&source.maps, view),
            ports: ports.unwrap_or_default().into_iter().collect(),
            root4: view.root4,
            root6: view.root6,
        });
    }
    rows
}
