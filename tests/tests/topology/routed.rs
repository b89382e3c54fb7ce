//! Plain IP through the fabric.
//!
//! - Hosts on routed ports reach each other and every loopback, in both families.
//! - Their flows leave the leaf by all of its underlay ports.
//! - The stretched network beside them works as ever.
//!
//! ```text
//!             ┌─ spine01 ─┐
//!  rack11 ─ leaf01  ...  leaf02 ─ rack21
//!   vm11 ───┘ └─ spine04 ─┘ └─── vm21
//! ```

use std::net::IpAddr;

use fabric_tests::fabric::{Fabric, PATIENCE, Scene, until};

const UNDERLAY: [&str; 4] = ["swp1", "swp2", "swp3", "swp4"];

#[test]
fn hosts_on_routed_ports_reach_each_other_and_all_loopbacks_over_all_spines() {
    let fabric = Fabric::underlay();
    let topology = fabric.lab().topology();
    let loopbacks = topology.switches.iter().flat_map(|switch| {
        [Some(IpAddr::V4(switch.loopback)), switch.loopback6.map(IpAddr::V6)].into_iter().flatten()
    });
    let far = topology.host("rack21").expect("it is drawn");
    let hosts = [Some(IpAddr::V4(far.address)), far.address6.map(IpAddr::V6)];
    for to in loopbacks.chain(hosts.into_iter().flatten()) {
        until(PATIENCE, &format!("{to} answers rack11"), || {
            let mut ping = std::process::Command::new("ping");
            ping.args(["-n", "-c1", "-W1", &to.to_string()]);
            fabric.lab().exec("rack11", &mut ping).is_ok()
        });
    }

    for ipv6 in [false, true] {
        let (from, to) = ("rack11", "rack21");
        let paths = fabric.paths(Scene { from, to, node: "leaf01", ports: &UNDERLAY, ipv6 });
        let shares: Vec<usize> = (0..UNDERLAY.len())
            .map(|port| paths.iter().filter(|path| **path == Some(port)).count())
            .collect();
        println!("flows by port, IPv6 {ipv6}: {shares:?}");
        assert_eq!(shares.iter().sum::<usize>(), paths.len(), "each flow has one way: {shares:?}");
        // 250 each, give or take six standard deviations of 14.
        assert!(shares.iter().all(|share| (168..=332).contains(share)), "{shares:?}");
    }

    fabric.acquaint("vm11", "vm21");
    fabric.passes("underlay");
}
