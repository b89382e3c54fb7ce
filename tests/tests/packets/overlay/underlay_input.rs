//! What is VXLAN for this box. Everything else on an underlay port belongs to the kernel: dropping it
//! would cost a BGP session.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{BROADCAST, HOST_A, HOST_R, SPINE1_MAC, STRANGER, Station, VLAN},
    leaf::{Leaf, leaf},
    model::repair_outer,
    packet::{DF, Frame, Vxlan, ether_type, fix_ipv4_checksum, protocol},
};

fn inner() -> Vec<u8> {
    Frame::ipv4(&HOST_R, &HOST_A).bytes()
}

/// The spine and this leaf as stations of their link.
fn link(leaf: &Leaf) -> (Station, Station) {
    (Station { mac: SPINE1_MAC, ..STRANGER }, Station { mac: leaf.up0.mac, ..HOST_A })
}

#[test]
pub(crate) fn routing_protocols_and_everything_that_is_not_vxlan_pass() {
    leaf(|leaf| {
        let (spine, own) = link(leaf);
        let bgp = Frame::ipv4(&spine, &own)
            .change_ipv4(|ip| ip.protocol = protocol::TCP)
            .ports([40_000, 179]);
        let bgp_v6 = Frame::ipv6(&spine, &own)
            .change_ipv6(|ip| ip.next_header = protocol::TCP)
            .ports([179, 40_000]);
        let ping = Frame::ipv4(&spine, &own).change_ipv4(|ip| ip.protocol = protocol::ICMP);
        for frame in [
            bgp,
            bgp_v6,
            ping,
            Frame::ipv4(&spine, &own).ports([49_152, 3784]),
            Frame::ipv4(&spine, &own).ports([49_152, 0]),
            Frame::ipv6(&spine, &own).ports([49_152, 3784]),
            Frame::arp(&spine, &own),
            Frame::arp(&spine, &own).to(BROADCAST),
            Frame::icmpv6(&spine, &own, 135),
            Frame::icmpv6(&spine, &own, 134).to([0x33, 0x33, 0, 0, 0, 1]),
            Frame::other(&spine, &own, ether_type::LLDP).to([0x01, 0x80, 0xc2, 0, 0, 0x0e]),
            Frame::other(&spine, &own, ether_type::SLOW_PROTOCOLS),
            Frame::other(&spine, &own, ether_type::EXPERIMENTAL).length(14),
        ] {
            let outcome = leaf.world.send(&leaf.up0, &frame.bytes());
            outcome.passes(Reason::UnderlayInputNotVxlan);
        }
        // VXLAN behind a tag belongs to a VLAN device on the underlay port.
        let mut tagged = leaf.from_leaf2().around(&inner());
        tagged.splice(12..12, [0x81, 0, 0, VLAN as u8]);
        leaf.world.send(&leaf.up0, &tagged).passes(Reason::UnderlayInputNotVxlan);
    });
}

/// R7348-4.3-2: the kernel reassembles.
#[test]
pub(crate) fn fragments_of_the_outer_packet_pass() {
    leaf(|leaf| {
        for fragment in [0x2000, 0x2000 | 185, 185, DF | 1] {
            let outer = Vxlan { fragment, ..leaf.from_leaf2() };
            let packet = outer.around(&inner());
            leaf.world.send(&leaf.up0, &packet).passes(Reason::UnderlayInputFragment);
        }
        let frame = Frame::ipv4(&HOST_R, &HOST_A);
        let outer = leaf.from_leaf2().df(true);
        leaf.decapsulates(&outer, &frame, &frame);
    });
}

#[test]
pub(crate) fn ip_options_pass() {
    leaf(|leaf| {
        for words in [1, 10] {
            let outer = Vxlan { options: vec![1; words * 4], ..leaf.from_leaf2() };
            let packet = outer.around(&inner());
            leaf.world.send(&leaf.up0, &packet).passes(Reason::UnderlayInputIpOptions);
        }
        let mut short = leaf.from_leaf2().around(&inner());
        short[14] = 0x44;
        leaf.world.send(&leaf.up0, &short).passes(Reason::UnderlayInputIpOptions);
    });
}

