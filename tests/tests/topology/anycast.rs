//! Servers that announce the same addresses.
//!
//! - A leaf with servers of its own prefers them; elsewhere flows spread equally over all servers of
//!   the site, and the other site gets none.
//! - A server that leaves gets nothing any more, and the others take its flows. Theirs stay where they
//!   are and lose nothing.
//! - When the last server of a site has left, the other site serves its clients; when they come back,
//!   the site serves itself again.
//! - All that in IPv4 and IPv6, without a packet for a wrong address.
//!
//! ```text
//!  client02 srv01 srv02 ─ leaf01 ─┐                                     ┌─ leaf04 ─ srv05 srv06
//!           srv03 srv04 ─ leaf02 ─┼─ spines ─ border ─── border ─ spines ─ leaf05 ─ srv07 srv08
//!              client01 ─ leaf03 ─┘                                     └─ leaf06 ─ client03
//! ```

use std::{
    collections::BTreeSet,
    net::IpAddr,
    time::{Duration, Instant},
};

use fabric_tests::{
    fabric::{Fabric, PATIENCE, until},
    traffic::{FlowOptions, FlowReport, FlowStream},
};
use fabric_user::lab::Netns;

const SERVICE: &str = "dns";
const SERVERS: [&str; 8] = ["srv01", "srv02", "srv03", "srv04", "srv05", "srv06", "srv07", "srv08"];
const FLOWS: FlowOptions =
    FlowOptions { flows: 1_000, rate: 20_000, first_port: 20_000, port: 7_953, sizes: &[16] };

/// The ports by which a node's route to an address leads.
fn ports(fabric: &Fabric, node: &str, address: IpAddr) -> BTreeSet<String> {
    let family = if address.is_ipv4() { "-4" } else { "-6" };
    let text = fabric.ip(node, &format!("{family} route show {address}"));
    let words: Vec<&str> = text.split_whitespace().collect();
    let devices = words.windows(2).filter(|pair| pair[0] == "dev");
    devices.map(|pair| pair[1].to_owned()).collect()
}

/// Waits until the route leads by exactly these ports.
fn wait_ports(fabric: &Fabric, node: &str, address: IpAddr, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(|&port| port.to_owned()).collect();
    until(PATIENCE, &format!("{node} reaches {address} by {wanted:?}"), || {
        ports(fabric, node, address) == wanted
    });
}

/// Sends all flows from a node and counts them by server; each has to arrive at one.
fn flows_by_server(fabric: &Fabric, from: &str, address: IpAddr) -> [usize; 8] {
    let servers = SERVERS.map(|server| fabric.netns(server));
    // A server that has left cannot listen there.
    let has =
        |server: &str| fabric.ip(server, "address show dev lo").contains(&format!("{address}/"));
    let here: Vec<usize> = (0..8).filter(|&index| has(SERVERS[index])).collect();
    let listening: Vec<_> = here.iter().map(|&index| servers[index].clone()).collect();
    let stream = FlowStream::start(&fabric.netns(from), address, &listening, FLOWS)
        .expect("a stream can be started");
    let enough = 2 * u64::from(FLOWS.flows);
    until(PATIENCE, "the flows arrive", || stream.received() > enough);
    let report: FlowReport = stream.stop().expect("the flows can be sent");
    assert_eq!((report.lost(|_| true), report.duplicates), (0, 0), "from {from} to {address}");
    let mut counts = [0; 8];
    for flow in 0..FLOWS.flows {
        let receivers = report.receivers(flow);
        let [receiver] = Vec::from_iter(receivers.iter().copied())[..] else {
            panic!("flow {flow} from {from} to {address} arrives at {receivers:?}");
        };
        counts[here[receiver]] += 1;
    }
    println!("from {from} to {address}: {counts:?}");
    counts
}

/// Whether the flows of `counts` are spread equally over `servers`, and no other one has any: within
/// six standard deviations.
fn is_equal(counts: &[usize; 8], servers: &[usize]) -> bool {
    let (flows, share) = (f64::from(FLOWS.flows), 1.0 / servers.len() as f64);
    let deviation = (flows * share * (1.0 - share)).sqrt();
    counts.iter().enumerate().all(|(server, &count)| match servers.contains(&server) {
        true => (count as f64 - flows * share).abs() <= 6.0 * deviation,
        false => count == 0,
    })
}

