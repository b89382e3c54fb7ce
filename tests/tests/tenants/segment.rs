//! Case FRR-05: a server with a cable to each of two VTEPs (an Ethernet segment, RFC 7432 §5). FRR of another leaf has
//! its MACs behind a nexthop group of both: flows are spread over them, and when one VTEP loses its cable, one change of
//! that group moves the flows of all MACs (mass withdrawal, §8.2).
//!
//! FRR takes bonds alone for segments, in VLAN-aware bridges. At its other end each cable has a namespace of its own, with
//! the addresses of the server, so that what arrives by which is counted.
//!
//! The MACs are sticky ones, which an operator has entered where their cables are (RFC 7432 §15.2): zebra writes these as
//! entries that do not age. All others it writes as ones that may, with a group, and Linux 6.1.0-57, 6.12.117 and 7.3.4
//! of Debian refuse them ("A nexthop fdb cannot be dynamic").

use std::{collections::BTreeSet, net::Ipv4Addr};

use fabric_common::{reason::Reason, schema::fdb};
use fabric_tests::{
    addresses::Station,
    fabric::{Fabric, PATIENCE, Sniffer, Wire, until},
    packet::{Frame, OUTER, internet_checksum},
    space::{Space, unique},
};
use fabric_user::{kernel::interface::make_wirelike, lab::Mac};

use crate::{
    control_plane::configure,
    spread::{DISCARD, Spread},
};

/// The VTEPs with their ports to the underlay. The second one is the spine, as in [`crate::several_vteps`], by which it
/// is a VTEP already.
const VTEPS: [(&str, &[&str]); 2] = [("leaf02", &["swp1"]), ("spine01", &["swp1", "swp2"])];
/// The other leaf, with its port where who sends is.
const LEAF: (&str, &str) = ("leaf01", "swp12");
const FROM: &str = "blue1";
/// The network of who sends and the server.
const VLAN: u16 = 201;
const VNI: u32 = 10_201;
const SERVER: [u8; 4] = [10, 1, 0, 21];
/// MACs of machines on the server, of which only its first VTEP says anything.
const MACHINES: [Mac; 3] =
    [Mac([2, 0, 0, 0, 15, 1]), Mac([2, 0, 0, 0, 15, 2]), Mac([2, 0, 0, 0, 15, 3])];
/// Frames of flows that are compared with the kernel's, by UDP source ports from this one on.
const FRAMES: u16 = 24;
const FIRST_PORT: u16 = 30_000;
/// The bond at each VTEP, and its only member, which is the cable.
const SEGMENT: &str = "segment";
const CABLE: &str = "cable";

/// Makes the spine a VTEP of the network, until the lab goes.
fn make_the_spine_a_vtep(fabric: &Fabric) {
    let [_, (spine, _)] = VTEPS;
    let (vtep, vxlan) = (fabric.vtep(spine), format!("vxlan{VNI}"));
    for line in [
        "link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0",
        "link set br0 addrgenmode none up",
        &format!("link add {vxlan} type vxlan id {VNI} local {vtep} dstport 4789 nolearning"),
        &format!("link set {vxlan} mtu 1500 master br0 addrgenmode none"),
        &format!("link set {vxlan} type bridge_slave learning off"),
        &format!("link set {vxlan} up"),
    ] {
        fabric.ip(spine, line);
    }
    fabric.run(spine, "bridge", &format!("vlan add vid {VLAN} dev {vxlan} pvid untagged"));
    configure(
        fabric,
        spine,
        &[
            "router bgp 65100",
            "address-family l2vpn evpn",
            &format!("vni {VNI}"),
            &format!("route-target import 65000:{VNI}"),
            &format!("route-target export 65000:{VNI}"),
        ],
    );
}

