//! What the FDB says of a next hop behind a bridge stands in the next hop.

use fabric_common::schema::{fdb, nexthops::Nexthop, ports::TUNNELS};

use super::*;
use crate::kernel::memory::after_each_store;

/// The place in the entry of a next hop.
fn place(bench: &Bench, number: u8) -> u32 {
    let address = hop(number).gateway;
    let mut hops = bench.maps().nexthops.iter();
    let found = hops.find(|(index, hop)| hop.port != 0 && bench.maps().gateway(*index) == address);
    found.expect("there is such a next hop").1.place.into()
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
    change(bench, wanted, vec![(station(3), target)]);
}

/// Changes MAC addresses alone, in this order.
fn change(bench: &mut Bench, wanted: &Wanted, macs: Vec<(FdbKey, Option<Target>)>) -> Outcome {
    let (routes, answers) = (Routes::Some(Vec::new()), Answers::Some(Vec::new()));
    bench.reconciler.apply_entries(&wanted.structure, &routes, Macs::Some(macs), &answers)
}

/// So many MAC addresses of nobody that packets are routed to.
fn crowd(count: u16, target: Option<Target>) -> Vec<(FdbKey, Option<Target>)> {
    let mac = |number: u16| {
        let [a, b] = number.to_be_bytes();
        FdbKey { domain: DOMAIN, mac: Mac([2, 0xbb, 0, 0, a, b]) }
    };
    (0..count).map(|number| (mac(number), target)).collect()
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
        (entry.port != 0 && bench.maps().gateway(index) == hop(3).gateway).then_some(index)
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

#[test]
fn two_next_hops_of_one_mac_address_follow_it_together_and_each_alone_when_the_other_has_gone() {
    let mut bench = Bench::new();
    let mut wanted = routed();
    let (of_second, _) = host(4);
    let nexthop = model::Nexthop { destination: nexthop(3).destination, ..nexthop(4) };
    wanted.routes.insert(of_second, Way::Nexthop { key: hop(4), nexthop });
    bench.apply(&wanted);
    let check_both = |bench: &Bench, is_known: bool| {
        check(bench, is_known);
        assert_eq!(place(bench, 4), place(bench, 3));
    };
    check_both(&bench, true);
    for target in [Some(Target::Remote(second())), None, Some(Target::Remote(vtep()))] {
        let is_known = target.is_some();
        move_to(&mut bench, &wanted, target);
        check_both(&bench, is_known);
    }
    let routes = Routes::Some(vec![(of_second, None)]);
    let (macs, answers) = (Macs::Some(Vec::new()), Answers::Some(Vec::new()));
    bench.reconciler.apply_entries(&wanted.structure, &routes, macs, &answers);
    for target in [Some(Target::Remote(second())), None] {
        let is_known = target.is_some();
        move_to(&mut bench, &wanted, target);
        check(&bench, is_known);
    }
}

#[test]
fn a_next_hop_that_chooses_its_tunnel_has_its_place_by_that_tunnels_own_mac_addresses() {
    const TUNNEL: u32 = TUNNELS | 5;
    let mut bench = Bench::new();
    let mut wanted = routed();
    let of_tunnel = DomainKey { bridge: TUNNEL, vlan: 0 };
    let key = FdbKey { domain: of_tunnel, ..station(5) };
    let structure = &mut wanted.structure;
    let gateway =
        model::Port { domain: Some(of_tunnel), view: None, ..structure.ports[&PORT].clone() };
    structure.ports.insert(TUNNEL, gateway);
    let sends = model::Domain { only_sends: true, ..structure.domains[&DOMAIN].clone() };
    structure.domains.insert(of_tunnel, sends);
    let (place_of_host, _) = host(5);
    let router = NexthopKey { ifindex: TUNNEL, ..hop(5) };
    let way = Way::Nexthop { key: router, nexthop: nexthop(5) };
    wanted.routes.insert(place_of_host, way);
    // The bridge has the same MAC address elsewhere.
    wanted.macs.push((station(5), Target::Own));
    wanted.macs.push((key, Target::Remote(vtep())));
    bench.apply(&wanted);
    let index = |bench: &Bench| bench.reconciler.domains.get(&of_tunnel).unwrap() as u16;
    let mut before = 0;
    for vtep in [vtep(), second()] {
        change(&mut bench, &wanted, vec![(key, Some(Target::Remote(vtep)))]);
        let expected = target(bench.maps(), index(&bench), 5);
        assert!(![0, before].contains(&expected));
        assert_eq!(place(&bench, 5), expected);
        before = expected;
    }
    change(&mut bench, &wanted, vec![(key, None), (station(5), Some(Target::Remote(vtep())))]);
    assert_eq!(place(&bench, 5), 0);
}

#[test]
fn a_next_hop_whose_mac_address_finds_no_room_has_no_place_until_there_is_room() {
    let mut bench = Bench::new();
    let mut wanted = routed();
    wanted.macs.retain(|(key, _)| *key != station(3));
    bench.apply(&wanted);
    let crowded = change(&mut bench, &wanted, crowd(10_000, Some(Target::Own)));
    assert_eq!(crowded.full.len(), 1);
    move_to(&mut bench, &wanted, Some(Target::Remote(vtep())));
    check(&bench, false);
    bench.apply(&routed());
    check(&bench, true);
}
