//! Gateways as virtual routers (VRR): each SVI has an address and a MAC of its own, and a macvlan on it those of the
//! gateway, which every leaf has.

use std::fs;

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, Seen, until};
use fabric_user::lab::Topology;

use crate::fixture::{PATIENCE, path, pings};

const INVENTORY: &str = include_str!("virtual_routers.toml");
/// The MAC of the gateway of web.
const VIRTUAL: &str = "02:00:5e:00:01:64";
/// Pings of one measurement.
const PINGS: u64 = 40;
/// Of these the kernel may see so many at each leaf: one per MAC and quarter of the ageing time.
const SAMPLED: u64 = 4;
const LEAFS: [&str; 2] = ["leaf01", "leaf02"];

fn up() -> Fabric {
    let picture = fs::read_to_string(path("one-site").with_extension("dot"));
    let picture = picture.expect("it is in the repository");
    Fabric::of(&Topology::parse("one-site", &picture, INVENTORY).expect("valid"))
}

/// The MAC of a device.
fn mac(fabric: &Fabric, node: &str, device: &str) -> String {
    let shown = fabric.ip(node, &format!("-brief link show dev {device}"));
    shown.split_whitespace().nth(2).expect("name, state and address").to_owned()
}

/// Waits until an address answers a host, which then has this MAC for it.
fn answers_as(fabric: &Fabric, host: &str, address: &str, mac: &str) {
    until(PATIENCE, &format!("{address} answers {host}"), || {
        pings(fabric.lab(), host, address).is_ok()
    });
    let known = fabric.ip(host, &format!("neigh show {address}"));
    assert!(known.contains(&format!("lladdr {mac} ")), "{mac} is {address}: {known}");
}

/// Waits until XDP routes so many of the pings from a host to an address and of their answers, at each leaf.
fn xdp_routes(fabric: &Fabric, from: &str, address: &str, expected: [u64; 2]) {
    let look = || LEAFS.map(|leaf| Seen::at(fabric, leaf));
    until(PATIENCE, &format!("{address} answers {from}"), || {
        pings(fabric.lab(), from, address).is_ok()
    });
    until(PATIENCE, &format!("pings of {from} to {address} go by XDP"), || {
        let before = look();
        let said = fabric.run(from, "ping", &format!("-n -q -i 0.02 -c {PINGS} {address}"));
        let all_answered = said.contains(" 0% packet loss");
        let after = look();
        let routed = [0, 1].map(|leaf| after[leaf].since(&before[leaf]).all(Reason::Routed));
        let is_expected = |(&count, expected): (&u64, u64)| count.abs_diff(expected) <= SAMPLED;
        all_answered && routed.iter().zip(expected).all(is_expected)
    });
}

#[test]
fn hosts_and_leafs_know_virtual_routers_and_svis_apart_and_xdp_routes_what_is_for_the_former() {
    let fabric = up();
    let lab = fabric.lab();
    for leaf in LEAFS {
        assert_eq!(mac(&fabric, leaf, "br100-v0"), VIRTUAL);
    }
    let own = LEAFS.map(|leaf| mac(&fabric, leaf, "br100"));
    assert!(own[0] != own[1] && !own.contains(&VIRTUAL.to_owned()), "{own:?}");

    let answers = || {
        for (address, mac) in [
            ("10.100.0.1", VIRTUAL),
            ("fd00:100::1", VIRTUAL),
            ("10.100.0.2", &own[0]),
            ("fd00:100::2", &own[0]),
            ("10.100.0.3", &own[1]),
            ("fd00:100::3", &own[1]),
        ] {
            answers_as(&fabric, "vm01", address, mac);
        }
    };
    answers();
    // Behind the same leaf, which routes both ways, and behind the other, which routes the answers.
    for (to, expected) in [
        ("10.200.0.12", [2 * PINGS, 0]),
        ("fd00:200::12", [2 * PINGS, 0]),
        ("10.200.0.14", [PINGS, PINGS]),
        ("fd00:200::14", [PINGS, PINGS]),
    ] {
        xdp_routes(&fabric, "vm01", to, expected);
    }
    // What the leafs have asked by their SVIs told no host another MAC.
    answers();

    // The address of an SVI is one leaf's, and that of the gateway every leaf's.
    let behind = format!("{} dst 10.0.1.11 ", own[0]);
    let fdb = || fabric.run("leaf02", "bridge", "fdb show dev vxlan10100");
    until(PATIENCE, "leaf02 has the SVI of leaf01 behind it", || fdb().contains(&behind));
    assert!(!fdb().contains(VIRTUAL), "{}", fdb());
    let status = lab.status(true).expect("it can be looked at");
    assert!(status.healthy, "{:?}", status.faults);

    lab.migrate("vm01", "leaf02").expect("it moves");
    answers();
    for to in ["10.200.0.12", "fd00:200::12"] {
        xdp_routes(&fabric, "vm01", to, [PINGS, PINGS]);
    }

    fabric.ip("leaf01", "address delete 10.100.0.1/24 dev br100-v0");
    fabric.ip("leaf01", "link delete br200-v0");
    let faults = lab.status(false).expect("it can be looked at").faults;
    for fault in ["leaf01 br100-v0 has lost its address 10.100.0.1", "leaf01 br200-v0 is gone"] {
        assert!(faults.iter().any(|it| it.contains(fault)), "{fault}: {faults:#?}");
    }
}
