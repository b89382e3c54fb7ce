//! Frames at and beyond the MTU: what we pass has the fate that the kernel alone gives it.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R},
    packet::{Frame, ether_type},
};

use crate::site::{DEFAULT, Settings, configure, from_leaf2, twins};

/// All lengths around 1514: the kernel's bridge allows four bytes more, as if for a tag.
const LENGTHS: std::ops::RangeInclusive<usize> = 1_512..=1_520;

fn frames(
    from: &fabric_tests::addresses::Station,
    to: &fabric_tests::addresses::Station,
    length: usize,
) -> [Frame; 4] {
    [
        Frame::other(from, to, ether_type::EXPERIMENTAL).length(length),
        Frame::ipv4(from, to).length(length),
        Frame::ipv4(from, to).change_ipv4(|ip| ip.df = true).length(length),
        Frame::ipv6(from, to).length(length),
    ]
}

#[test]
fn frames_around_the_mtu_of_a_local_port() {
    twins(1_600, |twins, _| {
        for length in LENGTHS {
            let reason = if length <= 1_514 { Reason::Bridged } else { Reason::AccessFitTooBig };
            // Longer than the bridge forwards is longer than the device receives: nothing arrives.
            if length > 1_518 {
                continue;
            }
            for frame in frames(&HOST_A, &HOST_B, length) {
                twins.same("acc0", &frame.bytes(), reason);
            }
        }
    });
}

#[test]
fn frames_around_the_mtu_of_the_vxlan_device() {
    twins(1_600, |twins, site| {
        configure(twins, site, Settings { mtu: 1_450, ..DEFAULT });
        for length in 1_462..=1_470 {
            let fits = length <= 1_464;
            let reason = if fits { Reason::Encapsulated } else { Reason::VxlanOutputTooBig };
            for frame in frames(&HOST_A, &HOST_R, length) {
                twins.same("acc0", &frame.bytes(), reason);
            }
        }
    });
}

/// The vxlan device promises more than the underlay carries: the kernel fragments or reports.
#[test]
fn frames_around_the_mtu_of_the_underlay() {
    for df in ["unset", "set", "inherit"] {
        twins(1_500, |twins, site| {
            configure(twins, site, Settings { df, ..DEFAULT });
            for length in 1_462..=1_467 {
                let fits = length <= 1_464;
                let reason = match fits {
                    true => Reason::Encapsulated,
                    false => Reason::VxlanOutputUnderlayTooSmall,
                };
                for frame in frames(&HOST_A, &HOST_R, length) {
                    println!("df {df}, {length} bytes");
                    twins.same("acc0", &frame.bytes(), reason);
                }
            }
        });
    }
}

#[test]
fn frames_out_of_the_tunnel_around_the_mtu_of_a_port() {
    twins(1_600, |twins, _| {
        for length in LENGTHS {
            let reason =
                if length <= 1_514 { Reason::Decapsulated } else { Reason::AccessFitTooBig };
            for frame in frames(&HOST_R, &HOST_A, length) {
                let mut outer = from_leaf2();
                outer.tos = 0b10;
                let packet = outer.around(&frame.tos(0b10).bytes());
                twins.same("up0", &packet, reason);
            }
        }
    });
}
