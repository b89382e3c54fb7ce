//! A VLAN-aware bridge (`vlan_filtering 1`) with a vxlan device per VLAN.
//!
//! ```text
//!   acc0    PVID 100, untagged                    vx100  VNI 10100, PVID 100, untagged
//!   trunk0  100 and 200 tagged             br0    vx200  VNI 10200, PVID 200, untagged
//!   trunk1  PVID 100 untagged, 200 tagged
//! ```

use anyhow::Result;
use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{BROADCAST, HOST_A, HOST_B, HOST_R, HOST_T, LEAF1_VTEP, STRANGER, VLAN, VNI},
    device::{self, mac_text},
    packet::{Frame, ether_type},
    twins::{Fabric, Twins},
    world::tunnel,
};

use crate::site::{
    PORTS, accelerate_ports, build_bridge, build_ports, build_vxlan, from_leaf2, markers,
};

const OTHER_VLAN: u16 = 200;
const OTHER_VNI: u32 = 10_200;

fn build() -> Result<()> {
    build_bridge(true)?;
    build_ports()?;
    device::ip(
        "link set acc0 master br0\nlink set trunk0 master br0\nlink set trunk1 master br0\n",
    )?;
    build_vxlan("vx100", VNI, HOST_R.mac)?;
    build_vxlan("vx200", OTHER_VNI, HOST_R.mac)?;
    let [a, b, t, r] = [HOST_A, HOST_B, HOST_T, HOST_R].map(|host| mac_text(host.mac));
    device::bridge(&format!(
        "vlan add vid 100 dev acc0 pvid untagged\n\
         vlan add vid 100 dev trunk0\nvlan add vid 200 dev trunk0\n\
         vlan add vid 100 dev trunk1 pvid untagged\nvlan add vid 200 dev trunk1\n\
         vlan add vid 100 dev vx100 pvid untagged\nvlan add vid 200 dev vx200 pvid untagged\n\
         fdb add {a} dev acc0 master static vlan 100\n\
         fdb add {t} dev trunk0 master static vlan 100\n\
         fdb add {t} dev trunk0 master static vlan 200\n\
         fdb add {b} dev trunk1 master static vlan 100\n\
         fdb add {b} dev trunk1 master static vlan 200\n\
         fdb add {r} dev vx100 master static vlan 100\n\
         fdb add {r} dev vx200 master static vlan 200\n"
    ))
}

fn accelerate() -> Result<Fabric> {
    let (mut fabric, leaf2) = accelerate_ports()?;
    let Fabric { world, ports } = &mut fabric;
    let first = world.domain(VLAN, tunnel(VNI, LEAF1_VTEP));
    let second = world.domain(OTHER_VLAN, tunnel(OTHER_VNI, LEAF1_VTEP));
    let acc0 = world.circuit(&ports["acc0"], first, 0);
    let trunk0 = world.circuit(&ports["trunk0"], first, VLAN);
    let trunk0_second = world.circuit(&ports["trunk0"], second, OTHER_VLAN);
    let trunk1 = world.circuit(&ports["trunk1"], first, 0);
    let trunk1_second = world.circuit(&ports["trunk1"], second, OTHER_VLAN);
    // A port takes the tag of its PVID as well as none.
    world.also_tagged(&ports["acc0"], acc0, VLAN);
    world.also_tagged(&ports["trunk1"], trunk1, VLAN);
    world.settle(acc0, &HOST_A);
    for circuit in [trunk0, trunk0_second] {
        world.settle(circuit, &HOST_T);
    }
    for circuit in [trunk1, trunk1_second] {
        world.settle(circuit, &HOST_B);
    }
    for domain in [first, second] {
        world.learn_remote(domain, HOST_R.mac, leaf2);
    }
    Ok(fabric)
}

fn twins(test: impl FnOnce(&mut Twins) + Send) {
    Twins::run(&PORTS, markers(), build, accelerate, test);
}

/// Tags with every priority, and with the drop eligible bit.
fn tags(vlan: u16) -> impl Iterator<Item = u16> {
    (0..16_u16).map(move |priority| priority << 12 | vlan)
}

#[test]
fn tags_are_added_removed_and_kept_between_ports() {
    twins(|twins| {
        let to_tagged = Frame::ipv4(&HOST_A, &HOST_T);
        let output = twins.same("acc0", &to_tagged.bytes(), Reason::Bridged);
        assert_eq!(output, [("trunk0", to_tagged.tag(VLAN).bytes())]);
        let untagged = Frame::ipv6(&HOST_A, &HOST_B);
        let output = twins.same("acc0", &untagged.bytes(), Reason::Bridged);
        assert_eq!(output, [("trunk1", untagged.bytes())]);
        for tci in tags(VLAN) {
            let to_untagged = Frame::ipv4(&HOST_T, &HOST_A);
            let output =
                twins.same("trunk0", &to_untagged.clone().tag(tci).bytes(), Reason::Bridged);
            assert_eq!(output, [("acc0", to_untagged.bytes())]);
        }
        for tci in tags(OTHER_VLAN) {
            let kept = Frame::ipv4(&HOST_T, &HOST_B).tag(tci).bytes();
            let output = twins.same("trunk0", &kept, Reason::Bridged);
            assert_eq!(output, [("trunk1", kept)]);
        }
    });
}

#[test]
fn the_tag_of_a_ports_own_pvid_is_taken_as_none() {
    twins(|twins| {
        for tci in tags(VLAN) {
            let tagged = Frame::ipv4(&HOST_A, &HOST_B).tag(tci).bytes();
            twins.same("acc0", &tagged, Reason::Bridged);
            let tagged = Frame::ipv4(&HOST_B, &HOST_T).tag(tci).bytes();
            twins.same("trunk1", &tagged, Reason::Bridged);
        }
    });
}

