//! One fault after another, and exactly the cases that fail by it.

use super::fabric::{Paper, cases, plain_tenants, single};
use crate::{
    check::disrupt::Trouble,
    facts::{
        Room,
        counted::Count,
        held::{Place, Way},
    },
    mac::Mac,
    observe::{Event, LinkKind, TunnelTarget},
};

/// The names of the cases that fail once something is changed, and what the first of them says.
pub(super) fn broken(
    suite: &str,
    paper: &mut Paper,
    breaks: impl FnOnce(&mut Paper),
) -> (Vec<String>, String) {
    let all = cases(suite, &paper.inventory);
    assert_eq!(paper.failing(&all), [], "it is whole before");
    breaks(paper);
    let failing = paper.failing(&all);
    let first = failing.first().map(|it| it.1.clone()).unwrap_or_default();
    (failing.into_iter().map(|it| it.0).collect(), first)
}

#[track_caller]
pub(super) fn expect(suite: &str, breaks: impl FnOnce(&mut Paper), names: &[&str], actual: &str) {
    let (failing, said) = broken(suite, &mut Paper::named("two-sites"), breaks);
    assert_eq!(failing, names);
    assert_eq!(said, actual);
}

fn tunnel(paper: &mut Paper, node: &str, name: &str) -> u32 {
    paper.link(node, name).ifindex
}

#[test]
fn a_flood_entry_that_is_missing_is_named_with_the_side_that_lacks_it() {
    let suite = "[[vteps]]\nnetwork = \"app\"\n";
    let lost = |paper: &mut Paper| {
        let vxlan = tunnel(paper, "leaf03", "vxlan10200");
        let is_it = |it: &Event| {
            matches!(it, Event::TunnelMac(entry) if entry.vxlan == vxlan && entry.mac.is_zero()
            && matches!(entry.target, TunnelTarget::Vtep { address, .. } if address.to_string() == "10.0.1.12"))
        };
        paper.facts("leaf03").network.retain(|it| !is_it(it));
    };
    expect(suite, lost, &["vteps app leaf03"], "FRR and maps as expected; kernel lacks 10.0.1.12");
    let unknown = |paper: &mut Paper| {
        paper.fabric("leaf03").held.vteps.retain(|key, _| key.remote.to_string() != "10.0.1.12");
    };
    expect(
        suite,
        unknown,
        &["vteps app leaf03"],
        "FRR and kernel as expected; maps lack 10.0.1.12",
    );
}

#[test]
fn a_network_that_is_where_it_should_not_be_and_one_with_learning_left_on_fail_at_that_node() {
    let suite = "[[vni]]\nnetwork = \"web\"\nonly = [\"@Site-01\"]\n";
    let stretched = |paper: &mut Paper| {
        let link = paper.link("leaf03", "vxlan10300");
        let LinkKind::Vxlan(vxlan) = &mut link.kind else { panic!("it is one") };
        vxlan.vni = 10_100;
    };
    expect(suite, stretched, &["vni web leaf03 not"], "vxlan10300 carries it");
    let wrong = |paper: &mut Paper| {
        let LinkKind::Vxlan(vxlan) = &mut paper.link("leaf01", "vxlan10100").kind else {
            panic!("it is one")
        };
        vxlan.vni = 10_999;
    };
    expect(suite, wrong, &["vni web leaf01"], "vxlan10100 in br100 has VNI 10999");
    let learns = |paper: &mut Paper| {
        paper.link("leaf01", "vxlan10100").port.as_mut().unwrap().learning = true;
    };
    expect(suite, learns, &["vni web leaf01"], "vxlan10100 learns as port of its bridge");
    let elsewhere = |paper: &mut Paper| {
        let local = paper.inventory.topology.switch("leaf01").unwrap().loopback;
        let is_own = |it: &Event| matches!(it, Event::Route(route) if route.key.prefix == single(local.into()));
        paper.facts("leaf01").network.retain(|it| !is_own(it));
    };
    expect(suite, elsewhere, &["vni web leaf01"], "no interface has 10.0.1.11");
}

