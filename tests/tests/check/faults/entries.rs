//! Entries that somebody has removed, changed or added.

use fabric_tests::fabric::{
    Fabric,
    diagnosis::{Fault, Mend},
};

use super::{STATE, WATCHED};

/// Nobody's address.
const STRANGER: &str = "10.0.9.9";

pub(super) const FAULTS: [Fault; 4] = [
    Fault {
        name: "missing flood entry",
        suite: STATE,
        fails: &["vteps web leaf01", "vteps app leaf01"],
        breaks: filter_floods,
    },
    Fault {
        name: "unknown VTEP in a flood list",
        suite: STATE,
        fails: &["vteps app leaf01", "verify leaf01"],
        breaks: |fabric| {
            flood(fabric, "append", STRANGER);
            Box::new(|fabric| flood(fabric, "del", STRANGER))
        },
    },
    Fault {
        name: "unknown VTEP",
        suite: WATCHED,
        fails: &["reasons leaf01"],
        breaks: let_a_stranger_send,
    },
    Fault {
        name: "stale neighbour",
        suite: STATE,
        fails: &["neighbour vm12 (10.200.0.12) on leaf02", "verify leaf02"],
        breaks: |fabric| {
            let mac = fabric.mac("vm12").to_string();
            neighbour(fabric, "02:00:00:00:00:99");
            Box::new(move |fabric| neighbour(fabric, &mac))
        },
    },
];

fn flood(fabric: &Fabric, word: &str, vtep: &str) {
    let line = format!("fdb {word} 00:00:00:00:00:00 dev vxlan10200 dst {vtep} self");
    fabric.run("leaf01", "bridge", &line);
}

/// BGP of leaf01 takes no route of type 3 any more. An entry that is only removed from the kernel zebra writes
/// again.
fn filter_floods(fabric: &Fabric) -> Mend {
    let session = |fabric: &Fabric, line: &str| {
        let family = ["configure terminal", "router bgp 65101", "address-family l2vpn evpn"];
        let then = [line, "end", "clear bgp l2vpn evpn * soft in"];
        fabric.vtysh("leaf01", &[family, then].concat());
    };
    let commands = [
        "configure terminal",
        "route-map NO-FLOOD deny 10",
        "match evpn route-type multicast",
        "route-map NO-FLOOD permit 20",
    ];
    fabric.vtysh("leaf01", &commands);
    session(fabric, "neighbor FABRIC route-map NO-FLOOD in");
    Box::new(move |fabric| {
        session(fabric, "no neighbor FABRIC route-map NO-FLOOD in");
        fabric.vtysh("leaf01", &["configure terminal", "no route-map NO-FLOOD"]);
    })
}

/// As zebra writes it.
fn neighbour(fabric: &Fabric, mac: &str) {
    let address = fabric.address("vm12");
    let line = format!("neigh replace {address} lladdr {mac} dev br200 nud noarp extern_learn");
    fabric.ip("leaf02", &line);
}

/// The spine, which is no VTEP, sends into a network of leaf01.
fn let_a_stranger_send(fabric: &Fabric) -> Mend {
    let (from, to) = (fabric.vtep("spine01"), fabric.vtep("leaf01"));
    let line = format!(
        "link add stranger up type vxlan id 10200 local {from} remote {to} dstport 4789 nolearning"
    );
    fabric.ip("spine01", &line);
    let sends = fabric
        .background("spine01", "until ping -n -q -i 0.05 ff02::1%stranger; do sleep 0.1; done");
    Box::new(move |fabric| {
        drop(sends);
        fabric.ip("spine01", "link del stranger");
    })
}