/// A cable of the server to a VTEP, and the namespace at its end.
fn cable(fabric: &Fabric, vtep: &str, uplinks: &[&str]) -> Space {
    let server = Space::new(unique("cable"));
    server.sysctl("ipv6/conf/default/disable_ipv6", "1");
    for line in [
        &format!("link add {CABLE} type veth peer name eth0 netns {}", server.name()),
        &format!("link add {SEGMENT} type bond mode active-backup miimon 100"),
        &format!("link set {CABLE} master {SEGMENT}"),
        &format!("link set {SEGMENT} master br0 addrgenmode none up"),
    ] {
        fabric.ip(vtep, line);
    }
    fabric.run(vtep, "bridge", &format!("vlan add vid {VLAN} dev {SEGMENT} pvid untagged"));
    fabric.netns(vtep).enter(|| make_wirelike(CABLE)).expect("it is there").expect("a veth");
    let (mac, [a, b, c, d]) = (Mac::derived_from("server"), SERVER);
    server.ip(&format!(
        "link set lo up\nlink set eth0 address {mac} up\naddress add {a}.{b}.{c}.{d}/24 dev eth0\n"
    ));
    server.wirelike("eth0");
    let mut lines = vec!["evpn mh startup-delay 0".to_owned()];
    for uplink in uplinks {
        lines.extend([format!("interface {uplink}"), "evpn mh uplink".into(), "exit".into()]);
    }
    lines.extend([
        format!("interface {SEGMENT}"),
        "evpn mh es-id 1".into(),
        "evpn mh es-sys-mac 44:38:39:ff:ff:01".into(),
    ]);
    configure(fabric, vtep, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    server
}

/// The MACs of the server and its machines.
fn macs() -> Vec<Mac> {
    MACHINES.into_iter().chain([Mac::derived_from("server")]).collect()
}

/// A VTEP has a MAC behind its cable, and no other place will do.
fn enter(fabric: &Fabric, vtep: &str, mac: Mac) {
    let entry = format!("fdb replace {mac} dev {SEGMENT} master static sticky vlan {VLAN}");
    fabric.run(vtep, "bridge", &entry);
}

/// zebra's entries with a group in the FDB of the tunnel at the other leaf.
fn entries(fabric: &Fabric) -> BTreeSet<String> {
    let shown = fabric.run(LEAF.0, "bridge", &format!("fdb show dev vxlan{VNI}"));
    shown.lines().filter(|line| line.contains(" nhid ")).map(|line| line.trim().into()).collect()
}

/// What that leaf's maps say of these MACs.
fn places(fabric: &Fabric) -> BTreeSet<(u64, u32)> {
    let of_the_server = |key: u64| macs().iter().any(|mac| mac.0 == fdb::split_key(key).1);
    let maps = fabric.maps(LEAF.0);
    let entries = maps.fdb_table().iter().filter(|(key, ..)| of_the_server(*key));
    entries.map(|(key, target, _)| (key, target)).collect()
}

/// ID and members of zebra's only group of VTEPs at that leaf.
fn group(fabric: &Fabric) -> Option<(String, usize)> {
    let shown = fabric.ip(LEAF.0, "nexthop show");
    let mut groups = shown.lines().filter(|line| line.contains(" group ") && line.contains(" fdb"));
    let mut words = groups.next()?.split_whitespace().skip(1);
    let (id, members) = (words.next()?, words.nth(1)?);
    assert!(groups.next().is_none(), "there is another one: {shown}");
    Some((id.to_owned(), members.split('/').count()))
}

/// Waits until FRR has a group of so many VTEPs; its ID.
fn wait_group(fabric: &Fabric, members: usize) -> String {
    let mut id = String::new();
    until(PATIENCE, &format!("FRR has a group of {members} VTEPs"), || {
        let Some((now, count)) = group(fabric) else { return false };
        id = now;
        count == members
    });
    id
}

/// The packets that the leaf sends to the spine for frames to all MACs of the server, and the VTEPs that they are for.
/// Without what each of kernel and Fabric fills in by itself: VTEP, identification, UDP source port, and checksums.
fn sent(fabric: &Fabric) -> (Vec<Vec<u8>>, BTreeSet<Ipv4Addr>) {
    let wire = Wire::open(&fabric.netns(FROM), "eth0");
    let underlay = Sniffer::open(&fabric.netns("spine01"), "swp1");
    let station = |mac: Mac, ipv4| Station { mac: mac.0, ipv4, ipv6: [0; 16] };
    let from = station(fabric.mac(FROM), fabric.address(FROM).octets());
    let mut vteps = BTreeSet::new();
    let flows = (FIRST_PORT..FIRST_PORT + FRAMES).zip(macs().into_iter().cycle());
    let packets = flows.map(|(port, mac)| {
        let frame = Frame::ipv4(&from, &station(mac, SERVER)).ports([port, DISCARD]).bytes();
        wire.send(&frame);
        let packet = underlay.find(PATIENCE, |packet| packet.ends_with(&frame));
        let mut packet = packet.unwrap_or_else(|| panic!("{mac} gets nothing from port {port}"));
        assert_eq!(packet.len(), OUTER + frame.len(), "{packet:02x?}");
        assert_eq!(internet_checksum(&[&packet[14..34]]), 0, "{packet:02x?}");
        vteps.insert(Ipv4Addr::from(*packet[30..34].first_chunk::<4>().expect("four bytes")));
        for own in [18..20, 24..26, 30..36, 40..42] {
            packet[own].fill(0);
        }
        packet
    });
    (packets.collect(), vteps)
}

/// Asserts that these VTEPs get what is for the server, and the very packets that the kernel sends.
fn is_sent_as_by_the_kernel(fabric: &Fabric, to: &[&str]) {
    let [kernel, ours] = [true, false].map(|bypass| {
        fabric.bypass(LEAF.0, bypass);
        sent(fabric)
    });
    let expected: BTreeSet<Ipv4Addr> = to.iter().map(|vtep| fabric.vtep(vtep)).collect();
    assert_eq!([&kernel.1, &ours.1], [&expected; 2], "the VTEPs, the kernel's first");
    assert_eq!(ours.0, kernel.0, "packets");
}

pub(crate) fn a_segment_is_spread_over_its_vteps_until_one_loses_it(fabric: &Fabric) {
    make_the_spine_a_vtep(fabric);
    let cables = VTEPS.map(|(vtep, uplinks)| cable(fabric, vtep, uplinks));
    let [(first, _), (second, _)] = VTEPS;
    MACHINES.into_iter().for_each(|mac| enter(fabric, first, mac));
    for (vtep, _) in VTEPS {
        enter(fabric, vtep, Mac::derived_from("server"));
    }
    let id = wait_group(fabric, VTEPS.len());
    until(PATIENCE, "FRR has all MACs behind that group", || {
        let entries = entries(fabric);
        let is_behind = |mac: &Mac| {
            let is_it = |it: &String| it.starts_with(&mac.to_string());
            entries.iter().any(|it| is_it(it) && it.contains(&format!(" nhid {id} ")))
        };
        macs().iter().all(is_behind)
    });
    let spread = Spread {
        fabric,
        from: FROM,
        at: LEAF,
        to: SERVER,
        receivers: cables.each_ref().map(|server| (**server).clone()),
        reason: Reason::Encapsulated,
    };
    let ways = spread.ways(&[0, 1]);
    println!("flows go by both cables: {ways:?}");
    is_sent_as_by_the_kernel(fabric, &[first, second]);
    let before = (entries(fabric), places(fabric));
    assert_eq!([before.0.len(), before.1.len()], [macs().len(); 2], "{before:?}");

    fabric.ip(second, &format!("link set {SEGMENT} down"));
    spread.first_goes_on(&ways, "FRR takes the VTEP without a cable out of the group", || {
        group(fabric).is_some_and(|(_, members)| members == 1)
    });
    spread.ways(&[0]);
    is_sent_as_by_the_kernel(fabric, &[first]);
    assert_eq!(group(fabric), Some((id.clone(), 1)), "the group is the same");
    let after = (entries(fabric), places(fabric));
    assert_eq!(after, before, "no entry has changed, in the kernel or in the maps");

    fabric.ip(second, &format!("link set {SEGMENT} up"));
    assert_eq!(wait_group(fabric, VTEPS.len()), id, "the group is the same");
    spread.ways(&[0, 1]);
    for (vtep, _) in VTEPS {
        fabric.ip(vtep, &format!("link del {SEGMENT}"));
    }
    until(PATIENCE, "FRR takes the MACs away", || entries(fabric).is_empty());
}
