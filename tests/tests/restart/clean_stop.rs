//! fabric-xdpd that is asked to end.
//!
//! - By default programs, links and maps stay, and a successor takes over without a loss.
//! - With `detach_on_exit` nothing is left: no pin, no program on any interface; the kernel carries
//!   the traffic on.
//!
//! ```text
//!  vm11 ─ leaf01 ── spines ── leaf02 ─ vm21
//!           ╰ fabric-xdpd: SIGTERM
//! ```

use std::time::Duration;

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, until, xdp_programs};
use rustix::process::Signal;

#[test]
fn a_clean_stop_leaves_everything_in_place_for_the_successor() {
    let fabric = Fabric::pair();
    let stream = fabric.running_stream("vm11", "vm21", Duration::from_millis(1), 8_100);
    let before = xdp_programs(&fabric, "leaf01");
    let links = fabric.instance("leaf01").linked().expect("links are pinned");
    assert_eq!(links.len(), before.len());

    fabric.end_daemon("leaf01", Signal::TERM);
    assert_eq!(xdp_programs(&fabric, "leaf01"), before);
    assert_eq!(fabric.instance("leaf01").linked().expect("links are pinned"), links);
    let stopped = Seen::at(&fabric, "leaf01");
    until(PATIENCE, "XDP goes on without a daemon", || {
        Seen::at(&fabric, "leaf01").since(&stopped).on("swp11", Reason::Encapsulated) > 200
    });

    fabric.start_daemon("leaf01", &[]);
    let started = Seen::at(&fabric, "leaf01");
    until(PATIENCE, "XDP goes on with the successor", || {
        Seen::at(&fabric, "leaf01").since(&started).on("swp11", Reason::Encapsulated) > 200
    });
    let seen = Seen::at(&fabric, "leaf01").since(&stopped);
    assert_eq!(seen.all(Reason::PortInputHeartbeatExpired), 0, "{seen:?}");
    let report = stream.stop().expect("the stream could send");
    assert_eq!((report.lost(), report.duplicates, report.damaged), (0, 0, 0), "{report:?}");
    fabric.assert_agreement();
}

#[test]
fn with_detach_on_exit_a_clean_stop_takes_everything_off() {
    let fabric = Fabric::pair();
    fabric.end_daemon("leaf01", Signal::TERM);
    fabric.start_daemon("leaf01", &["--detach-on-exit"]);
    let stream = fabric.running_stream("vm11", "vm21", Duration::from_millis(1), 8_110);
    assert!(!xdp_programs(&fabric, "leaf01").is_empty());

    fabric.end_daemon("leaf01", Signal::TERM);
    // The kernel takes a program off a moment after its link's last pin is gone.
    until(PATIENCE, "no program is left on any interface", || {
        xdp_programs(&fabric, "leaf01").is_empty()
    });
    assert!(!fabric.instance("leaf01").folder().exists(), "pins are left");
    let received = stream.received();
    until(PATIENCE, "the kernel carries the stream", || stream.received() > received + 300);
    let report = stream.stop().expect("the stream could send");
    println!("{report:?}");
    assert_eq!((report.duplicates, report.damaged), (0, 0), "{report:?}");
    // Taking XDP off a veth replaces its receive path; frames in it at that moment may be lost.
    assert!(report.lost() < 50, "{report:?}");
}
