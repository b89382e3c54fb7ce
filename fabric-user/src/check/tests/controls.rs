//! What passes has to prove something: each case that cannot be wrong about a fault, and what proves nothing.

use std::net::IpAddr;

use super::{
    fabric::{Paper, cases, plain_tenants, single},
    faults::{broken, expect},
};
use crate::{facts::counted::Count, frr::facts::BfdSession, observe::Event};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn the_silence_of_a_host_that_is_dead_proves_nothing() {
    let suite = "[[reach]]\nfrom = \"web01\"\nto = \"log01\"\nexpect = \"none\"\n";
    let dead = |paper: &mut Paper| assert!(paper.silent.insert(("log01".into(), ip("10.30.0.1"))));
    let said = "not asked: log01 does not reach its own gateway, so that silence proves nothing";
    expect(suite, dead, &["reach web01→log01 (icmp, none)"], said);
}

#[test]
fn a_packet_that_its_own_host_refuses_was_not_met_with_silence() {
    let suite = "[[reach]]\nfrom = \"web01\"\nto = \"log01\"\nexpect = \"none\"\nsize = 9000\n";
    let paper = Paper::named("two-sites");
    let said = paper.failing(&cases(suite, &paper.inventory)).pop().unwrap().1;
    assert!(said.starts_with("not asked: web01: ") && said.ends_with("no silence"), "{said}");
}

#[test]
fn answers_that_come_twice_fail() {
    let twice = |paper: &mut Paper| assert!(paper.doubled.insert("app01".into()));
    let said = "1 answers came once more";
    let name = "reach app01→app06 (icmp)";
    expect("[[reach]]\nfrom = \"app01\"\nto = \"app06\"\n", twice, &[name], said);
    let name = "gateway app01 (10.200.0.1)";
    expect("[[gateway]]\nfrom = \"app01\"\n", twice, &[name], said);
    let name = "mtu app01→app06 (1500 bytes)";
    expect("[[mtu]]\nfrom = \"app01\"\nto = \"app06\"\n", twice, &[name], said);
}

#[test]
fn a_small_link_on_a_way_that_these_packets_do_not_take_fails_by_the_mtu_all_the_same() {
    let suite = "[[mtu]]\nfrom = \"app01\"\nto = \"app06\"\n";
    let small = |paper: &mut Paper| paper.link("leaf01", "swp2").mtu = 1_549;
    expect(suite, small, &["mtu app01→app06 (1500 bytes)"], "leaf01 swp2: MTU 1549");
    let far = |paper: &mut Paper| paper.link("spine04", "swp2").mtu = 1_500;
    expect(suite, far, &["mtu app01→app06 (1500 bytes)"], "spine04 swp2: MTU 1500");
    let elsewhere = |paper: &mut Paper| paper.link("leaf02", "swp1").mtu = 1_500;
    assert_eq!(broken(suite, &mut Paper::named("two-sites"), elsewhere).0, [""; 0]);
}

#[test]
fn that_no_packet_ended_for_a_reason_proves_nothing_where_none_was_looked_at() {
    let suite = "[[reasons]]\non = \"leaf01\"\nnone_of = [\"vxlan_input_unknown_vtep\"]\n";
    let idle = |paper: &mut Paper| paper.fabric("leaf01").counted.ports.clear();
    let said = "not asked: leaf01: Fabric has looked at 0 packets in 5s, so that none of a reason prove nothing";
    expect(suite, idle, &["reasons leaf01"], said);
    let bypassed = |paper: &mut Paper| {
        let port = paper.fabric("leaf01").counted.ports.get_mut("swp1").unwrap();
        port.received.clear();
        port.received.insert("port_input_bypassed".into(), Count { packets: 900, bytes: 0 });
    };
    expect(suite, bypassed, &["reasons leaf01"], said);
}

#[test]
fn a_few_packets_that_vanish_are_missed_and_bgp_is_no_excuse() {
    let suite = "[[conserve]]\nfrom = \"app01\"\nto = \"app06\"\n";
    let few = |paper: &mut Paper| {
        let fabric = paper.fabric("leaf04");
        fabric.counted.vteps.get_mut("10.0.1.11").unwrap().received.packets = 990;
        let received = &mut fabric.counted.ports.get_mut("swp1").unwrap().received;
        let bgp = Count { packets: 60, bytes: 0 };
        received.insert("underlay_input_not_vxlan".into(), bgp);
        received.insert("transit_route_local".into(), bgp);
    };
    let said = "1000 sent by leaf01, 990 received by leaf04";
    expect(suite, few, &["conserve leaf01→leaf04"], said);
    let unanswered = |paper: &mut Paper| {
        assert!(paper.silent.insert(("app01".into(), ip("10.200.0.16"))));
    };
    let both = &["conserve leaf01→leaf04", "conserve leaf04→leaf01"];
    expect(suite, unanswered, both, "1000 of 1000 lost");
}

