//! The comparison itself: what is only a little wrong must fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, STRANGER},
    expect::provoked_by,
    leaf::leaf,
    packet::Frame,
};

fn fails(body: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(body)).is_err()
}

#[test]
fn another_reason_another_verdict_and_another_port_fail() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        let bridged = leaf.world.send(&leaf.a, &frame);
        assert!(fails(|| bridged.clone().passes(Reason::BridgeLookupUnknown)));
        assert!(fails(|| bridged.clone().passes(Reason::Bridged)));
        assert!(fails(|| bridged.clone().is_dropped(Reason::FrameGuardSourceZero)));
        assert!(fails(|| bridged.clone().is_bridged(&leaf.trunk, &frame)));
        bridged.is_bridged(&leaf.b, &frame);
        let unknown = leaf.world.send(&leaf.a, &Frame::ipv4(&HOST_A, &STRANGER).bytes());
        assert!(fails(|| unknown.clone().passes(Reason::SourceCheckUnknown)));
        unknown.passes(Reason::BridgeLookupUnknown);
    });
}

#[test]
fn any_changed_byte_fails() {
    leaf(|leaf| {
        let inner = Frame::ipv4(&HOST_A, &HOST_R).bytes();
        let packet = leaf.to_leaf2(&inner).around(&inner);
        let underlay = leaf.underlay_of(&inner);
        let outcome = leaf.world.send(&leaf.a, &inner);
        for place in 0..packet.len() {
            let mut changed = packet.clone();
            changed[place] ^= 1;
            let outcome = outcome.clone();
            let (domain, vtep) = (leaf.domain, leaf.leaf2);
            assert!(fails(|| outcome.is_encapsulated(&underlay, domain, vtep, &changed)));
        }
        outcome.is_encapsulated(&underlay, leaf.domain, leaf.leaf2, &packet);
    });
}

/// A counter that moved without reason is as wrong as one that did not move.
#[test]
fn any_other_counter_fails() {
    leaf(|leaf| {
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_R, &HOST_A).bytes());
        let expected = Frame::ipv4(&HOST_R, &HOST_A).bytes();
        let outcome = leaf.world.send(&leaf.up0, &packet);
        let (domain, vtep) = (leaf.domain, leaf.leaf2);
        let mut wrong = vec![outcome.clone(); 5];
        wrong[0].counted.domains.clear();
        wrong[1].counted.vteps.clear();
        wrong[2].counted.port_tx.clear();
        wrong[3].counted.port_tx.insert(leaf.b.slot, Default::default());
        for counter in wrong[4].counted.reasons.values_mut() {
            counter.bytes += 1;
        }
        for outcome in wrong {
            assert!(fails(|| outcome.is_decapsulated(&leaf.a, domain, vtep, &expected)));
        }
        outcome.is_decapsulated(&leaf.a, domain, vtep, &expected);
    });
}

#[test]
fn only_what_was_seen_counts_as_provoked() {
    let seen = provoked_by(|| {
        leaf(|leaf| {
            let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
            let outcome = leaf.world.send(&leaf.a, &frame);
            assert!(fails(|| outcome.clone().passes(Reason::FrameGuardArp)));
            outcome.is_bridged(&leaf.b, &frame);
        });
    });
    assert!(seen.into_iter().eq([Reason::Bridged]));
}