#[test]
fn a_session_that_is_down_or_lacks_a_family_and_one_that_nobody_knows_are_told_apart() {
    let suite = "[[bgp]]\n";
    let down = |paper: &mut Paper| {
        let session = paper.frr("leaf01").sessions.iter_mut().find(|it| it.peer == "swp1").unwrap();
        session.state = "Active".into();
    };
    expect(suite, down, &["bgp leaf01→spine01 (swp1)"], "Active");
    let lacks = |paper: &mut Paper| {
        let session = paper.frr("leaf01").sessions.iter_mut().find(|it| it.peer == "swp2").unwrap();
        session.families.remove("l2VpnEvpn");
    };
    expect(suite, lacks, &["bgp leaf01→spine02 (swp2)"], "Established, without EVPN");
    let stranger = |paper: &mut Paper| {
        let sessions = &mut paper.frr("leaf01").sessions;
        let mut one = sessions[0].clone();
        (one.peer, one.name) = ("swp9".into(), Some("rogue".into()));
        sessions.push(one);
    };
    expect(suite, stranger, &["bgp leaf01 no other session"], "swp9 (rogue)");
    let mut paper = Paper::named("two-sites");
    let all = cases(suite, &paper.inventory);
    paper.frr("leaf01").missing.insert("bgpd".into(), "bgpd does not run".into());
    let failing = paper.failing(&all);
    assert_eq!(failing.len(), 3);
    assert!(failing.iter().all(|it| it.1 == "not asked: leaf01: bgpd does not run"), "{failing:?}");
}

#[test]
fn links_that_are_off_or_too_small_or_in_the_wrong_port_fail_once() {
    let suite = "[[link]]\nhosts = true\n";
    let small = |paper: &mut Paper| paper.link("spine01", "swp1").mtu = 1_500;
    expect(suite, small, &["link leaf01:swp1–spine01:swp1"], "spine01 swp1: MTU 1500");
    let cut = |paper: &mut Paper| paper.link("leaf01", "swp12").carrier = false;
    expect(suite, cut, &["link leaf01:swp12–app01"], "leaf01 swp12: no carrier");
    let swapped = |paper: &mut Paper| {
        let session = paper.frr("leaf01").sessions.iter_mut().find(|it| it.peer == "swp1").unwrap();
        session.name = Some("spine02".into());
    };
    expect(
        suite,
        swapped,
        &["link leaf01:swp1–spine01:swp1"],
        "leaf01 swp1: spine02 is at the other end",
    );
}

#[test]
fn a_link_that_is_up_and_has_lost_its_carrier_meanwhile_flaps() {
    let suite = "[[link]]\nflaps = 1\n";
    let lost = |times| {
        move |paper: &mut Paper| {
            paper.facts("spine01").carrier_losses.insert("swp1".into(), times);
        }
    };
    let said = "spine01 swp1: carrier lost 5 times in 10s";
    expect(suite, lost(5), &["link leaf01:swp1–spine01:swp1"], said);
    assert_eq!(broken(suite, &mut Paper::named("two-sites"), lost(1)).0, Vec::<String>::new());
}