#[test]
fn silence_is_noticed_as_late_as_the_other_end_sends() {
    let suite = "[[bfd]]\non = \"leaf01\"\ndetect = \"150ms\"\n";
    let session = |port: &str| BfdSession {
        interface: Some(port.into()),
        up: true,
        receive_ms: 50,
        transmit_ms: 50,
        multiplier: 3,
        remote_transmit_ms: 50,
        remote_multiplier: 3,
        ..BfdSession::default()
    };
    let paper = || {
        let mut paper = Paper::named("two-sites");
        paper.frr("leaf01").bfd = ["swp1", "swp2"].map(session).to_vec();
        paper
    };
    let slow = |paper: &mut Paper| paper.frr("leaf01").bfd[1].remote_transmit_ms = 1_000;
    let (failing, said) = broken(suite, &mut paper(), slow);
    assert_eq!(failing, ["bfd leaf01→spine02 (swp2)"]);
    assert_eq!(said, "up, silence noticed within 3000 ms");
    let unknown = |paper: &mut Paper| paper.frr("leaf01").bfd[0].remote_multiplier = 0;
    let (failing, said) = broken(suite, &mut paper(), unknown);
    assert_eq!(failing, ["bfd leaf01→spine01 (swp1)"]);
    assert!(said.starts_with("not asked: "), "{said}");
}

#[test]
fn a_session_in_a_vrf_is_another_one_than_that_of_the_same_name_outside() {
    /// A tenant has a session at a port of the same name, before the others.
    fn tenant(paper: &mut Paper, state: &str) {
        let sessions = &mut paper.frr("leaf01").sessions;
        let mut one = sessions.iter().find(|it| it.peer == "swp1").unwrap().clone();
        (one.vrf, one.state) = (Some("blue".into()), state.into());
        one.families.clear();
        sessions.insert(0, one);
    }
    let suite = "[[bgp]]\non = \"leaf01\"\nothers = true\n[[prefixes]]\non = \"leaf01\"\n";
    let down = |paper: &mut Paper| tenant(paper, "Active");
    assert_eq!(broken(suite, &mut Paper::named("two-sites"), down).0, [""; 0]);
    let stranger = "[[bgp]]\non = \"leaf01\"\n";
    let said = "swp1 (spine01) in VRF blue";
    expect(stranger, down, &["bgp leaf01 no other session"], said);
    let of_tenant = "[[bgp]]\non = \"leaf01\"\npeers = [\"swp1\"]\nvrf = \"blue\"\nothers = true\n";
    let mut paper = Paper::named("two-sites");
    tenant(&mut paper, "Established");
    let (failing, said) = broken(of_tenant, &mut paper, |paper| {
        paper.frr("leaf01").sessions[0].state = "Idle".into()
    });
    assert_eq!((failing, said.as_str()), (vec!["bgp leaf01→swp1 in blue".to_owned()], "Idle"));
}

#[test]
fn a_way_that_is_left_in_the_maps_alone_is_a_route_that_should_not_be_there() {
    let suite = "[[no_route]]\non = \"leaf01\"\nprefix = \"10.0.2.12/32\"\n";
    let gone = |paper: &mut Paper| {
        let is_it = |it: &Event| matches!(it, Event::Route(route) if route.key.prefix.to_string() == "10.0.2.12/32");
        paper.facts("leaf01").network.retain(|it| !is_it(it));
        paper.frr("leaf01").routes.retain(|it| it.prefix.to_string() != "10.0.2.12/32");
    };
    let mut paper = Paper::named("two-sites");
    gone(&mut paper);
    let failing = paper.failing(&cases(suite, &paper.inventory));
    assert_eq!(failing.len(), 1);
    assert_eq!(failing[0].1, "the maps lead to spine01, spine02, FRR and the kernel do not");
    paper.fabric("leaf01").held.routes.retain(|key, _| key.addresses != "10.0.2.12/32");
    assert_eq!(paper.failing(&cases(suite, &paper.inventory)), []);
    paper.frr("leaf01").routes.clear();
    let said = "not asked: leaf01: FRR's VRF default has no other route, so that the lack of one says nothing";
    assert_eq!(paper.failing(&cases(suite, &paper.inventory))[0].1, said);
}

