//! Routes from one VRF into another that lead to its device, as FRR 10 writes what is connected there.
//!
//! swp1 is in VRF red, swp2 and swp3 are in VRF blue, swp4 is in none.

use std::time::Instant;

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::Station,
    fabric::{Router, SOON, read_all},
    packet::Frame,
    wire::Wire,
};

/// Frames of each family that are sent at once.
const FRAMES: usize = 5;
const TTL: u8 = 9;

/// Red's and blue's networks, and one behind blue's first port.
const INTO_BLUE: &str = "route add 10.1.2.0/24 dev blue table 10\n\
     route add 2001:db8:2::/64 dev blue table 10\n\
     route add 198.51.100.0/24 dev blue table 10\nroute add 2001:db8:9::/64 dev blue table 10\n";

/// A router with two VRFs, of which red has routes into blue.
fn router() -> Router {
    let router = Router::new();
    router.ip("link add red type vrf table 10\nlink set red up\n\
         link add blue type vrf table 20\nlink set blue up\n");
    for (port, vrf) in [(1, "master red"), (2, "master blue"), (3, "master blue"), (4, "up")] {
        // A port's neighbours and addresses go when it moves.
        router.ip(&format!(
            "link set swp{port} {vrf}\naddr replace 2001:db8:{port}::1/64 dev swp{port}\n\
             neigh replace 10.1.{port}.2 lladdr 02:00:00:00:00:{port:02x} dev swp{port} nud permanent\n\
             neigh replace 2001:db8:{port}::2 lladdr 02:00:00:00:00:{port:02x} dev swp{port} nud permanent\n"
        ));
    }
    lead(&router, "add", 2, "table 20");
    router.ip(INTO_BLUE);
    router
}

/// Changes the routes to the networks behind a port.
fn lead(router: &Router, how: &str, port: u32, table: &str) {
    router.ip(&format!(
        "route {how} 198.51.100.0/24 via 10.1.{port}.2 dev swp{port} onlink {table}\n\
         route {how} 2001:db8:9::/64 via 2001:db8:{port}::2 dev swp{port} onlink {table}\n"
    ));
}

/// The client behind swp1.
const fn client() -> Station {
    let ipv6 = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    Station { mac: [2, 0, 0, 0, 0, 1], ipv4: [10, 1, 1, 2], ipv6 }
}

/// Where the client's packets go: a network's third byte of IPv6 addresses, and the station's addresses there.
const fn station(ipv4: [u8; 4], network: u8, host: u8) -> Station {
    let ipv6 = [0x20, 1, 0xd, 0xb8, 0, network, 0, 0, 0, 0, 0, 0, 0, 0, 0, host];
    Station { mac: [0; 6], ipv4, ipv6 }
}

/// Behind a router of VRF blue.
const BEHIND: Station = station([198, 51, 100, 7], 9, 7);
/// A neighbour in VRF blue.
const NEIGHBOUR: Station = station([10, 1, 2, 2], 2, 2);
/// The leaf's own address in VRF blue.
const OWN: Station = station([10, 1, 2, 1], 2, 1);

/// The frames that carry what the client sent, by the port that they left by, in order; of ICMP errors, which the kernel
/// numbers, no more than that they left.
type Left = Vec<(usize, Vec<u8>)>;

/// What leaves of packets of a family that the client sends to a station.
fn routed(router: &Router, to: &Station, v6: bool) -> Left {
    let open = |name: &str| router.peers().enter(|| Wire::open(name)).unwrap().unwrap();
    let wires = ["p1", "p2", "p3", "p4"].map(open);
    let to = Station { mac: router.mac("swp1"), ..*to };
    let frame = if v6 { Frame::ipv6(&client(), &to) } else { Frame::ipv4(&client(), &to) };
    let bytes = frame.ttl(TTL).bytes();
    for _ in 0..FRAMES {
        wires[0].send(&bytes).expect("the wire takes it");
    }
    let payload = &bytes[bytes.len() - 60..];
    let mut left = Left::new();
    read_all(|| {
        let mut came = false;
        for (index, wire) in wires.iter().enumerate() {
            while let Some(got) = wire.receive(Instant::now()).expect("the wire can be read") {
                let is_error = match got[12..14] {
                    [8, 0] => got[23] == 1,
                    _ => got[20] == 58,
                };
                if got.windows(payload.len()).any(|part| part == payload) {
                    left.push((index + 1, if is_error { Vec::new() } else { got }));
                    came = true;
                }
            }
        }
        came
    });
    left.sort();
    left
}

