//! What a lost carrier costs on a router with any number of routes and VTEPs behind a group.

use std::time::{Duration, Instant};

use super::{PATIENCE, Router, SOON, carrier_watch::CarrierWatch, settled, until};

/// The objects that everything refers to; the kernel removes the first with its link.
const GROUP: &str = "nexthop replace id 1 via 10.1.1.2 dev swp1\n\
                     nexthop replace id 2 via 10.1.2.2 dev swp2\n\
                     nexthop replace id 10 group 1/2\n";

/// What the loss of a carrier led to.
#[derive(Clone, Copy, Debug)]
pub struct CarrierLoss {
    /// Stores until no flow takes the dead port any more.
    pub stores: u64,
    /// Stores of the main loop afterwards.
    pub later_stores: u64,
    /// From the moment at which fabric-xdpd read the event to the store.
    pub in_fabric_xdpd: Duration,
    /// From the moment at which another program read the event to the one at which the store was
    /// seen; nothing if that was earlier.
    pub from_event: Duration,
}

/// A router with so many routes and VTEPs behind an ECMP group of two, by nexthop objects.
#[must_use]
pub fn router_with(routes: u32, vteps: u32) -> Router {
    let mut router = Router::without_daemon("");
    router.know_neighbours();
    let mut lines = format!("{GROUP}route add 10.64.0.0/16 nhid 10\n");
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
    wait_whole(&router);
    router
}

/// Cuts the link of a router's first port, of [`router_with`], and mends it.
#[must_use]
pub fn lose_carrier(router: &Router) -> CarrierLoss {
    let before = settled(router);
    let maps = router.maps();
    let slot = router.slot(&maps, "swp1");
    let group = router.group("10.100.0.1");
    let watch = CarrierWatch::start(router.netns(), "swp1", PATIENCE);
    router.peers_ip("link set p1 down\n");
    // The kernel may take a second to tell; whoever sleeps meanwhile sees the store too late.
    let begin = Instant::now();
    while maps.ports.get(slot).down == 0 {
        assert!(begin.elapsed() < SOON, "the port is not marked");
        std::thread::yield_now();
    }
    let stored = Instant::now();
    let event = watch.lost().expect("the kernel tells of links").expect("the carrier is lost");
    // The group may still be as it was: the packet path passes over the dead port.
    for hash in (0..1000_u32).map(|i| i.wrapping_mul(0x9e37_79b9)) {
        let chosen = maps.select(group, hash).nexthop.expect("there is another way");
        assert_ne!(u32::from(maps.nexthops.get(chosen).port), slot);
    }
    let after = settled(router);
    assert_eq!(after.liveness.losses, before.liveness.losses + 1);
    assert_eq!(after.liveness.last_ifindex, router.ifindex("swp1"));
    router.peers_ip("link set p1 up\n");
    until(SOON, "the port lives", || maps.ports.get(slot).down == 0);
    router.ip(GROUP);
    wait_whole(router);
    CarrierLoss {
        stores: after.liveness.stores - before.liveness.stores,
        later_stores: after.writes - before.writes,
        in_fabric_xdpd: Duration::from_nanos(after.liveness.last_latency_ns),
        from_event: stored.saturating_duration_since(event),
    }
}

fn wait_whole(router: &Router) {
    router.wait_way("10.100.0.1", "10.1.1.2 and 10.1.2.2");
}
