//! A group that takes another one's place begins with its buckets.

use std::net::Ipv4Addr;

use fabric_tests::fabric::{Router, SOON, until};

fn router() -> Router {
    let mut router = Router::without_daemon("");
    router.know_neighbours();
    router.ip("nexthop add id 1 via 10.1.1.2 dev swp1\nnexthop add id 2 via 10.1.2.2 dev swp2\n\
         nexthop add id 3 via 10.1.3.2 dev swp3\nnexthop add id 4 via 10.1.4.2 dev swp4\n\
         nexthop add id 10 group 1/2/3/4\nroute add 10.9.0.0/16 nhid 10\n\
         route add 10.8.0.0/16 nhid 10\nroute add 2001:db8:9::/48 via 2001:db8:1::2\n");
    router.start();
    router.wait_way("10.9.0.1", "10.1.1.2 and 10.1.2.2 and 10.1.3.2 and 10.1.4.2");
    // The order of the buckets shall tell where they came from.
    router.ip("nexthop replace id 10 group 1/2/4\n");
    router.wait_way("10.9.0.1", "10.1.1.2 and 10.1.2.2 and 10.1.4.2");
    router.ip("nexthop replace id 10 group 1/2/3/4\n");
    router.wait_way("10.9.0.1", "10.1.1.2 and 10.1.2.2 and 10.1.3.2 and 10.1.4.2");
    router
}

#[test]
fn a_nexthop_object_with_another_id_moves_no_flow() {
    let router = router();
    let (before, group) = (router.buckets("10.9.0.1"), router.group("10.9.0.1"));
    // As FRR does it: a new object, routes to it one after the other, the old object's end.
    router.ip("nexthop add id 20 group 4/3/2/1\nroute replace 10.9.0.0/16 nhid 20\n\
         route replace 10.8.0.0/16 nhid 20\nnexthop del id 10\n");
    until(SOON, "both routes have one group and the old one is gone", || {
        let maps = router.maps();
        router.group("10.9.0.1") == router.group("10.8.0.1")
            && maps.groups.iter().filter(|(_, g)| maps.shares(*g).len() == 4).count() == 1
    });
    println!("group {group} is followed by {}", router.group("10.9.0.1"));
    assert_eq!(router.buckets("10.9.0.1"), before);
}

#[test]
fn a_similar_group_moves_only_what_it_must() {
    let router = router();
    let before = router.buckets("10.9.0.1");
    let old = router.group("10.9.0.1");
    // One of two routes goes over to three of the four members; both groups live on.
    router.ip("nexthop add id 21 group 1/2/3\nroute replace 10.9.0.0/16 nhid 21\n");
    router.wait_way("10.9.0.1", "10.1.1.2 and 10.1.2.2 and 10.1.3.2");
    assert_ne!(router.group("10.9.0.1"), old);
    assert_eq!(router.buckets("10.8.0.1"), before, "the old group lives on as it was");
    let after = router.buckets("10.9.0.1");
    assert_eq!(after.len(), before.len());
    let maps = router.maps();
    for (old, new) in before.iter().zip(&after) {
        let gone = maps.gateway(*old) == Ipv4Addr::new(10, 1, 4, 2);
        assert!(gone || old == new, "a bucket of a remaining member has moved");
    }
}
