//! Flows are told apart by what the kernel tells them apart by.

use std::time::{Duration, Instant};

use fabric_common::reason::Reason;
use fabric_common::schema::settings::{
    HASH_ENCAPSULATED4, HASH_OMIT4, HASH_OMIT6, HASH_ROUTED_LABEL, HASH_TUNNEL4, HASH_TUNNEL6,
    OMIT_ALL, OMIT_DESTINATION_PORT, OMIT_PROTOCOL, OMIT_SOURCE_PORT,
};
use fabric_tests::{
    addresses::{STRANGER, Station},
    fabric::{Router, SOON, Sniffer, Wire, until},
    packet::Frame,
};

const BOTH: &str = "10.1.1.2 and 10.1.2.2";
const PORTS: u32 = OMIT_SOURCE_PORT | OMIT_DESTINATION_PORT;

fn router() -> Router {
    let mut router = Router::without_daemon("");
    router.know_neighbours();
    router.ip("nexthop add id 1 via 10.1.1.2 dev swp1\nnexthop add id 2 via 10.1.2.2 dev swp2\n\
         nexthop add id 10 group 1/2\nroute add 10.9.0.0/16 nhid 10\nroute add 10.8.0.0/16 nhid 1\n");
    router.start();
    router.wait_way("10.9.0.1", BOTH);
    router
}

fn policy(router: &Router, v4: &str, v6: &str) {
    router.sysctl("net.ipv4.fib_multipath_hash_policy", v4);
    router.sysctl("net.ipv6.fib_multipath_hash_policy", v6);
}

fn wait_flags(router: &Router, flags: u32) {
    let maps = router.maps();
    until(SOON, &format!("the hash goes by {flags:#x}"), || {
        maps.settings.get(0).hash_flags == flags
    });
}

#[test]
fn a_policy_that_changes_while_the_daemon_runs_is_followed() {
    let router = router();
    wait_flags(&router, 0);
    assert_eq!(router.state().notes, Vec::<String>::new());
    policy(&router, "0", "1");
    wait_flags(&router, (OMIT_PROTOCOL | PORTS) << HASH_OMIT4 | HASH_TUNNEL4);
    until(SOON, "the state says so", || {
        let notes = router.state().notes;
        matches!(&notes[..], [one] if one.contains("net.ipv4.fib_multipath_hash_policy is 0"))
    });
    policy(&router, "1", "0");
    wait_flags(&router, PORTS << HASH_OMIT6 | HASH_ROUTED_LABEL | HASH_TUNNEL6);
    router.sysctl("net.ipv4.fib_multipath_hash_fields", "32");
    policy(&router, "3", "1");
    wait_flags(&router, (OMIT_ALL & !OMIT_DESTINATION_PORT) << HASH_OMIT4 | HASH_TUNNEL4);
    router.wait_way("10.9.0.1", BOTH);
}

#[test]
fn a_policy_with_inner_fields_leaves_groups_of_several_to_the_kernel() {
    let router = router();
    router.sysctl("net.ipv4.fib_multipath_hash_fields", "64");
    policy(&router, "3", "1");
    until(SOON, "the state names it", || {
        let problems = router.state().problems;
        matches!(&problems[..], [one] if one.contains("fib_multipath_hash_fields is 0x0040"))
    });
    assert_eq!(
        router.maps().shares(router.maps().groups.get(router.group("10.9.0.1"))).len(),
        0,
        "the kernel chooses"
    );
    router.wait_way("10.8.0.1", "10.1.1.2");
    policy(&router, "1", "1");
    router.wait_way("10.9.0.1", BOTH);
    until(SOON, "there is no problem", || router.state().problems.is_empty());
}

/// How many of two neighbours get packets of 48 flows between two addresses, told apart by one port.
fn neighbours_reached(router: &Router, vary_source: bool) -> usize {
    let peers = router.peers();
    let sniffers = ["p1", "p2"].map(|peer| Sniffer::open(peers, peer));
    let from = Station { mac: [2, 0, 0, 0, 0, 3], ipv4: [10, 1, 3, 2], ..STRANGER };
    let to = Station { mac: router.mac("swp3"), ipv4: [10, 9, 0, 1], ..STRANGER };
    let wire = Wire::open(peers, "p3");
    for i in 0..48 {
        let ports = if vary_source { [40_000 + i, 53] } else { [53, 40_000 + i] };
        wire.send(&Frame::ipv4(&from, &to).ports(ports).bytes());
    }
    let mut seen = [0_usize; 2];
    until(SOON, "all packets have arrived", || {
        for (sniffer, seen) in sniffers.iter().zip(&mut seen) {
            while let Some(frame) = sniffer.next(Instant::now() + Duration::from_millis(20)) {
                *seen += usize::from(frame.get(30..34) == Some(&[10, 9, 0, 1][..]));
            }
        }
        seen.iter().sum::<usize>() == 48
    });
    seen.iter().filter(|seen| **seen > 0).count()
}

/// The kernel alone first, then Fabric.
#[test]
fn flows_are_spread_where_the_kernel_spreads_them_and_nowhere_else() {
    let router = router();
    let maps = router.maps();
    let flags = |flags| wait_flags(&router, flags);
    router.sysctl("net.ipv4.fib_multipath_hash_fields", "16");
    let by_source = (OMIT_ALL & !OMIT_SOURCE_PORT) << HASH_OMIT4;
    let by_addresses = (OMIT_PROTOCOL | PORTS) << HASH_OMIT4 | HASH_TUNNEL4;
    for (number, hash_flags) in
        [("0", by_addresses), ("1", 0), ("3", by_source), ("2", by_addresses | HASH_ENCAPSULATED4)]
    {
        policy(&router, number, "1");
        flags(hash_flags);
        for vary_source in [true, false] {
            maps.settings.update(0, |settings| settings.bypass = 1);
            let kernel = neighbours_reached(&router, vary_source);
            maps.settings.update(0, |settings| settings.bypass = 0);
            let slot = router.slot(&maps, "swp3");
            let routed = maps.ended(slot, Reason::Routed);
            let fabric = neighbours_reached(&router, vary_source);
            assert_eq!(maps.ended(slot, Reason::Routed) - routed, 48, "Fabric routed all");
            assert_eq!(fabric, kernel, "policy {number}, source ports vary: {vary_source}");
        }
    }
}
