//! A VNI that comes and goes at run time.
//!
//! - With a new bridge and vxlan device, and a port moved into the bridge, the maps get the VNI, the
//!   port's circuit and the MACs, and frames of the new VNI go by XDP.
//! - When bridge and vxlan device go, the maps forget them, the program leaves the port that is in
//!   no bridge any more, and traffic of other VNIs goes on.
//! - The port goes back into its old bridge and works there as before.
//!
//! ```text
//!  vm13 ─ swp13 leaf01 ══ VNI 10100, then 10777, then 10100 ══ leaf02 swp13 ─ vm23
//!  vm11 ─ swp11 leaf01 ══ VNI 10200, all the time ════════════ leaf02 swp11 ─ vm21
//! ```

use std::{process::Command, time::Duration};

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, map_facts, until, xdp_programs};

const VNI: u32 = 10_777;
const LEAFS: [&str; 2] = ["leaf01", "leaf02"];

#[test]
fn a_vni_that_is_added_and_removed_at_run_time_works_while_it_is_there() {
    let fabric = Fabric::pair();
    let other = fabric.running_stream("vm11", "vm21", Duration::from_millis(5), 7_300);
    forwards(&fabric, "br100");

    for leaf in LEAFS {
        add(&fabric, leaf);
    }
    for leaf in LEAFS {
        let fact = format!("VNI {VNI} port 4789 is br777 at {}", fabric.vtep(leaf));
        until(PATIENCE, &format!("{leaf} has {fact}"), || map_facts(&fabric, leaf).contains(&fact));
    }
    forwards(&fabric, "br777");
    fabric.assert_agreement();

    for leaf in LEAFS {
        fabric.ip(leaf, &format!("link delete vxlan{VNI}"));
        fabric.ip(leaf, "link delete br777");
        until(PATIENCE, "the program leaves the port", || {
            !xdp_programs(&fabric, leaf).contains_key("swp13")
        });
    }
    fabric.assert_agreement();
    for leaf in LEAFS {
        let facts = map_facts(&fabric, leaf);
        let left: Vec<&String> = facts.iter().filter(|f| f.contains("777")).collect();
        assert!(left.is_empty(), "{leaf} still has {left:?}");
        fabric.ip(leaf, "link set swp13 master br100");
    }
    fabric.assert_agreement();
    forwards(&fabric, "br100");

    let report = other.stop().expect("the stream could send");
    assert_eq!((report.lost(), report.damaged), (0, 0), "the other VNI: {report:?}");
}

fn add(fabric: &Fabric, leaf: &str) {
    let local = fabric.vtep(leaf);
    for line in [
        "link add br777 address 02:00:5e:00:03:09 type bridge".to_owned(),
        "link set br777 addrgenmode none".to_owned(),
        format!(
            "link add vxlan{VNI} type vxlan id {VNI} local {local} dstport 4789 nolearning noudpcsum"
        ),
        format!("link set vxlan{VNI} mtu 1500 master br777 addrgenmode none up"),
        "link set br777 up".to_owned(),
        "link set swp13 master br777".to_owned(),
    ] {
        fabric.ip(leaf, &line);
    }
    fabric.run(leaf, "bridge", &format!("link set dev vxlan{VNI} learning off neigh_suppress on"));
    // Racks have an AS each, so that route targets made from it would not match.
    let switch = fabric.lab().topology().switch(leaf).expect("it is in the topology");
    let target = fabric.lab().topology().fabric.route_target_as;
    let mut vtysh = Command::new("vtysh");
    vtysh.args(["-N", fabric.netns(leaf).name()]);
    for line in [
        "configure terminal".to_owned(),
        format!("router bgp {}", switch.asn),
        "address-family l2vpn evpn".to_owned(),
        format!("vni {VNI}"),
        format!("route-target import {target}:{VNI}"),
        format!("route-target export {target}:{VNI}"),
    ] {
        vtysh.args(["-c", &line]);
    }
    fabric.lab().exec(leaf, &mut vtysh).expect("FRR takes the configuration");
}

/// Frames between the hosts whose port moves go by XDP.
fn forwards(fabric: &Fabric, bridge: &str) {
    fabric.greet("vm13", "vm23");
    for host in ["vm13", "vm23"] {
        fabric.wait_known(fabric.mac(host), bridge);
    }
    fabric.assert_agreement();
    let before = LEAFS.map(|leaf| Seen::at(fabric, leaf));
    let report = fabric.send("vm13", "vm23", 200);
    let near = Seen::at(fabric, "leaf01").since(&before[0]);
    let far = Seen::at(fabric, "leaf02").since(&before[1]);
    assert_eq!((report.lost(), report.damaged), (0, 0), "{report:?}");
    let (sent, delivered) = (near.on("swp13", Reason::Encapsulated), far.all(Reason::Decapsulated));
    assert!(sent + 2 >= report.sent, "{sent} of {} encapsulated", report.sent);
    assert!(delivered >= sent, "{delivered} of {sent} decapsulated");
}
