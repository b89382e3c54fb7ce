//! A virtual machine that moves between the sites.
//!
//! - Ten moves, there and back: gateway and peer are reached again at once.
//! - After each move every leaf of the network has the MAC at the new place, once, and the maps
//!   agree with the kernel: nothing of the old place is left.
//!
//! ```text
//!           ╭──────────────── app01 ────────────────╮
//!         leaf01 ── spines ── border ═══ border ── spines ── leaf03
//!                                                       └── leaf04 ─ app06, which streams
//! ```

use std::time::Duration;

use fabric_tests::fabric::{Fabric, PATIENCE, map_facts, until};
use fabric_tests::traffic::Ping;

const MOVES: usize = 10;
const PING: Duration = Duration::from_millis(100);
const STREAM: Duration = Duration::from_millis(5);
/// How long it takes without Fabric's doing is what the demo and `cargo xtask bench converge` measure.
/// Here it is whether the move alone brings the traffic back, on any machine: an entry of the old place
/// would age for 300 s.
const OUTAGE: Duration = Duration::from_secs(10);

#[test]
fn a_machine_that_moves_ten_times_keeps_its_gateway_and_its_peer() {
    let fabric = Fabric::two_sites_alone();
    let gateway = fabric.lab().topology().network("app").expect("there is one").gateway;
    fabric.greet("app06", "app01");
    let mut worst = Duration::ZERO;
    for number in 0..MOVES {
        let target = if number % 2 == 0 { "leaf03" } else { "leaf01" };
        let stream = fabric.running_stream("app06", "app01", STREAM, 7_100);
        let ping = Ping::start(&fabric.netns("app01"), gateway, PING).expect("a ping starts");
        let moved = fabric.lab().migrate("app01", target).expect("it can move");
        wait_for_place(&fabric, target, &moved.to.port);
        let ping = ping.stop().expect("the ping could send");
        let stream = stream.stop().expect("the stream could send");
        println!(
            "move {number} to {target}: {} of {} pings lost, {} of {} datagrams lost, outage {:?}",
            ping.lost,
            ping.sent,
            stream.lost(),
            stream.sent,
            stream.outage
        );
        assert!(PING * (ping.lost as u32) <= OUTAGE, "move {number} to {target}: {ping:?}");
        assert!(stream.outage <= OUTAGE, "move {number} to {target}: {stream:?}");
        assert_eq!(stream.damaged, 0, "move {number} to {target}: {stream:?}");
        worst = worst.max(stream.outage);
        fabric.assert_agreement();
    }
    println!("longest outage {worst:?}");
}

/// Waits until every leaf of the network has the machine at its new place and nowhere else.
fn wait_for_place(fabric: &Fabric, target: &str, port: &str) {
    let mac = fabric.mac("app01").to_string();
    let leafs = fabric.lab().topology().switches.iter();
    let leafs: Vec<_> = leafs.filter(|l| l.networks.iter().any(|n| n == "app")).collect();
    until(PATIENCE, &format!("every leaf has app01 at {target} and nowhere else"), || {
        leafs.iter().all(|leaf| {
            let place = match leaf.name == target {
                true => format!("port {port}"),
                false => format!("VTEP {}", fabric.vtep(target)),
            };
            let facts = map_facts(fabric, &leaf.name);
            let found: Vec<&String> = facts.iter().filter(|f| f.starts_with(&mac)).collect();
            found == [&format!("{mac} in br200 is at {place}")]
        })
    });
}
