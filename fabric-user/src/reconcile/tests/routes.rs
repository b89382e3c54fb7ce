//! Views, prefixes and hosts.

use std::{cell::RefCell, rc::Rc};

use fabric_common::schema::{
    ports::{FLAG_NOT_A_TARGET, FLAG_ROUTE4, FLAG_ROUTE6, view},
    routes::{KIND_BLACKHOLE, KIND_KERNEL, KIND_NEXTHOP, KIND_VIEW, split_target, target},
    views,
};

use super::*;
use crate::kernel::memory::after_each_store;

fn prefix(net: u16, length: u8) -> RoutePlace {
    let address = ip(&format!("2001:db8:{net:x}::"));
    RoutePlace { view: 0, prefix: Prefix { address, length } }
}

fn view_of(bench: &Bench, ifindex: u32) -> u16 {
    view(bench.maps().ports.get(bench.reconciler.ports.slot(ifindex).unwrap()).mac_and_view)
}

/// Where a packet goes by the trie.
fn look_up(bench: &Bench, address: &str) -> Option<(u32, u32)> {
    bench.maps().by_prefix(view_of(bench, PORT), ip(address)).map(split_target)
}

fn change(bench: &mut Bench, wanted: &Wanted, routes: &[(RoutePlace, Option<Way>)]) -> Outcome {
    let routes = Routes::Some(routes.to_vec());
    bench.reconciler.apply_entries(
        &wanted.structure,
        &routes,
        Macs::Some(Vec::new()),
        &Answers::Some(Vec::new()),
    )
}

#[test]
fn single_routes_change_without_a_look_at_the_others() {
    let mut bench = Bench::filled();
    let wanted = network();
    change(
        &mut bench,
        &wanted,
        &[(prefix(1, 48), Some(Way::Blackhole)), (prefix(1, 64), Some(Way::Kernel))],
    );
    assert_eq!(look_up(&bench, "2001:db8:1:1::1"), Some((KIND_BLACKHOLE, 0)));
    assert_eq!(look_up(&bench, "2001:db8:1::1"), Some((KIND_KERNEL, 0)));
    let outcome = change(&mut bench, &wanted, &[(prefix(1, 64), Some(Way::Kernel))]);
    assert_eq!(outcome.changes, 0);
    change(&mut bench, &wanted, &[(prefix(1, 64), None)]);
    assert_eq!(look_up(&bench, "2001:db8:1::1"), Some((KIND_BLACKHOLE, 0)));
    // What is compared with all of them is the same.
    let mut all = network();
    all.routes.insert(prefix(1, 48), Way::Blackhole);
    assert_eq!(bench.apply(&all).changes, 0);
}

#[test]
fn a_host_whose_neighbour_has_another_mac_address_leads_to_another_next_hop_and_the_old_one_rests()
{
    let mut bench = Bench::filled();
    let (place, way) = host(3);
    let find = |bench: &Bench| bench.reconciler.routing.present(bench.maps(), &place).unwrap();
    let (KIND_NEXTHOP, index) = split_target(find(&bench)) else { panic!("a neighbour") };
    let Way::Nexthop { key, mut nexthop } = way else { panic!("a neighbour") };
    nexthop.destination = Some(Mac([2, 0, 0, 0, 1, 99]));
    change(&mut bench, &network(), &[(place, Some(Way::Nexthop { key, nexthop }))]);
    let (KIND_NEXTHOP, other) = split_target(find(&bench)) else { panic!("a neighbour") };
    assert_ne!(index, other);
    assert_eq!(bench.maps().nexthops.get(index).macs[5], 3, "packets may be on their way to it");
    bench.rest();
    assert_eq!(bench.maps().nexthops.get(index).port, 0);
    change(&mut bench, &network(), &[(place, None)]);
    assert_eq!(bench.reconciler.routing.present(bench.maps(), &place), None);
}

#[test]
fn a_view_keeps_its_index_wherever_it_stands_and_after_a_restart() {
    let mut bench = Bench::filled();
    let index = view_of(&bench, PORT);
    let mut wanted = network();
    wanted.structure.views.insert(0, View { v4: vec![7], v6: Vec::new() });
    wanted.structure.ports.get_mut(&PORT).unwrap().view = Some(1);
    let routes = wanted.routes.drain().map(|(place, way)| (RoutePlace { view: 1, ..place }, way));
    wanted.routes = routes.collect();
    bench.apply(&wanted);
    assert_eq!(view_of(&bench, PORT), index);
    let mut next = bench.restart();
    let outcome = next.apply(&wanted);
    assert_eq!(view_of(&next, PORT), index);
    assert_eq!(next.maps().hosts6_table().iter().count(), 1, "{outcome:?}");
}

