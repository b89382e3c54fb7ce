//! `xdp_mode` that is another one after a restart.

use fabric_common::schema::ports::FLAG_HID_TAGS;
use fabric_tests::fabric::until;

use super::leaf::{Leaf, SOON, Way, program};

/// As `ip` prints the modes.
const NATIVE: u64 = 1;
const GENERIC: u64 = 2;

#[test]
fn another_xdp_mode_holds_for_ports_that_had_a_program_before() {
    let mut leaf = Leaf::new();
    leaf.forwards(Way::Bridged);
    for (mode, shown) in [("generic", GENERIC), ("native", NATIVE)] {
        leaf.kill();
        leaf.set(&format!("xdp_mode = \"{mode}\"\n"));
        leaf.start();
        for (_, port) in leaf.maps().ports.iter().filter(|(_, port)| port.ifindex != 0) {
            assert_ne!(port.flags & FLAG_HID_TAGS, 0, "rxvlan stays off for ever: {port:?}");
        }
        for port in ["p1", "p3", "r1", "r3"] {
            until(SOON, "the port runs in the new mode", || {
                program(&leaf.netns, port).is_some_and(|(_, mode)| mode == shown)
            });
        }
    }
    leaf.forwards_all();
}
