//! An interface that is deleted and made again with the same name.
//!
//! - The maps forget the old one with its MACs, and no redirect leads to its index any more.
//! - The new one, which has another index, gets a program and the old one's work.
//!
//! ```text
//!  vm12 ─ swp12 ─ leaf01 ── spines ── leaf02 ─ vm21
//!           ╰ deleted, and made again
//! ```

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, map_facts, until};

#[test]
fn a_port_that_is_deleted_and_made_again_is_used_again() {
    let fabric = Fabric::pair();
    fabric.acquaint("vm12", "vm21");
    let (old, mac) = (fabric.ifindex("leaf01", "swp12"), fabric.mac("vm12"));
    let local = fabric.netns("vm12").name().to_owned();

    fabric.ip("leaf01", "link delete swp12");
    until(PATIENCE, "the maps forget the port and its host", || {
        let facts = map_facts(&fabric, "leaf01");
        !facts.iter().any(|f| f.contains("gone interface") || f.contains(&mac.to_string()))
    });
    fabric.assert_agreement();
    let maps = fabric.maps("leaf01");
    assert!(maps.ports.iter().all(|(_, port)| port.ifindex != old), "a slot still has {old}");

    fabric.ip(
        "leaf01",
        &format!("link add swp12 mtu 1500 type veth peer name eth0 address {mac} netns {local}"),
    );
    fabric.run("vm12", "ethtool", "-K eth0 gro on tx off rxvlan off txvlan off");
    fabric.run("leaf01", "ethtool", "-K swp12 tx off rxvlan off txvlan off");
    fabric.ip("vm12", &format!("address add {}/24 dev eth0", fabric.address("vm12")));
    fabric.ip("leaf01", "link set swp12 master br200 up");
    fabric.wait_bridge_port("leaf01", "swp12", true);
    fabric.ip("vm12", "link set eth0 up");
    assert_ne!(fabric.ifindex("leaf01", "swp12"), old);

    fabric.acquaint("vm12", "vm21");
    let before = Seen::at(&fabric, "leaf01");
    let reports = [fabric.send("vm12", "vm21", 200), fabric.send("vm21", "vm12", 200)];
    let seen = Seen::at(&fabric, "leaf01").since(&before);
    for report in reports {
        assert_eq!(report.lost(), 0, "{report:?}");
    }
    assert!(seen.on("swp12", Reason::Encapsulated) + 2 >= reports[0].sent, "{seen:?}");
    assert!(seen.all(Reason::Decapsulated) + 2 >= reports[1].sent, "{seen:?}");
}
