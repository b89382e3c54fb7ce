//! Resilient groups of the kernel: number of buckets and timers (MPR-01).

use std::time::{Duration, Instant};

use fabric_common::schema::{buckets::CHUNK, groups::Choice};
use fabric_tests::fabric::{Router, SOON, until};

const ROUTE: &str = "10.9.0.1";

fn router(timers: &str) -> Router {
    let mut router = Router::without_daemon("");
    router.know_neighbours();
    router.ip(&format!(
        "nexthop add id 1 via 10.1.1.2 dev swp1\nnexthop add id 2 via 10.1.2.2 dev swp2\n\
         nexthop add id 3 via 10.1.3.2 dev swp3\n\
         nexthop add id 10 group 1/2 type resilient buckets 512 {timers}\n\
         route add 10.9.0.0/16 nhid 10\n"
    ));
    router.start();
    router.wait_way(ROUTE, "10.1.1.2 and 10.1.2.2");
    assert_eq!(router.buckets(ROUTE).len(), 512, "the kernel's own number");
    router
}

/// Marks all buckets as used at this moment, as packets would.
fn keep_busy(router: &Router) {
    let maps = router.maps();
    let Choice::Spread { chunk, count, timed: true } =
        maps.groups.get(router.group(ROUTE)).choice()
    else {
        panic!("the packet path does not note the use of buckets");
    };
    let settings = maps.settings.get(0);
    let now = (settings.deadline - u64::from(settings.timeout_jiffies)) as u32;
    for at in chunk..chunk + count / CHUNK {
        maps.bucket_use.update(at, |part| part.jiffies = [now; CHUNK as usize]);
    }
}

fn shares(router: &Router) -> Vec<u32> {
    let maps = router.maps();
    maps.shares(maps.groups.get(router.group(ROUTE))).into_values().collect()
}

#[test]
fn without_an_idle_timer_buckets_move_at_once() {
    let router = router("idle_timer 0 unbalanced_timer 0");
    keep_busy(&router);
    router.ip("nexthop replace id 10 group 1,3/2 type resilient buckets 512 idle_timer 0\n");
    until(SOON, "shares are 3:1", || shares(&router) == [384, 128]);
}

#[test]
fn busy_buckets_stay_and_those_of_a_removed_member_move() {
    let router = router("idle_timer 120 unbalanced_timer 0");
    let before = router.buckets(ROUTE);
    let end = Instant::now() + Duration::from_secs(2);
    keep_busy(&router);
    router.ip("nexthop replace id 10 group 1,3/2 type resilient buckets 512 idle_timer 120\n");
    while Instant::now() < end {
        keep_busy(&router);
        assert_eq!(shares(&router), [256, 256], "a busy bucket has moved");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(router.buckets(ROUTE), before);
    router.ip("nexthop del id 2\n");
    until(SOON, "all buckets are the remaining member's", || shares(&router) == [512]);
}

#[test]
fn idle_buckets_move_when_their_time_has_come() {
    let router = router("idle_timer 6 unbalanced_timer 0");
    let start = Instant::now();
    keep_busy(&router);
    router.ip("nexthop replace id 10 group 1,3/2 type resilient buckets 512 idle_timer 6\n");
    assert_eq!(shares(&router), [256, 256]);
    until(SOON, "shares are 3:1", || shares(&router) == [384, 128]);
    let took = start.elapsed();
    // The mark is up to half a second old: the daemon's last sign of life.
    assert!(took > Duration::from_millis(5_200), "they moved after {took:?}");
}

#[test]
fn a_group_that_is_unbalanced_for_too_long_moves_busy_buckets() {
    let router = router("idle_timer 120 unbalanced_timer 2");
    keep_busy(&router);
    let start = Instant::now();
    router.ip("nexthop replace id 10 group 1/2/3 type resilient buckets 512 idle_timer 120 \
         unbalanced_timer 2\n");
    until(SOON, "all three have their share", || {
        keep_busy(&router);
        shares(&router).len() == 3
    });
    assert!(start.elapsed() > Duration::from_millis(1500), "they moved too early");
    until(SOON, "shares are equal", || shares(&router).iter().all(|n| n.abs_diff(171) <= 1));
}