/// RFC 1812 §5.2.2 (case TR-04): any single wrong bit of the header, as far as it still is one of
/// a VXLAN packet for this box.
#[test]
pub(crate) fn a_wrong_header_checksum_is_left_to_the_kernel() {
    leaf(|leaf| {
        let right = leaf.from_leaf2().around(&inner());
        let elsewhere = |bit: usize| {
            // Version and length, fragment, protocol: these have reasons of their own.
            matches!(bit / 8, 0 | 6 | 7 | 9)
        };
        for bit in (0..160).filter(|bit| !elsewhere(*bit)) {
            let mut wrong = right.clone();
            wrong[14 + bit / 8] ^= 1 << (bit % 8);
            let outcome = leaf.world.send(&leaf.up0, &wrong);
            outcome.passes(Reason::UnderlayInputBadChecksum);
        }
    });
}

#[test]
fn a_wrong_checksum_of_what_is_not_vxlan_is_the_kernels_business() {
    leaf(|leaf| {
        let (spine, own) = link(leaf);
        let mut frame = Frame::ipv4(&spine, &own).bytes();
        frame[24] ^= 1;
        leaf.world.send(&leaf.up0, &frame).passes(Reason::UnderlayInputNotVxlan);
    });
}

/// RFC 1812 §5.2.2: the link, IP and UDP lengths have to agree.
#[test]
pub(crate) fn lengths_that_contradict_each_other_pass() {
    leaf(|leaf| {
        let right = leaf.from_leaf2().around(&inner());
        let mut padded = right.clone();
        padded.push(0);
        let cut = right[..right.len() - 1].to_vec();
        let mut shorter_udp = right.clone();
        shorter_udp[39] -= 1;
        let mut longer_udp = right.clone();
        longer_udp[39] += 1;
        let mut shorter_ip = right.clone();
        shorter_ip[17] -= 1;
        fix_ipv4_checksum(&mut shorter_ip[14..34]);
        for packet in [padded, cut, shorter_udp, longer_udp, shorter_ip] {
            leaf.world.send(&leaf.up0, &packet).passes(Reason::UnderlayInputTruncated);
        }
    });
}

#[test]
pub(crate) fn a_packet_for_another_mac_address_passes() {
    leaf(|leaf| {
        for destination_mac in [BROADCAST, SPINE1_MAC, leaf.up1.mac] {
            let outer = Vxlan { destination_mac, ..leaf.from_leaf2() };
            let packet = outer.around(&inner());
            leaf.world.send(&leaf.up0, &packet).passes(Reason::UnderlayInputOtherHost);
        }
        let outer = Vxlan { destination_mac: leaf.up1.mac, ..leaf.from_leaf2() };
        let outcome = leaf.world.send(&leaf.up1, &outer.around(&inner()));
        outcome.is_decapsulated(&leaf.a, leaf.domain, leaf.leaf2, &inner());
    });
}

/// R7348-5-4: a checksum that is not verified has to be accepted.
#[test]
fn any_udp_checksum_and_source_port_are_accepted() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_R, &HOST_A);
        for udp_checksum in [0, 0x1234, 0xffff] {
            for source_port in [0, 1, 4789, 0xffff] {
                let outer = Vxlan { udp_checksum, source_port, ..leaf.from_leaf2() };
                leaf.decapsulates(&outer, &frame, &frame);
            }
        }
    });
}

/// R1812-4.2.2.9: the TTL of what is for the box itself is nobody's business.
#[test]
fn any_outer_ttl_and_identification_are_accepted() {
    leaf(|leaf| {
        let frame = Frame::ipv6(&HOST_R, &HOST_A);
        for ttl in [0, 1, 255] {
            for id in [0, 1, 0xffff] {
                let outer = Vxlan { ttl, id, ..leaf.from_leaf2() };
                leaf.decapsulates(&outer, &frame, &frame);
            }
        }
    });
}

#[test]
fn the_repair_that_the_fuzzer_uses_makes_a_packet_valid() {
    leaf(|leaf| {
        let mut packet = leaf.from_leaf2().around(&inner());
        packet[12..25].fill(0xff);
        packet[36..40].fill(0xff);
        packet[26..34].copy_from_slice(&[192, 0, 2, 2, 192, 0, 2, 1]);
        repair_outer(&mut packet, &leaf.up0, 4789);
        // The fuzzer leaves the TOS as it is: not-ECT inside and CE outside would be dropped.
        packet[15] = 0;
        repair_outer(&mut packet, &leaf.up0, 4789);
        let outcome = leaf.world.send(&leaf.up0, &packet);
        outcome.is_decapsulated(&leaf.a, leaf.domain, leaf.leaf2, &inner());
    });
}
