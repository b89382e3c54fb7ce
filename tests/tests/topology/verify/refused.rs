//! A route that FRR has chosen and the kernel does not take.
//!
//! A policy of the leaf gives a prefix of the other leaf a next hop that is the broadcast address of a link's subnet: zebra
//! finds a connected route to it, and to the kernel it is no gateway.

use std::process::Command;

use fabric_tests::fabric::{Fabric, PATIENCE, until};

use super::{LEAF, clean, only};

const PREFIX: &str = "10.78.0.0/16";
const ADDRESS: &str = "198.51.100.1/24";
const BROADCAST: &str = "198.51.100.255";

pub(super) fn named(fabric: &Fabric) {
    let [here, there] =
        [LEAF, "leaf02"].map(|leaf| fabric.lab().topology().switch(leaf).expect("drawn").asn);
    fabric.ip(LEAF, &format!("address add {ADDRESS} dev swp1"));
    configure(
        fabric,
        LEAF,
        &[
            &format!("ip prefix-list REFUSED permit {PREFIX}"),
            "route-map REFUSED permit 10",
            "match ip address prefix-list REFUSED",
            &format!("set ip next-hop {BROADCAST}"),
            "route-map REFUSED permit 20",
            &format!("router bgp {here}"),
            "address-family ipv4 unicast",
            "neighbor FABRIC route-map REFUSED in",
        ],
    );
    let announced = |no: &str| {
        let (router, network) = (format!("router bgp {there}"), format!("{no}network {PREFIX}"));
        let family = "address-family ipv4 unicast";
        let lines: [&str; 4] = [&router, "no bgp network import-check", family, &network];
        configure(fabric, "leaf02", &lines);
    };
    announced("");
    until(PATIENCE, "zebra has the route", || {
        fabric.frr(LEAF).routes.iter().any(|route| route.prefix.to_string() == PREFIX)
    });
    let said = only(fabric, &["route"], PREFIX);
    assert!(said.contains(", refused") && said.contains(r#""kernel":"nothing""#), "{said}");
    assert!(said.contains(BROADCAST), "{said}");
    announced("no ");
    configure(
        fabric,
        LEAF,
        &[
            &format!("router bgp {here}"),
            "address-family ipv4 unicast",
            "no neighbor FABRIC route-map REFUSED in",
        ],
    );
    fabric.ip(LEAF, &format!("address del {ADDRESS} dev swp1"));
    clean(fabric);
}

fn configure(fabric: &Fabric, leaf: &str, lines: &[&str]) {
    let mut vtysh = Command::new("vtysh");
    vtysh.args(["-N", fabric.netns(leaf).name(), "-c", "configure terminal"]);
    vtysh.args(lines.iter().flat_map(|line| ["-c", *line]));
    fabric.lab().exec(leaf, &mut vtysh).expect("FRR takes the configuration");
}
