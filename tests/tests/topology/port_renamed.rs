//! An interface that gets another name.
//!
//! - The program stays on it, the same one: no detaching, no attaching.
//! - fabric-xdpd knows it by its new name, and traffic goes by XDP as before.
//!
//! ```text
//!  vm12 ─ swp12, later hosts.12 ─ leaf01 ── spines ── leaf02 ─ vm21
//! ```

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, until, xdp_programs};

const NAME: &str = "hosts.12";

#[test]
fn a_renamed_port_keeps_its_program_and_forwards() {
    let fabric = Fabric::pair();
    let before = xdp_programs(&fabric, "leaf01")["swp12"].clone();
    let index = fabric.ifindex("leaf01", "swp12");
    // A kernel before 6.2 renames only what is down.
    for line in ["link set swp12 down", "link set swp12 name hosts.12", "link set hosts.12 up"] {
        fabric.ip("leaf01", line);
    }
    assert_eq!(fabric.ifindex("leaf01", NAME), index);
    fabric.acquaint("vm12", "vm21");
    assert_eq!(xdp_programs(&fabric, "leaf01").get(NAME), Some(&before));

    let before = Seen::at(&fabric, "leaf01");
    let report = fabric.send("vm12", "vm21", 200);
    let seen = Seen::at(&fabric, "leaf01").since(&before);
    assert_eq!(report.lost(), 0, "{report:?}");
    assert!(seen.on(NAME, Reason::Encapsulated) + 2 >= report.sent, "{seen:?}");

    // The new name is what a message about the port says.
    fabric.ip("leaf01", &format!("link set {NAME} nomaster"));
    until(PATIENCE, "the program leaves the port", || {
        !xdp_programs(&fabric, "leaf01").contains_key(NAME)
    });
    fabric.assert_agreement();
}