#[test]
fn a_route_that_differs_is_named_with_who_has_which_next_hops() {
    let suite = "[[route]]\non = \"leaf01\"\nprefix = \"10.0.2.12/32\"\nvia = [\"spine01\", \"spine02\"]\npaths = 2\n";
    let name = "route leaf01 10.0.2.12/32";
    let key = |paper: &mut Paper| {
        let mut keys = paper.fabric("leaf01").held.routes.keys();
        keys.find(|it| it.addresses == "10.0.2.12/32").unwrap().clone()
    };
    let maps = |paper: &mut Paper| {
        let key = key(paper);
        let way = paper.fabric("leaf01").held.routes.get_mut(&key).unwrap();
        let Way::Hops { hops, .. } = way else { panic!("it has hops") };
        hops.pop();
    };
    expect(suite, maps, &[name], "FRR and kernel as expected; maps lack spine02");
    let forgotten = |paper: &mut Paper| {
        let key = key(paper);
        paper.fabric("leaf01").held.routes.remove(&key);
    };
    expect(suite, forgotten, &[name], "FRR and kernel as expected; maps have nothing");
    let all = |paper: &mut Paper| {
        let is_it = |it: &Event| matches!(it, Event::Route(route) if route.key.prefix.to_string() == "10.0.2.12/32");
        paper.facts("leaf01").network.retain(|it| !is_it(it));
        paper.frr("leaf01").routes.retain(|it| it.prefix.to_string() != "10.0.2.12/32");
        let key = key(paper);
        paper.fabric("leaf01").held.routes.remove(&key);
    };
    expect(suite, all, &[name], "FRR has nothing; kernel has nothing; maps have nothing");
}

#[test]
fn the_lack_of_a_route_needs_another_one_as_its_control() {
    let suite = "[[no_route]]\non = \"leaf01\"\nprefix = \"10.30.0.0/24\"\n";
    let leak = |paper: &mut Paper| {
        let mut route = paper.frr("leaf01").routes[0].clone();
        route.prefix = crate::check::sight::parse_prefix("10.30.0.0/24").unwrap();
        paper.frr("leaf01").routes.push(route);
    };
    expect(suite, leak, &["no_route leaf01 10.30.0.0/24"], "FRR has it, the kernel does not");
    let blind = |paper: &mut Paper| {
        paper
            .facts("leaf01")
            .network
            .retain(|it| !matches!(it, Event::Route(route) if route.key.table == 254));
    };
    let said =
        "not asked: leaf01: VRF default has no other route, so that the lack of one says nothing";
    expect(suite, blind, &["no_route leaf01 10.30.0.0/24"], said);
}

#[test]
fn shares_that_do_not_follow_their_weights_are_named() {
    let suite = "[[ecmp]]\non = \"leaf01\"\nto = \"leaf04\"\n";
    let skewed = |paper: &mut Paper| {
        let routes = &mut paper.fabric("leaf01").held.routes;
        let (_, way) = routes.iter_mut().find(|it| it.0.addresses == "10.0.2.12/32").unwrap();
        let Way::Hops { hops, .. } = way else { panic!("it has hops") };
        (hops[0].share.buckets, hops[1].share.buckets) = (192, 64);
    };
    expect(
        suite,
        skewed,
        &["ecmp leaf01→leaf04"],
        "spine01 has 75 % of the flows, and by its weight 50 %",
    );
    let alone = |paper: &mut Paper| {
        let routes = &mut paper.fabric("leaf01").held.routes;
        let (_, way) = routes.iter_mut().find(|it| it.0.addresses == "10.0.2.12/32").unwrap();
        let Way::Hops { hops, .. } = way else { panic!("it has hops") };
        hops.pop();
    };
    expect(suite, alone, &["ecmp leaf01→leaf04"], "1: spine01");
}

#[test]
fn a_host_that_moved_or_is_silent_fails_where_it_is_not_known() {
    let suite = "[[mac]]\nof = \"app01\"\n[[neighbour]]\nof = \"app01\"\n";
    let moved = |paper: &mut Paper| {
        let mac = paper.inventory.topology.host("app01").unwrap().end.mac;
        let macs = &mut paper.fabric("leaf04").held.macs;
        let (_, place) = macs.iter_mut().find(|it| it.0.mac == mac).unwrap();
        *place = Place::Vtep("10.0.1.12".parse().unwrap());
    };
    expect(
        suite,
        moved,
        &["mac app01 on leaf04"],
        "FRR and kernel as expected; maps lack VTEP 10.0.1.11 and have also VTEP 10.0.1.12",
    );
    let imposter = |paper: &mut Paper| {
        for entry in &mut paper.frr("leaf02").neighbours {
            if entry.address.to_string() == "10.200.0.11" {
                entry.mac = Mac([2, 0, 0, 0, 0, 9]);
            }
        }
    };
    let said = "kernel as expected; FRR lacks ";
    let (failing, actual) = broken(suite, &mut Paper::named("two-sites"), imposter);
    assert_eq!(failing, ["neighbour app01 (10.200.0.11) on leaf02"]);
    assert!(
        actual.starts_with(said) && actual.ends_with(" and has also 02:00:00:00:00:09"),
        "{actual}"
    );
}

