//! The bridge keeps learning: what it has to see, it sees.

use std::time::{Duration, Instant};

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, STRANGER},
    fabric::PATIENCE,
    leaf::leaf,
    packet::Frame,
    run::action,
};
use fabric_user::model::Domain;

#[test]
pub(crate) fn an_unknown_source_passes() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&STRANGER, &HOST_B).bytes();
        for _ in 0..3 {
            leaf.world.send(&leaf.a, &frame).passes(Reason::SourceCheckUnknown);
        }
    });
}

#[test]
pub(crate) fn a_source_that_the_bridge_knows_elsewhere_passes() {
    leaf(|leaf| {
        let from_b = Frame::ipv4(&HOST_B, &HOST_R).bytes();
        leaf.world.send(&leaf.a, &from_b).passes(Reason::SourceCheckMoved);
        let from_remote = Frame::ipv4(&HOST_R, &HOST_B).bytes();
        leaf.world.send(&leaf.a, &from_remote).passes(Reason::SourceCheckMoved);
        leaf.world.learn_own(leaf.domain, STRANGER.mac);
        let from_own = Frame::ipv4(&STRANGER, &HOST_B).bytes();
        leaf.world.send(&leaf.a, &from_own).passes(Reason::SourceCheckMoved);
    });
}

#[test]
fn a_station_that_moved_is_forwarded_once_the_maps_say_so() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_A, &HOST_R);
        leaf.world.send(&leaf.b, &frame.bytes()).passes(Reason::SourceCheckMoved);
        leaf.world.settle(leaf.circuit_b, &HOST_A);
        let inner = frame.bytes();
        let expected = leaf.to_leaf2(&inner).around(&inner);
        let underlay = leaf.underlay_of(&inner);
        let outcome = leaf.world.send(&leaf.b, &inner);
        outcome.is_encapsulated(&underlay, leaf.domain, leaf.leaf2, &expected);
        leaf.world.send(&leaf.a, &inner).passes(Reason::SourceCheckMoved);
    });
}

#[test]
pub(crate) fn the_first_frame_of_a_station_passes_and_the_second_is_forwarded() {
    leaf(|leaf| {
        leaf.world.learn(leaf.domain, STRANGER.mac, leaf.circuit_a);
        let frame = Frame::ipv4(&STRANGER, &HOST_B).bytes();
        leaf.world.send(&leaf.a, &frame).passes(Reason::SourceCheckRefresh);
        for _ in 0..3 {
            leaf.world.send(&leaf.a, &frame).is_bridged(&leaf.b, &frame);
        }
    });
}

/// Also when the interval is longer than the lower half of the jiffies has counted, as it is after each
/// wrap, the first of which comes five minutes after a start.
#[test]
fn a_station_that_was_never_shown_is_shown_whatever_the_time_is() {
    leaf(|leaf| {
        leaf.world.change_domain(leaf.domain, |domain| domain.refresh_jiffies = u32::MAX);
        leaf.world.learn(leaf.domain, STRANGER.mac, leaf.circuit_a);
        leaf.world.set_shown(leaf.domain, STRANGER.mac, 0);
        let frame = Frame::ipv4(&STRANGER, &HOST_B).bytes();
        leaf.world.send(&leaf.a, &frame).passes(Reason::SourceCheckRefresh);
        leaf.world.send(&leaf.a, &frame).is_bridged(&leaf.b, &frame);
    });
}

#[test]
fn one_frame_passes_again_after_each_refresh_interval() {
    leaf(|leaf| {
        let hz = leaf.world.hz;
        leaf.world.change_domain(leaf.domain, |domain| domain.refresh_jiffies = hz / 5);
        leaf.world.learn(leaf.domain, STRANGER.mac, leaf.circuit_a);
        let frame = Frame::ipv4(&STRANGER, &HOST_B).bytes();
        let mut passed_at: Option<Instant> = None;
        for _ in 0..3 {
            let start = Instant::now();
            // The time before the run: what is measured is never shorter than what was.
            let (before, after) = loop {
                let before = Instant::now();
                let run = leaf.world.run(&leaf.a, &frame, 0).expect("the program runs");
                if run.action == action::PASS {
                    break (before, Instant::now());
                }
                assert!(start.elapsed() < PATIENCE, "no frame passes any more");
            };
            if let Some(last) = passed_at.replace(before) {
                let interval = after - last;
                // 200 ms, less the part of a jiffy that the first frame came late in it.
                assert!(interval > Duration::from_millis(185), "after {interval:?} already");
            }
        }
    });
}

/// The destination's entry has its own time, which its own frames renew, not those to it.
#[test]
fn frames_to_a_station_do_not_refresh_it() {
    leaf(|leaf| {
        leaf.world.learn(leaf.domain, STRANGER.mac, leaf.circuit_b);
        let to = Frame::ipv4(&HOST_A, &STRANGER).bytes();
        leaf.world.send(&leaf.a, &to).is_bridged(&leaf.b, &to);
        let from = Frame::ipv4(&STRANGER, &HOST_A).bytes();
        leaf.world.send(&leaf.b, &from).passes(Reason::SourceCheckRefresh);
    });
}

#[test]
fn a_domain_without_refresh_interval_hands_every_frame_to_the_kernel() {
    leaf(|leaf| {
        leaf.world.change_domain(leaf.domain, |domain| domain.refresh_jiffies = 0);
        let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        for _ in 0..3 {
            leaf.world.send(&leaf.a, &frame).passes(Reason::SourceCheckRefresh);
        }
    });
}

/// What is known in one domain is unknown in another (case VX1Q-04).
#[test]
fn a_source_of_another_domain_is_unknown() {
    leaf(|leaf| {
        let other = leaf.world.domain(0, Domain { ageing_ms: 300_000, ..Domain::default() });
        leaf.world.circuit(&leaf.a, other, 7);
        let destination = leaf.world.circuit(&leaf.b, other, 7);
        leaf.world.learn(other, HOST_B.mac, destination);
        let frame = Frame::ipv4(&HOST_A, &HOST_B).tag(7).bytes();
        leaf.world.send(&leaf.a, &frame).passes(Reason::SourceCheckUnknown);
    });
}
