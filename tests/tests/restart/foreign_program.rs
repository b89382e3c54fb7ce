//! A port that another XDP program holds.
//!
//! - fabric-xdpd does not take the port from it; its state says which port and why. All other ports work.
//! - When the other program is gone, the next audit takes the port into use, and frames go by XDP.
//!
//! ```text
//!  vm12 ─ swp12 (another program) ─ leaf01 ── spines ── leaf02 ─ vm21
//!  vm11 ─ swp11 ────────────────────┘
//! ```

use aya::programs::{Xdp, XdpMode};
use fabric_common::reason::Reason;
use fabric_tests::{
    fabric::{Fabric, PATIENCE, Seen, until, xdp_programs},
    loaded,
};
use fabric_user::kernel::programs::HEARTBEAT;
use rustix::process::Signal;

#[test]
fn a_foreign_program_keeps_its_port_and_the_port_is_used_when_it_is_gone() {
    let fabric = Fabric::pair();
    fabric.end_daemon("leaf01", Signal::TERM);
    fabric.instance("leaf01").remove().expect("pins can be removed");
    let index = fabric.ifindex("leaf01", "swp12");
    // Any program will do; this one passes everything.
    let mut foreign = loaded::object().expect("the object loads");
    let program = foreign.ebpf.program_mut(HEARTBEAT).expect("the object has this program");
    let program: &mut Xdp = program.try_into().expect("it is an XDP program");
    program.load().expect("the kernel takes it");
    fabric
        .netns("leaf01")
        .enter(|| program.attach_to_if_index(index, XdpMode::Driver))
        .expect("the namespace exists")
        .expect("the port is free");
    let theirs = xdp_programs(&fabric, "leaf01")["swp12"].clone();
    // The kernel keeps the first 15 characters of a name.
    assert!(HEARTBEAT.starts_with(&theirs.0), "{theirs:?}");

    fabric.start_daemon("leaf01", &["--audit-interval-s", "1"]);
    let declined = fabric.state("leaf01").declined;
    let why = declined.get("swp12").expect("the port is reported");
    assert!(why.contains("another XDP program"), "{why:?}");
    assert_eq!(xdp_programs(&fabric, "leaf01")["swp12"], theirs, "the program was replaced");
    forwards(&fabric, "vm11", "swp11");
    // Through the kernel.
    fabric.greet("vm12", "vm21");
    let report = fabric.send("vm12", "vm21", 200);
    assert_eq!((report.lost(), report.damaged), (0, 0), "{report:?}");
    assert_eq!(xdp_programs(&fabric, "leaf01")["swp12"], theirs, "an audit replaced the program");

    drop(foreign);
    until(PATIENCE, "an audit takes the port into use", || {
        xdp_programs(&fabric, "leaf01")
            .get("swp12")
            .is_some_and(|(name, _)| name == "fabric_access")
    });
    until(PATIENCE, "the report is gone", || {
        !fabric.state("leaf01").declined.contains_key("swp12")
    });
    fabric.assert_agreement();
    forwards(&fabric, "vm12", "swp12");
}

fn forwards(fabric: &Fabric, host: &str, port: &str) {
    fabric.greet(host, "vm21");
    until(PATIENCE, "XDP forwards", || {
        let before = Seen::at(fabric, "leaf01");
        let report = fabric.send(host, "vm21", 100);
        assert_eq!((report.lost(), report.damaged), (0, 0), "{report:?}");
        Seen::at(fabric, "leaf01").since(&before).on(port, Reason::Encapsulated) + 2 >= report.sent
    });
}
