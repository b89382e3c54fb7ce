//! Links that are up, and not as they should be.

use fabric_tests::fabric::diagnosis::Fault;

use super::{STATE, WATCHED};

pub(super) const FAULTS: [Fault; 3] = [
    Fault {
        name: "MTU too small on one link",
        suite: STATE,
        fails: &["link leaf01:swp1–spine01:swp1"],
        breaks: |fabric| {
            fabric.ip("spine01", "link set swp1 mtu 1500");
            Box::new(|fabric| {
                fabric.ip("spine01", "link set swp1 mtu 1600");
            })
        },
    },
    Fault {
        name: "flapping link",
        suite: WATCHED,
        fails: &["link leaf01:swp1–spine01:swp1"],
        breaks: |fabric| {
            let flap = "ip link set swp1 down; ip link set swp1 up; sleep 0.4";
            let flaps = fabric.background("spine01", &format!("while {flap}; do :; done"));
            Box::new(move |fabric| {
                drop(flaps);
                fabric.ip("spine01", "link set swp1 up");
                // zebra 8.4 may take routes for whole whose next hop the kernel has taken away with the
                // link, and `verify` says so until they are written anew.
                for node in ["leaf01", "spine01"] {
                    fabric.vtysh(node, &["clear bgp *"]);
                }
            })
        },
    },
    Fault {
        name: "one direction of a link dead",
        suite: STATE,
        fails: &[
            "bgp spine01→leaf01 (swp1)",
            "bgp leaf01→spine01 (swp1)",
            "bfd spine01→leaf01 (swp1)",
            "bfd leaf01→spine01 (swp1)",
        ],
        breaks: |fabric| {
            // A queue without room.
            fabric.run("leaf01", "tc", "qdisc replace dev swp1 root pfifo limit 0");
            Box::new(|fabric| {
                fabric.run("leaf01", "tc", "qdisc replace dev swp1 root noqueue");
            })
        },
    },
];
