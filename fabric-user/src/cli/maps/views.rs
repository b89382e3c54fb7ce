//! `maps views`: what each view holds and which ports use it.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::IpAddr,
};

use serde_json::json;

use super::Source;
use crate::cli::{
    routes::{self, Part, Width, words_used},
    sheet::{Cell, Column, Sheet},
};

const COLUMNS: &[Column] = &[
    Column::number("view", "VIEW"),
    Column::number("hosts4", "IPV4 HOSTS"),
    Column::number("prefixes4", "IPV4 PREFIXES"),
    Column::number("hosts6", "IPV6 HOSTS"),
    Column::number("prefixes6", "IPV6 PREFIXES"),
    Column::number("words", "TRIE WORDS"),
    Column::text("ports", "PORTS").wrapped(),
    Column::number("root4", "ROOT4").detail(),
    Column::number("root6", "ROOT6").detail(),
];

pub(super) fn sheet(source: &Source<'_>) -> Sheet {
    let mut counts: BTreeMap<u32, [usize; 4]> = BTreeMap::new();
    let Ok(()) = routes::each(&source.maps, Part::All, |route| {
        let place = match (route.prefix.address, route.exact) {
            (IpAddr::V4(_), true) => 0,
            (IpAddr::V4(_), false) => 1,
            (IpAddr::V6(_), true) => 2,
            (IpAddr::V6(_), false) => 3,
        };
        counts.entry(route.view).or_default()[place] += 1;
        Ok::<(), Infallible>(())
    });
    let mut ports: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for (slot, port) in &source.view.contents.ports {
        let view = u32::from(fabric_common::schema::ports::view(port.mac_and_view));
        ports.entry(view).or_default().insert(source.view.port(*slot));
    }
    let mut sheet = Sheet::new(COLUMNS, "no port routes packets");
    for (index, view) in source.maps.views.iter().skip(1) {
        let (counts, ports) = (counts.get(&index), ports.remove(&index));
        if counts.is_none() && ports.is_none() && view.root4 == 0 && view.root6 == 0 {
            continue;
        }
        let [hosts4, prefixes4, hosts6, prefixes6] = counts.copied().unwrap_or_default();
        let words = &source.maps.trie;
        let used =
            words_used(words, view.root4, Width::V4) + words_used(words, view.root6, Width::V6);
        let ports: Vec<String> = ports.unwrap_or_default().into_iter().collect();
        let listed = if ports.is_empty() { "-".into() } else { ports.join(", ") };
        sheet.row([
            index.into(),
            hosts4.into(),
            prefixes4.into(),
            hosts6.into(),
            prefixes6.into(),
            used.into(),
            Cell::new(listed, json!(ports)),
            view.root4.into(),
            view.root6.into(),
        ]);
    }
    sheet
}
