//! fabric-xdpd killed and started again.
//!
//! - No group's bucket changes, no route is written, and no stores are made for what is the same.
//! - What changed meanwhile is corrected.

use fabric_tests::fabric::{Router, SOON, until};

fn router() -> Router {
    let mut router = Router::without_daemon("");
    router.know_neighbours();
    let mut lines =
        "nexthop add id 1 via 10.1.1.2 dev swp1\nnexthop add id 2 via 10.1.2.2 dev swp2\n\
                     nexthop add id 3 via 10.1.3.2 dev swp3\nnexthop add id 10 group 1/2/3\n\
                     nexthop add id 11 group 1/2\n"
            .to_owned();
    for i in 0..1000 {
        lines += &format!("route add 10.{}.{}.0/24 nhid {}\n", 100 + i / 256, i % 256, 10 + i % 2);
    }
    lines += "route add 10.9.0.0/16 nexthop via 10.1.1.2 nexthop via 10.1.4.2\n\
              route add 10.9.1.1/32 nhid 10\nroute add 2001:db8:9::1/128 via 2001:db8:1::2\n\
              route add 2001:db8:90::/44 nexthop via 2001:db8:1::2 nexthop via 2001:db8:2::2\n";
    router.ip(&lines);
    router.start();
    router.wait_way("10.100.0.1", "10.1.1.2 and 10.1.2.2 and 10.1.3.2");
    // A history that a fresh start would not repeat.
    router.ip("nexthop replace id 10 group 2/3\n");
    router.wait_way("10.100.0.1", "10.1.2.2 and 10.1.3.2");
    router.ip("nexthop replace id 10 group 1/2/3\n");
    router.wait_way("10.100.0.1", "10.1.1.2 and 10.1.2.2 and 10.1.3.2");
    router
}

/// All that flows and routes depend on.
fn content(router: &Router) -> Vec<u64> {
    let maps = router.maps();
    let mut words = Vec::new();
    words.extend(maps.groups.iter().map(|(_, group)| group.word));
    words.extend(maps.trie.iter().map(|(_, word)| word.word));
    words.extend(maps.views.iter().map(|(_, v)| u64::from(v.root4) << 32 | u64::from(v.root6)));
    for (_, chunk) in maps.buckets.iter() {
        words.extend(chunk.nexthops.iter().map(|nexthop| u64::from(*nexthop)));
    }
    let mut hosts: Vec<_> =
        maps.hosts_table().iter().map(|(key, target, _)| (key, target)).collect();
    hosts.extend(maps.hosts6_table().iter().map(|(key, target, _)| (key, target)));
    hosts.sort_unstable();
    words.extend(hosts.iter().flat_map(|(key, target)| [*key, (*target).into()]));
    words
}

#[test]
fn a_restart_moves_no_bucket_and_writes_no_route() {
    let mut router = router();
    let before = content(&router);
    router.kill();
    router.start();
    assert!(content(&router) == before, "groups, buckets or routes are not as they were");
    let writes = router.state().writes;
    assert!(writes < 100, "{writes} stores for nothing");
    // It goes on with what it took over.
    router.ip("nexthop replace id 10 group 1/3\n");
    router.wait_way("10.100.0.1", "10.1.1.2 and 10.1.3.2");
    router.ip("route del 10.100.1.0/24\n");
    router.wait_way("10.100.1.1", "none");
}

#[test]
fn what_changes_while_fabric_xdpd_is_away_is_corrected() {
    let mut router = router();
    router.kill();
    router.ip("nexthop replace id 10 group 1/4\n".replace("1/4", "1/3").as_str());
    router.ip("route del 10.100.1.0/24\nroute add 10.200.0.0/16 nhid 11\nroute del 10.9.1.1/32\n\
         route del 2001:db8:9::1/128\n");
    router.peers_ip("link set p2 down\n");
    router.start();
    router.wait_way("10.100.0.1", "10.1.1.2 and 10.1.3.2");
    router.wait_way("10.100.1.1", "none");
    router.wait_way("10.9.1.1", "10.1.1.2 and 10.1.4.2");
    router.wait_way("2001:db8:9::1", "none");
    let maps = router.maps();
    let slot = router.slot(&maps, "swp2");
    until(SOON, "the dead port is marked", || maps.ports.get(slot).down != 0);
}
