//! A VXLAN packet from somebody who is no VTEP.
//!
//! - XDP does not forward a packet whose outer source address is no VTEP of the fabric: it is passed
//!   with its own reason.
//! - The same packet from a VTEP that the fabric knows is forwarded: the rest of it is in order.
//!
//! ```text
//!  10.9.9.9 or leaf02's address ──▶ spine01 ── swp1 leaf01 ─ vm11
//! ```

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::Station,
    fabric::{Fabric, PATIENCE, Seen, Sniffer, Wire, until},
    packet::{Frame, Vxlan},
};

const STRANGER: [u8; 4] = [10, 9, 9, 9];

#[test]
fn xdp_does_not_forward_vxlan_packets_from_an_unknown_vtep() {
    let fabric = Fabric::pair();
    fabric.acquaint("vm21", "vm11");
    let station = |host: &str| Station {
        mac: fabric.mac(host).0,
        ipv4: fabric.address(host).octets(),
        ipv6: [0; 16],
    };
    let inner = Frame::ipv4(&station("vm21"), &station("vm11")).bytes();
    let port = |node: &str, port: &str| {
        let topology = fabric.lab().topology();
        let ends = topology.links.iter().flat_map(|link| [&link.a, &link.b]);
        let mut ends = ends.filter(|end| end.node == node && end.port == port);
        ends.next().expect("the link is in the topology").mac.0
    };
    let packet = |source: [u8; 4]| {
        let mut vxlan = Vxlan::new(source, fabric.vtep("leaf01").octets(), 10_200);
        vxlan.destination_mac = port("leaf01", "swp1");
        vxlan.source_mac = port("spine01", "swp1");
        vxlan.around(&inner)
    };
    let wire = Wire::open(&fabric.netns("spine01"), "swp1");
    let arrivals = Sniffer::open(&fabric.netns("vm11"), "eth0");
    let look = || {
        let seen = Seen::at(&fabric, "leaf01");
        [Reason::Decapsulated, Reason::VxlanInputUnknownVtep].map(|reason| seen.on("swp1", reason))
    };

    let before = look();
    wire.send(&packet(fabric.vtep("leaf02").octets()));
    let arrived = arrivals.find(PATIENCE, |frame| frame == inner);
    assert!(arrived.is_some(), "a packet from a VTEP does not arrive");
    assert_eq!(look(), [before[0] + 1, before[1]], "a packet from a VTEP");

    for _ in 0..10 {
        wire.send(&packet(STRANGER));
    }
    until(PATIENCE, "all packets are counted", || look()[1] == before[1] + 10);
    assert_eq!(look(), [before[0] + 1, before[1] + 10], "packets from a stranger");
}
