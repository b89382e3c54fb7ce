//! Domains, circuits and VNIs: what changes in place, and what under another index.

use fabric_common::schema::{circuits, domains, vnis};

use super::*;

fn vni(bench: &Bench, port: u16, vni: u32) -> Option<u32> {
    bench.maps().vnis.table().get(vnis::key(port.to_be(), vni, true))
}

#[test]
fn one_field_of_a_domain_changes_in_place_and_two_under_another_index() {
    let mut bench = Bench::filled();
    let index = bench.reconciler.domains.get(&DOMAIN).unwrap();
    let circuit = bench.reconciler.circuits.get(&CIRCUIT).unwrap();
    let mut wanted = network();
    wanted.structure.domains.get_mut(&DOMAIN).unwrap().ttl = 9;
    let before = bench.reconciler.writes();
    bench.change(&wanted);
    assert_eq!(bench.reconciler.writes() - before, 1);
    assert_eq!(bench.reconciler.domains.get(&DOMAIN), Some(index));
    assert_eq!(bench.maps().domains.get(index).ttl, 9);

    // A packet must not get the VNI of one tunnel and the UDP port of the other.
    let domain = wanted.structure.domains.get_mut(&DOMAIN).unwrap();
    (domain.vni, domain.udp_port) = (Some(200), 8_472);
    let old = bench.maps().domains.get(index);
    bench.apply(&wanted);
    let other = bench.reconciler.domains.get(&DOMAIN).unwrap();
    assert_ne!(other, index);
    assert_eq!((vni(&bench, 4_789, 100), vni(&bench, 8_472, 200)), (None, Some(other)));
    let rests = bench.maps().domains.get(index);
    assert_eq!(rests, domains::Domain { flags: old.flags & !domains::FLAG_IN_USE, ..old });
    let moved = bench.reconciler.circuits.get(&CIRCUIT).unwrap();
    assert_eq!(u32::from(bench.maps().circuits.get(moved).domain), other);
    assert_eq!(moved, circuit, "its domain is one field");
    let macs = bench.maps().fdb_table();
    assert!(macs.iter().all(|(key, ..)| u32::from(key as u16) == other), "MACs are written anew");
    assert_eq!(macs.iter().count(), 2);
}

#[test]
fn the_counters_of_a_domain_go_on_under_its_new_index_and_begin_anew_for_a_new_one() {
    let mut bench = Bench::filled();
    let index = bench.reconciler.domains.get(&DOMAIN).unwrap();
    let packets = |bench: &Bench, index: u32| -> u64 {
        bench.maps().domain_traffic.get(index).map(|all| all.encapsulated.packets).sum()
    };
    bench.maps().domain_traffic.count(index, |all| all.encapsulated.packets = 7);
    let mut wanted = network();
    let domain = wanted.structure.domains.get_mut(&DOMAIN).unwrap();
    (domain.vni, domain.ttl) = (Some(200), 1);
    bench.apply(&wanted);
    assert_eq!(packets(&bench, bench.reconciler.domains.get(&DOMAIN).unwrap()), 7);
    bench.rest();
    let new = DomainKey { bridge: 99, vlan: 0 };
    let domain = model::Domain { vni: None, ..network().structure.domains[&DOMAIN].clone() };
    wanted.structure.domains.insert(new, domain);
    bench.apply(&wanted);
    assert_eq!(bench.reconciler.domains.get(&new), Some(index), "the index has rested");
    assert_eq!(packets(&bench, index), 0);
}

