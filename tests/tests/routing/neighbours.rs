//! Neighbours that stop answering and answer again.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use fabric_common::{reason::Reason, schema::nexthops::FLAG_DOWN};
use fabric_tests::{
    addresses::Station,
    fabric::{Router, SOON, Wire, settled, until},
    packet::Frame,
};

#[test]
fn a_dead_neighbour_is_one_store_and_so_is_its_return() {
    let router = Router::without_daemon("");
    router.know_neighbours();
    router.ip("nexthop add id 1 via 10.1.1.2 dev swp1\nnexthop add id 2 via 10.1.2.2 dev swp2\n\
         nexthop add id 10 group 1/2\n");
    let routes: String = (0..1000)
        .map(|i| format!("route add 10.{}.{}.0/24 nhid 10\n", 100 + i / 256, i % 256))
        .collect();
    router.ip(&routes);
    // Nothing but the group leads to the neighbour.
    router.ip("addr del 10.1.1.1/24 dev swp1\naddr add 10.1.1.1/32 dev swp1\n");
    let mut router = router;
    router.ip("nexthop replace id 1 via 10.1.1.2 dev swp1 onlink\n");
    router.start();
    router.wait_way("10.100.1.1", "10.1.1.2 and 10.1.2.2");
    let dead = |maps: &fabric_user::kernel::maps::Maps| {
        let gone =
            maps.nexthops.iter().filter(|(i, _)| maps.gateway(*i) == Ipv4Addr::new(10, 1, 1, 2));
        gone.filter(|(_, n)| n.port != 0).all(|(_, n)| n.flags & FLAG_DOWN != 0)
    };
    // The neighbour went with the address, and fabric-xdpd has the kernel ask for it.
    until(SOON, "the next hop is resolved", || !dead(&router.maps()));
    let buckets = router.buckets("10.100.1.1");
    let before = settled(&router).writes;
    // It is not there any more when fabric-xdpd asks for it.
    router.peers_ip("addr del 10.1.1.2/24 dev p1\n");
    router.ip("neigh replace 10.1.1.2 dev swp1 nud failed\n");
    until(SOON, "the next hop is marked", || dead(&router.maps()));
    let maps = router.maps();
    let group = router.group("10.100.1.1");
    for hash in (0..1000_u32).map(|i| i.wrapping_mul(0x9e37_79b9)) {
        let chosen = maps.select(group, hash).nexthop.expect("there is another way");
        assert_eq!(maps.gateway(chosen), Ipv4Addr::new(10, 1, 2, 2));
    }
    let between = settled(&router).writes;
    router.ip("neigh replace 10.1.1.2 lladdr 02:00:00:00:00:01 dev swp1 nud permanent\n");
    until(SOON, "the next hop lives", || !dead(&router.maps()));
    let after = settled(&router).writes;
    assert_eq!((between - before, after - between), (1, 1));
    assert_eq!(router.buckets("10.100.1.1"), buckets, "buckets have moved");
}

#[test]
fn next_hops_that_nobody_has_resolved_are_asked_for_however_seldom_the_heart_beats() {
    let router = Router::with_settings("heartbeat_timeout_ms = 3600000\n");
    router.ip("route add 10.9.0.0/16 nexthop via 10.1.1.2 nexthop via 10.1.2.2\n\
         route add 2001:db8:9::/48 nexthop via 2001:db8:1::2 nexthop via 2001:db8:2::2\n");
    for (address, way) in [
        ("10.9.0.1", "10.1.1.2 and 10.1.2.2"),
        ("2001:db8:9::1", "2001:db8:1::2 and 2001:db8:2::2"),
    ] {
        router.wait_way(address, way);
        until(SOON, "all next hops are resolved", || {
            let maps = router.maps();
            let buckets = router.buckets(address);
            buckets.iter().all(|index| maps.nexthops.get(*index).flags & FLAG_DOWN == 0)
        });
    }
}

