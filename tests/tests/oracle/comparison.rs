//! The frames by which data planes for VXLAN are told apart, a row each: our programs do with them what
//! the kernel does, but for the UDP checksum over IPv4.

use std::collections::BTreeSet;

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, Mac, OTHER_VTEP, STRANGER, Station, VLAN},
    device::{self, mac_text},
    packet::{Frame, OUTER, Vxlan, ether_type},
    twins::Twins,
};

use crate::site::{from_leaf2, twins};

/// Groups that bridges keep to themselves (IEEE 802.1Q, table 8-1).
const BRIDGE_GROUP: Mac = [0x01, 0x80, 0xc2, 0, 0, 0x00];
const SLOW_PROTOCOLS: Mac = [0x01, 0x80, 0xc2, 0, 0, 0x02];
const NEAREST_BRIDGE: Mac = [0x01, 0x80, 0xc2, 0, 0, 0x0e];
/// DSCP EF as it stands in the TOS byte.
const EF: u8 = 0xb8;
const ECT0: u8 = 0b10;
const CE: u8 = 0b11;
/// Where the TOS byte of an untagged frame's IPv4 header stands.
const TOS: usize = 15;

/// A row of the comparison.
struct Row {
    name: &'static str,
    port: &'static str,
    packet: Vec<u8>,
    reason: Reason,
    /// The ports that something comes out of, once for each packet.
    at: &'static [&'static str],
    /// What is true of all that comes out.
    looks: fn(&[u8]) -> bool,
}

/// From HOST_A to HOST_R.
fn out() -> Frame {
    Frame::ipv4(&HOST_A, &HOST_R)
}

/// From HOST_R to HOST_A.
fn back() -> Frame {
    Frame::ipv4(&HOST_R, &HOST_A)
}

/// Of the host behind `acc0`.
fn sent(
    name: &'static str,
    frame: &Frame,
    reason: Reason,
    at: &'static [&'static str],
    looks: fn(&[u8]) -> bool,
) -> Row {
    Row { name, port: "acc0", packet: frame.bytes(), reason, at, looks }
}

/// Of the underlay.
fn arriving(
    name: &'static str,
    packet: Vec<u8>,
    reason: Reason,
    at: &'static [&'static str],
    looks: fn(&[u8]) -> bool,
) -> Row {
    Row { name, port: "up0", packet, reason, at, looks }
}

fn any(_: &[u8]) -> bool {
    true
}

fn rows_of_hosts() -> Vec<Row> {
    // A length stands where others have their type.
    let bpdu = Frame::other(&HOST_A, &HOST_B, 38).to(BRIDGE_GROUP);
    let lldp = Frame::other(&HOST_A, &HOST_B, ether_type::LLDP).to(NEAREST_BRIDGE);
    let lacp = Frame::other(&HOST_A, &HOST_B, ether_type::SLOW_PROTOCOLS).to(SLOW_PROTOCOLS);
    let long = out().length(1_514);
    vec![
        sent("inner DSCP EF", &out().tos(EF), Reason::Encapsulated, &["up0"], |p| p[TOS] == 0),
        sent("inner ECT(0)", &out().tos(ECT0), Reason::Encapsulated, &["up0"], |p| p[TOS] == ECT0),
        sent("inner CE", &out().tos(CE), Reason::Encapsulated, &["up0"], |p| p[TOS] == ECT0),
        sent(
            "802.1Q frame on an untagged port",
            &out().tag(VLAN),
            Reason::VlanClassifyNotMember,
            &["up0"],
            |p| p[OUTER..] == out().tag(VLAN).bytes(),
        ),
        sent(
            "frame too long for the underlay",
            &long,
            Reason::VxlanOutputUnderlayTooSmall,
            &["up0", "up0"],
            any,
        ),
        sent("LLDP", &lldp, Reason::FrameGuardMulticast, &[], any),
        sent("LACP", &lacp, Reason::FrameGuardMulticast, &[], any),
        sent("BPDU without STP", &bpdu, Reason::FrameGuardMulticast, &["acc1", "up0"], any),
    ]
}

fn rows_of_the_underlay() -> Vec<Row> {
    let plain = from_leaf2();
    let around = |outer: Vxlan| outer.around(&back().bytes());
    let marked = |inner: u8| Vxlan { tos: CE, ..from_leaf2() }.around(&back().tos(inner).bytes());
    let mut checksum = around(plain.clone());
    checksum[24] ^= 0x80;
    let padded = [around(plain.clone()), vec![0x55; 10]].concat();
    vec![
        arriving("outer CE, inner ECT(0)", marked(ECT0), Reason::Decapsulated, &["acc0"], |p| {
            p[TOS] == CE
        }),
        arriving("outer CE, inner Not-ECT", marked(0), Reason::EcnDecapNotEctCe, &[], any),
        arriving("wrong outer IP checksum", checksum, Reason::UnderlayInputBadChecksum, &[], any),
        arriving(
            "VXLAN flags besides I",
            around(Vxlan { flags: 0x0c, ..plain.clone() }),
            Reason::VxlanInputInvalidHeader,
            &[],
            any,
        ),
        arriving(
            "outer MAC of another station",
            around(Vxlan { destination_mac: STRANGER.mac, ..plain.clone() }),
            Reason::UnderlayInputOtherHost,
            &[],
            any,
        ),
        arriving(
            "10 bytes behind the IP packet",
            padded,
            Reason::UnderlayInputTruncated,
            &["acc0"],
            |p| p == back().bytes(),
        ),
        arriving(
            "VXLAN from an address that is no VTEP",
            around(Vxlan { source: OTHER_VTEP, ..plain.clone() }),
            Reason::VxlanInputUnknownVtep,
            &["acc0"],
            |p| p == back().bytes(),
        ),
        arriving(
            "from the overlay to a remote MAC",
            plain.around(&out().bytes()),
            Reason::SplitHorizonOverlayToOverlay,
            &[],
            any,
        ),
        // The two have different identifications, so that nothing is put together of them.
        arriving(
            "first fragment of an outer packet",
            around(Vxlan { fragment: 0x2000, id: 1, ..plain.clone() }),
            Reason::UnderlayInputFragment,
            &[],
            any,
        ),
        arriving(
            "later fragment that looks like VXLAN",
            around(Vxlan { fragment: 1, id: 2, ..plain }),
            Reason::UnderlayInputFragment,
            &[],
            any,
        ),
    ]
}

