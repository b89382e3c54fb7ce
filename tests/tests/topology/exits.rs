//! Front servers of two sites in one network, with exits of both sites in it.
//!
//! - Clients outside reach the service, and nothing else inside; front servers reach each other and all exits;
//!   nobody in the underlay reaches the service or a client.
//! - Every exit spreads 16,384 flows from outside over the front servers of both sites: the share of each is within
//!   two percentage points of a sixth, and as even as chance makes it (chi-square). All of them go by XDP at the
//!   exit and at the leafs.
//! - Answers go out by all four exits, and by XDP.
//! - A front server that dies moves its own flows only, at every exit; others lose nothing.
//! - So does an exit: flows that other exits carry stay with their front servers, and lose nothing at an exit of the
//!   same provider.
//!
//! ```text
//!  client01 ─ isp01 ─┬─ exit01 ─┐                          ┌─ exit03 ─┬─ isp02 ─ client02
//!                    └─ exit02 ─┼─ spine01 ───── spine02 ──┼─ exit04 ─┘
//!   front01 front02 front03 ─ leaf01                      leaf02 ─ front04 front05 front06
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    process::Command,
    time::{Duration, Instant},
};

use fabric_common::reason::Reason;
use fabric_tests::{
    ecmp::statistics::{chi_square, probability},
    fabric::{Fabric, PATIENCE, Seen, Wire, until},
    packet::{Ipv4, Ipv6, ether_type, protocol},
    traffic::{FlowOptions, FlowStream, Servers},
};
use fabric_user::lab::Netns;

const FRONTS: [&str; 6] = ["front01", "front02", "front03", "front04", "front05", "front06"];
const EXITS: [&str; 4] = ["exit01", "exit02", "exit03", "exit04"];
const LEAFS: [&str; 2] = ["leaf01", "leaf02"];
/// The port of every exit at which its provider is, and the one at which its spine is.
const OUTSIDE: &str = "swp11";
const SPINE: &str = "swp1";

const FLOWS: u32 = 16_384;
/// The service's UDP port.
const PORT: u16 = 7_954;
/// Of all flows of an exit each server may have a sixth, and so many more or fewer. Chance alone makes a standard
/// deviation of 0.29 %, which is 1.75 % of a server's share.
const PERCENTAGE_POINTS: f64 = 2.0;
/// Chance alone is so uneven once in a million runs.
const UNEVEN: f64 = 1e-6;
/// Flows of a client, as a stream.
const STREAM: FlowOptions =
    FlowOptions { flows: 512, rate: 10_000, first_port: 20_000, port: PORT, sizes: &[16] };

/// Where flows come from outside (RFC 2544, RFC 5180); the providers have no way there.
const BEHIND: [&str; 2] = ["198.18.0.0/15", "2001:2::/48"];

/// What sends datagrams of flows from a provider to one exit.
struct Way {
    wire: Wire,
    /// Ethernet addresses of the exit's and the provider's port.
    macs: Vec<u8>,
    to: IpAddr,
}

impl Way {
    fn to(fabric: &Fabric, exit: &str, to: IpAddr) -> Self {
        let links = fabric.lab().topology().links_of(exit);
        let (own, provider) =
            links.into_iter().find(|(own, _)| own.port == OUTSIDE).expect("drawn");
        let wire = Wire::open(&fabric.netns(&provider.node), &provider.port);
        Self { wire, macs: [own.mac.0, provider.mac.0].concat(), to }
    }

