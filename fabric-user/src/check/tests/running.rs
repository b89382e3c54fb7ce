//! Suites of what runs, over facts on paper.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use super::fabric::{Paper, cases, plain_tenants, single};
use crate::{
    check::{Case, Inventory, Written, new::suite_of},
    facts::Facts,
    lab::{Topology, topology::ControlPlane},
    observe::{Event, Hop, Prefix, Route, RouteKey, RouteKind},
};

/// Facts on paper are not whole: `verify` finds that in each of them.
const BEYOND_PAPER: &str = "verify ";

const NOWHERE: Hop = Hop { ifindex: 0, gateway: None, weight: 1, encap: None, dead: false };
const KEY: RouteKey = RouteKey {
    table: 0,
    prefix: Prefix { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), length: 0 },
    source: None,
    tos: 0,
    priority: 0,
};
const ROUTE: Route = Route {
    key: KEY,
    kind: RouteKind::Local,
    protocol: 2,
    nexthop: None,
    hops: Vec::new(),
    mtu: None,
    hop_limit: None,
};

/// The facts of all nodes by their names.
fn boxes(paper: &Paper) -> Vec<(String, Facts)> {
    let nodes = paper.inventory.topology.switches.iter();
    nodes.map(|it| (it.name.clone(), paper.now[&it.name].clone())).collect()
}

fn written(paper: &Paper) -> Written {
    suite_of("here", boxes(paper)).unwrap()
}

/// What was left out, but for what is not on paper.
fn left_out(written: &Written) -> Vec<&str> {
    let all = written.left_out.iter().map(String::as_str);
    all.filter(|it| !it.starts_with(BEYOND_PAPER)).collect()
}

fn cases_of(written: &Written) -> Vec<Case> {
    let undrawn = Topology::undrawn("here", &written.inventory);
    let undrawn = undrawn.unwrap_or_else(|error| panic!("{error}\n{}", written.inventory));
    cases(&written.suite, &Inventory::of(undrawn))
}

