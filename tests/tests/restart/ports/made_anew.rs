//! A node that is made anew: other interfaces with the same names and indexes, in another network
//! namespace, while the pinned maps and programs survive.

use super::leaf::{Leaf, Way, index, program};

/// - Everything is forwarded again, by XDP, without an audit.
/// - Nothing of the old maps is believed.
#[test]
fn a_node_that_was_made_anew_beside_surviving_pins_forwards_again() {
    let mut leaf = Leaf::new();
    leaf.forwards_all();
    leaf.kill();
    leaf.take_away();
    leaf.make();
    leaf.start();
    leaf.forwards_all();
    let said = leaf.log().matches("of another network namespace").count();
    assert_eq!(said, 1, "it is said once, clearly: {}", leaf.log());
}

/// The same when the old namespace lives on: its interfaces are let go.
#[test]
fn the_interfaces_of_another_namespace_are_let_go() {
    let mut leaf = Leaf::new();
    leaf.forwards_all();
    leaf.kill();
    leaf.leave();
    leaf.make();
    leaf.start();
    leaf.forwards_all();
    for port in ["p1", "p3", "r1", "r3"] {
        assert_eq!(program(leaf.left(), port), None, "a program stays on the old {port}");
        assert!(program(&leaf.netns, port).is_some(), "no program on the new {port}");
    }
}

/// Pins whose namespace is the same are kept, with what they count.
#[test]
fn a_restart_in_the_same_namespace_keeps_maps_and_links() {
    let mut leaf = Leaf::new();
    leaf.forwards(Way::Bridged);
    let slot = |leaf: &Leaf| {
        let maps = leaf.maps();
        maps.ports.iter().find(|(_, port)| port.ifindex == index("p3")).expect("p3 is a port").0
    };
    let before = (slot(&leaf), leaf.maps().ended_anywhere(fabric_common::reason::Reason::Bridged));
    leaf.kill();
    leaf.start();
    let after = (slot(&leaf), leaf.maps().ended_anywhere(fabric_common::reason::Reason::Bridged));
    assert_eq!(after.0, before.0);
    assert!(after.1 >= before.1, "the counters began anew: {after:?}, before {before:?}");
    leaf.forwards_all();
}
