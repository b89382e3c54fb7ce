//! ARP and neighbour discovery for hosts behind a tunnel that suppresses: what the kernel's bridge answers,
//! Fabric answers, byte for byte, and leaves the rest to it. Case BR-12; that a VLAN overrides its port is with the
//! VLAN-aware bridges.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, STRANGER, Station},
    asked::{Asked, addresses},
    device::mac_text,
    fabric::{PATIENCE, until},
    judged::Judged,
    packet::{Arp, Discovery},
};

const UNKNOWN: Reason = Reason::NeighbourAnswerUnknown;
const NOT_PLAIN: Reason = Reason::NeighbourAnswerNotPlain;

fn asked() -> Asked {
    Asked::new(Judged::new(), "br0")
}

fn arp() -> Arp {
    Arp::request(&HOST_A, &HOST_R)
}

fn nd() -> Discovery {
    Discovery::solicitation(&HOST_A, &HOST_R)
}

/// Both questions have the fate that the kernel gives them.
#[track_caller]
fn pass(asked: &Asked, reason: Reason) {
    for question in [arp().bytes(), nd().bytes()] {
        asked.passed("acc0", &question, reason);
    }
}

/// Both questions are answered.
#[track_caller]
fn answer(asked: &Asked) {
    let reply = asked.answered("acc0", &arp().bytes(), Reason::ArpAnswered);
    assert_eq!(reply, Arp::reply(&HOST_A, &HOST_R).bytes());
    let reply = asked.answered("acc0", &nd().bytes(), Reason::NdAnswered);
    assert_eq!(reply, Discovery::advertisement(&HOST_A, &HOST_R).bytes());
}

#[test]
fn questions_for_hosts_behind_the_tunnel_are_answered_as_by_the_kernel() {
    let asked = asked();
    answer(&asked);
    asked.answered("acc0", &arp().padded(), Reason::ArpAnswered);
    let target = (STRANGER.mac, HOST_R.ipv4);
    asked.answered("acc0", &Arp { target, ..arp() }.bytes(), Reason::ArpAnswered);
    asked.answered("acc1", &Arp::request(&HOST_B, &HOST_R).bytes(), Reason::ArpAnswered);
    for start in [[0x6b, 0xc0, 0, 0], [0x60, 0x3f, 0xff, 0xff], [0x6f, 0xf1, 2, 3]] {
        let question = Discovery { start, ..nd() };
        asked.answered("acc0", &question.bytes(), Reason::NdAnswered);
    }
    asked.neighbour(&addresses()[1], "router");
    let reply = asked.answered("acc0", &nd().bytes(), Reason::NdAnswered);
    let router = Discovery { flags: 0xe0, ..Discovery::advertisement(&HOST_A, &HOST_R) };
    assert_eq!(reply, router.bytes());
    asked.neighbour(&addresses()[0], "extern_learn");
    asked.answered("acc0", &arp().bytes(), Reason::ArpAnswered);
}

#[test]
fn questions_that_are_not_plain_have_the_fate_that_the_kernel_gives_them() {
    let asked = asked();
    for request in [
        Arp { sender: (HOST_A.mac, [0; 4]), ..arp() },
        Arp { sender: (HOST_A.mac, HOST_R.ipv4), ..arp() },
        Arp { operation: 2, ..arp() },
        Arp { sender: (HOST_B.mac, HOST_A.ipv4), ..arp() },
    ] {
        asked.passed("acc0", &request.bytes(), NOT_PLAIN);
    }
    for question in [
        Discovery { source: [0; 16], options: Vec::new(), ..nd() },
        Discovery { hop_limit: 64, ..nd() },
        Discovery { options: [vec![14, 1, 0, 0, 0, 0, 0, 0], nd().options].concat(), ..nd() },
    ] {
        asked.passed("acc0", &question.bytes(), NOT_PLAIN);
    }
    let to = HOST_R.mac;
    asked.passed("acc0", &Arp { to, ..arp() }.bytes(), Reason::FrameGuardArp);
    let unicast = Discovery { to, destination: HOST_R.ipv6, ..nd() };
    asked.passed("acc0", &unicast.bytes(), Reason::FrameGuardNeighbourDiscovery);
}