#[test]
fn duplicates_and_moves_are_counted_while_they_are_watched() {
    let suite = "[[no_duplicates]]\non = \"leaf01\"\nmoves = 1\n";
    let frozen = |paper: &mut Paper| paper.frr("leaf01").macs[0].duplicate = true;
    let (failing, actual) = broken(suite, &mut Paper::named("two-sites"), frozen);
    assert_eq!(failing, ["no_duplicates leaf01"]);
    assert!(actual.contains(" in VNI "), "{actual}");
    let restless = |paper: &mut Paper| paper.frr("leaf01").macs[0].sequence = 4;
    let (_, actual) = broken(suite, &mut Paper::named("two-sites"), restless);
    assert!(actual.ends_with(" 4 times"), "{actual}");
    let once = |paper: &mut Paper| paper.frr("leaf01").macs[0].sequence = 1;
    assert_eq!(broken(suite, &mut Paper::named("two-sites"), once).0, Vec::<String>::new());
}

#[test]
fn who_should_not_be_reached_is_silent_only_while_the_gateway_answers() {
    let suite = "[[reach]]\nfrom = \"web01\"\nto = \"log01\"\nexpect = \"none\"\n";
    let name = "reach web01→log01 (icmp, none)";
    let leak = |paper: &mut Paper| {
        assert!(paper.leaks.insert(("web01".into(), "10.30.0.11".parse().unwrap())))
    };
    expect(suite, leak, &[name], "3 of 3 answered, 300 µs at most");
    let dead = |paper: &mut Paper| {
        assert!(paper.silent.insert(("web01".into(), "10.100.0.1".parse().unwrap())))
    };
    let said =
        "not asked: web01 does not reach its own gateway either, so that silence proves nothing";
    expect(suite, dead, &[name], said);
}

#[test]
fn who_is_not_reached_fails_for_that_pair_alone() {
    let suite = "[[reach]]\nfrom = \"app*\"\nto = \"app*\"\nsize = 1500\n";
    let one_way = |paper: &mut Paper| {
        assert!(paper.silent.insert(("app01".into(), "10.200.0.16".parse().unwrap())))
    };
    expect(suite, one_way, &["reach app01→app06 (icmp, 1500 bytes)"], "3 of 3 lost");
    let any = "[[reach]]\nfrom = \"app01\"\nto = \"app06\"\nproto = \"tcp\"\nport = 80\nanswer = \"any\"\n";
    expect(any, one_way_of, &["reach app01→app06 (tcp 80)"], "no answer");
    let all = cases(&any.replace("any", "open"), &Paper::named("two-sites").inventory);
    let failing = Paper::named("two-sites").failing(&all);
    assert_eq!(failing, [("reach app01→app06 (tcp 80)".to_owned(), "refused".to_owned())]);
}

fn one_way_of(paper: &mut Paper) {
    paper.silent.insert(("app01".into(), "10.200.0.16".parse().unwrap()));
}

#[test]
fn a_gateway_that_another_leaf_has_answered_for_is_found_by_the_leaf_of_the_host() {
    let suite = "[[gateway]]\nfrom = \"app01\"\n";
    let gone = |paper: &mut Paper| {
        let is_gateway = |it: &Event| matches!(it, Event::Route(route) if route.key.prefix.to_string() == "10.200.0.1/32");
        paper.facts("leaf01").network.retain(|it| !is_gateway(it));
    };
    expect(
        suite,
        gone,
        &["gateway app01 (10.200.0.1)"],
        "answered, but leaf01 does not have 10.200.0.1",
    );
}

