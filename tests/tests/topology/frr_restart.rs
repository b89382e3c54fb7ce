//! FRR killed and started again on a leaf.
//!
//! - Traffic comes back by itself, and by XDP.
//! - Afterwards the maps agree with the kernel on both leafs.
//!
//! ```text
//!  vm11 ─ leaf01 ── spines ── leaf02 ─ vm21
//!           ╰ zebra, bgpd and the rest: SIGKILL, then started again
//! ```

use std::time::Duration;

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, Seen};
use fabric_user::lab::daemons;
use rustix::process::Signal;

/// Hold time of a session is 9 s, and the restarted speaker comes back sooner, on a busy machine not
/// much later.
const OUTAGE: Duration = Duration::from_secs(60);

#[test]
fn traffic_and_maps_recover_when_frr_is_killed_and_started_again() {
    let fabric = Fabric::pair();
    let streams = [
        fabric.running_stream("vm11", "vm21", Duration::from_millis(5), 7_500),
        fabric.running_stream("vm21", "vm11", Duration::from_millis(5), 7_501),
    ];
    let netns = fabric.netns("leaf01");
    let daemons = daemons::frr_processes(netns.name());
    assert!(daemons.len() >= 2, "zebra and bgpd: {daemons:?}");
    daemons.iter().for_each(|daemon| daemon.stop(Signal::KILL));
    fabric.start_frr("leaf01");
    fabric.wait_converged();

    for (stream, name) in streams.into_iter().zip(["to leaf02", "to leaf01"]) {
        let report = stream.stop().expect("the stream could send");
        println!("{name}: {} of {} lost, outage {:?}", report.lost(), report.sent, report.outage);
        assert!(report.outage < OUTAGE, "{name}: {report:?}");
        assert_eq!(report.damaged, 0, "{name}: {report:?}");
    }
    fabric.acquaint("vm11", "vm21");
    fabric.assert_agreement();
    let before = Seen::at(&fabric, "leaf01");
    let report = fabric.send("vm11", "vm21", 300);
    let seen = Seen::at(&fabric, "leaf01").since(&before);
    assert_eq!(report.lost(), 0, "{report:?}");
    assert!(seen.on("swp11", Reason::Encapsulated) + 2 >= report.sent, "{seen:?}");
}
