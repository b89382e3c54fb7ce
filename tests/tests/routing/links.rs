//! Carrier loss: one store, however many routes and VTEPs hang on the link.

use std::time::Duration;

use fabric_tests::fabric::{Router, SOON, until};

/// A router with so many routes and VTEPs behind an ECMP group, by nexthop objects.
fn router(routes: u32, vteps: u32) -> Router {
    let mut router = Router::without_daemon("");
    router.know_neighbours();
    let mut lines =
        "nexthop add id 1 via 10.1.1.2 dev swp1\nnexthop add id 2 via 10.1.2.2 dev swp2\n\
                     nexthop add id 10 group 1/2\nroute add 10.64.0.0/16 nhid 10\n"
            .to_owned();
    for i in 0..routes {
        lines += &format!("route add 10.{}.{}.0/24 nhid 10\n", 100 + i / 256, i % 256);
    }
    lines += "link add br100 type bridge mcast_snooping 0\n\
              link add vx100 type vxlan id 100 local 10.1.4.1 dstport 4789 nolearning noudpcsum\n\
              link set vx100 master br100 up\nlink set br100 up\n";
    router.ip(&lines);
    let mut lines = "link set dev vx100 learning off\n".to_owned();
    for i in 0..vteps {
        lines += &format!(
            "fdb append 00:00:00:00:00:00 dev vx100 dst 10.64.{}.{}\n",
            i / 250,
            1 + i % 250
        );
    }
    router.bridge(&lines);
    router.start();
    until(SOON, "all VTEPs are there", || {
        let maps = router.maps();
        maps.vteps.iter().filter(|(_, v)| v.remote_be != 0 && v.group != 0).count()
            == vteps as usize
    });
    router.wait_way("10.100.0.1", "10.1.1.2 and 10.1.2.2");
    router
}

/// Stores until no flow takes the dead port any more, and all stores that the loss led to.
fn stores_of_a_carrier_loss(routes: u32, vteps: u32) -> (u64, u64) {
    let router = router(routes, vteps);
    let settled = || {
        let mut last = router.state();
        until(Duration::from_secs(20), "fabricd settles", || {
            std::thread::sleep(Duration::from_millis(1200));
            let now = router.state();
            let same = now.writes == last.writes && now.liveness == last.liveness;
            last = now;
            same
        });
        last
    };
    let before = settled();
    let maps = router.maps();
    let slot = router.slot(&maps, "swp1");
    let group = maps.groups.get(router.group("10.100.0.1"));
    router.peers_ip("link set p1 down\n");
    until(SOON, "the port is marked", || maps.ports.get(slot).down != 0);
    // The group may still be as it was: the packet path passes over the dead port.
    for hash in (0..1000_u32).map(|i| i.wrapping_mul(0x9e37_79b9)) {
        let chosen = maps.choose(group, hash).expect("there is another way");
        assert_ne!(u32::from(maps.nexthops.get(chosen).port), slot);
    }
    let after = settled();
    assert_eq!(after.liveness.losses, before.liveness.losses + 1);
    assert_eq!(after.liveness.last_ifindex, router.ifindex("swp1"));
    println!(
        "{routes} routes, {vteps} VTEPs: {} store after {} µs, {} stores of the main loop later",
        after.liveness.last_stores,
        after.liveness.last_latency_ns / 1000,
        after.writes - before.writes,
    );
    (after.liveness.stores - before.liveness.stores, after.writes - before.writes)
}

#[test]
fn a_carrier_loss_costs_the_same_with_ten_and_with_ten_thousand_routes() {
    let few = stores_of_a_carrier_loss(10, 10);
    let many = stores_of_a_carrier_loss(10_000, 10_000);
    assert_eq!(few.0, 1, "one store takes all flows off the port");
    assert_eq!(few, many, "the number of routes and VTEPs makes a difference");
}

#[test]
fn a_link_that_flaps_ends_up_as_it_is() {
    let router = router(10, 10);
    let maps = router.maps();
    let slot = router.slot(&maps, "swp3");
    for _ in 0..50 {
        router.peers_ip("link set p3 down\nlink set p3 up\n");
    }
    until(SOON, "the port lives", || maps.ports.get(slot).down == 0);
    router.peers_ip("link set p3 down\nlink set p3 up\nlink set p3 down\n");
    until(SOON, "the port is dead", || maps.ports.get(slot).down == 1);
    router.ip("link set swp4 down\n");
    let slot = router.slot(&maps, "swp4");
    until(SOON, "a port that is switched off is dead", || maps.ports.get(slot).down == 1);
    router.ip("link set swp4 up\n");
    until(SOON, "a port that is switched on lives", || maps.ports.get(slot).down == 0);
}