#[test]
fn counters_are_compared_with_those_of_before_and_idle_boxes_prove_nothing() {
    let slow = |paper: &mut Paper| {
        let ports = &mut paper.fabric("leaf01").counted.ports;
        let received = &mut ports.get_mut("swp1").unwrap().received;
        received.insert("vxlan_input_unknown_vtep".into(), Count { packets: 500, bytes: 0 });
    };
    let fast = "[[fast]]\non = \"leaf01\"\nshare = \"90%\"\n";
    expect(
        fast,
        slow,
        &["fast leaf01"],
        "66.67 % of 1500; the kernel got vxlan_input_unknown_vtep 500",
    );
    let reasons = "[[reasons]]\non = \"leaf01\"\nnone_of = [\"vxlan_input_unknown_vtep\"]\n";
    expect(reasons, slow, &["reasons leaf01"], "vxlan_input_unknown_vtep 500");
    let idle = |paper: &mut Paper| paper.fabric("leaf01").counted.ports.clear();
    let said = "not asked: leaf01: 0 packets in 5s prove nothing; there has to be traffic, as by `from` and `to`";
    expect(fast, idle, &["fast leaf01"], said);
}

#[test]
fn a_daemon_that_is_not_well_says_in_what_way() {
    let suite = "[[daemon]]\non = \"leaf0*\"\n";
    expect(suite, |it| it.fabric("leaf02").daemon = None, &["daemon leaf02"], "does not run");
    expect(suite, |it| it.fabric("leaf02").bypass = true, &["daemon leaf02"], "the bypass is on");
    expect(
        suite,
        |it| it.fabric("leaf02").heartbeat_ms = Some(-40),
        &["daemon leaf02"],
        "no heartbeat for 40 ms",
    );
    expect(suite, |it| it.fabric("leaf02").state = None, &["daemon leaf02"], "not in sync");
    let full = |it: &mut Paper| {
        it.fabric("leaf02").room.insert("vteps".into(), Room { used: 9, entries: 10 });
    };
    expect("[[capacity]]\non = \"leaf0*\"\n", full, &["capacity leaf02"], "vteps 90 %");
}

#[test]
fn versions_outside_their_bounds_and_different_ones_of_a_role_fail() {
    let suite = "[[versions]]\non = \"leaf*\"\nfrr = [\"8.4\", \"9\"]\nsame = true\n";
    let upgraded = |it: &mut Paper| it.frr("leaf02").version = "10.3".into();
    let (failing, _) = broken(suite, &mut Paper::named("two-sites"), upgraded);
    assert_eq!(failing, ["versions leaf the same", "versions leaf02"]);
}

#[test]
fn a_way_that_leaves_the_nodes_that_are_named_or_is_too_long_is_shown() {
    let suite = "[[path]]\nfrom = \"app01\"\nto = \"app03\"\nonly = [\"@Site-01\"]\nhops = 2\n";
    /// Has a node send what is for leaf02 by this port alone.
    fn send(paper: &mut Paper, node: &str, port: &str) {
        let ifindex = paper.link(node, port).ifindex;
        for event in &mut paper.facts(node).network {
            if let Event::Route(route) = event
                && route.key.prefix.to_string() == "10.0.1.12/32"
            {
                route.hops.truncate(1);
                route.hops[0].ifindex = ifindex;
            }
        }
    }
    let circle = |paper: &mut Paper| send(paper, "spine01", "swp3");
    expect(
        suite,
        circle,
        &["path app01→app03"],
        "packets go round in circles between spine01, spine02",
    );
    let detour = |paper: &mut Paper| {
        send(paper, "spine01", "swp3");
        send(paper, "border01", "swp2");
    };
    expect(suite, detour, &["path app01→app03"], "4 hops, by border01, leaf02, spine01, spine02");
    let none = |paper: &mut Paper| {
        let is_it = |it: &Event| matches!(it, Event::Route(route) if route.key.prefix.to_string() == "10.0.1.12/32");
        paper.facts("spine02").network.retain(|it| !is_it(it));
    };
    expect(suite, none, &["path app01→app03"], "spine02 has no route to 10.0.1.12");
}