#[test]
fn one_field_of_a_circuit_changes_in_place_and_two_under_another_index() {
    let mut bench = Bench::filled();
    let index = bench.reconciler.circuits.get(&CIRCUIT).unwrap();
    let mut wanted = network();
    let flags = [
        (true, false, circuits::FLAG_ISOLATED),
        (true, true, circuits::FLAG_ISOLATED | circuits::FLAG_HAIRPIN),
        (false, true, circuits::FLAG_HAIRPIN),
    ];
    for (isolated, hairpin, flags) in flags {
        let circuit = wanted.structure.circuits.get_mut(&CIRCUIT).unwrap();
        (circuit.isolated, circuit.hairpin) = (isolated, hairpin);
        bench.apply(&wanted);
        assert_eq!(bench.reconciler.circuits.get(&CIRCUIT), Some(index));
        assert_eq!(bench.maps().circuits.get(index).flags, flags);
    }
    wanted.access_port(2).tagged.insert(20, CIRCUIT);
    wanted.structure.ports.get_mut(&PORT).unwrap().tagged.clear();
    let circuit = wanted.structure.circuits.get_mut(&CIRCUIT).unwrap();
    (circuit.port, circuit.vlan) = (2, 20);
    bench.apply(&wanted);
    let other = bench.reconciler.circuits.get(&CIRCUIT).unwrap();
    assert_ne!(other, index);
    assert_eq!(bench.maps().circuits.get(index).vlan, 10, "the old one rests as it was");
    assert_eq!(bench.maps().circuits.get(other).vlan, 20);
}

#[test]
fn a_circuit_whose_domain_found_no_room_leads_nowhere() {
    let mut bench = Bench::filled();
    let index = bench.reconciler.circuits.get(&CIRCUIT).unwrap();
    let mut wanted = network();
    let elsewhere = CircuitKey { domain: DomainKey { bridge: 50, vlan: 0 }, ..CIRCUIT };
    let circuit = wanted.structure.circuits.remove(&CIRCUIT).unwrap();
    wanted.structure.circuits.insert(elsewhere, circuit);
    wanted.structure.ports.get_mut(&PORT).unwrap().tagged.insert(10, elsewhere);
    wanted.macs = vec![(mac(1), Target::Local(elsewhere))];
    bench.apply(&wanted);
    assert_eq!(bench.reconciler.circuits.get(&elsewhere), None);
    let slot = bench.reconciler.ports.slot(PORT).unwrap();
    let vlans = bench.maps().ports.get(slot).vlans;
    assert_eq!(bench.maps().vlans.get(vlans.into()).circuits[10], 0);
    assert_eq!(bench.maps().fdb_table().iter().count(), 0);
    bench.rest();
    assert_eq!(bench.maps().circuits.get(index).port, 0);
}

#[test]
fn more_than_four_udp_ports_of_tunnels_are_named() {
    let mut bench = Bench::new();
    let mut wanted = network();
    let domain = wanted.structure.domains[&DOMAIN].clone();
    for number in 1..=4 {
        let key = DomainKey { vlan: number, ..DOMAIN };
        let domain = model::Domain {
            vni: Some(100 + u32::from(number)),
            udp_port: 5_000 + number,
            ..domain.clone()
        };
        wanted.structure.domains.insert(key, domain);
    }
    let outcome = bench.apply(&wanted);
    assert!(outcome.full.iter().any(|text| text.contains("settings.vxlan_ports")), "{outcome:?}");
    let ports = bench.maps().settings.get(0).vxlan_ports_be.map(u16::from_be);
    assert_eq!(ports, [4_789, 5_001, 5_002, 5_003]);
}

#[test]
fn tables_of_vlans_are_named_when_there_are_too_few_and_given_out_again_when_they_have_rested() {
    let mut bench = Bench::new();
    let tables = bench.maps().vlans.len() - 1;
    let mut wanted = network();
    for ifindex in 2..=tables + 1 {
        wanted.access_port(ifindex).tagged.insert(10, CIRCUIT);
    }
    let settings = Settings { port_entries: 64, ..settings() };
    let mut roomy = Bench::with(&settings);
    let outcome = roomy.apply(&wanted);
    assert_eq!(outcome.full.iter().filter(|text| text.contains("the map vlans")).count(), 1);
    wanted.structure.ports.get_mut(&2).unwrap().tagged.clear();
    roomy.apply(&wanted);
    roomy.rest();
    assert!(roomy.apply(&wanted).full.is_empty());
    bench.fill();
}
