//! Routes of every kind appear in the maps and go again.

use fabric_common::schema::{local_addresses, settings};
use fabric_tests::fabric::{Router, SOON, until};

#[test]
fn routes_of_every_kind_appear_and_go() {
    let router = Router::without_daemon("");
    router.know_neighbours();
    // Some are there when fabric-xdpd starts, the others come later.
    router.ip("route add 10.9.0.0/16 via 10.1.1.2\n\
         route add 2001:db8:900::/40 nexthop via 2001:db8:1::2 nexthop via 2001:db8:2::2\n");
    let mut router = router;
    router.start();
    router.wait_way("10.9.1.1", "10.1.1.2");
    router.wait_way("2001:db8:900::1", "2001:db8:1::2 and 2001:db8:2::2");

    router.ip(
        "route add 10.10.0.0/16 nexthop via 10.1.1.2 weight 1 nexthop via 10.1.2.2 weight 3\n\
         route add 10.11.0.1/32 via 10.1.3.2\n\
         route add 2001:db8:b::1/128 via 2001:db8:3::2\n\
         route add blackhole 10.12.0.0/16\n\
         route add unreachable 10.13.0.0/16\n\
         route add prohibit 10.14.0.0/16\n\
         route add blackhole 2001:db8:c::/48\n\
         route add unreachable 2001:db8:d::/48\n\
         route add 10.15.0.0/16 nexthop via inet6 fe80::2 dev swp1 nexthop via inet6 fe80::2 dev swp2\n",
    );
    for (address, way) in [
        ("10.10.3.4", "10.1.1.2 and 10.1.2.2*3"),
        ("10.11.0.1", "10.1.3.2"),
        ("10.11.0.2", "none"),
        ("2001:db8:b::1", "2001:db8:3::2"),
        ("10.12.0.1", "blackhole"),
        ("10.13.0.1", "unreachable"),
        ("10.14.0.1", "unreachable"),
        ("2001:db8:c::1", "blackhole"),
        ("2001:db8:d::1", "unreachable"),
        ("10.1.1.1", "local"),
        ("10.1.1.255", "local"),
        ("10.1.1.2", "host 10.1.1.2"),
        ("2001:db8:4::2", "host 2001:db8:4::2"),
        ("10.1.1.77", "connected"),
    ] {
        router.wait_way(address, way);
    }
    let (a, b) = {
        let maps = router.maps();
        (router.slot(&maps, "swp1"), router.slot(&maps, "swp2"))
    };
    router.wait_way("10.15.0.1", &format!("fe80::2%{a} and fe80::2%{b}"));

    // A more specific route, and its end.
    router.ip("route add 10.10.128.0/17 via 10.1.4.2\n");
    router.wait_way("10.10.129.1", "10.1.4.2");
    router.wait_way("10.10.3.4", "10.1.1.2 and 10.1.2.2*3");
    router
        .ip("route del 10.10.128.0/17\nroute del 10.11.0.1/32\nroute del blackhole 10.12.0.0/16\n\
         route del 2001:db8:b::1/128\nroute del 10.9.0.0/16\n");
    for (address, way) in [
        ("10.10.129.1", "10.1.1.2 and 10.1.2.2*3"),
        ("10.11.0.1", "none"),
        ("10.12.0.1", "none"),
        ("2001:db8:b::1", "none"),
        ("10.9.1.1", "none"),
    ] {
        router.wait_way(address, way);
    }
    until(SOON, "there is no problem", || router.state().problems.is_empty());
}

#[test]
fn settings_and_own_addresses_are_in_the_maps() {
    let router = Router::with_settings(
        "host_entries = 1000\nprefix_entries = 2000\n[hash]\nflow_label = true\ninner = true\n",
    );
    let maps = router.maps();
    let flags = settings::HASH_FLOW_LABEL | settings::HASH_INNER;
    assert_eq!(maps.settings.get(0).hash_flags, flags);
    assert_eq!((maps.hosts.len(), maps.hosts6.len()), (512, 512), "powers of two");
    let filter = maps.local_addresses.get(0);
    let has = |address: std::net::Ipv4Addr| {
        let (word, bit) = local_addresses::place(u32::from_ne_bytes(address.octets()).into());
        filter.words[word] >> bit & 1 != 0
    };
    assert!(has([10, 1, 1, 1].into()) && has([10, 1, 4, 1].into()));
    let strangers = (0..200).filter(|i| has([192, 0, 2, *i].into())).count();
    assert!(strangers < 10, "{strangers} of 200 strangers are taken for own addresses");
}