#[test]
fn the_router_of_another_leaf_is_what_that_leaf_itself_says() {
    let suite = "[[vrf]]\ntenant = \"red\"\n";
    let wrong = |paper: &mut Paper| {
        paper.frr("leaf02").vrfs.get_mut("red").unwrap().router_mac = Some(Mac([2, 0, 0, 0, 0, 9]));
    };
    let (failing, actual) = broken(suite, &mut Paper::of(plain_tenants()), wrong);
    assert_eq!(failing, ["vrf red leaf01"]);
    assert!(
        actual.starts_with("leaf02 (10.0.1.12) has 02:00:00:00:00:09, and is known with 02:"),
        "{actual}"
    );
    let other = |paper: &mut Paper| paper.frr("leaf01").vrfs.get_mut("red").unwrap().l3vni = 54_002;
    let (failing, actual) = broken(suite, &mut Paper::of(plain_tenants()), other);
    assert_eq!((failing, actual.as_str()), (vec!["vrf red leaf01".to_owned()], "L3VNI 54002"));
}

#[test]
fn a_command_is_judged_by_its_status_or_by_a_value_of_what_it_prints() {
    let of = |more: &str| {
        format!(
            "[[command]]\non = \"leaf01\"\nrun = [\"{{\\\"a\\\": [1, {{\\\"b\\\": \\\"up\\\"}}]}}\"]\n{more}"
        )
    };
    let failing = |more: &str| {
        let paper = Paper::named("two-sites");
        paper
            .failing(&cases(&of(more), &paper.inventory))
            .into_iter()
            .map(|it| it.1)
            .collect::<Vec<_>>()
    };
    assert_eq!(failing("at = \"/a/0\"\nequals = 1.0\nmin = 1\nmax = 1\n"), Vec::<String>::new());
    assert_eq!(failing("at = \"/a/1/b\"\nmatches = \"u*\"\n"), Vec::<String>::new());
    assert_eq!(failing("at = \"/a/0\"\nmin = 2\n"), ["1"]);
    assert_eq!(failing("at = \"/a/1/b\"\nequals = \"down\"\n"), ["up"]);
    assert_eq!(failing("at = \"/a/9\"\n"), ["there is none"]);
    assert_eq!(failing("status = 3\n").len(), 1);
}

#[test]
fn an_outage_is_measured_when_a_link_is_lost_and_when_it_returns_and_a_stream_elsewhere_proves_nothing()
 {
    let suite = "[[failover]]\ncut = [\"leaf01:swp1\", \"leaf01:swp2\"]\nwhile = { from = \"app01\", to = \"app06\" }\noutage = \"10ms\"\n";
    let said = |what: Option<&str>, broken_us, back_us| {
        let paper = Paper::named("two-sites");
        let what = what.map(str::to_owned);
        *paper.trouble.lock().unwrap() =
            Trouble { what, broken_us, back_us, lost: 3, sent: 9_000, interval_us: 1_000 };
        paper.failing(&cases(suite, &paper.inventory)).pop().map(|it| it.1)
    };
    assert_eq!(said(Some("leaf01:swp2"), 2_400, 0), None);
    let late = "leaf01:swp2: 2.4 ms when it was broken, 12.0 ms when it was mended; 3 of 9000 lost";
    assert_eq!(said(Some("leaf01:swp2"), 2_400, 12_000).as_deref(), Some(late));
    let elsewhere = "not asked: packets from app01 to app06 do not go by leaf01:swp1 or leaf01:swp2; name other ports, nodes or hosts";
    assert_eq!(said(None, 0, 0).as_deref(), Some(elsewhere));
}

