//! More hosts and prefixes than the maps have room for.

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
