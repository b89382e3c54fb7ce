//! A port whose redirect target is not there: for a moment after it was in another network namespace,
//! here as long as the test wants.

use fabric_tests::fabric::until;

use super::leaf::{Leaf, SOON, index};

#[test]
fn a_port_whose_redirect_target_has_gone_counts_as_dead_until_it_is_there_again() {
    let mut leaf = Leaf::new();
    leaf.forwards_all();
    let port = index("p3");
    let slot = leaf.maps().ports.iter().find(|(_, entry)| entry.ifindex == port);
    let (slot, _) = slot.expect("it is a port");
    let aim = || leaf.targets().set(slot, index("p1"), None, 0);
    leaf.netns.inside(aim).expect("the map can be written");
    // The link is up, and its message says so.
    leaf.netns.ip("link set p3 alias other\n");
    until(SOON, "nothing is sent there any more", || leaf.maps().ports.get(slot).down != 0);
    leaf.kill();
    leaf.start();
    until(SOON, "the port lives", || leaf.maps().ports.get(slot).down == 0);
    leaf.forwards_all();
}