#[test]
fn a_whole_node_can_be_lost_and_one_that_is_not_there_is_no_part_of_the_topology() {
    let suite = |cut: &str| {
        format!(
            "[[failover]]\ncut = [\"{cut}\"]\nwhile = {{ from = \"app01\", to = \"app06\" }}\noutage = \"1s\"\n"
        )
    };
    let paper = Paper::named("two-sites");
    let all = cases(&suite("spine01"), &paper.inventory);
    assert_eq!(all[0].name, "failover spine01 (app01→app06)");
    let wrong = |cut: &str| {
        let name = std::path::Path::new("test.check.toml");
        let suite = crate::check::Suite::parse("test.check.toml", name, suite(cut)).unwrap();
        suite.cases(&paper.inventory).unwrap_err()[0].message.clone()
    };
    assert!(wrong("spine09").starts_with("\"spine09\" is no node; a port is written as"));
    assert!(wrong("spine01:swp99").starts_with("the topology has no link at spine01:swp99"));
}

#[test]
fn a_daemon_that_was_started_again_is_younger_than_it_has_to_be() {
    let suite = "[[daemon]]\non = \"leaf01\"\nage = \"1m\"\n";
    let paper = &mut Paper::named("two-sites");
    paper.fabric("leaf01").running_ms = Some(60_000);
    let young = |paper: &mut Paper| paper.fabric("leaf01").running_ms = Some(2_500);
    let (failing, said) = broken(suite, paper, young);
    assert_eq!((failing, said.as_str()), (vec!["daemon leaf01".to_owned()], "for 2.5 s"));
}

#[test]
fn a_packet_that_a_driver_has_received_and_no_program_counted_is_missed_within_the_box() {
    let suite = "[[conserve]]\nfrom = \"app01\"\nto = \"app06\"\n";
    let uncounted = |paper: &mut Paper| {
        paper.fabric("leaf04").arrived.get_mut("swp1").unwrap().before.packets = 1_051;
    };
    let said = "the driver received 1051, and the programs counted 1000";
    expect(suite, uncounted, &["conserve within leaf04"], said);
    let idle = |paper: &mut Paper| paper.fabric("leaf01").arrived.clear();
    let said = "not asked: leaf01: drivers have counted 0 packets, which prove nothing";
    expect(suite, idle, &["conserve within leaf01"], said);
}

#[test]
fn packets_that_vanish_between_leafs_are_missed_and_those_for_the_kernel_are_not() {
    let suite = "[[conserve]]\nfrom = \"app01\"\nto = \"app06\"\n";
    let vanish = |paper: &mut Paper| {
        paper.fabric("leaf04").counted.vteps.get_mut("10.0.1.11").unwrap().received.packets = 900;
    };
    let said = "1000 sent by leaf01, 900 received by leaf04";
    expect(suite, vanish, &["conserve leaf01→leaf04"], said);
    let slow = |paper: &mut Paper| {
        vanish(paper);
        let received = &mut paper.fabric("leaf04").counted.ports.get_mut("swp1").unwrap().received;
        received.insert("inner_source_unknown".into(), Count { packets: 100, bytes: 0 });
    };
    assert_eq!(broken(suite, &mut Paper::named("two-sites"), slow).0, Vec::<String>::new());
    let idle = |paper: &mut Paper| {
        paper.fabric("leaf01").counted.vteps.clear();
        paper.fabric("leaf04").counted.vteps.clear();
    };
    let said = "not asked: 0 packets from leaf01 to leaf04 prove nothing; pings of these hosts do not go this way";
    expect(suite, idle, &["conserve leaf01→leaf04", "conserve leaf04→leaf01"], said);
}

#[test]
fn nodes_reach_each_other_by_their_loopbacks_and_prove_nothing_by_silence() {
    let suite = "[[reach]]\nfrom = \"leaf*\"\nto = \"leaf*\"\n";
    let lost = |paper: &mut Paper| {
        assert!(paper.silent.insert(("leaf01".into(), "10.0.2.12".parse().unwrap())))
    };
    let paper = Paper::named("two-sites");
    assert_eq!(cases(suite, &paper.inventory).len(), 12);
    expect(suite, lost, &["reach leaf01→leaf04 (icmp)"], "3 of 3 lost");
}