/// That Fabric does with packets to a station what the kernel does, byte for byte, that the kernel sends them out of
/// ports as expected, and that they have this reason by Fabric.
#[track_caller]
fn agreed(router: &Router, to: &Station, is_expected: impl Fn(&[usize]) -> bool, why: Reason) {
    for v6 in [false, true] {
        agreed_in(router, to, v6, &is_expected, why);
    }
}

/// The same of one family.
#[track_caller]
fn agreed_in(
    router: &Router,
    to: &Station,
    v6: bool,
    is_expected: impl Fn(&[usize]) -> bool,
    why: Reason,
) {
    let (maps, start) = (router.maps(), Instant::now());
    loop {
        maps.settings.update(0, |settings| settings.bypass = 1);
        let kernel = routed(router, to, v6);
        maps.settings.update(0, |settings| settings.bypass = 0);
        let before = maps.ended_anywhere(why);
        let ours = routed(router, to, v6);
        let ended = maps.ended_anywhere(why) - before;
        let ports: Vec<usize> = kernel.iter().map(|(port, _)| *port).collect();
        if ours == kernel && is_expected(&ports) && ended >= FRAMES as u64 {
            return;
        }
        assert!(
            start.elapsed() < SOON,
            "IPv6: {v6}; kernel {kernel:02x?}, Fabric {ours:02x?}, {ended} {why:?}; {:?}",
            router.state().problems
        );
    }
}

/// As [`agreed`], where all packets leave by one port, or none does.
#[track_caller]
fn judged(router: &Router, to: &Station, port: Option<usize>, why: Reason) {
    let expected: Vec<usize> = port.into_iter().flat_map(|port| [port; FRAMES]).collect();
    agreed(router, to, |ports| ports == expected, why);
}

#[track_caller]
fn assert_problem(router: &Router, text: &str) {
    fabric_tests::fabric::until(SOON, "the problem is named", || {
        router.state().problems.iter().any(|problem| problem.contains(text))
    });
}

#[test]
fn routes_that_lead_to_a_vrf_go_on_as_by_the_kernel_while_either_vrf_changes() {
    let router = router();
    judged(&router, &BEHIND, Some(2), Reason::Routed);
    judged(&router, &NEIGHBOUR, Some(2), Reason::Routed);
    // Routes of the other VRF change, and nothing here.
    lead(&router, "replace", 3, "table 20");
    judged(&router, &BEHIND, Some(3), Reason::Routed);
    for kind in ["unreachable", "blackhole"] {
        router.ip(&format!(
            "route replace {kind} 198.51.100.7/32 table 20\nroute replace {kind} 2001:db8:9::7/128 table 20\n"
        ));
        let why = match kind {
            "blackhole" => Reason::TransitRouteBlackhole,
            _ => Reason::TransitRouteUnreachable,
        };
        // The device says nothing to the sender.
        judged(&router, &BEHIND, None, why);
        router.ip(&format!(
            "route del {kind} 198.51.100.7/32 table 20\nroute del {kind} 2001:db8:9::7/128 table 20\n"
        ));
    }
    judged(&router, &BEHIND, Some(3), Reason::Routed);
    // The source of a leaked route goes, and a moment later the route (FRR's type5_vrf_leak_stale).
    lead(&router, "del", 3, "table 20");
    router.ip("route add unreachable 0.0.0.0/0 table 20 metric 4278198272\n\
         route add unreachable ::/0 table 20 metric 4278198272\n");
    judged(&router, &BEHIND, None, Reason::TransitRouteUnreachable);
    router.ip("route del 198.51.100.0/24 dev blue table 10\nroute del 2001:db8:9::/64 dev blue table 10\n");
    lead(&router, "add", 4, "");
    judged(&router, &BEHIND, Some(4), Reason::Routed);
    judged(&router, &NEIGHBOUR, Some(2), Reason::Routed);
    assert_eq!(router.state().problems, [""; 0]);
}

