//! Everything off, and on again.
//!
//! - Asked to detach, fabric-xdpd leaves nothing: no pin, no program on any interface; the kernel
//!   carries the traffic on. Asked to attach, XDP forwards again.
//! - What a killed fabric-xdpd left can be removed without one, by `fabricctl detach --all` as well: the
//!   same holds.
//! - A request that cannot be meant changes nothing, not even in part.
//!
//! ```text
//!  vm11 ─ leaf01 ── spines ── leaf02 ─ vm21
//!           ╰ detach, attach
//! ```

use std::{process::Command, time::Duration};

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, fabricctl, until, xdp_programs};
use fabric_user::daemon::Request;
use rustix::process::Signal;

/// Taking XDP off a veth replaces its receive path; frames in it at that moment may be lost.
const LOST_AT_DETACH: u64 = 50;

/// The kernel takes a program off a moment after its link's last pin is gone.
fn assert_nothing_is_left(fabric: &Fabric) {
    until(PATIENCE, "no program is left on any interface", || {
        xdp_programs(fabric, "leaf01").is_empty()
    });
    let folder = fabric.instance("leaf01").folder();
    assert!(!folder.exists(), "{} is left", folder.display());
}

#[test]
fn detaching_leaves_nothing_and_attaching_brings_it_back() {
    let fabric = Fabric::pair();
    let stream = fabric.running_stream("vm11", "vm21", Duration::from_millis(1), 8_200);
    let before = xdp_programs(&fabric, "leaf01");
    assert!(before.contains_key("swp11") && before.contains_key("swp1"), "{before:?}");

    fabric.ask("leaf01", &Request::Detach(Vec::new()));
    assert_nothing_is_left(&fabric);
    let received = stream.received();
    until(PATIENCE, "the kernel carries the stream", || stream.received() > received + 300);
    assert_nothing_is_left(&fabric);

    fabric.ask("leaf01", &Request::Attach(Vec::new()));
    fabric.assert_agreement();
    let now = xdp_programs(&fabric, "leaf01");
    assert_eq!(now.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    let attached = Seen::at(&fabric, "leaf01");
    until(PATIENCE, "XDP forwards again", || {
        Seen::at(&fabric, "leaf01").since(&attached).on("swp11", Reason::Encapsulated) > 300
    });
    let report = stream.stop().expect("the stream could send");
    println!("{report:?}");
    assert_eq!((report.duplicates, report.damaged), (0, 0), "{report:?}");
    assert!(report.lost() < 2 * LOST_AT_DETACH, "{report:?}");
}

#[test]
fn what_a_killed_daemon_left_can_be_removed_without_one() {
    let fabric = Fabric::pair();
    let stream = fabric.running_stream("vm11", "vm21", Duration::from_millis(1), 8_210);
    fabric.end_daemon("leaf01", Signal::KILL);
    assert!(!xdp_programs(&fabric, "leaf01").is_empty());

    fabric.instance("leaf01").remove().expect("pins can be removed");
    assert_nothing_is_left(&fabric);
    let received = stream.received();
    until(PATIENCE, "the kernel carries the stream", || stream.received() > received + 300);
    let report = stream.stop().expect("the stream could send");
    println!("{report:?}");
    assert_eq!((report.duplicates, report.damaged), (0, 0), "{report:?}");
    assert!(report.lost() < LOST_AT_DETACH, "{report:?}");
}

#[test]
fn a_refused_request_changes_nothing() {
    let fabric = Fabric::pair();
    let before = xdp_programs(&fabric, "leaf01");
    let ports = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();

    let said = fabric.ask_in_vain("leaf01", &Request::Detach(ports(&["swp11", "nowhere"])));
    assert_eq!(said, "there is no interface nowhere");
    // The refused request did not take swp11 for detached.
    let said = fabric.ask_in_vain("leaf01", &Request::Attach(ports(&["swp11"])));
    assert_eq!(said, "port swp11 was not detached");
    fabric.ask("leaf01", &Request::Attach(Vec::new()));
    assert_eq!(xdp_programs(&fabric, "leaf01"), before);

    fabric.ask("leaf01", &Request::Detach(Vec::new()));
    let said = fabric.ask_in_vain("leaf01", &Request::Attach(ports(&["swp11"])));
    assert!(said.starts_with("everything is detached"), "{said}");
    assert_nothing_is_left(&fabric);
    fabric.ask("leaf01", &Request::Attach(Vec::new()));
    fabric.assert_agreement();
}

#[test]
fn fabricctl_takes_everything_off_after_fabric_xdpd_was_killed() {
    let fabric = Fabric::pair();
    fabric.end_daemon("leaf01", Signal::KILL);
    let instance = fabric.lab().instance("leaf01");
    let mut command = Command::new(fabricctl());
    command.args(["detach", "--all", "--instance", &instance]);
    let said = fabric.lab().exec("leaf01", &mut command).expect("fabricctl detaches");
    assert!(said.contains("the kernel forwards"), "{said}");
    assert_nothing_is_left(&fabric);
}
