//! Routed ports in VRFs: the same destination is another one in each.

use std::time::Instant;

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::Station,
    fabric::{Router, SOON, read_all},
    packet::Frame,
    wire::Wire,
};

const FRAMES: usize = 20;

/// How many frames for the destination come out at each of the other ports' wires, sent into swp1.
fn routed(router: &Router, v6: bool) -> [usize; 3] {
    let open = |name: &str| router.peers().enter(|| Wire::open(name)).unwrap().unwrap();
    let (from, to) = (open("p1"), ["p2", "p3", "p4"].map(open));
    let client = Station {
        mac: [2, 0, 0, 0, 0, 1],
        ipv4: [10, 1, 1, 2],
        ipv6: [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
    };
    let server = Station {
        mac: router.mac("swp1"),
        ipv4: [198, 51, 100, 7],
        ipv6: [0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
    };
    let frame = if v6 { Frame::ipv6(&client, &server) } else { Frame::ipv4(&client, &server) };
    let (bytes, length) = (frame.bytes(), frame.bytes().len());
    for _ in 0..FRAMES {
        from.send(&bytes).expect("the wire takes it");
    }
    let mut counts = [0; 3];
    read_all(|| {
        let mut came = false;
        for (count, wire) in counts.iter_mut().zip(&to) {
            while let Some(got) = wire.receive(Instant::now()).expect("the wire can be read") {
                // What a router changes is before the payload.
                if got.len() == length && got[42..] == bytes[42..] {
                    *count += 1;
                    came = true;
                }
            }
        }
        came
    });
    counts
}

/// That the kernel comes to route both families as expected and Fabric does as well, and whether XDP has a
/// part in it.
#[track_caller]
fn judged(router: &Router, expected: [usize; 3], by_xdp: bool) {
    let maps = router.maps();
    for v6 in [false, true] {
        let start = Instant::now();
        loop {
            maps.settings.update(0, |settings| settings.bypass = 1);
            let kernel = routed(router, v6);
            maps.settings.update(0, |settings| settings.bypass = 0);
            let before = maps.ended_anywhere(Reason::Routed);
            let ours = routed(router, v6);
            let by_us = maps.ended_anywhere(Reason::Routed) - before;
            if kernel == expected && ours == expected && (by_us > 0) == by_xdp {
                break;
            }
            assert!(
                start.elapsed() < SOON,
                "IPv6: {v6}; {expected:?} expected, kernel {kernel:?}, Fabric {ours:?}, {by_us} by XDP; {:?}",
                router.state().problems
            );
        }
    }
}

/// A port's neighbours and addresses go when it moves.
fn arrange(router: &Router, port: u32, to: &str) {
    router.ip(&format!(
        "link set swp{port} {to}\naddr replace 2001:db8:{port}::1/64 dev swp{port}\n\
         neigh replace 10.1.{port}.2 lladdr 02:00:00:00:00:{port:02x} dev swp{port} nud permanent\n\
         neigh replace 2001:db8:{port}::2 lladdr 02:00:00:00:00:{port:02x} dev swp{port} nud permanent\n"
    ));
}

fn lead(router: &Router, port: u32, table: &str) {
    router.ip(&format!(
        "route replace 198.51.100.0/24 via 10.1.{port}.2 dev swp{port} onlink {table}\n\
         route replace 2001:db8:9::/64 via 2001:db8:{port}::2 dev swp{port} onlink {table}\n"
    ));
}

#[test]
fn packets_are_routed_by_the_table_of_the_vrf_that_their_port_is_in_at_this_moment() {
    let router = Router::new();
    router.ip("link add red type vrf table 10\nlink set red up\nlink add blue type vrf table 20\n\
         link set blue up\n");
    arrange(&router, 2, "master red");
    arrange(&router, 3, "master blue");
    arrange(&router, 4, "nomaster");
    lead(&router, 2, "table 10");
    lead(&router, 3, "table 20");
    lead(&router, 4, "");
    let (red, blue, none) = ([FRAMES, 0, 0], [0, FRAMES, 0], [0, 0, FRAMES]);
    for (to, expected) in
        [("nomaster", none), ("master red", red), ("master blue", blue), ("nomaster", none)]
    {
        arrange(&router, 1, to);
        judged(&router, expected, true);
    }
    // A VRF that has no route of its own falls back to the main table, unless it says otherwise.
    arrange(&router, 1, "master red");
    router.ip("route del 198.51.100.0/24 table 10\nroute del 2001:db8:9::/64 table 10\n");
    judged(&router, none, true);
    router.ip("route add unreachable 0.0.0.0/0 table 10 metric 4278198272\n\
         route add unreachable ::/0 table 10 metric 4278198272\n");
    judged(&router, [0; 3], false);
    // Routes leak from one VRF into another.
    lead(&router, 3, "table 10");
    judged(&router, blue, true);
    // The VRF goes, and its ports are outside.
    router.ip("link del red\n");
    arrange(&router, 1, "up");
    judged(&router, none, true);
}
