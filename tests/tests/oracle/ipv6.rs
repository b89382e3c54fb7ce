//! Tunnels over an IPv6 underlay.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{BROADCAST, HOST_A, HOST_B, HOST_R, LEAF1_VTEP6, OTHER_VTEP6, VNI},
    packet::{Frame, UdpChecksum, Vxlan6, ether_type},
};

use crate::{
    decapsulation::every_pair,
    encapsulation::frames,
    site::{Ipv6, OVER_IPV6, Settings, configure, from_leaf2_over_ipv6, twins_with},
};

const CHECKSUMS: [(bool, bool); 4] = [(true, true), (true, false), (false, true), (false, false)];

fn settings(sends_checksum: bool, wants_checksum: bool, label: &'static str) -> Settings {
    Settings { ipv6: Some(Ipv6 { sends_checksum, wants_checksum, label }), ..OVER_IPV6 }
}

/// The flow label of a packet over IPv6.
fn label(packet: &[u8]) -> u32 {
    u32::from_be_bytes([0, packet[15] & 0xf, packet[16], packet[17]])
}

#[test]
fn outer_headers_are_the_kernels_with_all_settings() {
    twins_with(1_600, OVER_IPV6, |twins, site| {
        for (sends, wants) in CHECKSUMS {
            for ttl in ["auto", "100", "inherit"] {
                for tos in ["0", "0xb8", "inherit"] {
                    let settings = Settings { ttl, tos, ..settings(sends, wants, "0") };
                    configure(twins, site, settings);
                    for frame in frames() {
                        let output = twins.same("acc0", &frame.bytes(), Reason::Encapsulated);
                        assert_eq!(output[0].0, "up0");
                        let checksum = &output[0].1[60..62];
                        assert_eq!(checksum != [0, 0], sends, "{settings:?}");
                        assert_ne!(label(&output[0].1), 0);
                    }
                }
            }
        }
    });
}

/// Here the kernel sets a label, so ours has to be the same.
#[test]
fn a_label_that_is_set_or_inherited_is_written() {
    twins_with(1_600, OVER_IPV6, |twins, site| {
        configure(twins, site, settings(true, true, "0xabcde"));
        for frame in frames() {
            let output = twins.same("acc0", &frame.bytes(), Reason::Encapsulated);
            assert_eq!(label(&output[0].1), 0xabcde);
        }
    });
}

#[test]
fn frames_of_all_lengths_are_wrapped_and_unwrapped_as_the_kernel_does() {
    twins_with(1_600, OVER_IPV6, |twins, _| {
        for length in (14..60).chain((60..=1_514).step_by(97)).chain([511, 512, 513, 1_513, 1_514])
        {
            let frame = Frame::other(&HOST_A, &HOST_R, ether_type::EXPERIMENTAL).length(length);
            twins.same("acc0", &frame.bytes(), Reason::Encapsulated);
            let frame = Frame::other(&HOST_R, &HOST_A, ether_type::EXPERIMENTAL).length(length);
            let packet = from_leaf2_over_ipv6().around(&frame.bytes());
            twins.same("up0", &packet, Reason::Decapsulated);
        }
    });
}

/// 56 bytes stand in front of the inner frame; nobody fragments over IPv6 on the way.
#[test]
fn frames_around_the_mtu_of_the_underlay_and_of_the_device() {
    twins_with(1_500, OVER_IPV6, |twins, site| {
        for (mtu, most, longer) in [
            (1_500, 1_444, Reason::VxlanOutputUnderlayTooSmall),
            (1_400, 1_414, Reason::VxlanOutputTooBig),
        ] {
            configure(twins, site, Settings { mtu, ..OVER_IPV6 });
            for length in most - 2..=most + 3 {
                let reason = if length <= most { Reason::Encapsulated } else { longer };
                let frame = Frame::other(&HOST_A, &HOST_R, ether_type::EXPERIMENTAL).length(length);
                twins.same("acc0", &frame.bytes(), reason);
            }
        }
    });
}

#[test]
fn every_pair_of_ecn_bits_and_dscp_comes_out_as_from_the_kernel() {
    twins_with(1_600, OVER_IPV6, |twins, _| {
        every_pair(twins, |class, inner| Vxlan6 { class, ..from_leaf2_over_ipv6() }.around(inner));
    });
}

/// RFC 6935 §5: what the kernel drops, nobody delivers.
#[test]
fn checksums_are_required_and_verified_as_by_the_kernel() {
    twins_with(1_600, OVER_IPV6, |twins, site| {
        for (sends, wants) in CHECKSUMS {
            configure(twins, site, settings(sends, wants, "0"));
            for frame in [Frame::ipv4(&HOST_R, &HOST_A), Frame::ipv6(&HOST_R, &HOST_B).length(601)]
            {
                for (checksum, valid) in [
                    (UdpChecksum::Right, true),
                    (UdpChecksum::None, !wants),
                    (UdpChecksum::Wrong(1), false),
                    (UdpChecksum::Wrong(0x8000), false),
                ] {
                    let outer = Vxlan6 { checksum, ..from_leaf2_over_ipv6() };
                    let reason =
                        if valid { Reason::Decapsulated } else { Reason::VxlanInputBadChecksum };
                    let output = twins.same("up0", &outer.around(&frame.bytes()), reason);
                    assert_eq!(output.len(), usize::from(valid), "{checksum:?}, wants {wants}");
                }
            }
        }
    });
}

#[test]
fn outer_headers_that_are_left_to_the_kernel() {
    twins_with(1_600, OVER_IPV6, |twins, _| {
        let inner = Frame::ipv4(&HOST_R, &HOST_A).bytes();
        let plain = from_leaf2_over_ipv6();
        for (outer, reason) in [
            (Vxlan6 { source: OTHER_VTEP6, ..plain.clone() }, Reason::VxlanInputUnknownVtep),
            (Vxlan6 { source: LEAF1_VTEP6, ..plain.clone() }, Reason::VxlanInputUnknownVtep),
            (Vxlan6 { vni: VNI + 1, ..plain.clone() }, Reason::VxlanInputUnknownVni),
            (Vxlan6 { flags: 0, ..plain.clone() }, Reason::VxlanInputInvalidHeader),
            (Vxlan6 { destination_port: 53, ..plain.clone() }, Reason::UnderlayInputNotVxlan),
            (
                // Destination options (RFC 8200 §4.6): padding alone.
                Vxlan6 { extension: Some((60, vec![17, 0, 1, 4, 0, 0, 0, 0])), ..plain.clone() },
                Reason::UnderlayInputNotVxlan,
            ),
            (Vxlan6 { hop_limit: 1, label: 0, ..plain.clone() }, Reason::Decapsulated),
        ] {
            twins.same("up0", &outer.around(&inner), reason);
        }
        let packet = plain.around(&Frame::ipv4(&HOST_R, &HOST_A).to(BROADCAST).bytes());
        twins.same("up0", &packet, Reason::InnerGuardMulticast);
    });
}
