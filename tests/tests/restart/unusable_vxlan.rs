//! A vxlan device with a local address that the box does not have.
//!
//! - fabric-xdpd reports it in its state and leaves it to the kernel; all other VNIs work.
//! - When it gets one of the box, it is used.
//!
//! ```text
//!  leaf01: br777 ─ vxlan10777 (a local address of nobody's)
//!          br200 ─ vxlan10200 ══ leaf02
//! ```

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, map_facts, until};

const BEGIN: &str = "VNI 10777 ";

#[test]
fn a_vxlan_device_with_a_local_address_of_nobodys_is_reported_and_used_when_it_gets_another() {
    let fabric = Fabric::pair();
    for line in [
        "link add br777 type bridge",
        "link add vxlan10777 type vxlan id 10777 local 203.0.113.77 dstport 4789 nolearning noudpcsum",
        "link set vxlan10777 master br777 up",
        "link set br777 up",
    ] {
        fabric.ip("leaf01", line);
    }
    fabric.run("leaf01", "bridge", "link set dev vxlan10777 learning off");
    let report = |fabric: &Fabric| {
        let problems = fabric.state("leaf01").problems;
        problems.into_iter().find(|problem| problem.contains("vxlan10777"))
    };
    until(PATIENCE, "the device is reported", || report(&fabric).is_some());
    let said = report(&fabric).unwrap_or_default();
    assert!(said.contains("the local address 203.0.113.77, which no interface"), "{said:?}");
    assert!(!map_facts(&fabric, "leaf01").iter().any(|fact| fact.starts_with(BEGIN)));

    fabric.greet("vm11", "vm21");
    let before = Seen::at(&fabric, "leaf01");
    let sent = fabric.send("vm11", "vm21", 200);
    let seen = Seen::at(&fabric, "leaf01").since(&before);
    assert_eq!(sent.lost(), 0, "{sent:?}");
    assert!(seen.on("swp11", Reason::Encapsulated) + 2 >= sent.sent, "{seen:?}");

    let local = fabric.vtep("leaf01");
    fabric.ip("leaf01", &format!("link set vxlan10777 type vxlan id 10777 local {local}"));
    until(PATIENCE, "the device is used", || {
        report(&fabric).is_none()
            && map_facts(&fabric, "leaf01").iter().any(|fact| fact.starts_with(BEGIN))
    });
    fabric.assert_agreement();
}
