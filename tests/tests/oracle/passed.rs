//! What we leave to the kernel has its fate: flooding, learning, answering, refusing.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{
        BROADCAST, HOST_A, HOST_B, HOST_R, LEAF2_VTEP, MULTICAST, OTHER_VTEP, STRANGER, VLAN, VNI,
        ZERO,
    },
    packet::{Frame, Vxlan, ether_type, fix_ipv4_checksum},
};

use crate::site::{BRIDGE_MAC, from_leaf2, twins};

/// Case TR-03.
#[test]
fn frames_of_hosts() {
    twins(1_600, |twins, _| {
        let frame = Frame::ipv4(&HOST_A, &HOST_B);
        for (frame, reason) in [
            (frame.clone().to(BROADCAST), Reason::FrameGuardMulticast),
            (frame.clone().to(MULTICAST), Reason::FrameGuardMulticast),
            (Frame::arp(&HOST_A, &HOST_B), Reason::FrameGuardArp),
            (Frame::arp(&HOST_A, &HOST_R), Reason::FrameGuardArp),
            (Frame::icmpv6(&HOST_A, &HOST_B, 135), Reason::FrameGuardNeighbourDiscovery),
            (Frame::other(&HOST_A, &HOST_B, ether_type::LLDP), Reason::FrameGuardControlProtocol),
            (Frame::ipv4(&HOST_A, &STRANGER), Reason::BridgeLookupUnknown),
            (frame.clone().to(BRIDGE_MAC), Reason::BridgeLookupOwnMac),
            (frame.clone().to(HOST_A.mac), Reason::BridgeLookupSamePort),
            (frame.clone().tag(VLAN), Reason::VlanClassifyNotMember),
            (frame.clone().tag(VLAN).tag(7), Reason::VlanClassifyStackedTag),
            (frame.clone().from(ZERO).to(BRIDGE_MAC), Reason::BridgeLookupOwnMac),
            (frame.clone().from(BROADCAST).to(STRANGER.mac), Reason::BridgeLookupUnknown),
            (frame.clone().from(HOST_B.mac), Reason::SourceCheckMoved),
            (frame.from(STRANGER.mac), Reason::SourceCheckUnknown),
        ] {
            twins.same("acc0", &frame.bytes(), reason);
        }
    });
}

/// Case TR-01: no L2 header; case TR-02.
#[test]
fn inner_frames() {
    twins(1_600, |twins, _| {
        let frame = Frame::ipv4(&HOST_R, &HOST_A);
        for (frame, reason) in [
            (frame.clone().to(BROADCAST), Reason::InnerGuardMulticast),
            (frame.clone().to(MULTICAST), Reason::InnerGuardMulticast),
            (Frame::arp(&HOST_R, &HOST_A), Reason::InnerGuardArp),
            (Frame::icmpv6(&HOST_R, &HOST_A, 135), Reason::InnerGuardNeighbourDiscovery),
            (Frame::other(&HOST_R, &HOST_A, ether_type::LLDP), Reason::InnerGuardControlProtocol),
            (Frame::ipv4(&HOST_R, &STRANGER), Reason::BridgeDeliverUnknown),
            (frame.clone().to(BRIDGE_MAC), Reason::BridgeDeliverOwnMac),
            (frame.clone().tag(VLAN), Reason::InnerGuardTagged),
            (frame.clone().from(BROADCAST), Reason::InnerGuardSourceMulticast),
            (frame.from(ZERO), Reason::InnerGuardSourceZero),
        ] {
            twins.same("up0", &from_leaf2().around(&frame.bytes()), reason);
        }
        let short = Frame::ipv4(&HOST_R, &HOST_A).bytes();
        for length in 0..14 {
            let packet = from_leaf2().around(&short[..length]);
            twins.same("up0", &packet, Reason::InnerGuardTruncated);
        }
    });
}

/// Case TR-01: reserved bits.
#[test]
fn outer_packets() {
    twins(1_600, |twins, _| {
        let inner = Frame::ipv4(&HOST_R, &HOST_A).bytes();
        let plain = from_leaf2();
        let valid = plain.around(&inner);
        for (outer, reason) in [
            (Vxlan { flags: 0, ..plain.clone() }, Reason::VxlanInputInvalidHeader),
            (Vxlan { flags: 0x0c, ..plain.clone() }, Reason::VxlanInputInvalidHeader),
            (Vxlan { reserved: 1, ..plain.clone() }, Reason::VxlanInputInvalidHeader),
            (Vxlan { reserved_last: 0x80, ..plain.clone() }, Reason::VxlanInputInvalidHeader),
            (Vxlan { vni: VNI + 1, ..plain.clone() }, Reason::VxlanInputUnknownVni),
            (Vxlan { source: OTHER_VTEP, ..plain.clone() }, Reason::VxlanInputUnknownVtep),
            (Vxlan { destination: LEAF2_VTEP, ..plain.clone() }, Reason::VxlanInputNotLocal),
            (Vxlan { fragment: 0x2000, ..plain.clone() }, Reason::UnderlayInputFragment),
            (Vxlan { options: vec![1; 4], ..plain.clone() }, Reason::UnderlayInputIpOptions),
            (
                Vxlan { destination_mac: STRANGER.mac, ..plain.clone() },
                Reason::UnderlayInputOtherHost,
            ),
            (Vxlan { destination_port: 4790, ..plain.clone() }, Reason::UnderlayInputNotVxlan),
        ] {
            println!("{outer:?}");
            twins.same("up0", &outer.around(&inner), reason);
        }

        let mut padded = valid.clone();
        padded.extend([0; 6]);
        twins.same("up0", &padded, Reason::UnderlayInputTruncated);
        let mut wrong_checksum = valid.clone();
        wrong_checksum[24] ^= 0x80;
        assert_eq!(twins.same("up0", &wrong_checksum, Reason::UnderlayInputBadChecksum), []);
        for change in [-1, 1] {
            let mut udp_length = valid.clone();
            udp_length[39] = udp_length[39].wrapping_add_signed(change);
            twins.same("up0", &udp_length, Reason::UnderlayInputTruncated);
            let mut ip_length = valid.clone();
            ip_length[17] = ip_length[17].wrapping_add_signed(change);
            fix_ipv4_checksum(&mut ip_length[14..34]);
            twins.same("up0", &ip_length, Reason::UnderlayInputTruncated);
        }
    });
}