/// Cases VX1Q-01 and VX1Q-03: the VLAN chooses the VNI, and the tag stays here.
#[test]
fn each_vlan_goes_into_its_vni_without_its_tag() {
    twins(|twins| {
        for frame in [
            Frame::ipv4(&HOST_A, &HOST_R).tos(0xbb),
            Frame::ipv6(&HOST_A, &HOST_R).tos(0xb9),
            Frame::other(&HOST_A, &HOST_R, ether_type::EXPERIMENTAL),
        ] {
            twins.same("acc0", &frame.bytes(), Reason::Encapsulated);
            let frame = frame.from(HOST_T.mac);
            for tci in tags(VLAN).chain(tags(OTHER_VLAN)) {
                let tagged = frame.clone().tag(tci).bytes();
                let output = twins.same("trunk0", &tagged, Reason::Encapsulated);
                let vni = if tci & 0xfff == VLAN { VNI } else { OTHER_VNI };
                assert_eq!(output[0].1[46..50], (vni << 8).to_be_bytes());
            }
        }
    });
}

#[test]
fn each_vni_comes_out_in_its_vlan() {
    twins(|twins| {
        for ecn in 0..4 {
            for to in [HOST_A, HOST_B, HOST_T] {
                let mut outer = from_leaf2(VNI);
                outer.tos = ecn;
                let frame = Frame::ipv4(&HOST_R, &to).tos(0b10).bytes();
                twins.same("up0", &outer.around(&frame), Reason::Decapsulated);
            }
            for to in [HOST_B, HOST_T] {
                let mut outer = from_leaf2(OTHER_VNI);
                outer.tos = ecn;
                let frame = Frame::ipv6(&HOST_R, &to).tos(0b10).bytes();
                twins.same("up0", &outer.around(&frame), Reason::Decapsulated);
            }
        }
        // HOST_A is in VLAN 100 only.
        let frame = Frame::ipv4(&HOST_R, &HOST_A).bytes();
        let packet = from_leaf2(OTHER_VNI).around(&frame);
        twins.same("up0", &packet, Reason::BridgeDeliverUnknown);
    });
}

/// Cases TR-03 and VX1Q-02.
#[test]
fn what_belongs_to_no_vlan_here_is_treated_by_the_kernel() {
    twins(|twins| {
        let frame = Frame::ipv4(&HOST_T, &HOST_A);
        let pass = [
            ("trunk0", frame.clone(), Reason::VlanClassifyNotMember),
            ("trunk0", frame.clone().tag(0), Reason::VlanClassifyNotMember),
            ("trunk0", frame.clone().tag(300), Reason::VlanClassifyNotMember),
            ("acc0", frame.clone().tag(OTHER_VLAN), Reason::VlanClassifyNotMember),
            ("acc0", Frame::ipv4(&HOST_A, &HOST_B).tag(0xe000), Reason::VlanClassifyNotMember),
            ("trunk1", Frame::ipv4(&HOST_B, &HOST_T).tag(0), Reason::VlanClassifyNotMember),
            ("trunk0", frame.clone().tag(VLAN).tag(7), Reason::VlanClassifyStackedTag),
            (
                "trunk0",
                frame.clone().tag_of(ether_type::SERVICE_VLAN, VLAN),
                Reason::VlanClassifyStackedTag,
            ),
            ("trunk0", frame.clone().to(BROADCAST).tag(OTHER_VLAN), Reason::FrameGuardMulticast),
            ("trunk0", frame.clone().to(STRANGER.mac).tag(VLAN), Reason::BridgeLookupUnknown),
            ("trunk0", frame.clone().tag(OTHER_VLAN), Reason::BridgeLookupUnknown),
            ("trunk0", frame.from(STRANGER.mac).tag(VLAN), Reason::SourceCheckUnknown),
        ];
        for (port, frame, reason) in pass {
            println!("{port}: {frame:?}");
            twins.same(port, &frame.bytes(), reason);
        }
    });
}

/// VLAN tagged frames inside the tunnel: RFC 7348 §6.1.
#[test]
fn inner_tags_are_left_to_the_kernel() {
    twins(|twins| {
        for tci in [0, VLAN, OTHER_VLAN, 300] {
            let frame = Frame::ipv4(&HOST_R, &HOST_T).tag(tci).bytes();
            twins.same("up0", &from_leaf2(VNI).around(&frame), Reason::InnerGuardTagged);
        }
    });
}

#[test]
fn frames_around_the_mtu_are_the_kernels_with_and_without_tag() {
    twins(|twins| {
        for length in 1_512..=1_518 {
            let fits = length <= 1_514;
            let reason = |forwarded| if fits { forwarded } else { Reason::AccessFitTooBig };
            let frame = Frame::ipv4(&HOST_A, &HOST_T).length(length).bytes();
            twins.same("acc0", &frame, reason(Reason::Bridged));
            let packet =
                from_leaf2(VNI).around(&Frame::ipv4(&HOST_R, &HOST_T).length(length).bytes());
            twins.same("up0", &packet, reason(Reason::Decapsulated));
            // On the wire the tag comes on top; the port itself receives four bytes more, no more.
            if fits {
                let frame = Frame::ipv4(&HOST_T, &HOST_A).length(length).tag(VLAN).bytes();
                twins.same("trunk0", &frame, Reason::Bridged);
                let frame = Frame::ipv4(&HOST_T, &HOST_R).length(length).tag(VLAN).bytes();
                twins.same("trunk0", &frame, Reason::Encapsulated);
            }
        }
    });
}
