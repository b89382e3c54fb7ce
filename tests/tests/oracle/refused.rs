//! What the kernel refuses and counts, it counts beside our programs as well.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{BROADCAST, HOST_A, HOST_B, HOST_R, STRANGER, ZERO},
    packet::{Frame, Vxlan, Vxlan6},
    router::{CLIENT, server},
    twins::Twins,
};

use crate::{
    router::routers,
    site::{OVER_IPV6, from_leaf2, from_leaf2_over_ipv6, twins, twins_with},
};

const CE: u8 = 0b11;

#[track_caller]
fn refused(twins: &mut Twins, port: &str, packet: &[u8], reason: Reason, counted: &[&str]) {
    let found = twins.refused_alike(port, packet, reason);
    println!("{reason:?}: {found:?}");
    for name in counted {
        assert_eq!(found.get(*name), Some(&1), "{name} of {reason:?}, where {found:?} was counted");
    }
}

/// Case TR-01: decap_error.
#[test]
fn congestion_that_the_inner_packet_cannot_carry_is_an_error_of_the_vxlan_device() {
    let counted = ["vx100 rx errs", "vx100 rx frame"];
    let frames = || [Frame::ipv4(&HOST_R, &HOST_A), Frame::ipv6(&HOST_R, &HOST_B)];
    twins(1_600, |twins, _| {
        for frame in frames() {
            let packet = Vxlan { tos: CE, ..from_leaf2() }.around(&frame.bytes());
            refused(twins, "up0", &packet, Reason::EcnDecapNotEctCe, &counted);
        }
    });
    twins_with(1_600, OVER_IPV6, |twins, _| {
        for frame in frames() {
            let packet = Vxlan6 { class: CE, ..from_leaf2_over_ipv6() }.around(&frame.bytes());
            refused(twins, "up0", &packet, Reason::EcnDecapNotEctCe, &counted);
        }
    });
}

#[test]
fn wrong_header_checksums_are_errors_of_ip() {
    let counted = ["Ip InHdrErrors", "IpExt InCsumErrors"];
    twins(1_600, |twins, _| {
        let mut packet = from_leaf2().around(&Frame::ipv4(&HOST_R, &HOST_A).bytes());
        packet[24] ^= 0x80;
        refused(twins, "up0", &packet, Reason::UnderlayInputBadChecksum, &counted);
    });
    routers(|twins| {
        let mut packet = Frame::ipv4(&CLIENT, &server(server::WEST)).bytes();
        packet[24] ^= 0x80;
        refused(twins, "in0", &packet, Reason::TransitInputBadChecksum, &counted);
    });
}

#[test]
fn wrong_udp_checksums_over_ipv6_are_errors_of_udp() {
    twins_with(1_600, OVER_IPV6, |twins, _| {
        let valid = from_leaf2_over_ipv6().around(&Frame::ipv4(&HOST_R, &HOST_A).bytes());
        let mut wrong = valid.clone();
        wrong[60] ^= 0x80;
        let counted = ["Udp6InErrors", "Udp6InCsumErrors"];
        refused(twins, "up0", &wrong, Reason::VxlanInputBadChecksum, &counted);
    });
}

/// Cases TR-02 and TR-03: source_mac_is_multicast.
#[test]
fn sources_that_no_station_can_have_are_counted_alike() {
    twins(1_600, |twins, _| {
        for (source, local, inner) in [
            (BROADCAST, Reason::FrameGuardSourceMulticast, Reason::InnerGuardSourceMulticast),
            (ZERO, Reason::FrameGuardSourceZero, Reason::InnerGuardSourceZero),
        ] {
            let frame = Frame::ipv4(&HOST_A, &HOST_B).from(source).bytes();
            refused(twins, "acc0", &frame, local, &[]);
            let frame = Frame::ipv4(&HOST_R, &HOST_A).from(source).bytes();
            refused(twins, "up0", &from_leaf2().around(&frame), inner, &[]);
        }
    });
}

/// The drops that are left to us: the kernel counts nothing.
#[test]
fn what_our_programs_drop_themselves_no_counter_of_the_kernel_misses() {
    twins(1_600, |twins, _| {
        let packet = from_leaf2().around(&Frame::ipv4(&STRANGER, &HOST_R).bytes());
        refused(twins, "up0", &packet, Reason::SplitHorizonOverlayToOverlay, &[]);
    });
    routers(|twins| {
        let to = server(server::BLACKHOLE);
        for frame in [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)] {
            refused(twins, "in0", &frame.bytes(), Reason::TransitRouteBlackhole, &[]);
        }
    });
}
