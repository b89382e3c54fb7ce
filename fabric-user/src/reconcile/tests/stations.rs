//! What the FDB says of a next hop behind a bridge stands in the next hop.

use fabric_common::schema::{fdb, nexthops::Nexthop};

use super::*;
use crate::kernel::memory::after_each_store;

/// The place in the entry of a next hop.
fn place(bench: &Bench, number: u8) -> u32 {
    let address = hop(number).gateway;
    let mut hops = bench.maps().nexthops.iter().map(|(_, hop)| hop);
    let found = hops.find(|hop| hop.port != 0 && hop.address() == address);
    found.expect("there is such a next hop").place.into()
}

/// What the FDB has in a domain for the MAC address of a next hop.
fn target(maps: &Maps, domain: u16, number: u8) -> u32 {
    let key = fdb::key(domain, fdb::mac_number(station(number).mac.0));
    maps.fdb_table().get(key).unwrap_or(0)
}

/// The index of the domain that the gateway is in.
fn domain(maps: &Maps) -> u16 {
    let mut ports = maps.ports.iter().map(|(_, port)| port);
    ports.find(|port| port.ifindex == PORT).expect("there is the gateway").untagged_domain
}

fn second() -> VtepKey {
    VtepKey { remote: ip("2001:db8:ff::3"), ..vtep() }
}

/// A gateway with a next hop behind a VTEP, and another VTEP.
fn routed() -> Wanted {
    let mut wanted = with_gateway(DOMAIN);
    wanted.structure.vteps.insert(second(), Some(GroupKey::Object(20)));
    wanted.macs.push((station(3), Target::Remote(vtep())));
    wanted
}

fn check(bench: &Bench, is_known: bool) {
    let expected = target(bench.maps(), domain(bench.maps()), 3);
    assert_eq!((place(bench, 3), expected != 0), (expected, is_known));
}

/// Changes one MAC address alone.
fn move_to(bench: &mut Bench, wanted: &Wanted, target: Option<Target>) {
    let macs = Macs::Some(vec![(station(3), target)]);
    let (routes, answers) = (Routes::Some(Vec::new()), Answers::Some(Vec::new()));
    bench.reconciler.apply_entries(&wanted.structure, &routes, macs, &answers);
}

#[test]
fn a_next_hop_follows_its_mac_address_from_place_to_place() {
    let mut bench = Bench::new();
    let mut wanted = routed();
    bench.apply(&wanted);
    check(&bench, true);
    let first = place(&bench, 3);
    move_to(&mut bench, &wanted, Some(Target::Remote(second())));
    check(&bench, true);
    assert_ne!(place(&bench, 3), first);
    move_to(&mut bench, &wanted, None);
    check(&bench, false);
    move_to(&mut bench, &wanted, Some(Target::Remote(vtep())));
    check(&bench, true);

    for target in [Some(Target::Remote(second())), None, Some(Target::Remote(vtep()))] {
        wanted.macs.retain(|(key, _)| *key != station(3));
        wanted.macs.extend(target.map(|target| (station(3), target)));
        bench.apply(&wanted);
        check(&bench, target.is_some());
        assert_eq!(bench.apply(&wanted).changes, 0);
    }
}

#[test]
fn a_next_hop_that_comes_after_its_mac_address_has_its_place_at_once() {
    let mut bench = Bench::new();
    let mut wanted = routed();
    let (place_of_host, way) = host(3);
    wanted.routes.clear();
    bench.apply(&wanted);
    let routes = Routes::Some(vec![(place_of_host, Some(way))]);
    let (macs, answers) = (Macs::Some(Vec::new()), Answers::Some(Vec::new()));
    bench.reconciler.apply_entries(&wanted.structure, &routes, macs, &answers);
    check(&bench, true);
}

#[test]
fn the_next_daemon_mends_a_place_that_the_last_one_did_not_come_to() {
    let mut bench = Bench::new();
    bench.apply(&routed());
    let of_hop = |(index, entry): (u32, Nexthop)| {
        (entry.port != 0 && entry.address() == hop(3).gateway).then_some(index)
    };
    let index = bench.maps().nexthops.iter().find_map(of_hop).unwrap();
    bench.maps().nexthops.update(index, |hop| hop.place = 0);
    let mut bench = bench.restart();
    bench.apply(&routed());
    check(&bench, true);
    // And whoever it takes over follows its MAC address as before.
    move_to(&mut bench, &routed(), None);
    check(&bench, false);
}

#[test]
fn a_port_without_a_bridge_has_next_hops_without_places() {
    let mut bench = Bench::new();
    bench.apply(&routed());
    let mut wanted = network();
    wanted.macs.push((station(3), Target::Remote(vtep())));
    bench.apply(&wanted);
    assert_eq!(place(&bench, 3), 0);
}

#[test]
fn a_gateway_that_changes_its_domain_sends_to_nobody_in_the_old_one() {
    let settings = settings();
    let (maps, same) = Maps::in_memory_twice(&settings.sizes()).unwrap();
    let mut bench = Bench::over(maps, Fake::default(), &settings);
    bench.apply(&routed());
    let (old, before) = (domain(bench.maps()), place(&bench, 3));
    let other = DomainKey { vlan: DOMAIN.vlan + 1, ..DOMAIN };
    let mut wanted = routed();
    wanted.structure.ports.get_mut(&PORT).unwrap().domain = Some(other);
    let of_other = model::Domain { vni: None, ..wanted.structure.domains[&DOMAIN].clone() };
    wanted.structure.domains.insert(other, of_other);
    wanted.macs.push((FdbKey { domain: other, ..station(3) }, Target::Remote(second())));
    let watch = after_each_store(move || {
        let domain = domain(&same);
        let places = same.nexthops.iter().take(32).map(|(_, hop)| u32::from(hop.place));
        assert!([0, old].contains(&domain) || places.into_iter().all(|place| place != before));
    });
    bench.apply(&wanted);
    drop(watch);
    check(&bench, true);
    assert_ne!((domain(bench.maps()), place(&bench, 3)), (old, before));
}