/// srv01 leaves while client01 sends to all servers of the site.
fn leaves_under_traffic(fabric: &Fabric, address: IpAddr) {
    let began = Instant::now();
    let site: Vec<Netns> = SERVERS[..4].iter().map(|server| fabric.netns(server)).collect();
    let stream = FlowStream::start(&fabric.netns("client01"), address, &site, FLOWS)
        .expect("a stream can be started");
    let round = 2 * u64::from(FLOWS.flows);
    until(PATIENCE, "the flows arrive", || stream.received() > round);
    let left = Instant::now();
    fabric.lab().withdraw(SERVICE, "srv01").expect("the server can leave");
    wait_ports(fabric, "leaf01", address, &["swp12"]);
    let settled = Instant::now();
    let enough = stream.received() + round;
    until(PATIENCE, "the flows go on", || stream.received() > enough);
    let report = stream.stop().expect("the flows can be sent");

    let mut orphans = BTreeSet::new();
    for flow in 0..FLOWS.flows {
        let before = report.receivers_within(flow, began, left);
        let after = report.receivers_within(flow, settled, Instant::now());
        assert_eq!((before.len(), after.len()), (1, 1), "flow {flow}: {before:?}, {after:?}");
        if before.contains(&0) {
            assert!(!after.contains(&0), "flow {flow} goes to a server that has left");
            orphans.insert(flow);
        } else {
            assert_eq!(before, after, "flow {flow} stays where it is");
        }
    }
    let outage = report.span(|flow| orphans.contains(&flow));
    let outage = outage.map_or(Duration::ZERO, |it| it.ended.saturating_duration_since(left));
    println!("the {} flows of srv01 were without a server for {outage:?}", orphans.len());
    assert_eq!(report.lost(|flow| !orphans.contains(&flow)), 0, "flows of other servers");
}

#[test]
fn clients_get_the_nearest_servers_in_equal_shares_and_the_other_site_when_all_have_left() {
    let fabric = Fabric::anycast();
    fabric.passes("anycast");
    let addresses = fabric.lab().topology().services[0].addresses.clone();
    assert_eq!(addresses.len(), 2);
    for &address in &addresses {
        wait_ports(&fabric, "leaf01", address, &["swp11", "swp12"]);
        wait_ports(&fabric, "leaf03", address, &["swp1", "swp2"]);
        wait_ports(&fabric, "border01", address, &["swp1", "swp2"]);
        // Leafs hear of a service by both spines at once, spines of racks one after the other.
        wait_ports(&fabric, "spine01", address, &["swp1", "swp2"]);
        wait_ports(&fabric, "spine02", address, &["swp1", "swp2"]);
        let near = flows_by_server(&fabric, "client02", address);
        assert!(is_equal(&near, &[0, 1]), "a client gets its own rack's servers: {near:?}");
        let site = flows_by_server(&fabric, "client01", address);
        assert!(is_equal(&site, &[0, 1, 2, 3]), "the site's servers have equal shares: {site:?}");
        let other = flows_by_server(&fabric, "client03", address);
        assert!(is_equal(&other, &[4, 5, 6, 7]), "so have the other site's: {other:?}");
    }

    leaves_under_traffic(&fabric, addresses[0]);
    for &address in &addresses {
        wait_ports(&fabric, "leaf01", address, &["swp12"]);
        let rest = flows_by_server(&fabric, "client01", address);
        assert_eq!(rest[0], 0, "the server that left: {rest:?}");
        assert_eq!(rest[4..], [0; 4], "the site has servers: {rest:?}");
        assert!(rest[1..4].iter().all(|&count| count > 0), "{rest:?}");
    }

    for server in &SERVERS[1..4] {
        fabric.lab().withdraw(SERVICE, server).expect("the server can leave");
    }
    for &address in &addresses {
        wait_ports(&fabric, "border01", address, &["swp31"]);
        for spine in ["spine01", "spine02"] {
            wait_ports(&fabric, spine, address, &["swp4"]);
        }
        wait_ports(&fabric, "leaf03", address, &["swp1", "swp2"]);
        let far = flows_by_server(&fabric, "client01", address);
        assert!(is_equal(&far, &[4, 5, 6, 7]), "the other site serves them all: {far:?}");
    }

    for server in &SERVERS[..4] {
        fabric.lab().announce(SERVICE, server).expect("the server can come back");
    }
    fabric.wait_converged();
    for &address in &addresses {
        wait_ports(&fabric, "leaf01", address, &["swp11", "swp12"]);
        wait_ports(&fabric, "spine01", address, &["swp1", "swp2"]);
        wait_ports(&fabric, "spine02", address, &["swp1", "swp2"]);
        wait_ports(&fabric, "leaf03", address, &["swp1", "swp2"]);
        let site = flows_by_server(&fabric, "client01", address);
        assert!(is_equal(&site, &[0, 1, 2, 3]), "the site serves itself again: {site:?}");
    }
}
