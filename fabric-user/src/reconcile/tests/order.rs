//! At no moment a packet finds something that is not whole, or leads to what is not there.

use std::{cell::RefCell, rc::Rc};

use fabric_common::schema::{
    fdb::{self, KIND_LOCAL, KIND_REMOTE, KIND_SEGMENT},
    groups::Choice,
    routes::{KIND_GROUP, KIND_NEXTHOP, split_target},
};

use super::*;
use crate::{
    kernel::memory::after_each_store,
    model::{Segment, SegmentKey},
};

/// Follows everything that packets follow.
fn look(maps: &Maps) {
    let is_hop = |index: u32| {
        let hop = maps.nexthops.get(index);
        hop.port != 0 && hop.mtu != 0 && hop.macs[5] != 0
    };
    let check_group = |index: u32, from: &str| match maps.groups.get(index).choice() {
        Choice::Nothing | Choice::Blackhole => {}
        Choice::Single { nexthop } => assert!(is_hop(nexthop), "{from}: group {index}"),
        Choice::Spread { chunk, count, .. } => {
            let mut hops = (0..count).map(|at| maps.bucket(chunk, at));
            assert!(hops.all(|hop| hop == 0 || is_hop(hop)), "{from}: buckets of group {index}");
        }
    };
    let check_target = |target: u32, from: &str| match split_target(target) {
        (KIND_GROUP, group) => check_group(group, from),
        (KIND_NEXTHOP, hop) => assert!(is_hop(hop), "{from}: next hop {hop}"),
        _ => {}
    };
    let is_circuit = |index: u32| {
        let circuit = maps.circuits.get(index);
        let whole = circuit.port != 0 && circuit.bridge_port != 0 && circuit.max_frame != 0;
        whole && maps.domains.get(circuit.domain.into()).max_frame != 0
    };
    let check_place = |target: u32, from: &str| match fdb::split_target(target) {
        (KIND_LOCAL, circuit) => assert!(is_circuit(circuit), "{from}: circuit {circuit}"),
        (KIND_REMOTE, vtep) => assert!(maps.vteps.get(vtep).in_use(), "{from}: VTEP {vtep}"),
        (KIND_SEGMENT, segment) if segment != 0 => {
            assert_ne!(maps.segments.get(segment).id, 0, "{from}: segment {segment}");
        }
        _ => {}
    };
    for (_, target, _) in maps.fdb_table().iter() {
        check_place(target, "FDB");
    }
    for (_, hop) in maps.nexthops.iter().take(32) {
        check_place(hop.place.into(), "next hop");
    }
    for (index, segment) in maps.segments.iter().take(4).filter(|(_, segment)| segment.group != 0) {
        let vteps: Vec<u32> = match maps.groups.get(segment.group).choice() {
            Choice::Nothing | Choice::Blackhole => Vec::new(),
            Choice::Single { nexthop: vtep } => vec![vtep],
            Choice::Spread { chunk, count, .. } => {
                (0..count).map(|at| maps.bucket(chunk, at)).collect()
            }
        };
        let is_whole = |vtep: &u32| maps.vteps.get(*vtep).in_use();
        assert!(vteps.iter().all(is_whole), "segment {index}: {vteps:?}");
    }
    for (peer, vtep, _) in maps.peers.table().iter() {
        assert_eq!(maps.vteps.get(vtep).peer(), peer, "peers: VTEP {vtep}");
    }
    for (_, vtep) in maps.vteps.iter().take(8) {
        check_group(vtep.group, "VTEP");
    }
    for (_, domain, _) in maps.vnis.table().iter() {
        assert_ne!(maps.domains.get(domain).max_frame, 0, "VNI: domain {domain}");
    }
    for (_, port) in maps.ports.iter().filter(|(_, port)| port.ifindex != 0) {
        let vlan = maps.vlans.get(port.vlans.into()).circuits[10];
        for circuit in [port.untagged_circuit, vlan].into_iter().filter(|circuit| *circuit != 0) {
            assert!(is_circuit(circuit.into()), "port: circuit {circuit}");
        }
    }
    for (_, target, _) in maps.hosts6_table().iter() {
        check_target(target, "host");
    }
}

#[test]
fn whatever_changes_a_packet_finds_what_is_whole_and_never_what_has_gone() {
    let settings = settings();
    let (maps, same) = Maps::in_memory_twice(&settings.sizes()).unwrap();
    let looks = Rc::new(RefCell::new(0));
    let mut bench = Bench::over(maps, Fake::default(), &settings);
    let count = looks.clone();
    let watch = after_each_store(move || {
        look(&same);
        *count.borrow_mut() += 1;
    });
    let mut several = network();
    several.structure.ports.get_mut(&PORT).unwrap().untagged =
        Some(CircuitKey { bridge_port: PORT, domain: DomainKey { vlan: 9, ..DOMAIN } });
    let domain = several.structure.domains[&DOMAIN].clone();
    let other = DomainKey { vlan: 9, ..DOMAIN };
    several.structure.domains.insert(other, model::Domain { vni: Some(109), ..domain.clone() });
    let circuit = model::Circuit { vlan: 0, ..several.structure.circuits[&CIRCUIT].clone() };
    several.structure.circuits.insert(CircuitKey { bridge_port: PORT, domain: other }, circuit);
    several.spread(20, &[2, 4, 5, 6]);
    let second = VtepKey { remote: ip("2001:db8:ff::3"), ..vtep() };
    several.structure.vteps.insert(second, Some(GroupKey::Object(20)));
    let key = SegmentKey { local: vtep().local, group: 5 };
    let both = Segment { members: vec![(vtep(), 1), (second, 1)], resilient: None };
    several.structure.segments.insert(key, both);
    several.macs.push((mac(4), Target::Segment(key)));
    several.routes = [host(3), host(7), host(8)].into_iter().collect();
    let mut moved = network();
    moved
        .structure
        .domains
        .insert(DOMAIN, model::Domain { vni: Some(200), udp_port: 8_472, ttl: 3, ..domain });
    moved.macs = vec![(mac(1), Target::Remote(vtep())), (mac(2), Target::Local(CIRCUIT))];
    moved.spread(20, &[9]);
    let one = Segment { members: vec![(vtep(), 1)], resilient: None };
    moved.structure.segments.insert(key, one);
    moved.macs.push((mac(4), Target::Segment(key)));
    let mut routed = with_gateway(DOMAIN);
    routed.macs.push((station(3), Target::Remote(vtep())));
    let nothing = Wanted {
        structure: Structure::default(),
        macs: Vec::new(),
        routes: HashMap::default(),
        answers: HashMap::default(),
    };
    let first = network();
    let states = [
        &first, &several, &moved, &nothing, &several, &routed, &first, &nothing, &routed, &moved,
        &routed, &first,
    ];
    for state in states {
        bench.apply(state);
        bench.rest();
    }
    drop(watch);
    assert!(*looks.borrow() > 300, "{looks:?}");
}