#[test]
fn for_whom_the_bridge_does_not_know_nobody_is_answered() {
    let asked = asked();
    for question in [
        Arp::request(&HOST_A, &STRANGER).bytes(),
        Discovery::solicitation(&HOST_A, &STRANGER).bytes(),
    ] {
        let fate = asked.passed("acc0", &question, UNKNOWN);
        assert_eq!(fate.len(), 2, "flooded to the other host and into the tunnel: {fate:02x?}");
    }
    // One behind the port that asks, one behind another, and one that the bridge has no place for.
    let [four, _] = addresses();
    for mac in [HOST_A.mac, HOST_B.mac, STRANGER.mac] {
        let mac = mac_text(mac);
        asked.leaf.ip(&format!("neigh replace {four} lladdr {mac} dev br0 nud permanent\n"));
        asked.passed("acc0", &arp().bytes(), UNKNOWN);
    }
    asked.leaf.ip("addr add 198.51.100.1/24 dev br0\n");
    let gateway = Station { ipv4: [198, 51, 100, 1], ..STRANGER };
    let request = Arp::request(&HOST_A, &gateway).bytes();
    let fate = asked.passed("acc0", &request, UNKNOWN);
    assert!(fate.iter().any(|(port, _)| *port == "acc0"), "the box itself answers: {fate:02x?}");
}

#[test]
fn answers_end_with_the_neighbour_its_place_and_the_suppression() {
    let asked = asked();
    answer(&asked);
    for address in addresses() {
        asked.no_neighbour(&address);
    }
    pass(&asked, UNKNOWN);
    for address in addresses() {
        asked.neighbour(&address, "");
    }
    answer(&asked);
    let mac = mac_text(HOST_R.mac);
    asked.leaf.bridge(&format!("fdb del {mac} dev vx100 master\n"));
    pass(&asked, UNKNOWN);
    asked.leaf.bridge(&format!("fdb add {mac} dev vx100 master static\n"));
    answer(&asked);
    asked.leaf.bridge("link set dev acc0 neigh_suppress on\n");
    pass(&asked, NOT_PLAIN);
    asked.leaf.bridge("link set dev acc0 neigh_suppress off\n");
    asked.leaf.ip("link set br0 arp off\n");
    asked.passed("acc0", &arp().bytes(), Reason::FrameGuardMulticast);
    asked.leaf.ip("link set br0 arp on\n");
    asked.leaf.bridge("link set dev vx100 neigh_suppress off\n");
    pass(&asked, Reason::FrameGuardMulticast);
}

#[test]
fn a_storm_of_requests_does_not_reach_the_kernel() {
    const REQUESTS: u64 = 2_000;
    let asked = asked();
    answer(&asked);
    let other = asked.leaf.outside().wire("acc1p");
    let [answered, shown] = [Reason::ArpAnswered, Reason::SourceCheckRefresh];
    let before = [answered, shown].map(|reason| asked.leaf.met(reason));
    let wire = asked.leaf.outside().wire("acc0p");
    for _ in 0..REQUESTS {
        wire.send(&arp().bytes()).expect("the wire takes it");
    }
    let since = || {
        let now = [answered, shown].map(|reason| asked.leaf.met(reason));
        [now[0] - before[0], now[1] - before[1]]
    };
    until(PATIENCE, "all requests are counted", || since().iter().sum::<u64>() >= REQUESTS);
    let shown = since()[1];
    assert!(shown <= 1, "the bridge is shown {shown} of a host's frames");
    let mut flooded = 0;
    while let Ok(Some(_)) = other.receive(std::time::Instant::now()) {
        flooded += 1;
    }
    assert_eq!(flooded, shown, "what the kernel gets it floods");
}