#[test]
fn each_row_of_the_comparison_is_the_kernels() {
    twins(1_500, |twins, _| {
        for row in rows_of_hosts().into_iter().chain(rows_of_the_underlay()) {
            println!("{}", row.name);
            let output = twins.same(row.port, &row.packet, row.reason);
            let at: Vec<_> = output.iter().map(|(port, _)| *port).collect();
            assert_eq!(at, row.at, "{}: left: where it came out, right: where it should", row.name);
            assert!(output.iter().all(|(_, p)| (row.looks)(p)), "{}: {output:02x?}", row.name);
        }
    });
}

/// The one row that differs, as docs/decisions.md says: the inner packet has a checksum of its own.
#[test]
fn a_wrong_udp_checksum_over_ipv4_is_dropped_by_the_kernel_alone() {
    twins(1_600, |twins, _| {
        let inner = back().bytes();
        let packet = Vxlan { udp_checksum: 0xbad0, ..from_leaf2() }.around(&inner);
        let [kernel, fabric] = twins.both("up0", &packet, Reason::Decapsulated);
        assert_eq!(kernel, []);
        assert_eq!(fabric, [("acc0", inner)]);
    });
}

/// The entry moves, also one that somebody made by hand.
#[test]
fn a_host_that_uses_a_remote_stations_mac_moves_it_as_by_the_kernel() {
    twins(1_600, |twins, _| {
        let frame = Frame::ipv4(&HOST_R, &HOST_B).bytes();
        assert_eq!(twins.same("acc0", &frame, Reason::SourceCheckMoved), [("acc1", frame)]);
        let moved = || {
            let entries = device::run("bridge", "fdb show br br100 brport acc0")?;
            assert!(entries.contains(&mac_text(HOST_R.mac)), "{entries}");
            Ok(())
        };
        twins.change(moved).expect("the bridge is there");
    });
}

/// The source ports that the kernel and our programs choose for frames into the tunnel.
fn source_ports(twins: &mut Twins, frames: impl Iterator<Item = Frame>) -> [usize; 2] {
    let mut ports = [BTreeSet::new(), BTreeSet::new()];
    for frame in frames {
        let outputs = twins.both("acc0", &frame.bytes(), Reason::Encapsulated);
        for (ports, output) in ports.iter_mut().zip(outputs) {
            assert!(matches!(&output[..], [("up0", _)]), "{output:02x?}");
            ports.insert([output[0].1[34], output[0].1[35]]);
        }
    }
    ports.map(|ports| ports.len())
}

#[test]
fn flows_of_one_pair_of_macs_have_ports_of_their_own() {
    twins(1_600, |twins, _| {
        let flows = (0..200).map(|flow| out().ports([1_024 + flow, 80]));
        let [kernel, fabric] = source_ports(twins, flows);
        // Two of them may meet in one of the 16,384 (RFC 7348 §5) by chance, hardly ten.
        assert!(kernel >= 190 && fabric >= 190, "kernel {kernel}, ours {fabric}");
    });
}

#[test]
fn one_flow_has_one_port_whatever_the_macs() {
    let local = |i: u8| [0x02, 0, 0, 0x10, 0, i];
    let remote = |i: u8| [0x02, 0, 0, 0x20, 0, i];
    twins(1_600, |twins, site| {
        let mut lines = String::new();
        for i in 0..16 {
            lines += &format!("fdb add {} dev acc0 master static\n", mac_text(local(i)));
            twins.fabric().world.settle(site.acc0, &Station { mac: local(i), ..HOST_A });
        }
        for i in 0..12 {
            let mac = mac_text(remote(i));
            lines += &format!(
                "fdb add {mac} dev vx100 dst 192.0.2.2 self static\n\
                 fdb add {mac} dev vx100 master static\n"
            );
            twins.fabric().world.learn_remote(site.domain, remote(i), site.vtep);
        }
        twins.change(|| device::bridge(&lines)).expect("the bridge takes entries");
        let pairs = (0..192).map(|i| out().from(local(i / 12)).to(remote(i % 12)));
        assert_eq!(source_ports(twins, pairs), [1, 1]);
    });
}