#[test]
fn servers_that_are_fewer_are_still_those_of_the_picture_and_frr_says_so_too() {
    let suite = |more: &str| format!("[[anycast]]\non = \"spine01\"\n{more}");
    let paper = || Paper::named("anycast");
    let services = paper().inventory.topology.services;
    let addresses: Vec<IpAddr> = services.into_iter().flat_map(|it| it.addresses).collect();
    // leaf03 has no servers.
    let astray = |paper: &mut Paper| {
        let ifindex = paper.link("spine01", "swp3").ifindex;
        for event in &mut paper.facts("spine01").network {
            if let Event::Route(route) = event
                && route.key.prefix == single(addresses[0])
            {
                route.hops.truncate(1);
                route.hops[0].ifindex = ifindex;
            }
        }
    };
    let (failing, said) = broken(&suite("servers = 1\n"), &mut paper(), astray);
    assert_eq!(failing.len(), 1, "{failing:?}");
    assert!(said.contains("kernel has also leaf03"), "{said}");
    let deaf = |paper: &mut Paper| {
        paper.frr("spine01").routes.retain(|it| it.prefix != single(addresses[0]));
    };
    let (failing, said) = broken(&suite(""), &mut paper(), deaf);
    assert_eq!(failing.len(), 1, "{failing:?}");
    assert_eq!(said, "kernel and maps as expected; FRR has nothing");
}

#[test]
fn what_may_not_look_at_maps_does_not_know_whether_the_daemon_runs() {
    let suite = "[[daemon]]\non = \"leaf01\"\n";
    let blind = |paper: &mut Paper| {
        let facts = paper.facts("leaf01");
        facts.fabric = None;
        facts.missing = vec!["cannot open the map /x: Operation not permitted".into()];
    };
    let said = "not asked: leaf01: cannot open the map /x: Operation not permitted";
    expect(suite, blind, &["daemon leaf01"], said);
}

#[test]
fn what_does_not_run_has_no_version_that_is_within_bounds() {
    let suite = "[[versions]]\non = \"leaf01\"\nfrr = [\"8.4\", \"11\"]\n";
    let stopped = |paper: &mut Paper| paper.facts("leaf01").frr = None;
    let said = "not asked: leaf01: FRR does not run there";
    expect(suite, stopped, &["versions leaf01"], said);
    let same = "[[versions]]\non = \"leaf*\"\nsame = true\n";
    expect(same, stopped, &["versions leaf the same"], said);
}

#[test]
fn moves_are_counted_from_a_look_that_has_seen_something() {
    let suite = "[[no_duplicates]]\non = \"leaf01\"\nmoves = 1\n";
    let blind = |paper: &mut Paper| paper.before.get_mut("leaf01").unwrap().frr = None;
    let said = "not asked: leaf01: FRR did not run before";
    expect(suite, blind, &["no_duplicates leaf01"], said);
    let new = |paper: &mut Paper| {
        paper.before.get_mut("leaf01").unwrap().frr.as_mut().unwrap().macs.remove(0);
        paper.frr("leaf01").macs[0].sequence = 4;
    };
    let (failing, said) = broken(suite, &mut Paper::named("two-sites"), new);
    assert_eq!(failing, ["no_duplicates leaf01"]);
    assert!(said.ends_with(" 4 times"), "{said}");
}

#[test]
fn a_leaf_asks_in_a_vrf_that_it_has_and_hosts_are_in_theirs() {
    let suite = "[[reach]]\nfrom = \"leaf01\"\nto = \"10.50.0.9\"\nvrf = \"red\"\n";
    let paper = Paper::of(plain_tenants());
    let all = cases(suite, &paper.inventory);
    assert_eq!(all[0].name, "reach leaf01→10.50.0.9 (icmp, in red)");
    let line = all[0].draft.probes[0].command().join(" ");
    assert!(line.ends_with("-I red 10.50.0.9"), "{line}");
    let plain = cases(&suite.replace("vrf = \"red\"\n", ""), &paper.inventory);
    let line = plain[0].draft.probes[0].command().join(" ");
    assert!(line.ends_with("-I 10.0.1.11 10.50.0.9"), "{line}");
    let wrong = |text: &str| {
        let name = std::path::Path::new("a.check.toml");
        let suite = crate::check::Suite::parse("a.check.toml", name, text.to_owned()).unwrap();
        suite.cases(&paper.inventory).unwrap_err()[0].message.clone()
    };
    let said = wrong(&suite.replace("red", "purple"));
    assert!(said.starts_with("leaf01 has no network of a tenant purple"), "{said}");
    let host = paper.inventory.topology.hosts[0].name.clone();
    let said = wrong(&suite.replace("leaf01", &host));
    assert!(said.starts_with("hosts are in the VRF of their network"), "{said}");
}
