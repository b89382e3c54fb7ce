//! A port that comes and goes at run time.
//!
//! - A new interface in a bridge becomes an access port: a program runs on it, its host is learned,
//!   frames go by XDP.
//! - Taken out of the bridge, the program leaves it and the maps forget it; put back, it works again.
//! - Deleted, nothing of it is left.
//!
//! ```text
//!  vm13 ─ eth1 ── swp21, new ─ leaf01 ── spines ── leaf02 ─ swp11 ─ vm21
//! ```

use std::{net::Ipv4Addr, time::Duration};

use fabric_common::reason::Reason;
use fabric_tests::{
    fabric::{Fabric, PATIENCE, Seen, map_facts, until, xdp_programs},
    traffic::{Stream, StreamOptions},
};
use fabric_user::lab::Mac;

const MAC: Mac = Mac([0x02, 0xaa, 0, 0, 0, 4]);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 31);

#[test]
fn a_port_that_is_added_and_removed_at_run_time_works_while_it_is_there() {
    let fabric = Fabric::pair();
    let (leaf, host) = (fabric.netns("leaf01"), fabric.netns("vm13"));
    fabric.ip(
        "leaf01",
        &format!("link add swp21 mtu 1500 type veth peer name eth1 netns {}", host.name()),
    );
    // As on a wire: see the lab's own ports.
    fabric.run("vm13", "ethtool", "-K eth1 gro on tx off rxvlan off txvlan off");
    fabric.run("leaf01", "ethtool", "-K swp21 tx off rxvlan off txvlan off");
    fabric.ip("vm13", &format!("address add {ADDRESS}/24 dev eth1"));
    fabric.ip("vm13", &format!("link set eth1 address {MAC}"));
    assert!(
        !xdp_programs(&fabric, "leaf01").contains_key("swp21"),
        "it is in no bridge of {}",
        leaf.name()
    );

    for _ in 0..2 {
        fabric.ip("leaf01", "link set swp21 master br200 up");
        until(PATIENCE, "a program runs on the new port", || {
            xdp_programs(&fabric, "leaf01").contains_key("swp21")
        });
        fabric.wait_bridge_port("leaf01", "swp21", true);
        fabric.ip("vm13", "link set eth1 up");
        fabric.greet("vm13", "vm21");
        fabric.wait_known(MAC, "br200");
        fabric.wait_known(fabric.mac("vm21"), "br200");
        fabric.assert_agreement();
        forwards(&fabric);

        fabric.ip("vm13", "link set eth1 down");
        fabric.ip("leaf01", "link set swp21 nomaster");
        fabric.wait_bridge_port("leaf01", "swp21", false);
        until(PATIENCE, "the program leaves the port", || {
            !xdp_programs(&fabric, "leaf01").contains_key("swp21")
        });
        fabric.assert_agreement();
        let facts = map_facts(&fabric, "leaf01");
        assert!(!facts.iter().any(|fact| fact.contains("swp21")), "{facts:?}");
    }
    fabric.ip("leaf01", "link delete swp21");
    fabric.assert_agreement();
}

/// Both ways: from the new port into the tunnel and out of it to the new port.
fn forwards(fabric: &Fabric) {
    let before = Seen::at(fabric, "leaf01");
    let options =
        StreamOptions { interval: Duration::from_millis(1), sizes: &[64, 1_472], port: 7_400 };
    let (new, old) = (fabric.netns("vm13"), fabric.netns("vm21"));
    let streams = [
        Stream::start(&old, &new, ADDRESS, options),
        Stream::start(&new, &old, fabric.address("vm21"), options),
    ]
    .map(|stream| stream.expect("a stream starts"));
    until(PATIENCE, "both streams arrive", || {
        streams.iter().all(|stream| stream.received() >= 200)
    });
    let sent = streams.map(|stream| {
        let report = stream.stop().expect("the stream could send");
        assert_eq!((report.lost(), report.damaged), (0, 0), "{report:?}");
        report.sent
    });
    let seen = Seen::at(fabric, "leaf01").since(&before);
    assert!(seen.all(Reason::Decapsulated) + 2 >= sent[0], "{sent:?}, {seen:?}");
    assert!(seen.on("swp21", Reason::Encapsulated) + 3 >= sent[1], "{sent:?}, {seen:?}");
}