    /// Sends a datagram of a flow: of one of 128 addresses, from one of 128 ports.
    fn send(&self, flow: u32, payload: &[u8]) {
        let [host, port] = [flow % 128, flow / 128];
        match self.to {
            IpAddr::V4(to) => {
                let source = [198, 18, (host % 7) as u8, host as u8 + 1];
                self.put(source.into(), to.into(), 20_000 + port as u16, payload);
            }
            IpAddr::V6(to) => {
                let source =
                    u128::from_be_bytes([0x20, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                let source = (source + u128::from(host) + 1).to_be_bytes();
                self.put(source.into(), to.into(), 20_000 + port as u16, payload);
            }
        }
    }

    /// Sends a datagram between two addresses of one family.
    fn put(&self, source: IpAddr, to: IpAddr, port: u16, payload: &[u8]) {
        let (ports, payload) = ([port, PORT], payload.to_vec());
        let (kind, packet) = match (source, to) {
            (IpAddr::V4(source), IpAddr::V4(to)) => {
                let packet = Ipv4 {
                    tos: 0,
                    id: 0,
                    df: true,
                    mf: false,
                    offset: 0,
                    ttl: 60,
                    protocol: protocol::UDP,
                    source: source.octets(),
                    destination: to.octets(),
                    options: Vec::new(),
                    ports,
                    payload,
                };
                (ether_type::IPV4, packet.bytes())
            }
            (IpAddr::V6(source), IpAddr::V6(to)) => {
                let packet = Ipv6 {
                    traffic_class: 0,
                    flow_label: 0,
                    hop_limit: 60,
                    next_header: protocol::UDP,
                    source: source.octets(),
                    destination: to.octets(),
                    ports,
                    payload,
                };
                (ether_type::IPV6, packet.bytes())
            }
            _ => panic!("{source} and {to} are of two families"),
        };
        self.wire.send(&[&self.macs[..], &kind.to_be_bytes(), &packet].concat());
    }
}

/// Servers of the service's address; those that are named.
fn listen(fabric: &Fabric, address: IpAddr, servers: &[&str]) -> Servers {
    let servers: Vec<Netns> = servers.iter().map(|server| fabric.netns(server)).collect();
    Servers::listen(&servers, SocketAddr::new(address, PORT)).expect("servers can listen")
}

/// The server of each flow from outside that goes by an exit, when all arrive.
fn servers_of(servers: &mut Servers, way: &Way, what: &str) -> Vec<usize> {
    let mut found = None;
    until(PATIENCE, what, || {
        let sent = servers.of_flows(FLOWS, false, |flow, payload| way.send(flow, payload));
        found = sent.expect("the sockets work");
        found.is_some()
    });
    found.expect("they arrived")
}

/// How many next hops a node has to an address.
fn next_hops(fabric: &Fabric, node: &str, to: &str) -> usize {
    let family = if to.contains(':') { "-6" } else { "-4" };
    let routes = fabric.ip(node, &format!("{family} route show {to}"));
    routes.split_whitespace().filter(|word| *word == "dev").count()
}

fn wait_next_hops(fabric: &Fabric, node: &str, to: &str, count: usize) {
    until(PATIENCE, &format!("{node} has {count} ways to {to}"), || {
        next_hops(fabric, node, to) == count
    });
}

fn answers(fabric: &Fabric, from: &str, address: IpAddr) -> bool {
    let mut ping = Command::new("ping");
    ping.args(["-n", "-c1", "-W1", &address.to_string()]);
    fabric.lab().exec(from, &mut ping).is_ok()
}

/// Who should talk does, and who should not does not.
fn who_talks(fabric: &Fabric) {
    let topology = fabric.lab().topology();
    let host = |name: &str| {
        let host = topology.host(name).expect("drawn");
        [host.address.into(), host.address6.expect("it has one").into()]
    };
    let inside = |name: &str| -> Vec<IpAddr> {
        let network = topology.network("front").expect("drawn");
        network.addresses[name].iter().map(|it| it.address).collect()
    };
    let talks = |from: &str, address: IpAddr| {
        until(PATIENCE, &format!("{address} answers {from}"), || answers(fabric, from, address));
    };
    let service = &topology.services[0].addresses;
    for client in ["client01", "client02"] {
        service.iter().for_each(|&address| talks(client, address));
    }
    for front in FRONTS {
        for other in FRONTS.iter().chain(&EXITS).filter(|it| **it != front) {
            inside(other).into_iter().for_each(|address| talks(front, address));
        }
    }
    let silent = |from: &str, address: IpAddr| {
        assert!(!answers(fabric, from, address), "{from} reaches {address}");
    };
    let loopback = |node: &str| topology.switch(node).expect("drawn").loopback.into();
    for node in ["exit01", "leaf01", "spine02", "front04"] {
        silent("client01", loopback(node));
    }
    inside("front01").into_iter().for_each(|address| silent("client01", address));
    inside("exit01").into_iter().for_each(|address| silent("client01", address));
    silent("front01", loopback("spine01"));
    for node in ["spine01", "leaf01"] {
        service.iter().for_each(|&address| silent(node, address));
        host("client01").into_iter().for_each(|address| silent(node, address));
        inside("front02").into_iter().for_each(|address| silent(node, address));
    }
}

/// The flows of each server.
fn counts(servers: &[usize]) -> [u32; 6] {
    let mut counts = [0; 6];
    servers.iter().for_each(|&server| counts[server] += 1);
    counts
}

/// Flows from outside are spread over all servers, and go by XDP at the exit and at the leafs.
fn spreads(fabric: &Fabric, exit: &str, address: IpAddr, servers: &mut Servers) -> Vec<usize> {
    let way = Way::to(fabric, exit, address);
    // Until the exit knows its next hops' MAC addresses, the kernel asks for them.
    servers_of(servers, &way, &format!("flows to {address} by {exit} arrive"));
    let look = |node: &str| Seen::at(fabric, node);
    let mut found = Vec::new();
    let (mut routed, mut delivered, mut passed) = (0, 0, BTreeMap::new());
    // A busy machine loses a datagram now and then.
    until(PATIENCE, &format!("all flows to {address} by {exit} arrive, and go by XDP"), || {
        let (before, leafs) = (look(exit), LEAFS.map(look));
        let sent = servers.of_flows(FLOWS, false, |flow, payload| way.send(flow, payload));
        let Some(servers) = sent.expect("the sockets work") else { return false };
        found = servers;
        let seen = look(exit).since(&before);
        (routed, passed) = (seen.on(OUTSIDE, Reason::Routed), seen.passed_on(OUTSIDE));
        let leafs = LEAFS.iter().zip(&leafs);
        let leafs = leafs.map(|(leaf, before)| look(leaf).since(before).all(Reason::Decapsulated));
        delivered = leafs.sum::<u64>();
        let is_all = routed == u64::from(FLOWS) && delivered >= u64::from(FLOWS);
        if !is_all {
            println!(
                "{exit} to {address}: {routed} by XDP, to the kernel {passed:?}; {delivered} at the leafs"
            );
        }
        is_all
    });
    let counts = counts(&found);
    let percent = counts.map(|it| f64::from(it) * 100.0 / f64::from(FLOWS));
    let worst = percent.into_iter().map(|it| (it - 100.0 / 6.0).abs()).fold(0.0, f64::max);
    let chance = probability(chi_square(&counts, &[1.0; 6]), 5);
    println!(
        "{exit} to {address}: {counts:?} flows, at most {worst:.2} percentage points ({:.1} % of a share) off a \
         sixth, chance is as uneven with p = {chance:.3}; {routed} by XDP, to the kernel {passed:?}; {delivered} by \
         XDP at the leafs",
        worst * 6.0,
    );
    assert!(worst <= PERCENTAGE_POINTS, "{exit}: {counts:?}");
    assert!(chance > UNEVEN, "{exit}: {counts:?}");
    found
}

/// Answers go out by all exits, and by XDP.
fn answers_go_out(fabric: &Fabric, address: IpAddr, servers: &mut Servers) {
    let way = Way::to(fabric, "exit01", address);
    let mut out = [0; 4];
    until(PATIENCE, "answers go out by XDP", || {
        let before = EXITS.map(|exit| Seen::at(fabric, exit));
        let sent = servers.of_flows(FLOWS, true, |flow, payload| way.send(flow, payload));
        if sent.expect("the sockets work").is_none() {
            // A busy machine has lost one.
            return false;
        }
        let sent = || {
            let pairs = EXITS.iter().zip(&before);
            pairs.map(|(exit, before)| Seen::at(fabric, exit).since(before).sent(OUTSIDE))
        };
        for (count, sent) in out.iter_mut().zip(sent()) {
            *count = sent;
        }
        // The last ones are under way; a sample of each server's frames is its leaf's kernel's.
        out.iter().sum::<u64>() + KERNEL >= u64::from(FLOWS)
    });
    println!("answers from {address}: {out:?} by the exits");
    let share = f64::from(FLOWS) / 4.0;
    let is_fair = |count: &u64| (*count as f64 - share).abs() / f64::from(FLOWS) < 0.05;
    assert!(out.iter().all(is_fair), "{out:?}: all exits carry answers");
}

/// Answers that the kernel may carry: bridges see a frame of each MAC address now and then.
const KERNEL: u64 = 24;

/// Compares the servers of flows before and after one has gone: theirs go to others, and no other one moves.
fn only_its_own_move(exit: &str, before: &[usize], after: &[usize], gone: Option<usize>) {
    let pairs = || before.iter().zip(after);
    let others = pairs().filter(|(before, after)| Some(**before) != gone && before != after);
    assert_eq!(others.count(), 0, "{exit}: flows of servers that live have moved");
    let stay = pairs().filter(|(_, after)| Some(**after) == gone).count();
    assert_eq!(stay, 0, "{exit}: flows go to a server that is gone");
    let orphans = pairs().filter(|(before, _)| Some(**before) == gone).count();
    println!("{exit}: {orphans} flows have moved, {} stay", before.len() - orphans);
}

#[test]
fn exits_spread_flows_over_the_front_servers_of_all_sites_and_what_dies_moves_its_own_flows_only() {
    let fabric = Fabric::exits();
    fabric.passes("exits");
    for isp in ["isp01", "isp02"] {
        BEHIND.iter().for_each(|it| drop(fabric.ip(isp, &format!("route add blackhole {it}"))));
    }
    let addresses = fabric.lab().topology().services[0].addresses.clone();
    who_talks(&fabric);

    let mut flows = Vec::new();
    for &address in &addresses {
        let mut servers = listen(&fabric, address, &FRONTS);
        for exit in EXITS {
            flows.push((exit, address, spreads(&fabric, exit, address, &mut servers)));
        }
        answers_go_out(&fabric, address, &mut servers);
    }

    let gone = 1;
    front_server_dies(&fabric, &addresses, gone);
    let living: Vec<&str> = FRONTS.iter().copied().filter(|it| *it != FRONTS[gone]).collect();
    for &address in &addresses {
        let mut servers = listen(&fabric, address, &living);
        for (exit, _, before) in flows.iter_mut().filter(|it| it.1 == address) {
            let way = Way::to(&fabric, exit, address);
            let after = servers_of(&mut servers, &way, "all flows have a server again");
            let after = after.into_iter().map(|it| if it < gone { it } else { it + 1 });
            let after: Vec<usize> = after.collect();
            only_its_own_move(exit, before, &after, Some(gone));
            *before = after;
        }
    }

    exit_dies(&fabric, addresses[0], &living);
    for &address in &addresses {
        let mut servers = listen(&fabric, address, &living);
        for (exit, _, before) in flows.iter().filter(|it| it.0 != "exit01" && it.1 == address) {
            let way = Way::to(&fabric, exit, address);
            let after = servers_of(&mut servers, &way, "flows of other exits arrive");
            let after = after.into_iter().map(|it| if it < gone { it } else { it + 1 });
            only_its_own_move(exit, before, &after.collect::<Vec<_>>(), None);
        }
        for front in &living {
            wait_next_hops(&fabric, front, if address.is_ipv4() { "0.0.0.0/0" } else { "::/0" }, 3);
        }
        until(PATIENCE, "clients of both providers are answered", || {
            ["client01", "client02"].iter().all(|client| answers(&fabric, client, address))
        });
    }
}

/// A front server dies while a client sends: until the exits hear of it, and when they do, flows of others lose
/// nothing.
fn front_server_dies(fabric: &Fabric, addresses: &[IpAddr], gone: usize) {
    let fronts = FRONTS.map(|server| fabric.netns(server));
    let stream = FlowStream::start(&fabric.netns("client01"), addresses[0], &fronts, STREAM)
        .expect("a stream can be started");
    let round = u64::from(STREAM.flows);
    until(PATIENCE, "the flows arrive", || stream.received() > 4 * round);
    let died = Instant::now();
    fabric.lab().cut(FRONTS[gone], "eth0").expect("it can be cut off");
    for &address in addresses {
        EXITS.iter().for_each(|exit| wait_next_hops(fabric, exit, &address.to_string(), 5));
    }
    let enough = stream.received() + 4 * round;
    until(PATIENCE, "the flows go on", || stream.received() > enough);
    let report = stream.stop().expect("the flows can be sent");
    let began = died.checked_sub(Duration::from_secs(60)).unwrap_or(died);
    let orphans: BTreeSet<u16> = (0..STREAM.flows)
        .filter(|&flow| report.receivers_within(flow, began, died).contains(&gone))
        .collect();
    let lost = report.lost(|flow| !orphans.contains(&flow));
    let outage = report.span(|flow| orphans.contains(&flow)).map(|it| it.length());
    println!(
        "{} died: its {} flows were without a server for {outage:?}, others lost {lost} packets",
        FRONTS[gone],
        orphans.len()
    );
    assert!(!orphans.is_empty(), "it had flows");
    assert_eq!(lost, 0, "flows of servers that live lose nothing");
}

/// An exit dies while a client sends. The client's flows that went by the other exit of its provider stay with
/// their servers and lose nothing; those of the dead one go by the other one from then on.
fn exit_dies(fabric: &Fabric, address: IpAddr, living: &[&str]) {
    let client: IpAddr = fabric.address("client01").into();
    let options = STREAM;
    // Where each flow ends that goes by one of the two exits.
    let by = ["exit01", "exit02"].map(|exit| {
        let mut servers = listen(fabric, address, living);
        let way = Way::to(fabric, exit, address);
        let ports = |flow: u32| options.first_port + flow as u16;
        let mut found = None;
        until(PATIENCE, "all flows arrive", || {
            let sent = servers.of_flows(options.flows.into(), false, |flow, payload| {
                way.put(client, address, ports(flow), payload);
            });
            found = sent.expect("the sockets work");
            found.is_some()
        });
        found.expect("they have arrived")
    });
    let netns: Vec<Netns> = living.iter().map(|server| fabric.netns(server)).collect();
    let stream = FlowStream::start(&fabric.netns("client01"), address, &netns, options)
        .expect("a stream can be started");
    let round = u64::from(options.flows);
    until(PATIENCE, "the flows arrive", || stream.received() > 4 * round);
    let began = Instant::now();
    for port in [OUTSIDE, SPINE] {
        fabric.lab().cut("exit01", port).expect("it can be cut off");
    }
    let settled = Instant::now() + Duration::from_millis(500);
    until(PATIENCE, "isp01 has one way", || next_hops(fabric, "isp01", &address.to_string()) == 1);
    until(PATIENCE, "the flows go on", || Instant::now() > settled);
    let enough = stream.received() + 4 * round;
    until(PATIENCE, "all flows go on", || stream.received() > enough);
    let ended = Instant::now();
    let report = stream.stop().expect("the flows can be sent");

    // Flows whose server says which exit they went by.
    let mut survivors = BTreeSet::new();
    for flow in 0..options.flows {
        let [one, other] = [0, 1].map(|exit| by[exit][usize::from(flow)]);
        let within = |from, to| report.receivers_within(flow, from, to);
        let before = within(began.checked_sub(Duration::from_secs(60)).unwrap_or(began), began);
        let after = within(settled, ended);
        assert_eq!(Vec::from_iter(after), [other], "flow {flow} goes by exit02");
        if one != other && before.contains(&other) {
            survivors.insert(flow);
        }
    }
    let lost = report.lost(|flow| survivors.contains(&flow));
    println!(
        "exit01 died: {} flows of the client went by exit02 and lost {lost} packets, all others {}",
        survivors.len(),
        report.lost(|flow| !survivors.contains(&flow)),
    );
    assert!(!survivors.is_empty(), "the provider sends by both exits");
    assert_eq!(lost, 0, "flows of exit02 lose nothing");
}