#[test]
fn the_routers_addresses_in_another_vrf_are_its_own_through_leaks_too() {
    let router = router();
    router
        .ip("route add 10.1.1.0/24 dev red table 20\nroute add 2001:db8:1::/64 dev red table 20\n");
    router.sysctl("net.ipv4.icmp_ratelimit", "0");
    router.sysctl("net.ipv6.icmp.ratelimit", "0");
    judged(&router, &OWN, Some(1), Reason::TransitRouteLocal);
}

#[test]
fn a_leak_from_the_default_vrf_into_one_without_ports_leads_out_of_any_port() {
    let router = router();
    router.ip("link add green type vrf table 30\nlink set green up\nlink set swp1 nomaster\n\
         addr replace 2001:db8:1::1/64 dev swp1\n\
         route add 198.51.100.0/24 dev green\nroute add 2001:db8:9::/64 dev green\n");
    lead(&router, "add", 4, "table 30");
    judged(&router, &BEHIND, Some(4), Reason::Routed);
    // By objects, which may lead elsewhere.
    for (family, id) in [("-4", 7), ("-6", 8)] {
        router.netns().run("ip", &format!("{family} nexthop add id {id} dev green"));
    }
    router.ip("route del 198.51.100.0/24 dev green\nroute add 198.51.100.0/24 nhid 7\n\
         route del 2001:db8:9::/64 dev green\nroute add 2001:db8:9::/64 nhid 8\n");
    judged(&router, &BEHIND, Some(4), Reason::Routed);
    for (family, id) in [("-4", 7), ("-6", 8)] {
        router.netns().run("ip", &format!("{family} nexthop replace id {id} dev blue"));
    }
    judged(&router, &BEHIND, Some(2), Reason::Routed);
    assert_eq!(router.state().problems, [""; 0]);
}

#[test]
fn what_goes_on_to_a_third_vrf_or_back_to_its_own_is_the_kernels() {
    let router = router();
    router.ip("link add green type vrf table 30\nlink set green up\n\
         route replace 198.51.100.0/24 dev green table 20\nroute del 2001:db8:9::/64 table 20\n\
         route add 2001:db8:9::/64 dev green table 20\n");
    lead(&router, "add", 4, "table 30");
    judged(&router, &BEHIND, Some(4), Reason::TransitRouteNotAccelerated);
    router.ip(
        "route replace 198.51.100.0/24 dev blue table 20\nroute del 2001:db8:9::/64 table 20\n\
         route add 2001:db8:9::/64 dev blue table 20\n",
    );
    judged(&router, &BEHIND, None, Reason::TransitRouteNotAccelerated);
}

#[test]
fn what_the_device_of_a_vrf_does_to_packets_is_done_to_those_that_leak() {
    let router = router();
    let kernels = Reason::TransitRouteNotAccelerated;
    judged(&router, &BEHIND, Some(2), Reason::Routed);
    router.netns().nft(
        "add table inet t\n\
         add chain inet t c { type filter hook output priority 0; }\n\
         add rule inet t c meta l4proto udp drop\n",
    );
    judged(&router, &BEHIND, None, kernels);
    assert_problem(&router, "routes into the VRF blue: the nftables chain");
    router.netns().nft("delete table inet t\n");
    judged(&router, &BEHIND, Some(2), Reason::Routed);
    router.netns().nft(
        "add table netdev t\n\
         add chain netdev t c { type filter hook egress device blue priority 0; }\n\
         add rule netdev t c drop\n",
    );
    judged(&router, &BEHIND, None, kernels);
    router.netns().nft("delete table netdev t\n");
    judged(&router, &BEHIND, Some(2), Reason::Routed);
    router.netns().run("tc", "qdisc add dev blue clsact");
    router.netns().run("tc", "filter add dev blue egress matchall action drop");
    judged(&router, &BEHIND, None, kernels);
    assert_problem(&router, "blue has filters of `tc`");
    router.netns().run("tc", "qdisc del dev blue clsact");
    judged(&router, &BEHIND, Some(2), Reason::Routed);
    router.ip("link set blue mtu 1400\n");
    judged(&router, &BEHIND, Some(2), kernels);
    assert_problem(&router, "the MTU of blue is less than");
    router.ip("link set blue mtu 65535\n");
    judged(&router, &BEHIND, Some(2), Reason::Routed);
    // The same for IPv6 packets alone, of which the kernel tells nobody.
    router.sysctl("net.ipv6.conf.blue.mtu", "1400");
    judged(&router, &BEHIND, Some(2), kernels);
    assert_problem(&router, "the MTU of blue is less than");
    router.sysctl("net.ipv6.conf.blue.mtu", "65535");
    judged(&router, &BEHIND, Some(2), Reason::Routed);
    // Its routes go with it.
    router.ip("link set blue down\nroute add unreachable 0.0.0.0/0 table 10\n\
         route add unreachable ::/0 table 10\n");
    let start = Instant::now();
    while !routed(&router, &BEHIND, false).iter().all(|(port, _)| *port == 1) {
        assert!(start.elapsed() < SOON, "packets still leak");
    }
    router.ip("link set blue up\n");
    router.ip(INTO_BLUE);
    judged(&router, &BEHIND, Some(2), Reason::Routed);
}

