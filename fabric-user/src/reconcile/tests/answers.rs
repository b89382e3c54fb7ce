//! Neighbours that ARP and neighbour discovery are answered by.

use fabric_common::{
    halves,
    schema::{
        fdb::mac_number,
        neighbours::{self, FLAG_ROUTER, Neighbour},
    },
};

use super::*;

/// What the maps have of an address.
fn find(bench: &Bench, address: &str) -> Option<Neighbour> {
    let domain = bench.reconciler.domains.get(&DOMAIN)? as u16;
    let (network, address) = match address.parse().unwrap() {
        IpAddr::V4(v4) => {
            let address_be = u32::from_ne_bytes(v4.octets());
            (neighbours::network(domain, false), neighbours::ipv4(address_be))
        }
        IpAddr::V6(v6) => (neighbours::network(domain, true), halves::of(v6)),
    };
    let index = bench.maps().answers.table().get(neighbours::key(network, address))?;
    let entry = bench.maps().neighbours.get(index);
    assert_eq!((entry.network, entry.address), (network, address));
    Some(entry)
}

fn change(bench: &mut Bench, (key, _): (AnswerKey, Answer), answer: Option<Answer>) -> Outcome {
    let (structure, nothing) = (network().structure, Routes::Some(Vec::new()));
    let answers = Answers::Some(vec![(key, answer)]);
    bench.reconciler.apply_entries(&structure, &nothing, Macs::Some(Vec::new()), &answers)
}

#[test]
fn a_neighbour_whose_mac_address_changes_is_one_store_and_what_stays_none() {
    let mut bench = Bench::filled();
    let (four, six) = (answer("10.0.0.2", 2), answer("fe80::2", 2));
    let before = bench.reconciler.writes();
    assert_eq!(change(&mut bench, four, Some(four.1)).changes, 0);
    let other = mac(9).mac;
    assert_eq!(
        change(&mut bench, four, Some(Answer { mac: Some(other), router: false })).changes,
        1
    );
    assert_eq!(change(&mut bench, six, Some(Answer { mac: None, router: true })).changes, 1);
    assert_eq!(bench.reconciler.writes() - before, 2);
    assert_eq!(find(&bench, "10.0.0.2").unwrap().mac_and_flags, mac_number(other.0));
    assert_eq!(find(&bench, "fe80::2").unwrap().mac_and_flags, FLAG_ROUTER, "it has none now");
}

#[test]
fn a_neighbour_that_goes_is_answered_for_no_more_and_its_place_rests() {
    let mut bench = Bench::filled();
    let index = bench.maps().answers.table().iter().map(|(_, index, _)| index).max().unwrap();
    for gone in [answer("10.0.0.2", 2), answer("fe80::2", 2)] {
        assert_eq!(change(&mut bench, gone, None).changes, 1);
        assert_eq!(change(&mut bench, gone, None).changes, 0);
    }
    assert_eq!(bench.maps().answers.table().iter().count(), 0);
    assert_ne!(bench.maps().neighbours.get(index), Neighbour::default(), "a packet may read it");
    bench.rest();
    assert_eq!(bench.maps().neighbours.get(index), Neighbour::default());
}

#[test]
fn another_daemon_takes_over_all_neighbours_and_an_audit_those_that_are_wanted() {
    let mut bench = Bench::filled();
    let before = find(&bench, "fe80::2");
    bench = bench.restart();
    assert_eq!(find(&bench, "fe80::2"), before);
    bench.fill();
    let mut wanted = network();
    wanted.answers = [answer("10.0.0.3", 3), answer("fe80::2", 2)].into_iter().collect();
    assert_eq!(bench.apply(&wanted).changes, 2);
    assert!(find(&bench, "10.0.0.2").is_none() && find(&bench, "10.0.0.3").is_some());
    assert_eq!(find(&bench, "fe80::2"), before);
}

#[test]
fn neighbours_follow_their_domain_to_another_index() {
    let mut bench = Bench::filled();
    let mut wanted = network();
    let domain = wanted.structure.domains.get_mut(&DOMAIN).unwrap();
    (domain.vni, domain.ttl) = (Some(200), 9);
    let before = bench.reconciler.domains.get(&DOMAIN);
    bench.apply(&wanted);
    assert_ne!(bench.reconciler.domains.get(&DOMAIN), before, "two fields have changed");
    assert!(find(&bench, "10.0.0.2").is_some() && find(&bench, "fe80::2").is_some());
    assert_eq!(bench.maps().answers.table().iter().count(), 2);
}
