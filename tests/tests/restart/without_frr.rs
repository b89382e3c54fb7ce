//! fabric-xdpd that starts while FRR is down.
//!
//! - The underlay ports keep their programs, although no route leads over them any more: attaching and
//!   detaching would reset the rings of many NICs.
//! - When FRR comes back, XDP forwards again.
//!
//! ```text
//!  vm11 ─ leaf01 ── spines ── leaf02 ─ vm21
//!           ╰ bgpd: SIGTERM, fabric-xdpd: SIGTERM, fabric-xdpd again, FRR again
//! ```

use std::{fs, path::Path};

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, until, xdp_programs};
use fabric_user::lab::{daemons::Frr, process::Process};
use rustix::process::Signal;

#[test]
fn ports_keep_their_programs_when_fabric_xdpd_restarts_while_frr_is_down() {
    let fabric = Fabric::pair();
    let netns = fabric.netns("leaf01");
    let before: Vec<String> = xdp_programs(&fabric, "leaf01").into_keys().collect();
    let end = |daemon: &str, signal| {
        let file = Path::new("/var/run/frr").join(netns.name()).join(format!("{daemon}.pid"));
        let pid = fs::read_to_string(&file).expect("FRR writes its process ids");
        let pid = pid.trim().parse().expect("a process id is a number");
        Process::of(pid).expect("it runs").stop(signal);
    };
    end("bgpd", Signal::TERM);
    until(PATIENCE, "zebra withdraws all VTEPs", || {
        let maps = fabric.maps("leaf01");
        maps.vteps.iter().all(|(_, vtep)| !vtep.in_use())
    });

    fabric.end_daemon("leaf01", Signal::TERM);
    fabric.start_daemon("leaf01", &[]);
    let after: Vec<String> = xdp_programs(&fabric, "leaf01").into_keys().collect();
    assert_eq!(after, before, "the programs of the routed ports stay");

    end("zebra", Signal::TERM);
    let topology = fabric.lab().topology();
    let leaf = topology.switch("leaf01").expect("it is in the topology");
    Frr::find().expect("FRR is installed").start(topology, leaf, &netns).expect("FRR starts");
    until(PATIENCE, "BGP is back and leaf01 knows its VTEPs", || {
        fabric.maps("leaf01").vteps.iter().any(|(_, vtep)| vtep.group != 0)
    });
    fabric.acquaint("vm11", "vm21");
    let seen = Seen::at(&fabric, "leaf01");
    let report = fabric.send("vm11", "vm21", 300);
    let seen = Seen::at(&fabric, "leaf01").since(&seen);
    assert_eq!(report.lost(), 0, "{report:?}");
    assert!(seen.on("swp11", Reason::Encapsulated) + 2 >= report.sent, "{seen:?}");
    fabric.assert_agreement();
}
