//! Frames around the size that the underlay carries.
//!
//! - Frames of the largest size that fits and smaller ones go by XDP and arrive.
//! - A frame that is one byte longer, and one that is much longer, has the same fate as with the
//!   kernel alone, with and without Don't Fragment: the same frames arrive, and the sender gets the
//!   same ICMP messages with the same MTU.
//! - The same around the size that the vxlan device carries, when that is the smaller one.
//!
//! ```text
//!  vm11 ── leaf01 ──── 1600 ──── spines ──── 1600 ──── leaf02 ── vm21
//!  1600     1600      underlay                           1600    1600     (first case)
//!  1600     1500                                         1500    1600     (second case)
//! ```

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::Station,
    fabric::{Fabric, PATIENCE, Seen, Sniffer, Wire, until},
    packet::{Frame, ether_type, protocol},
};

/// Everything has happened by then: nothing on the way waits.
const SETTLED: Duration = Duration::from_millis(800);
/// Ethernet, outer IP, UDP and VXLAN header; and the inner Ethernet header is in the frame.
const UNDERLAY: usize = 1600;
const LARGEST: usize = UNDERLAY - 36;
/// Type and code of "fragmentation needed and DF set". Other messages, such as that nobody listens on
/// the port, are rate limited by the hosts and say nothing about the fabric.
const TOO_BIG: [u8; 2] = [3, 4];

/// A frame to send: its length, and whether it may not be fragmented.
type Case = (usize, bool);

/// What became of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fate {
    /// Times that it arrived as it was sent.
    arrived: usize,
    /// ICMP messages about it that came back: type, code, MTU of the next hop.
    complaints: Vec<(u8, u8, u16)>,
}

fn station(fabric: &Fabric, host: &str) -> Station {
    Station { mac: fabric.mac(host).0, ipv4: fabric.address(host).octets(), ipv6: [0; 16] }
}

fn frame(fabric: &Fabric, number: usize, (length, df): Case) -> Vec<u8> {
    Frame::ipv4(&station(fabric, "vm11"), &station(fabric, "vm21"))
        .change_ipv4(|ip| {
            ip.id = id(number);
            ip.df = df;
        })
        .length(length)
        .bytes()
}

/// The identification by which a frame and complaints about it are recognised.
fn id(number: usize) -> u16 {
    0x7700 + number as u16
}

/// Sends the frames of all cases and sees what becomes of them.
fn fates(fabric: &Fabric, cases: &[Case]) -> BTreeMap<Case, Fate> {
    let wire = Wire::open(&fabric.netns("vm11"), "eth0");
    let arrivals = Sniffer::open(&fabric.netns("vm21"), "eth0");
    let returns = Sniffer::open(&fabric.netns("vm11"), "eth0");
    let frames: Vec<Vec<u8>> =
        cases.iter().enumerate().map(|(number, case)| frame(fabric, number, *case)).collect();
    for frame in &frames {
        wire.send(frame);
    }
    let mut fates: BTreeMap<Case, Fate> =
        cases.iter().map(|case| (*case, Fate::default())).collect();
    let deadline = Instant::now() + SETTLED;
    while let Some(seen) = arrivals.next(deadline) {
        if let Some(number) = frames.iter().position(|frame| *frame == seen) {
            fates.entry(cases[number]).or_default().arrived += 1;
        }
    }
    while let Some(seen) = returns.next(deadline) {
        if let Some((number, complaint)) = complaint(&seen)
            && let Some(case) = cases.get(number)
        {
            fates.entry(*case).or_default().complaints.push(complaint);
        }
    }
    fates
}

/// The number of the frame that an ICMP message is about, and what it says (RFC 792, RFC 1191).
fn complaint(frame: &[u8]) -> Option<(usize, (u8, u8, u16))> {
    let (ethernet, ip) = frame.split_at_checked(14)?;
    if ethernet[12..] != ether_type::IPV4.to_be_bytes() || *ip.get(9)? != protocol::ICMP {
        return None;
    }
    let icmp = ip.get(usize::from(ip[0] & 0xf) * 4..)?;
    let about = u16::from_be_bytes([*icmp.get(12)?, *icmp.get(13)?]);
    let number = usize::from(about.checked_sub(id(0))?);
    (icmp[..2] == TOO_BIG)
        .then(|| (number, (icmp[0], icmp[1], u16::from_be_bytes([icmp[6], icmp[7]]))))
}

/// The fates with the fast path and with the kernel alone.
fn both(fabric: &Fabric, cases: &[Case]) -> [BTreeMap<Case, Fate>; 2] {
    fabric.acquaint("vm11", "vm21");
    // Twice: a sampled frame of the fast path is the kernel's as well.
    fates(fabric, &cases[..1]);
    let fast = fates(fabric, cases);
    for leaf in ["leaf01", "leaf02"] {
        fabric.bypass(leaf, true);
    }
    let kernel = fates(fabric, cases);
    for leaf in ["leaf01", "leaf02"] {
        fabric.bypass(leaf, false);
    }
    [fast, kernel]
}

fn wait_for_tunnel_mtu(fabric: &Fabric, leaf: &str, mtu: u32) {
    let maps = fabric.maps(leaf);
    until(PATIENCE, &format!("{leaf} knows the MTU {mtu} of VNI 10200"), || {
        maps.domains.iter().any(|(_, domain)| domain.vni == 10200 && domain.max_frame == mtu + 14)
    });
}

#[test]
fn frames_longer_than_the_underlay_carries_have_the_same_fate_as_with_the_kernel_alone() {
    let fabric = Fabric::pair();
    for (leaf, host) in [("leaf01", "vm11"), ("leaf02", "vm21")] {
        fabric.ip(host, "link set eth0 mtu 1600");
        for device in ["swp11", "vxlan10200", "br200"] {
            fabric.ip(leaf, &format!("link set {device} mtu 1600"));
        }
        wait_for_tunnel_mtu(&fabric, leaf, 1600);
    }
    fabric.assert_agreement();

    let lengths = [LARGEST - 1, LARGEST, LARGEST + 1, LARGEST + 2, UNDERLAY];
    let cases: Vec<Case> = lengths.iter().flat_map(|l| [(*l, false), (*l, true)]).collect();
    let before = Seen::at(&fabric, "leaf01");
    let [fast, kernel] = both(&fabric, &cases);
    let seen = Seen::at(&fabric, "leaf01").since(&before);

    assert_eq!(fast, kernel);
    for df in [false, true] {
        assert_eq!(fast[&(LARGEST, df)], Fate { arrived: 1, complaints: Vec::new() }, "DF {df}");
    }
    assert_eq!(seen.on("swp11", Reason::VxlanOutputUnderlayTooSmall), 6, "{seen:?}");
    assert!(seen.on("swp11", Reason::Encapsulated) >= 4, "{seen:?}");
}

#[test]
fn frames_longer_than_the_vxlan_device_carries_have_the_same_fate_as_with_the_kernel_alone() {
    let fabric = Fabric::pair();
    for host in ["vm11", "vm21"] {
        fabric.ip(host, "link set eth0 mtu 1600");
    }
    // The kernel leaves room for a VLAN tag of four bytes.
    let lengths = [1513, 1514, 1515, 1518, 1519, 1564];
    let cases: Vec<Case> = lengths.iter().flat_map(|l| [(*l, false), (*l, true)]).collect();
    let [fast, kernel] = both(&fabric, &cases);
    assert_eq!(fast, kernel);
    assert_eq!(fast[&(1514, false)].arrived, 1);
}
