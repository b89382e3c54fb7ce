//! Of a tunnel from which the kernel learns, it sees what it has to learn.

use std::time::Instant;

use fabric_common::{
    reason::Reason,
    schema::domains::{FLAG_OVERLAY_LEARNING, FLAG_OVERLAY_SNOOPS},
};
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, LEAF1_VTEP, STRANGER},
    fabric::PATIENCE,
    leaf::{Leaf, leaf},
    packet::Frame,
    run::action,
};

fn learning(leaf: &mut Leaf) {
    leaf.world.change_domain(leaf.domain, |domain| domain.flags |= FLAG_OVERLAY_LEARNING);
}

fn passes(leaf: &mut Leaf, frame: &Frame, reason: Reason) {
    let packet = leaf.from_leaf2().around(&frame.bytes());
    leaf.world.send(&leaf.up0, &packet).passes(reason);
}

fn is_forwarded(leaf: &mut Leaf, frame: &Frame) {
    let outer = leaf.from_leaf2();
    leaf.decapsulates(&outer, frame, frame);
}

#[test]
pub(crate) fn an_inner_source_that_the_kernel_may_learn_passes() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&STRANGER, &HOST_A);
        is_forwarded(leaf, &frame);
        learning(leaf);
        for _ in 0..3 {
            passes(leaf, &frame, Reason::InnerSourceUnknown);
        }
        // Into the tunnel nothing changes.
        leaf.encapsulates(&Frame::ipv4(&HOST_A, &HOST_R), |outer| outer);
    });
}

#[test]
pub(crate) fn an_inner_source_that_the_kernel_knows_elsewhere_passes() {
    leaf(|leaf| {
        let leaf3 = leaf.world.vtep(LEAF1_VTEP, [192, 0, 2, 3], &[leaf.spine1]);
        learning(leaf);
        passes(leaf, &Frame::ipv4(&HOST_B, &HOST_A), Reason::InnerSourceMoved);
        // Behind another VTEP.
        leaf.world.learn_remote(leaf.domain, STRANGER.mac, leaf3);
        passes(leaf, &Frame::ipv4(&STRANGER, &HOST_A), Reason::InnerSourceMoved);
    });
}

/// A gateway that every leaf has.
#[test]
fn from_the_boxs_own_addresses_a_vxlan_device_learns_and_its_bridge_port_does_not() {
    leaf(|leaf| {
        learning(leaf);
        leaf.world.learn_own(leaf.domain, STRANGER.mac);
        let frame = Frame::ipv4(&STRANGER, &HOST_A);
        for _ in 0..2 {
            is_forwarded(leaf, &frame);
        }
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= FLAG_OVERLAY_SNOOPS);
        passes(leaf, &frame, Reason::InnerSourceMoved);
    });
}

#[test]
pub(crate) fn the_first_frame_of_a_remote_station_passes_and_the_second_is_forwarded() {
    leaf(|leaf| {
        learning(leaf);
        leaf.world.learn_remote(leaf.domain, STRANGER.mac, leaf.leaf2);
        let frame = Frame::ipv4(&STRANGER, &HOST_A);
        passes(leaf, &frame, Reason::InnerSourceRefresh);
        for _ in 0..3 {
            is_forwarded(leaf, &frame);
        }
    });
}

#[test]
fn one_frame_of_a_remote_station_passes_again_after_each_refresh_interval() {
    leaf(|leaf| {
        learning(leaf);
        let hz = leaf.world.hz;
        leaf.world.change_domain(leaf.domain, |domain| domain.refresh_jiffies = hz / 5);
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_R, &HOST_A).bytes());
        let start = Instant::now();
        let mut passed = 0;
        while passed < 3 {
            let run = leaf.world.run(&leaf.up0, &packet, 0).expect("the program runs");
            passed += u32::from(run.action == action::PASS);
            assert!(start.elapsed() < PATIENCE, "no frame passes any more");
        }
    });
}

/// The kernel would have learned from it first.
#[test]
fn what_would_go_back_into_the_overlay_is_dropped_only_if_nobody_learns_from_it() {
    leaf(|leaf| {
        let leaf3 = leaf.world.vtep(LEAF1_VTEP, [192, 0, 2, 3], &[leaf.spine1]);
        learning(leaf);
        leaf.world.learn_remote(leaf.domain, STRANGER.mac, leaf3);
        let frame = Frame::ipv4(&HOST_A, &STRANGER);
        passes(leaf, &frame, Reason::InnerSourceMoved);
        let frame = Frame::ipv4(&HOST_R, &STRANGER);
        passes(leaf, &frame, Reason::InnerSourceRefresh);
        let packet = leaf.from_leaf2().around(&frame.bytes());
        leaf.world.send(&leaf.up0, &packet).is_dropped(Reason::SplitHorizonOverlayToOverlay);
    });
}