/// While no daemon ran, a port went from one VRF into another: nobody else's packets may follow it there.
#[test]
fn a_port_that_changes_its_view_before_a_restart_takes_the_index_of_the_old_one_from_nobody() {
    const STAYS: u32 = 2;
    const OTHER: u32 = 3;
    let view = |table| View { v4: Vec::new(), v6: vec![table] };
    let mut wanted = network();
    wanted.structure.views = vec![view(254), view(7)];
    for (ifindex, at) in [(STAYS, 0), (OTHER, 1)] {
        let mac = Mac([2, 0, 0, 0, 9, ifindex as u8]);
        let port = model::Port { mac, view: Some(at), tagged: [].into(), ..port() };
        wanted.structure.ports.insert(ifindex, port);
    }
    let mut bench = Bench::new();
    bench.apply(&wanted);
    let [before, other] = [STAYS, OTHER].map(|port| view_of(&bench, port));
    assert_eq!(view_of(&bench, PORT), before);
    wanted.structure.ports.get_mut(&PORT).unwrap().view = Some(1);
    let mut next = bench.restart();
    next.apply(&wanted);
    assert_eq!([PORT, OTHER].map(|port| view_of(&next, port)), [other, other]);
    assert!(![0, other].contains(&view_of(&next, STAYS)));
}

#[test]
fn a_view_that_no_port_has_goes_with_its_prefixes_and_hosts() {
    let mut bench = Bench::filled();
    let mut wanted = network();
    wanted.routes.insert(prefix(1, 48), Way::Blackhole);
    bench.apply(&wanted);
    let index = view_of(&bench, PORT);
    assert_ne!(bench.maps().views.get(index.into()).root6, 0);
    wanted.structure.views.clear();
    wanted.structure.ports.get_mut(&PORT).unwrap().view = None;
    wanted.routes.clear();
    bench.apply(&wanted);
    assert_eq!(
        (view_of(&bench, PORT), bench.maps().views.get(index.into())),
        (0, views::View::default())
    );
    assert_eq!(bench.maps().hosts6_table().iter().count(), 0);
    assert_eq!(bench.reconciler.routing.views.prefixes(), 0);
}

#[test]
fn what_routes_a_port_may_use_and_whether_it_can_be_sent_to_are_flags_of_its_own() {
    let mut bench = Bench::new();
    let mut wanted = network();
    for (route4, route6, is_target) in
        [(false, true, true), (true, false, false), (true, true, true)]
    {
        let port = wanted.structure.ports.get_mut(&PORT).unwrap();
        (port.route4, port.route6, port.is_target) = (route4, route6, is_target);
        bench.apply(&wanted);
        let flags = bench.maps().ports.get(bench.reconciler.ports.slot(PORT).unwrap()).flags;
        let set = [FLAG_ROUTE4, FLAG_ROUTE6, FLAG_NOT_A_TARGET].map(|flag| flags & flag != 0);
        assert_eq!(set, [route4, route6, !is_target]);
    }
}

#[test]
fn a_family_whose_prefixes_find_no_room_is_the_kernels_until_all_do() {
    let mut bench = Bench::filled();
    let words = bench.maps().trie.len();
    let mut wanted = network();
    // Each fills a root of its own; there is room for fewer.
    for number in 0..20 {
        let table = 1_000 + number;
        wanted.structure.views.push(View { v4: Vec::new(), v6: vec![table] });
        let place = RoutePlace { view: 1 + number as u16, ..prefix(1, 48) };
        wanted.routes.insert(place, Way::Blackhole);
    }
    let outcome = bench.apply(&wanted);
    assert!(outcome.full.iter().any(|text| text.contains("the map trie is full")), "{outcome:?}");
    let shown =
        |bench: &Bench| bench.maps().views.iter().filter(|(_, view)| view.root6 != 0).count();
    let few = shown(&bench);
    assert!(few > 0 && few < 20, "{few} of 20 views with {words} words");
    assert_eq!(bench.apply(&wanted).changes, 0, "what lacks is not shown half");
    for _ in 0..14 {
        wanted.structure.views.pop();
    }
    wanted.routes.retain(|place, _| usize::from(place.view) < wanted.structure.views.len());
    bench.apply(&wanted);
    std::thread::sleep(std::time::Duration::from_millis(150));
    assert!(bench.apply(&wanted).full.is_empty(), "blocks have rested");
    assert_eq!(shown(&bench), 6);
}

