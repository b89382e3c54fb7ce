//! EVPN on the servers: each is a VTEP with virtual machines, and leafs are underlay.
//!
//! - Machines reach each other, in IPv4 and IPv6, in one network wherever they run, and between two networks where
//!   the servers of both route for both. No others do.
//! - Flows go by XDP at the servers of both, there and back, bridged and routed, and the kernel sees no packet of
//!   them but those by which it knows their sources. Leafs and spines route them by XDP.
//! - A machine that moves to another server keeps its gateway and its peers.
//! - The flows of a server's cable that is cut go on by the other one; those of the other lose nothing.
//!
//! ```text
//!   web01 web02 app01   web03 app02   app03 db01        web lives on srv01 and srv02, db on srv03,
//!          └ srv01 ┘      └ srv02 ┘     └ srv03 ┘        app on all of them
//!           │    │         │    │        │    │
//!           leaf01 ─────────────────── leaf02           each has both leafs as neighbours
//!              └──── spine01 · spine02 ───┘
//! ```

use std::{net::IpAddr, process::Command, thread, time::Duration};

use fabric_common::reason::Reason;
use fabric_tests::{
    fabric::{Fabric, Kind, PATIENCE, Scene, Seen, map_facts, until},
    traffic::Ping,
};
use fabric_user::lab::topology::{Host, Topology};

/// Pings of one measurement.
const PINGS: u64 = 40;
/// Of these the kernel may see so many at each server: one per MAC and quarter of the ageing time.
const SAMPLED: u64 = 4;
const CABLES: [&str; 2] = ["eth0", "eth1"];
const LEAFS: [&str; 2] = ["leaf01", "leaf02"];
/// Time between two pings of the gateway, as people take it, and of the datagrams of a peer.
const PING: Duration = Duration::from_millis(100);
const STREAM: Duration = Duration::from_millis(5);
/// An entry of the old place would age for 300 s.
const OUTAGE: Duration = Duration::from_secs(10);
/// Less than the hold time of the sessions, after which traffic would come back by itself: 6 to 9 s.
const BOUND: Duration = Duration::from_millis(5_500);

fn host<'a>(topology: &'a Topology, name: &str) -> &'a Host {
    topology.host(name).expect("it is drawn")
}

/// Both addresses of a machine.
fn addresses(host: &Host) -> [IpAddr; 2] {
    [host.address.into(), host.address6.expect("it has one").into()]
}

/// Whether two machines reach each other: each one's server has the network of the other.
fn reach(topology: &Topology, a: &Host, b: &Host) -> bool {
    let has = |at: &Host, network: Option<&str>| {
        let server = topology.switch(&at.switch.node).expect("it is drawn");
        server.networks.iter().any(|own| Some(own.as_str()) == network)
    };
    has(a, b.network()) && has(b, a.network())
}

/// Whether an address answers a machine.
fn answers(fabric: &Fabric, from: &str, address: IpAddr) -> bool {
    let mut ping = Command::new("ping");
    ping.args(["-n", "-c1", "-W1", &address.to_string()]);
    fabric.lab().exec(from, &mut ping).is_ok()
}

/// Every machine pings all others: the number of pairs that answer, and of those that do not.
fn all_reach_whom_they_should(fabric: &Fabric) -> [usize; 2] {
    let topology = &fabric.lab().current_topology().expect("the lab is up");
    let pings = |from: &Host| {
        let mut counts = [0, 0];
        for to in topology.hosts.iter().filter(|to| to.name != from.name) {
            for address in addresses(to) {
                let what = format!("{} {address} answers {}", to.name, from.name);
                if reach(topology, from, to) {
                    until(PATIENCE, &what, || answers(fabric, &from.name, address));
                    counts[0] += 1;
                } else {
                    assert!(!answers(fabric, &from.name, address), "{what}");
                    counts[1] += 1;
                }
            }
        }
        counts
    };
    thread::scope(|scope| {
        let all: Vec<_> =
            topology.hosts.iter().map(|from| scope.spawn(move || pings(from))).collect();
        let all = all.into_iter().map(|it| it.join().expect("all is as it should be"));
        all.fold([0, 0], |sum, [yes, no]| [sum[0] + yes, sum[1] + no])
    })
}

/// What a server did with what came in at ports: packets that XDP sent on, and those by which the kernel knows
/// their sources.
fn at_ports(seen: &Seen, ports: &[&str]) -> [u64; 2] {
    let sent = [Reason::Bridged, Reason::Encapsulated, Reason::Decapsulated, Reason::Routed];
    let sampled =
        [Reason::SourceCheckUnknown, Reason::SourceCheckMoved, Reason::SourceCheckRefresh];
    let count = |reasons: &[Reason]| {
        let each = ports.iter().flat_map(|port| reasons.iter().map(|it| seen.on(port, *it)));
        each.sum()
    };
    [count(&sent), count(&sampled)]
}