#[test]
fn a_vrf_whose_device_has_no_ipv6_gets_none_by_leaks_as_by_the_kernel() {
    let router = router();
    // By an object, which stays when IPv6 is switched off, unlike a route without one.
    router.netns().run("ip", "-6 nexthop add id 8 dev blue");
    router.ip(
        "route del 2001:db8:9::/64 dev blue table 10\nroute add 2001:db8:9::/64 nhid 8 table 10\n",
    );
    judged(&router, &BEHIND, Some(2), Reason::Routed);
    router.sysctl("net.ipv6.conf.blue.disable_ipv6", "1");
    let nowhere = |ports: &[usize]| ports.is_empty();
    agreed_in(&router, &BEHIND, true, nowhere, Reason::TransitRouteNotAccelerated);
    assert_problem(&router, "IPv6 routes into the VRF blue: blue has no IPv6");
    agreed_in(&router, &BEHIND, false, |ports| ports == [2; FRAMES], Reason::Routed);
    router.sysctl("net.ipv6.conf.blue.disable_ipv6", "0");
    judged(&router, &BEHIND, Some(2), Reason::Routed);
    assert_eq!(router.state().problems, [""; 0]);
}

#[test]
fn rules_for_what_the_box_sends_hold_for_leaks() {
    let router = router();
    lead(&router, "add", 4, "table 40");
    for family in ["", "-6 "] {
        router.netns().run("ip", &format!("{family}rule add pref 500 iif lo lookup 40"));
    }
    judged(&router, &BEHIND, Some(4), Reason::Routed);
    for family in ["", "-6 "] {
        router.netns().run("ip", &format!("{family}rule del pref 500 iif lo lookup 40"));
        router.netns().run("ip", &format!("{family}rule add pref 500 iif blue lookup 40"));
    }
    // Some kernels apply it to them, others do not.
    assert_problem(
        &router,
        "the rule `iif blue lookup 40` (priority 500) may apply to some packets",
    );
    let either = |ports: &[usize]| [[2; FRAMES], [4; FRAMES]].iter().any(|all| all == ports);
    agreed(&router, &BEHIND, either, Reason::TransitRouteNotAccelerated);
}

#[test]
fn several_next_hops_with_a_vrf_among_them_are_the_kernels_and_named() {
    let router = router();
    router
        .ip("route replace 198.51.100.0/24 table 10 nexthop dev blue nexthop dev blue weight 2\n\
         route replace 2001:db8:9::/64 table 10 via 2001:db8:77::1 dev blue onlink\n");
    for v6 in [false, true] {
        fabric_tests::fabric::until(SOON, "all leave as by the kernel", || {
            let before = router.maps().ended_anywhere(Reason::Routed);
            let left = routed(&router, &BEHIND, v6);
            left.len() == FRAMES
                && left.iter().all(|(port, _)| *port == 2)
                && router.maps().ended_anywhere(Reason::Routed) == before
        });
    }
    assert_problem(&router, "several next hops, or with a router, on the device of the VRF blue");
}