#[test]
fn hosts_that_find_no_room_in_the_table_are_in_the_trie_one_by_one_as_well() {
    let mut bench = Bench::filled();
    let wanted = network();
    let hosts: Vec<_> = (10..=250).map(host).collect();
    let changes: Vec<_> = hosts.iter().map(|(place, way)| (*place, Some(way.clone()))).collect();
    let outcome = change(&mut bench, &wanted, &changes);
    assert!(outcome.full.iter().any(|text| text.contains("raise `host_entries`")), "{outcome:?}");
    for (place, _) in &hosts {
        let target = bench.reconciler.routing.present(bench.maps(), place);
        assert_eq!(target.map(split_target).map(|(kind, _)| kind), Some(KIND_NEXTHOP));
    }
    let in_trie = bench.reconciler.routing.hosts.in_trie().next().expect("not all found room");
    assert_eq!(look_up(&bench, &in_trie.0.1.to_string()), Some(split_target(in_trie.1)));
    let gone: Vec<_> = changes.iter().map(|(place, _)| (*place, None)).collect();
    change(&mut bench, &wanted, &gone);
    assert_eq!(bench.reconciler.routing.hosts.in_trie().count(), 0);
    assert_eq!(bench.reconciler.routing.views.prefixes(), 0);
}

/// Also one that an earlier daemon had to leave to the trie. The packet path looks into the table, then into
/// the trie, and knows nothing if the number of moves has grown meanwhile.
#[test]
fn a_host_that_moves_from_the_trie_into_the_table_is_missed_at_no_moment() {
    for is_restarted in [false, true] {
        let settings = settings();
        let (maps, same) = Maps::in_memory_twice(&settings.sizes()).unwrap();
        let mut bench = Bench::over(maps, Fake::default(), &settings);
        let mut wanted = network();
        wanted.routes.extend((10..=250).map(host));
        bench.apply(&wanted);
        let (host, target) = bench.reconciler.routing.hosts.in_trie().next().unwrap();
        wanted.routes.retain(|place, _| place.prefix.address == host.1);
        bench.apply(&wanted);
        bench.rest();
        if is_restarted {
            bench = bench.restart();
        }
        let moments = Rc::new(RefCell::new(Vec::new()));
        let seen = moments.clone();
        let watch = after_each_store(move || {
            let moves = same.settings.get(0).moves;
            let in_trie = same.by_prefix(host.0, host.1);
            seen.borrow_mut().push((moves, same.host(host.0, host.1), in_trie));
        });
        bench.apply(&wanted);
        drop(watch);
        let moments = moments.borrow();
        let (_, last_in_table, last_in_trie) = moments.last().unwrap();
        assert_eq!((*last_in_table, *last_in_trie), (Some(target), None), "it has moved");
        for (at, (moves, in_table, _)) in moments.iter().enumerate() {
            for (later, _, in_trie) in &moments[at..] {
                let found = in_table.or(*in_trie);
                assert!(found == Some(target) || later != moves, "{moments:?}");
            }
        }
    }
}

#[test]
fn a_route_into_a_view_without_ports_leads_there_or_nowhere_at_any_moment() {
    let mut wanted = network();
    wanted.structure.views.push(View { v4: Vec::new(), v6: vec![1001] });
    let there = RoutePlace { view: 1, ..prefix(1, 48) };
    wanted.routes.extend([(prefix(1, 64), Way::View(1)), (there, Way::Blackhole)]);
    let settings = settings();
    let (maps, same) = Maps::in_memory_twice(&settings.sizes()).unwrap();
    let (mut bench, same) = (Bench::over(maps, Fake::default(), &settings), Rc::new(same));
    bench.apply(&wanted);
    let view = view_of(&bench, PORT);
    // Another daemon writes that view anew, and a third one finds it without a use.
    for wanted in [&wanted, &network()] {
        bench = bench.restart();
        let same = same.clone();
        let ends = Rc::new(RefCell::new(Vec::new()));
        let seen = ends.clone();
        let watch = after_each_store(move || {
            let address = ip("2001:db8:1::1");
            let end = match same.by_prefix(view, address).map(split_target) {
                Some((KIND_VIEW, view)) => same.by_prefix(view as u16, address),
                other => other.map(|(kind, index)| target(kind, index)),
            };
            seen.borrow_mut().push(end);
        });
        bench.apply(wanted);
        drop(watch);
        let allowed = [None, Some(target(KIND_BLACKHOLE, 0))];
        assert!(ends.borrow().iter().all(|end| allowed.contains(end)), "{ends:?}");
        let last = ends.borrow().last().copied().flatten();
        assert_eq!(last.is_some(), wanted.routes.contains_key(&there));
        assert_eq!(bench.apply(wanted).changes, 0);
    }
}

#[test]
fn a_host_whose_next_hop_finds_no_room_is_the_kernels() {
    let mut bench = Bench::filled();
    let (place, _) = host(9);
    let key = NexthopKey { ifindex: 55, ..hop(9) };
    change(&mut bench, &network(), &[(place, Some(Way::Nexthop { key, nexthop: nexthop(9) }))]);
    let found = bench.reconciler.routing.present(bench.maps(), &place);
    assert_eq!(found, Some(target(KIND_KERNEL, 0)), "there is no such port");
}