#[test]
fn a_neighbour_with_another_mac_takes_over_its_own_buckets_only() {
    let router = Router::without_daemon("");
    router.know_neighbours();
    router.ip("nexthop add id 1 via 10.1.1.2 dev swp1\nnexthop add id 2 via 10.1.2.2 dev swp2\n\
         nexthop add id 3 via 10.1.3.2 dev swp3\nnexthop add id 10 group 1/2/3\n\
         route add 10.9.0.0/16 nhid 10\n");
    let mut router = router;
    router.start();
    router.wait_way("10.9.0.1", "10.1.1.2 and 10.1.2.2 and 10.1.3.2");
    let before = router.buckets("10.9.0.1");
    let maps = router.maps();
    let gateways: BTreeMap<u32, IpAddr> =
        maps.nexthops.iter().map(|(index, _)| (index, maps.gateway(index))).collect();
    router.ip("neigh replace 10.1.2.2 lladdr 02:00:00:00:00:99 dev swp2 nud permanent\n");
    let mac = |maps: &fabric_user::kernel::maps::Maps, index| maps.nexthops.get(index).macs[5];
    until(SOON, "the buckets have the new MAC", || {
        let maps = router.maps();
        router.buckets("10.9.0.1").iter().any(|index| mac(&maps, *index) == 0x99)
    });
    let after = router.buckets("10.9.0.1");
    for (old, new) in before.iter().zip(&after) {
        let moved = gateways[old] == Ipv4Addr::new(10, 1, 2, 2);
        assert_eq!(moved, old != new, "a bucket of {:?}", gateways[old]);
        assert!(!moved || mac(&router.maps(), *new) == 0x99);
    }
    router.wait_way("10.1.2.2", "host 10.1.2.2");
}

/// Of hosts that the kernel has not heard of for a while, it is asked for those to which packets go, and finds that they
/// answer. The others stay as they are: without Fabric nobody would ask for them either.
#[test]
fn stale_hosts_are_asked_for_while_packets_go_to_them_and_not_otherwise() {
    const USED: [&str; 2] = ["10.1.1.2", "10.1.1.3"];
    const IDLE: [&str; 2] = ["10.1.2.3", "10.1.1.4"];
    let mut router = Router::without_daemon("");
    router.ip("route add 10.8.0.0/16 via 10.1.1.2\n");
    router.peers_ip(
        "addr add 10.1.2.3/24 dev p2\naddr add 10.1.1.3/24 dev p1\naddr add 10.1.1.4/24 dev p1\n",
    );
    for port in ["swp1", "swp2"] {
        router.sysctl(&format!("net.ipv4.neigh.{port}.delay_first_probe_time"), "1");
    }
    for address in USED.iter().chain(&IDLE) {
        let port = if *address == "10.1.2.3" { 2 } else { 1 };
        router.ip(&format!(
            "neigh replace {address} lladdr 02:00:00:00:00:{port:02x} dev swp{port} nud stale\n"
        ));
    }
    router.start();
    for (address, way) in [
        ("10.8.0.1", "10.1.1.2"),
        ("10.1.2.3", "host 10.1.2.3"),
        ("10.1.1.3", "host 10.1.1.3"),
        ("10.1.1.4", "host 10.1.1.4"),
    ] {
        router.wait_way(address, way);
    }
    let state = |address: &str| {
        let found = router.query(&format!("neigh show {address}"));
        let state = found.first().and_then(|entry| entry["state"][0].as_str());
        state.unwrap_or_default().to_owned()
    };
    let wire = Wire::open(router.peers(), "p3");
    let client = Station { mac: [2, 0, 0, 0, 0, 3], ipv4: [10, 1, 3, 2], ipv6: [0; 16] };
    let frames = [[10, 8, 0, 1], [10, 1, 1, 3]].map(|ipv4| {
        let host = Station { mac: router.mac("swp3"), ipv4, ipv6: [0; 16] };
        Frame::ipv4(&client, &host).bytes()
    });
    let slot = router.slot(&router.maps(), "swp3");
    let routed = || router.maps().ended(slot, Reason::Routed);
    let before = routed();
    until(SOON, "the neighbours in use are asked for, and answer", || {
        frames.iter().for_each(|frame| wire.send(frame));
        USED.iter().all(|address| state(address) == "REACHABLE")
    });
    assert_ne!(routed(), before, "packets went past the kernel");
    assert_eq!(IDLE.map(state), ["STALE", "STALE"]);
}
