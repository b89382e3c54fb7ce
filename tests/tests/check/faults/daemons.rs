//! Daemons that do not run, and one that has no room.

use std::fs;

use fabric_tests::fabric::{
    Fabric,
    diagnosis::{Fault, Mend},
};
use fabric_user::lab::daemons;
use rustix::process::Signal;

use super::STATE;

pub(super) const FAULTS: [Fault; 3] = [
    Fault {
        name: "daemon stopped",
        suite: STATE,
        fails: &["daemon leaf02"],
        breaks: |fabric| {
            fabric.end_daemon("leaf02", Signal::TERM);
            Box::new(|fabric| {
                let _started = fabric.start_daemon("leaf02", &[]);
            })
        },
    },
    Fault {
        name: "full map",
        suite: STATE,
        fails: &["verify leaf02", "capacity leaf02"],
        breaks: fill,
    },
    Fault {
        name: "FRR stopped",
        suite: STATE,
        fails: &[
            "bgp spine01→leaf01 (swp1)",
            "bgp spine02→leaf01 (swp1)",
            "bgp leaf01→spine01 (swp1)",
            "bgp leaf01→spine02 (swp2)",
            "bgp leaf01 no other session",
            "bfd spine01→leaf01 (swp1)",
            "bfd spine02→leaf01 (swp1)",
            "bfd leaf01→spine01 (swp1)",
            "bfd leaf01→spine02 (swp2)",
            "vni web leaf01",
            "vni app leaf01",
            "vteps web leaf01",
            "vteps web leaf02",
            "vteps app leaf01",
            "vteps app leaf02",
            "mac vm11 on leaf01",
            "mac vm11 on leaf02",
            "mac vm12 on leaf01",
            "mac vm12 on leaf02",
            "mac vm21 on leaf01",
            "neighbour vm11 (10.200.0.11) on leaf01",
            "neighbour vm11 (10.200.0.11) on leaf02",
            "neighbour vm12 (10.200.0.12) on leaf01",
            "neighbour vm12 (10.200.0.12) on leaf02",
            "neighbour vm21 (10.200.0.21) on leaf01",
            "no_duplicates leaf01",
            "reach vm11→vm21 (icmp)",
            "reach vm21→vm11 (icmp)",
            "verify leaf01",
        ],
        breaks: stop_frr,
    },
];

/// The leaf gets room for few MACs, and then more of them.
fn fill(fabric: &Fabric) -> Mend {
    let settings = fabric.file("few.toml");
    fs::write(&settings, "fdb_entries = 16\n").expect("the lab's folder can be written");
    let settings = settings.to_str().expect("it is text").to_owned();
    anew(fabric, &["--settings", &settings]);
    each_mac(fabric, "add");
    Box::new(|fabric| {
        each_mac(fabric, "del");
        anew(fabric, &[]);
    })
}

/// MACs that a bridge has by hand.
fn each_mac(fabric: &Fabric, word: &str) {
    for number in 0..128 {
        let line = format!("fdb {word} 02:00:00:00:ff:{number:02x} dev swp13 master static");
        fabric.run("leaf02", "bridge", &line);
    }
}

/// The daemon starts again with maps of its own.
fn anew(fabric: &Fabric, flags: &[&str]) {
    fabric.end_daemon("leaf02", Signal::TERM);
    fabric.instance("leaf02").remove().expect("pins can be removed");
    fabric.start_daemon("leaf02", flags);
}

fn stop_frr(fabric: &Fabric) -> Mend {
    let netns = fabric.netns("leaf01");
    daemons::frr_processes(netns.name()).iter().for_each(|daemon| daemon.stop(Signal::TERM));
    Box::new(|fabric| fabric.start_frr("leaf01"))
}
