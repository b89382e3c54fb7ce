//! More hosts and prefixes than the maps have room for.

use std::time::Duration;

use fabric_common::schema::nexthops;
use fabric_tests::fabric::{Router, SOON, until};

#[test]
fn hosts_without_room_are_looked_up_as_prefixes_and_reported() {
    let mut router = Router::without_daemon("host_entries = 16\n");
    router.know_neighbours();
    let mut lines = String::new();
    for i in 0..300 {
        lines += &format!(
            "route add 10.20.{}.{}/32 via 10.1.{}.2\nroute add 2001:db8:20::{i:x}/128 via 2001:db8:{}::2\n",
            i / 200,
            1 + i % 200,
            1 + i % 4,
            1 + i % 4
        );
    }
    lines += "route add 10.20.0.0/16 via 10.1.1.2\nroute add 2001:db8:20::/64 via 2001:db8:1::2\n";
    router.ip(&lines);
    router.start();
    let told = |router: &Router| {
        router.state().problems.iter().any(|p| p.contains("full") && p.contains("`host_entries`"))
    };
    until(SOON, "the full map is reported", || told(&router));
    let addresses: Vec<String> = (0..300)
        .flat_map(|i| [format!("10.20.{}.{}", i / 200, 1 + i % 200), format!("2001:db8:20::{i:x}")])
        .collect();
    let ways = || router.ways(addresses.iter().map(String::as_str));
    let own: Vec<String> = (0..300)
        .flat_map(|i| [format!("10.1.{}.2", 1 + i % 4), format!("2001:db8:{}::2", 1 + i % 4)])
        .collect();
    assert_eq!(ways(), own);
    // One by one they go from where they are.
    let mut lines = String::new();
    for i in 0..300 {
        lines += &format!(
            "route del 10.20.{}.{}/32\nroute del 2001:db8:20::{i:x}/128\n",
            i / 200,
            1 + i % 200
        );
    }
    router.ip(&lines);
    let covering = ["10.1.1.2", "2001:db8:1::2"].repeat(300);
    until(SOON, "all go where the prefixes around them lead", || ways() == covering);
}

/// A part of the members would get all of the traffic.
#[test]
fn a_group_whose_members_do_not_all_find_room_is_left_to_the_kernel_until_they_do() {
    let long = Duration::from_secs(300);
    let mut router = Router::without_daemon("audit_interval_s = 2\n");
    router.ip("addr add 10.64.255.254/15 dev swp2\n");
    router.know_neighbours();
    router.start();
    let used = |router: &Router| router.maps().nexthops.iter().filter(|(_, n)| n.port != 0).count();
    let neighbour = |n: usize| format!("10.{}.{}.{}", 64 + (n >> 16), n >> 8 & 255, n & 255);
    // All indexes but one.
    let count = nexthops::MAX as usize - 2 - used(&router);
    let fill =
        |n| format!("neigh add {} lladdr 02:00:00:00:00:02 dev swp2 nud permanent\n", neighbour(n));
    router.ip(&(1..=count).map(fill).collect::<String>());
    until(long, "one index is left", || used(&router) == nexthops::MAX as usize - 2);

    router.ip("nexthop add id 1 via 10.65.255.1 dev swp2 onlink\n\
         nexthop add id 2 via 10.65.255.2 dev swp2 onlink\n\
         nexthop add id 10 group 1/2\nroute add 10.9.0.0/16 nhid 10\n");
    let told = || router.state().problems.iter().any(|p| p.contains("as a whole"));
    until(long, "it is named", told);
    assert_eq!(router.way("10.9.0.1"), "nothing");

    let free = |n| format!("neigh del {} dev swp2\n", neighbour(n));
    router.ip(&(1..=9).map(free).collect::<String>());
    let whole = || router.way("10.9.0.1") == "10.65.255.1 and 10.65.255.2";
    until(long, "both members have room", whole);
    until(long, "nothing is named any more", || router.state().problems.is_empty());
}
