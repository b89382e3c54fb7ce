//! In-place changes of nexthop objects, without any route event (MP-06, MP-07).

use fabric_tests::fabric::{Router, settled};

/// A router with a route over the group 10 of the objects 1 to 3.
fn router() -> Router {
    let router = Router::without_daemon("");
    router.know_neighbours();
    router.ip("nexthop add id 1 via 10.1.1.2 dev swp1\nnexthop add id 2 via 10.1.2.2 dev swp2\n\
         nexthop add id 3 via 10.1.3.2 dev swp3\nnexthop add id 9 blackhole\n\
         nexthop add id 10 group 1/2/3\nroute add 10.9.0.0/16 nhid 10\n\
         route add 10.8.0.1/32 nhid 10\nroute add 10.7.0.0/16 nhid 3\n");
    let mut router = router;
    router.start();
    router.wait_way("10.9.0.1", "10.1.1.2 and 10.1.2.2 and 10.1.3.2");
    router
}

#[test]
fn replacing_a_nexthop_in_place_takes_effect_without_a_route_event() {
    let router = router();
    let before = router.target(&router.maps(), "10.9.0.1");
    let all = "10.1.1.2 and 10.1.2.2 and 10.1.3.2";
    for (line, group, single) in [
        ("nexthop replace id 10 group 1/2,3", "10.1.1.2 and 10.1.2.2*3", "10.1.3.2"),
        ("nexthop replace id 10 group 9", "blackhole", "10.1.3.2"),
        ("nexthop replace id 10 group 1/2/3", all, "10.1.3.2"),
        ("nexthop replace id 3 blackhole", "nothing", "blackhole"),
        ("nexthop replace id 3 via 10.1.3.2 dev swp3", all, "10.1.3.2"),
        (
            "nexthop replace id 3 via 10.1.4.2 dev swp4",
            "10.1.1.2 and 10.1.2.2 and 10.1.4.2",
            "10.1.4.2",
        ),
    ] {
        // The kernel refuses a blackhole in a group of several.
        if line.ends_with("id 3 blackhole") {
            router.ip("nexthop replace id 10 group 3\n");
        }
        router.ip(&format!("{line}\n"));
        let group = if line.ends_with("id 3 blackhole") { "blackhole" } else { group };
        if line.starts_with("nexthop replace id 3 via 10.1.3.2") {
            router.ip("nexthop replace id 10 group 1/2/3\n");
        }
        router.wait_way("10.9.0.1", group);
        router.wait_way("10.8.0.1", group);
        router.wait_way("10.7.0.1", single);
        assert_eq!(router.target(&router.maps(), "10.9.0.1"), before, "a route was touched");
    }
}

#[test]
fn deleting_a_nexthop_shrinks_every_group_that_has_it() {
    let router = router();
    router.ip("nexthop add id 11 group 1,2/2/3\nroute add 10.6.0.0/16 nhid 11\n\
         nexthop add id 12 group 1\nroute add 10.5.0.0/16 nhid 12\n");
    router.wait_way("10.6.0.1", "10.1.1.2*2 and 10.1.2.2 and 10.1.3.2");
    router.wait_way("10.5.0.1", "10.1.1.2");
    router.ip("nexthop del id 1\n");
    router.wait_way("10.9.0.1", "10.1.2.2 and 10.1.3.2");
    router.wait_way("10.6.0.1", "10.1.2.2 and 10.1.3.2");
    router.wait_way("10.5.0.1", "none");
}

#[test]
fn a_port_that_is_switched_off_leaves_all_groups() {
    let router = router();
    router.ip("nexthop add id 11 group 1\nroute add 10.6.0.0/16 nhid 11\n");
    router.wait_way("10.6.0.1", "10.1.1.2");
    router.ip("link set swp1 down\n");
    router.wait_way("10.9.0.1", "10.1.2.2 and 10.1.3.2");
    router.wait_way("10.6.0.1", "none");
    router.wait_way("10.1.1.77", "none");
}

#[test]
fn an_object_that_changes_takes_as_many_stores_with_ten_thousand_routes_as_with_ten() {
    let router = router();
    let mut routed = 0;
    let stores = [10, 10_000].map(|routes| {
        let lines: String = (routed..routes)
            .map(|number| {
                format!("route add 10.{}.{}.7/32 nhid 10\n", 100 + number / 256, number % 256)
            })
            .collect();
        routed = routes;
        router.ip(&lines);
        let last = format!("10.{}.{}.7", 100 + (routes - 1) / 256, (routes - 1) % 256);
        router.wait_way(&last, "10.1.1.2 and 10.1.2.2 and 10.1.3.2");
        let before = settled(&router).writes;
        router.ip("nexthop replace id 10 group 1/2\n");
        router.wait_way(&last, "10.1.1.2 and 10.1.2.2");
        let between = settled(&router).writes;
        router.ip("nexthop replace id 10 group 1/2/3\n");
        router.wait_way(&last, "10.1.1.2 and 10.1.2.2 and 10.1.3.2");
        [between - before, settled(&router).writes - between]
    });
    assert_eq!(stores[0], stores[1]);
    assert!(stores[0].iter().all(|count| (1..=300).contains(count)), "{stores:?}");
}
