//! Into the tunnel, with every combination of the vxlan device's settings.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_R},
    packet::{Frame, ether_type, protocol},
};

use crate::site::{DEFAULT, Settings, configure, twins};

/// Frames of each kind, with all ECN bits and a DSCP.
pub(crate) fn frames() -> Vec<Frame> {
    let ipv4 = Frame::ipv4(&HOST_A, &HOST_R);
    let ipv6 = Frame::ipv6(&HOST_A, &HOST_R);
    let mut frames = vec![
        Frame::other(&HOST_A, &HOST_R, ether_type::EXPERIMENTAL),
        ipv4.clone().change_ipv4(|ip| ip.df = true),
        ipv4.clone().change_ipv4(|ip| ip.mf = true),
        ipv4.clone().change_ipv4(|ip| ip.protocol = protocol::TCP),
        ipv4.clone().change_ipv4(|ip| ip.options = vec![1; 8]),
        ipv4.clone().ttl(1),
        ipv6.clone().ttl(255),
        ipv6.clone().change_ipv6(|ip| ip.next_header = protocol::TCP),
    ];
    for ecn in 0..4 {
        for dscp in [0, 0x48] {
            frames.push(ipv4.clone().tos(dscp | ecn));
            frames.push(ipv6.clone().tos(dscp | ecn));
        }
    }
    frames
}

fn matrix() -> impl Iterator<Item = Settings> {
    ["auto", "100", "inherit"].into_iter().flat_map(|ttl| {
        ["0", "0xb8", "inherit"].into_iter().flat_map(move |tos| {
            ["unset", "set", "inherit"].into_iter().map(move |df| Settings {
                ttl,
                tos,
                df,
                ..DEFAULT
            })
        })
    })
}

/// Cases VX1D-04, VX1D-05, VX1D-06.
#[test]
fn outer_headers_are_the_kernels_with_all_settings_of_ttl_tos_and_df() {
    twins(1_600, |twins, site| {
        for settings in matrix() {
            configure(twins, site, settings);
            for frame in frames() {
                println!("{settings:?}");
                let output = twins.same("acc0", &frame.bytes(), Reason::Encapsulated);
                assert_eq!(output[0].0, "up0");
            }
        }
    });
}

#[test]
fn frames_of_all_lengths_are_wrapped_as_the_kernel_does() {
    twins(1_600, |twins, _| {
        for length in (14..60).chain((60..=1_514).step_by(97)).chain([1_513, 1_514]) {
            let frame = Frame::other(&HOST_A, &HOST_R, ether_type::EXPERIMENTAL).length(length);
            twins.same("acc0", &frame.bytes(), Reason::Encapsulated);
        }
    });
}