/// Pings and their answers come to go by XDP everywhere, but for samples.
fn goes_by_xdp(fabric: &Fabric, from: &str, to: &str) {
    let topology = fabric.lab().topology();
    let ends = [from, to].map(|name| &host(topology, name).switch);
    let is_remote = ends[0].node != ends[1].node;
    for address in addresses(host(topology, to)) {
        let mut said = String::new();
        until(PATIENCE, &format!("pings of {from} to {address} go by XDP"), || {
            let look = || {
                let at = |node: &str| Seen::at(fabric, node);
                (ends.map(|end| at(&end.node)), LEAFS.map(at))
            };
            let before = look();
            let arguments = format!("-n -q -i 0.02 -c {PINGS} {address}");
            let pinged = fabric.run(from, "ping", &arguments);
            assert!(pinged.contains(" 0% packet loss"), "{pinged}");
            let after = look();
            let mut all_by_xdp = true;
            said = format!("{PINGS} pings of {from} to {address} and their answers:");
            for (index, end) in ends.iter().enumerate() {
                let seen = after.0[index].since(&before.0[index]);
                let [sent, sampled] = at_ports(&seen, &[&end.port]);
                let arrived = at_ports(&seen, &CABLES)[0];
                said += &format!(
                    " {} {}: {sent} by XDP, {sampled} sampled, {arrived} from cables;",
                    end.node, end.port
                );
                all_by_xdp &= sent + sampled >= PINGS && sampled <= SAMPLED;
                all_by_xdp &= !is_remote || arrived >= PINGS;
            }
            let routed: [u64; 2] =
                [0, 1].map(|leaf| after.1[leaf].since(&before.1[leaf]).all(Reason::Routed));
            said += &format!(" leafs: {routed:?}");
            all_by_xdp && (!is_remote || routed.iter().sum::<u64>() >= 2 * PINGS)
        });
        println!("{said}");
    }
}

#[test]
fn machines_on_servers_reach_whom_their_servers_route_to_and_their_flows_go_by_xdp() {
    let fabric = Fabric::evpn_on_host();
    let [yes, no] = all_reach_whom_they_should(&fabric);
    println!("{yes} pairs answer, {no} do not");
    assert!(yes > no && no > 10, "there are pairs of both kinds: {yes}, {no}");
    for (from, to) in [
        // Bridged and routed, between two servers and within one.
        ("app01", "app02"),
        ("web01", "app02"),
        ("web01", "web02"),
        ("app03", "db01"),
    ] {
        goes_by_xdp(&fabric, from, to);
    }
    fabric.assert_agreement();
    fabric.passes("evpn-on-host");
}

/// Waits until every server of the network has the machine at its new place and nowhere else.
fn wait_for_place(fabric: &Fabric, name: &str, target: &str, port: &str) {
    let topology = fabric.lab().topology();
    let mac = fabric.mac(name).to_string();
    let servers = topology.switches.iter().filter(|it| it.networks.iter().any(|it| it == "app"));
    let servers: Vec<&str> = servers.map(|it| it.name.as_str()).collect();
    until(PATIENCE, &format!("every server has {name} at {target} and nowhere else"), || {
        servers.iter().all(|server| {
            let place = match *server == target {
                true => format!("port {port}"),
                false => format!("VTEP {}", fabric.vtep(target)),
            };
            let facts = map_facts(fabric, server);
            let found: Vec<&String> = facts.iter().filter(|it| it.starts_with(&mac)).collect();
            found == [&format!("{mac} in br200 is at {place}")]
        })
    });
}

#[test]
fn a_machine_that_moves_between_servers_keeps_its_gateway_and_a_cut_cable_moves_its_flows() {
    let fabric = Fabric::evpn_on_host_alone();
    let gateway = fabric.lab().topology().network("app").and_then(|it| it.gateway);
    let gateway = gateway.expect("there is one").address;
    fabric.acquaint("app03", "app01");
    let mut lost = Vec::new();
    for (target, port) in [("srv03", "vnet3"), ("srv02", "vnet3"), ("srv01", "vnet3")] {
        let stream = fabric.running_stream("app03", "app01", STREAM, 7_100);
        let ping = Ping::start(&fabric.netns("app01"), gateway, PING).expect("a ping starts");
        let moved = fabric.lab().migrate("app01", target).expect("it can move");
        assert_eq!((moved.to.switch.as_str(), moved.to.port.as_str()), (target, port));
        wait_for_place(&fabric, "app01", target, port);
        let (ping, stream) =
            (ping.stop().expect("it could send"), stream.stop().expect("it could"));
        println!(
            "to {target}: {} of {} pings lost, {} of {} datagrams lost, outage {:?}",
            ping.lost,
            ping.sent,
            stream.lost(),
            stream.sent,
            stream.outage
        );
        assert!(stream.outage <= OUTAGE && stream.damaged == 0, "to {target}: {stream:?}");
        lost.push(ping.lost);
        fabric.greet("app02", "app01");
        fabric.assert_agreement();
    }
    // On a busy machine a move may be unlucky, but not most of them.
    lost.sort_unstable();
    assert!(lost[1] <= 1, "at most one ping in {PING:?} is lost: {lost:?}");

    fabric.acquaint("app01", "app02");
    let scene = Scene { from: "app01", to: "app02", node: "srv01", ports: &CABLES, ipv6: false };
    let (failure, returned) = fabric.fail_and_return(scene, Kind::Cut);
    let summary = failure.summary();
    println!("srv01 without eth0: {summary}");
    assert!(failure.lasted() <= BOUND, "{summary}");
    assert_eq!((failure.survivors_lost(), failure.survivors_moved()), (0, 0), "{summary}");
    assert!(failure.before.contains(&Some(0)), "{summary}");
    assert!(failure.after.iter().all(|port| *port == Some(1)), "{summary}");
    assert_eq!(returned.lost(|_| true), 0, "packets are lost when the cable is back");
}
