//! MAC addresses.

use fabric_common::schema::fdb::{
    KIND_LOCAL, KIND_OWN, KIND_REMOTE, key, mac_number, split_target,
};

use super::*;

fn find(bench: &Bench, mac: FdbKey) -> Option<(u32, u32)> {
    let domain = bench.reconciler.domains.get(&mac.domain)?;
    bench.maps().fdb_table().get(key(domain as u16, mac_number(mac.mac.0))).map(split_target)
}

fn change(bench: &mut Bench, macs: &[(FdbKey, Option<Target>)]) -> Outcome {
    let (structure, nothing) = (network().structure, Routes::Some(Vec::new()));
    let answers = Answers::Some(Vec::new());
    bench.reconciler.apply_entries(&structure, &nothing, Macs::Some(macs.to_vec()), &answers)
}

#[test]
fn a_mac_address_that_moves_is_one_store_and_what_stays_none() {
    let mut bench = Bench::filled();
    let before = bench.reconciler.writes();
    let outcome = change(&mut bench, &[(mac(1), Some(Target::Local(CIRCUIT)))]);
    assert_eq!((outcome.changes, bench.reconciler.writes()), (0, before));
    let outcome = change(&mut bench, &[(mac(1), Some(Target::Remote(vtep())))]);
    assert_eq!((outcome.changes, bench.reconciler.writes() - before), (1, 1));
    assert_eq!(find(&bench, mac(1)).unwrap().0, KIND_REMOTE);
}

#[test]
fn mac_addresses_come_go_and_are_written_only_where_their_place_is_in_the_maps() {
    let mut bench = Bench::filled();
    let nowhere = CircuitKey { bridge_port: 77, domain: DOMAIN };
    let elsewhere = FdbKey { domain: DomainKey { bridge: 77, vlan: 0 }, ..mac(5) };
    let outcome = change(
        &mut bench,
        &[
            (mac(1), None),
            (mac(2), Some(Target::Local(nowhere))),
            (mac(3), Some(Target::Own)),
            (mac(4), Some(Target::Local(CIRCUIT))),
            (elsewhere, Some(Target::Own)),
        ],
    );
    assert_eq!(outcome.changes, 4);
    let kinds = [1, 2, 3, 4].map(|number| find(&bench, mac(number)).map(|(kind, _)| kind));
    assert_eq!(kinds, [None, None, Some(KIND_OWN), Some(KIND_LOCAL)]);
    assert_eq!(bench.maps().fdb_table().iter().count(), 2);
}

#[test]
fn an_audit_takes_away_what_is_not_wanted_and_writes_what_lacks() {
    let mut bench = Bench::filled();
    let domain = bench.reconciler.domains.get(&DOMAIN).unwrap() as u16;
    let table = bench.maps().fdb_table();
    assert!(table.insert(key(domain, 99), 1), "somebody else writes");
    table.remove(key(domain, mac_number(mac(2).mac.0)));
    assert_eq!(bench.apply(&network()).changes, 2);
    assert_eq!(bench.maps().fdb_table().iter().count(), 2);
}

#[test]
fn the_table_grows_with_its_entries_and_what_finds_no_room_is_named() {
    let roomy = Settings { fdb_entries: 4_096, ..settings() };
    let mut bench = Bench::with(&roomy);
    bench.fill();
    let small = bench.maps().fdb_table().table().len();
    let many = |count: u32| -> Vec<(FdbKey, Option<Target>)> {
        let mac = |number: u32| {
            let [_, _, a, b] = number.to_be_bytes();
            FdbKey { domain: DOMAIN, mac: Mac([2, 0xbb, 0, 0, a, b]) }
        };
        (0..count).map(|number| (mac(number), Some(Target::Own))).collect()
    };
    assert!(change(&mut bench, &many(4_000)).full.is_empty());
    assert!(bench.maps().fdb_table().table().len() > small);
    assert_eq!(bench.maps().fdb_table().iter().count(), 4_002);
    let outcome = change(&mut bench, &many(20_000));
    assert_eq!(outcome.full.len(), 1, "said once: {outcome:?}");
    assert!(outcome.full.first().unwrap().contains("raise `fdb_entries`"));
    let held = bench.maps().fdb_table().iter().count();
    let mut next = bench.restart();
    assert_eq!(next.maps().fdb_table().iter().count(), held);
    next.apply(&network());
    assert_eq!(next.maps().fdb_table().iter().count(), 2);
}
