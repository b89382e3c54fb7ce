//! Ports that vanish between the news of them and what is done about it.

use fabric_tests::fabric::until;

use super::leaf::{Leaf, SOON};

/// Rounds, each of which makes and removes ports.
const ROUNDS: u32 = 300;

#[test]
fn the_daemon_survives_ports_that_are_made_and_removed_in_a_loop() {
    let mut leaf = Leaf::new();
    leaf.forwards_all();
    let round = "link add b0 type veth peer name b1\nlink set b0 master br100 up\n\
         link set b1 master br100 up\nlink add c0 type veth peer name c1\n\
         addr add 10.9.9.1/24 dev c0\nlink set c0 up\nlink set c1 up\nlink del b0\nlink del c0\n";
    for _ in 0..ROUNDS / 20 {
        leaf.netns.ip(&round.repeat(20));
        leaf.assert_runs();
    }
    leaf.forwards_all();
    until(SOON, "fabric-xdpd is in sync", || leaf.state().synced);
}
