//! Hosts that are silent, or at two places.

use fabric_tests::fabric::{
    Fabric, PATIENCE, Wire, broadcast,
    diagnosis::{Fault, Mend},
    until,
};
use fabric_user::frr::facts::Place;

use super::STATE;

/// More moves than FRR needs to take a MAC for a duplicate: five at each leaf within 180 s, unless it is told otherwise.
const MOVES: u32 = 40;
/// The network of both hosts.
const VNI: u32 = 10_200;

pub(super) const FAULTS: [Fault; 2] = [
    Fault {
        name: "silent host",
        suite: STATE,
        fails: &[
            "gateway vm11 (10.200.0.1)",
            "mac vm11 on leaf01",
            "mac vm11 on leaf02",
            "neighbour vm11 (10.200.0.11) on leaf02",
            "reach vm11→vm21 (icmp)",
            "reach vm21→vm11 (icmp)",
        ],
        breaks: silence,
    },
    Fault {
        name: "one MAC twice",
        suite: STATE,
        fails: &["no_duplicates leaf01", "no_duplicates leaf02", "verify leaf01", "verify leaf02"],
        breaks: send_as_another,
    },
];

/// The host sends nothing any more, and its leaf's bridge has forgotten it.
fn silence(fabric: &Fabric) -> Mend {
    // A queue without room.
    fabric.run("vm11", "tc", "qdisc replace dev eth0 root pfifo limit 0");
    let mac = fabric.mac("vm11");
    fabric.run("leaf01", "bridge", &format!("fdb del {mac} dev swp11 master"));
    Box::new(|fabric| {
        fabric.run("vm11", "tc", "qdisc replace dev eth0 root noqueue");
    })
}

/// Another host sends with the first one's MAC for a while, as behind a loop, until FRR takes that for a duplicate.
fn send_as_another(fabric: &Fabric) -> Mend {
    let [own, other] = ["vm11", "vm22"].map(|host| Wire::open(&fabric.netns(host), "eth0"));
    let (mac, frame) = (fabric.mac("vm11"), broadcast(fabric.mac("vm11")));
    let is_at = |leaf: &str| {
        let macs = fabric.frr(leaf).macs;
        macs.iter()
            .any(|it| (it.vni, it.mac) == (VNI, mac) && matches!(it.place, Place::Local { .. }))
    };
    let is_duplicate = |leaf: &str| {
        fabric.frr(leaf).macs.iter().any(|it| (it.vni, it.mac) == (VNI, mac) && it.duplicate)
    };
    let mut moves = 0;
    while !["leaf01", "leaf02"].into_iter().all(is_duplicate) {
        assert!(moves < MOVES, "{moves} moves make no duplicate");
        for (wire, here, there) in [(&other, "leaf02", "leaf01"), (&own, "leaf01", "leaf02")] {
            wire.send(&frame);
            until(PATIENCE, &format!("{mac} has moved to {here}"), || is_at(here) && !is_at(there));
            moves += 1;
        }
    }
    Box::new(|fabric| {
        for leaf in ["leaf01", "leaf02"] {
            fabric.vtysh(leaf, &["clear evpn dup-addr vni all"]);
        }
    })
}