/// The cases that fail, of the suite that was written before.
fn failing(paper: &Paper, cases: &[Case]) -> Vec<String> {
    paper.failing(cases).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn what_is_written_of_a_fabric_passes_there_and_is_the_same_whenever_it_is_written() {
    for paper in [Paper::named("two-sites"), Paper::named("reference"), Paper::of(plain_tenants())]
    {
        let first = written(&paper);
        assert_eq!(left_out(&first), Vec::<&str>::new());
        let all = cases_of(&first);
        assert_eq!(paper.failing(&all), [], "{}\n{}", first.suite, first.inventory);
        let mut others = boxes(&paper);
        others.reverse();
        let second = suite_of("here", others).unwrap();
        assert_eq!((second.suite, second.inventory), (first.suite, first.inventory));
    }
}

#[test]
fn it_has_every_kind_that_needs_neither_cables_nor_hosts_nor_traffic() {
    let papers = [Paper::of(plain_tenants()), Paper::named("two-sites")];
    let all: Vec<Case> = papers.iter().flat_map(|it| cases_of(&written(it))).collect();
    let kinds: BTreeSet<&str> = all.iter().map(|it| it.kind).collect();
    let expected = [
        "bgp",
        "capacity",
        "daemon",
        "ecmp",
        "link",
        "no_duplicates",
        "route",
        "versions",
        "vni",
        "vrf",
        "vteps",
    ];
    assert_eq!(kinds, expected.into());
}

#[test]
fn a_change_fails_the_cases_that_are_about_it_and_no_others() {
    let mut paper = Paper::named("two-sites");
    let all = cases_of(&written(&paper));
    paper.link("leaf01", "swp1").mtu = 1_500;
    assert_eq!(failing(&paper, &all), ["link leaf01:swp1"]);

    let mut paper = Paper::named("two-sites");
    paper.frr("leaf01").sessions.retain(|it| it.peer != "swp1");
    assert_eq!(failing(&paper, &all), ["bgp leaf01→swp1"]);

    let mut paper = Paper::named("two-sites");
    let mut more = paper.frr("leaf01").sessions[0].clone();
    more.peer = "swp9".into();
    paper.frr("leaf01").sessions.push(more);
    assert_eq!(failing(&paper, &all), ["bgp leaf01 no other session"]);

    let mut paper = Paper::named("two-sites");
    let app = paper.inventory.topology.network("app").unwrap().vni;
    let stranger: IpAddr = "10.0.9.9".parse().unwrap();
    paper.frr("leaf01").vnis.get_mut(&app).unwrap().flood.insert(stranger);
    assert_eq!(failing(&paper, &all), [format!("vteps vni{app} leaf01")]);

    let mut paper = Paper::named("two-sites");
    let gone = paper.frr("leaf01").routes.remove(0).prefix;
    assert_eq!(failing(&paper, &all), [format!("route leaf01 {gone}")]);

    let mut paper = Paper::of(plain_tenants());
    let all = cases_of(&written(&paper));
    paper.frr("leaf01").vrfs.get_mut("red").unwrap().l3vni += 1;
    assert_eq!(failing(&paper, &all), ["vrf red leaf01"]);
}

#[test]
fn what_does_not_hold_now_is_left_out_with_a_word() {
    let mut paper = Paper::named("two-sites");
    let app = paper.inventory.topology.network("app").unwrap().vni;
    let stranger: IpAddr = "10.0.9.9".parse().unwrap();
    paper.frr("leaf01").vnis.get_mut(&app).unwrap().flood.insert(stranger);
    paper.frr("leaf02").sessions[0].state = "Idle".into();
    paper.fabric("leaf02").bypass = true;
    let written = written(&paper);
    let expected = [
        format!("vteps vni{app} leaf01: FRR has also 10.0.9.9"),
        "daemon leaf02: the bypass is on".into(),
    ];
    let left_out = left_out(&written);
    assert!(left_out.len() == 2 && left_out[0].starts_with(&expected[0][..20]), "{left_out:#?}");
    assert_eq!(left_out[1], expected[1]);
    assert!(left_out.iter().all(|it| written.suite.contains(&format!("#   {it}\n"))));
    let all = cases_of(&written);
    assert_eq!(paper.failing(&all), []);
    let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
    assert!(!names.contains(&"daemon leaf02") && names.contains(&"daemon leaf01"));
    assert!(!names.contains(&"bgp leaf02→swp1") && names.contains(&"bgp leaf02→swp2"));
    assert!(!names.contains(&"bgp leaf02 no other session"), "the one that is down would be one");
}

#[test]
fn a_box_without_tunnels_is_known_by_the_address_of_its_loopback_interface() {
    let mut paper = Paper::named("two-sites");
    let spine = paper.inventory.topology.switch("spine01").unwrap().loopback;
    // As the kernel tells routes: those of ports come first.
    for event in &mut paper.facts("spine01").network {
        if let Event::Route(route) = event {
            if route.kind == RouteKind::Local {
                route.hops = vec![Hop { ifindex: 1, ..NOWHERE }];
            }
            *event = Event::RouteAppended(route.clone());
        }
    }
    let port = RouteKey { table: 255, prefix: single("10.0.0.1".parse().unwrap()), ..KEY };
    let hops = vec![Hop { ifindex: 2, ..NOWHERE }];
    let local = Route { key: port, kind: RouteKind::Local, hops, ..ROUTE };
    paper.facts("spine01").network.push(Event::RouteAppended(local));
    let table = format!("[nodes.spine01]\nsite = \"all\"\nloopback = \"{spine}\"\n");
    let written = written(&paper).inventory;
    assert!(written.contains(&table), "{written}");
}

#[test]
fn one_box_alone_has_a_suite_as_well() {
    let paper = Paper::named("two-sites");
    let one = suite_of("here", vec![("leaf01".into(), paper.now["leaf01"].clone())]).unwrap();
    let all = cases_of(&one);
    assert_eq!(paper.failing(&all), []);
    assert!(all.iter().any(|it| it.name == "bgp leaf01→swp1"), "{}", one.suite);
    assert!(one.left_out.iter().any(|it| it.starts_with("vteps ")), "others are not known");
}

#[test]
fn boxes_without_frr_are_compared_with_their_kernels() {
    let mut paper = Paper::named("one-site");
    paper.now.values_mut().for_each(|it| it.frr = None);
    let written = written(&paper);
    assert_eq!(left_out(&written), Vec::<&str>::new());
    let undrawn = Topology::undrawn("here", &written.inventory).unwrap();
    assert_eq!(undrawn.fabric.control_plane, ControlPlane::Static);
    let kinds: BTreeSet<&str> = cases_of(&written).iter().map(|it| it.kind).collect();
    assert!(kinds.contains("route") && kinds.contains("vteps") && !kinds.contains("bgp"));
}

#[test]
fn boxes_are_asked_by_the_names_that_they_were_given() {
    let paper = Paper::named("two-sites");
    let facts = || paper.now["leaf01"].clone();
    let mut other = facts();
    other.fabric.as_mut().unwrap().instance = "default".into();
    let written = suite_of("here", vec![("leaf01.dc1".into(), facts())]).unwrap();
    let table = "[devices.leaf01-dc1]\nssh = \"leaf01.dc1\"\ninstance = \"leaf01\"\n";
    assert!(written.suite.contains(table), "{}", written.suite);
    let written = suite_of("here", vec![("leaf01".into(), other)]).unwrap();
    assert!(!written.suite.contains("\n[devices."), "{}", written.suite);
    let twice = vec![("a.b".to_owned(), facts()), ("a-b".to_owned(), facts())];
    assert!(suite_of("here", twice).unwrap_err().contains("two of the files are of a box a-b"));
    let long = suite_of("here", vec![("a".repeat(40), facts())]).unwrap_err();
    assert!(long.contains("1 to 31 letters"), "{long}");
}
