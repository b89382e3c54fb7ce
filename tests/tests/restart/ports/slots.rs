//! Interfaces of any indexes, and more of them than there is room for.

use std::collections::BTreeSet;

use fabric_tests::fabric::until;

use super::leaf::{Leaf, SOON, Way};

/// Far more than 512 slots with four neighbouring places had room for if indexes are spread.
const MANY: u32 = 400;

#[test]
fn hundreds_of_interfaces_whose_indexes_are_spread_are_all_ports() {
    let mut leaf = Leaf::new();
    leaf.kill();
    // As after years of interfaces that came and went.
    let lines = (0..MANY).map(|n| {
        let index = 1_000 + n.wrapping_mul(0x9e37_79b1) % 1_000_000;
        format!(
            "link add x{n} index {index} type veth peer name y{n}\nlink set x{n} master br100 up\n"
        )
    });
    leaf.netns.ip(&lines.collect::<String>());
    leaf.start();
    let declined = leaf.state().declined;
    assert!(declined.is_empty(), "{} are left to the kernel: {declined:?}", declined.len());
    let ports: BTreeSet<u32> = leaf.maps().ports.iter().map(|(_, port)| port.ifindex).collect();
    // Without the free slots' zero.
    assert_eq!(ports.len() - 1, MANY as usize + 4);
    leaf.forwards(Way::Bridged);
}

/// Makes bridge ports until there are too many.
fn crowd(leaf: &Leaf) -> usize {
    let lines = (0..40).map(|n| {
        format!("link add x{n} type veth peer name y{n}\nlink set x{n} master br100 up\n")
    });
    leaf.netns.ip(&lines.collect::<String>());
    let waiting = |leaf: &Leaf| {
        let declined = leaf.state().declined;
        declined.values().filter(|why| why.contains("has no free slot")).count()
    };
    until(SOON, "some ports find no slot", || {
        // All 44 are known then.
        let used = leaf.maps().ports.iter().filter(|(_, port)| port.ifindex != 0).count();
        used + waiting(leaf) == 44
    });
    waiting(leaf)
}

#[test]
fn a_freed_slot_is_given_to_a_port_that_waits_for_one() {
    let mut leaf = Leaf::with_settings("port_entries = 16\n");
    leaf.forwards_all();
    let waiting = crowd(&leaf);
    assert!(waiting >= 13, "31 slots for 44 ports, and only {waiting} wait");
    until(SOON, "it is said that counters are shared", || {
        leaf.state().problems.iter().any(|text| text.contains("counted together"))
    });
    // So many go that the rest can stand in half of the slots.
    let used: BTreeSet<u32> = leaf.maps().ports.iter().map(|(_, port)| port.ifindex).collect();
    let links = leaf.netns.query("link show type veth");
    let crowd = links.iter().filter(|link| {
        let index = link["ifindex"].as_u64().and_then(|index| u32::try_from(index).ok());
        link["ifname"].as_str().is_some_and(|name| name.starts_with('x'))
            && index.is_some_and(|index| used.contains(&index))
    });
    let names = crowd.map(|link| link["ifname"].as_str().unwrap_or_default().to_owned());
    let lines: String = names.map(|name| format!("link del {name}\n")).collect();
    leaf.netns.ip(&lines);
    until(SOON, "those that waited have slots", || {
        leaf.assert_runs();
        leaf.state().declined.is_empty()
    });
    leaf.forwards_all();
}
