//! A virtual machine on a tap of its server, as under QEMU: what is written to the tap's file comes in at the tap,
//! and what is sent to the tap is read from its file.
//!
//! - fabric-xdpd has native programs on the tap and takes it for a target.
//! - Frames go by XDP from the tap into the tunnel and back, IPv4 and IPv6, up to the MTU, whether they are written
//!   without waiting, so that native XDP sees them, or waiting for room, so that generic XDP does.
//! - TCP arrives byte for byte.
//! - When the machine ends, its tap goes, and the maps forget it.
//!
//! ```text
//!   web03: eth0 ─ file ═ copied ═ file ─ vnet1 :srv02 ── leafs ── srv01 ─ web01
//! ```

use fabric_common::reason::Reason;
use fabric_tests::{
    fabric::{Fabric, PATIENCE, Seen, map_facts, until, xdp_programs},
    tap::{Access, Guest, Tap},
    traffic,
};

const MACHINE: &str = "web03";
const PEER: &str = "web01";
const SERVER: &str = "srv02";
const PORT: &str = "vnet1";
const BYTES: u64 = 1_000_000;
const DATAGRAMS: u64 = 200;
const PINGS: u64 = 20;
/// Frames by which the kernel knows the sources.
const SAMPLED: u64 = 4;

/// Gives the machine a tap in place of its cable.
fn on_tap(fabric: &Fabric, access: Access) -> Guest {
    let topology = fabric.lab().topology();
    let host = topology.host(MACHINE).expect("it is drawn");
    let network = topology.network(host.network().expect("it is in one")).expect("there is one");
    let card = Tap::make(&fabric.netns(MACHINE), &host.end.port, Access::NonBlocking);
    let server = Tap::make(&fabric.netns(SERVER), PORT, access);
    let guest = Guest::join(card.expect("a tap"), server.expect("a tap"));
    let bridge = topology.switch(SERVER).expect("it is drawn").bridge(network.vlan);
    fabric.ip(SERVER, &format!("link set {PORT} master {bridge} addrgenmode none up"));
    fabric.wait_bridge_port(SERVER, PORT, true);
    fabric.ip(MACHINE, &format!("link set eth0 address {} up", host.end.mac));
    for address in network.host_addresses(host) {
        fabric.ip(MACHINE, &format!("address add {address} dev eth0 nodad"));
    }
    for gateway in network.gateways() {
        fabric.ip(MACHINE, &format!("route add default via {}", gateway.address));
    }
    guest
}

/// Traffic in both directions that the kernel of the server sees nothing of but samples.
fn goes_by_xdp(fabric: &Fabric, access: Access) {
    let before = Seen::at(fabric, SERVER);
    let streams = [fabric.send(MACHINE, PEER, DATAGRAMS), fabric.send(PEER, MACHINE, DATAGRAMS)];
    for report in streams {
        assert_eq!((report.lost(), report.duplicates, report.damaged), (0, 0, 0), "{report:?}");
    }
    let peer = fabric.lab().topology().host(PEER).expect("it is drawn");
    let address6 = peer.address6.expect("it has one");
    let pinged = fabric.run(MACHINE, "ping", &format!("-n -q -i 0.02 -c {PINGS} {address6}"));
    assert!(pinged.contains(" 0% packet loss"), "{pinged}");
    let seen = Seen::at(fabric, SERVER).since(&before);
    let [from, to] = [streams[0].sent + PINGS, streams[1].sent + PINGS];
    let (out, back) = (seen.on(PORT, Reason::Encapsulated), seen.sent(PORT));
    println!("{access:?}: {out} of {from} encapsulated, {back} of {to} sent to the tap");
    assert!(out + SAMPLED >= from, "{seen:?}");
    assert!(back >= to, "{seen:?}");
}

#[test]
fn a_machine_on_a_tap_is_served_by_xdp_whichever_way_its_frames_are_written() {
    let fabric = Fabric::evpn_on_host();
    fabric.ip(SERVER, &format!("link delete {PORT}"));
    for access in [Access::NonBlocking, Access::Blocking] {
        let guest = on_tap(&fabric, access);
        until(PATIENCE, "the tap has a program", || {
            xdp_programs(&fabric, SERVER).contains_key(PORT)
        });
        let link = fabric.ip(SERVER, &format!("-j link show dev {PORT}"));
        // `XDP_ATTACHED_DRV`.
        assert!(link.contains("\"mode\":1"), "{link}");
        fabric.acquaint(MACHINE, PEER);
        let state = fabric.state(SERVER);
        assert!(
            !state.declined.contains_key(PORT) && !state.partly.contains_key(PORT),
            "{state:?}"
        );
        goes_by_xdp(&fabric, access);
        for [from, to] in [[MACHINE, PEER], [PEER, MACHINE]] {
            let ends = [from, to].map(|name| fabric.netns(name));
            let done = traffic::transfer(&ends[0], &ends[1], fabric.address(to), BYTES);
            assert_eq!(done.expect("it is sent").intact, BYTES, "{access:?}");
        }
        drop(guest);
        let mac = fabric.mac(MACHINE).to_string();
        until(PATIENCE, "the maps forget the tap and its machine", || {
            let facts = map_facts(&fabric, SERVER);
            !facts.iter().any(|it| it.contains("gone interface") || it.contains(&mac))
        });
        fabric.assert_agreement();
    }
}
