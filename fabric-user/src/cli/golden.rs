//! For tests: documents as they are in files, and fields as `docs/json.md` has them.

use std::{env, fs, net::Ipv4Addr};

use fabric_common::{
    schema::{
        bucket_use::ChunkUse,
        buckets::{CHUNK, Chunk},
        fdb,
        groups::{Choice, Group},
        hosts, hosts6,
        neighbours::{self, Neighbour},
        routes,
        segments::Segment,
        views::View as Roots,
    },
    trie::DIRECT,
};
use serde::Serialize;

use super::{
    contents::Contents,
    table::Column,
    view::{View, tests::tenants},
};
use crate::{
    kernel::{maps::Maps, sizes::Sizes},
    reconcile::trie::{Recovery, Table as Prefixes},
};

/// Compares a document with `golden/NAME.json`. With `FABRIC_GOLDEN=write` in the environment the file
/// is written.
pub(super) fn golden(name: &str, document: &impl Serialize) {
    let path = format!("{}/src/cli/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = serde_json::to_string_pretty(document).expect("it has a form in JSON") + "\n";
    if env::var("FABRIC_GOLDEN").is_ok_and(|wish| wish == "write") {
        fs::write(&path, &text).expect("golden files can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(text, expected, "{path} is not what is printed; if it should be, see golden.rs");
}

/// Checks that `docs/json.md` has the fields of these tables, each below its heading.
pub(super) fn documented<'a>(tables: impl IntoIterator<Item = (&'a str, &'a [Column])>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/json.md");
    let page = fs::read_to_string(path).expect("the page is there");
    let missing: String = tables
        .into_iter()
        .map(|(heading, columns)| {
            let field = |column: &Column| format!("| `{}` | {} |\n", column.key(), column.about());
            let fields: String = columns.iter().map(field).collect();
            format!("### {heading}\n\n| field | what |\n|---|---|\n{fields}")
        })
        .filter(|section| !page.contains(section))
        .collect();
    assert!(missing.is_empty(), "docs/json.md lacks, word by word:\n\n{missing}");
}

/// [`tenants`] as they stand in maps, with routes.
pub(super) fn maps() -> (Maps, View) {
    let mut view = tenants();
    for port in view.contents.ports.values_mut().take(2) {
        port.mac_and_view = fabric_common::schema::ports::mac_and_view(0x5100_0000_0002, 1);
        port.mtu = 1600;
    }
    let sizes = Sizes { trie: 4 * DIRECT, ..Sizes::for_entries(64, 64, 64, 64) };
    let maps = Maps::in_memory(&sizes).expect("there is room");
    let contents = &view.contents;
    maps.settings.set(0, &contents.settings);
    for (slot, port) in &contents.ports {
        maps.ports.set(*slot, port);
    }
    for (index, circuit) in &contents.circuits {
        maps.circuits.set(*index, circuit);
    }
    for (index, domain) in &contents.domains {
        maps.domains.set(*index, domain);
    }
    for (index, vtep) in &contents.vteps {
        maps.vteps.set(*index, vtep);
    }
    // Of two VTEPs, in the buckets of the groups below.
    let local = Ipv4Addr::new(10, 0, 0, 1).into();
    maps.segments.set(1, &Segment::new(local, 0x2000_0001, 3));
    for (index, nexthop) in &contents.nexthops {
        maps.nexthops.set(*index, nexthop);
        maps.nexthop_addresses.set(*index, &contents.gateway(*index).into());
    }
    for entry in &contents.fdb {
        let key = fdb::key(entry.domain as u16, fdb::mac_number(entry.mac.0));
        assert!(maps.fdb_table().insert(key, fdb::target(entry.kind, entry.index)));
    }
    // Two groups of two: buckets that alternate, and a resilient one that was used once.
    for (group, timed) in [(1, false), (2, true)] {
        let choice = Choice::Spread { chunk: group, count: CHUNK, timed };
        maps.groups.set(group, &Group::new(choice));
        let nexthops = std::array::from_fn(|bucket| if bucket < 24 { 1 } else { 2 });
        maps.buckets.set(group, &Chunk { nexthops });
    }
    maps.groups.set(3, &Group::new(Choice::Spread { chunk: 1, count: CHUNK, timed: false }));
    let multihomed = fdb::key(1, fdb::mac_number([2, 0, 0, 0, 0, 5]));
    assert!(maps.fdb_table().insert(multihomed, fdb::target(fdb::KIND_SEGMENT, 1)));
    let mut used = ChunkUse::default();
    used.jiffies[0] = 500;
    maps.bucket_use.set(2, &used);
    let host = hosts::key(1, u32::from_ne_bytes([10, 0, 0, 2]));
    assert!(maps.hosts_table().insert(host, routes::target(routes::KIND_GROUP, 1)));
    let address = [0x2001_0db8_0000_0000_u64.to_be(), 7_u64.to_be()];
    let target = routes::target(routes::KIND_NEXTHOP, 2);
    let (key, rest) = (hosts6::key(1, address), hosts6::rest(1, address));
    assert!(maps.hosts6_table().insert_long(key, rest, target));
    let given = [
        (false, neighbours::ipv4(host as u32), 0x0200_0000_0002),
        (true, address, neighbours::FLAG_ROUTER),
    ];
    for (index, (v6, address, mac_and_flags)) in (1..).zip(given) {
        let network = neighbours::network(1, v6);
        maps.neighbours.set(index, &Neighbour { address, mac_and_flags, network });
        assert!(maps.answers.table().insert(neighbours::key(network, address), index));
    }
    let mut prefixes = Prefixes::<Ipv4Addr>::default();
    let route = |kind, index| routes::target(kind, index);
    let given = [
        ([0, 0, 0, 0], 0, route(routes::KIND_GROUP, 2)),
        ([10, 9, 0, 0], 16, route(routes::KIND_NEXTHOP, 1)),
        ([10, 9, 1, 0], 24, route(routes::KIND_BLACKHOLE, 0)),
    ];
    let given = given.map(|(address, length, target)| (address.into(), length, target));
    Recovery::new(&maps.trie)
        .finish()
        .sync(&maps.trie, &mut prefixes, given, std::time::Instant::now())
        .expect("there is room");
    maps.views.set(1, &Roots { root4: prefixes.root(), root6: 0 });
    let contents = Contents::read(&maps);
    let View { interfaces, now, .. } = view;
    (maps, View { contents, interfaces, now })
}
