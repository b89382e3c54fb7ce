//! Mangled and random packets, compared with the model: same reason, same bytes, same counters.

use std::collections::BTreeMap;

use fabric_common::{
    reason::{Reason, Verdict},
    schema::circuits::FLAG_ISOLATED,
};
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, HOST_T, STRANGER, Station, VLAN, VXLAN_PORT},
    leaf::leaf,
    model::repair_outer,
    packet::{Frame, Vxlan, ether_type},
    random::Random,
    run::SHORTEST,
};

const SEED: u64 = 0xfab_0001;
const PACKETS: usize = 10_000;

/// A seed of one's own choice repeats or extends a run: `FABRIC_FUZZ_SEED=7`.
fn seed() -> u64 {
    let seed = std::env::var("FABRIC_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(SEED);
    println!("FABRIC_FUZZ_SEED={seed}");
    seed
}

fn station(random: &mut Random) -> Station {
    *random.choose(&[HOST_A, HOST_B, HOST_T, HOST_R, STRANGER])
}

fn frame(random: &mut Random) -> Frame {
    let (from, to) = (station(random), station(random));
    let mut frame = match random.below(5) {
        0 | 1 => Frame::ipv4(&from, &to),
        2 | 3 => Frame::ipv6(&from, &to),
        _ => Frame::other(&from, &to, ether_type::EXPERIMENTAL),
    };
    frame = frame.tos(random.bits() as u8).ttl(random.bits() as u8);
    if random.below(3) == 0 {
        frame = frame.tag(VLAN | (random.bits() as u16 & 0xf000));
    }
    if random.below(16) == 0 {
        frame = frame.length(1_500 + random.below(32));
    }
    frame
}

/// Flips bits, overwrites, cuts, extends; more than once with falling probability.
fn mangle(random: &mut Random, packet: &mut Vec<u8>) {
    const INTERESTING: [u16; 8] = [0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806, 0xffff, 0x0000, 4789];
    while random.below(3) > 0 {
        let at = random.below(packet.len());
        match random.below(8) {
            0..=3 => packet[at] ^= 1 << random.below(8),
            4 => packet[at] = random.bits() as u8,
            5 => {
                let value = random.choose(&INTERESTING).to_be_bytes();
                let at = [12, 16, 20, 36, at][random.below(5)];
                if at + 2 <= packet.len() {
                    packet[at..at + 2].copy_from_slice(&value);
                }
            }
            6 => packet.truncate(at.max(SHORTEST)),
            _ => packet.resize(packet.len() + random.below(40), random.bits() as u8),
        }
    }
}

fn assert_seen(seen: &BTreeMap<Reason, usize>, reasons: &[Reason]) {
    println!("{seen:?}");
    let missing: Vec<_> = reasons.iter().filter(|reason| !seen.contains_key(reason)).collect();
    assert!(missing.is_empty(), "the packets were not varied enough to see {missing:?}");
}

#[test]
fn mangled_frames_of_hosts_meet_the_fate_that_the_model_forecasts() {
    leaf(|leaf| {
        let mut random = Random::new(seed());
        let ports = [leaf.a.clone(), leaf.b.clone(), leaf.trunk.clone()];
        leaf.world.change_circuit(leaf.circuit_b, |c| c.flags |= FLAG_ISOLATED);
        leaf.world.change_circuit(leaf.circuit_t, |c| c.flags |= FLAG_ISOLATED);
        let seen = leaf.world.compare((0..PACKETS).map(|_| {
            let mut packet = frame(&mut random).bytes();
            mangle(&mut random, &mut packet);
            (random.choose(&ports).clone(), packet)
        }));
        assert_seen(
            &seen,
            &[
                Reason::Bridged,
                Reason::Encapsulated,
                Reason::PortInputTruncated,
                Reason::VlanClassifyNotMember,
                Reason::VlanClassifyStackedTag,
                Reason::FrameGuardMulticast,
                Reason::FrameGuardArp,
                Reason::SourceCheckUnknown,
                Reason::SourceCheckMoved,
                Reason::BridgeLookupUnknown,
                Reason::BridgeLookupSamePort,
                Reason::BridgeLookupIsolated,
                Reason::VxlanOutputTooBig,
                Reason::AccessFitTooBig,
            ],
        );
    });
}

#[test]
fn mangled_vxlan_packets_meet_the_fate_that_the_model_forecasts() {
    leaf(|leaf| {
        let mut random = Random::new(seed());
        let up0 = leaf.up0.clone();
        let valid = leaf.from_leaf2();
        let seen = leaf.world.compare((0..PACKETS).map(|_| {
            let outer = Vxlan { tos: random.bits() as u8, ..valid.clone() };
            let mut inner = frame(&mut random).bytes();
            mangle(&mut random, &mut inner);
            let mut packet = outer.around(&inner);
            if random.below(3) == 0 {
                mangle(&mut random, &mut packet);
                if random.below(2) == 0 {
                    repair_outer(&mut packet, &up0, VXLAN_PORT);
                }
            }
            (up0.clone(), packet)
        }));
        assert_seen(
            &seen,
            &[
                Reason::Decapsulated,
                Reason::UnderlayInputNotVxlan,
                Reason::UnderlayInputFragment,
                Reason::UnderlayInputIpOptions,
                Reason::UnderlayInputBadChecksum,
                Reason::UnderlayInputTruncated,
                Reason::UnderlayInputOtherHost,
                Reason::VxlanInputInvalidHeader,
                Reason::VxlanInputUnknownVni,
                Reason::VxlanInputNotLocal,
                Reason::VxlanInputUnknownVtep,
                Reason::EcnDecapNotEctCe,
                Reason::InnerGuardSourceMulticast,
                Reason::InnerGuardMulticast,
                Reason::InnerGuardTagged,
                Reason::SplitHorizonOverlayToOverlay,
                Reason::BridgeDeliverUnknown,
            ],
        );
    });
}

#[test]
fn random_bytes_are_never_forwarded() {
    leaf(|leaf| {
        let mut random = Random::new(seed());
        let ports = [leaf.a.clone(), leaf.trunk.clone(), leaf.up0.clone()];
        let met = leaf.world.compare((0..PACKETS).map(|_| {
            let length = SHORTEST + random.below(200);
            let packet = (0..length).map(|_| random.bits() as u8).collect();
            (random.choose(&ports).clone(), packet)
        }));
        let forwarded = |reason: &Reason| reason.verdict() == Verdict::Redirect;
        assert!(!met.keys().any(forwarded), "noise is forwarded: {met:?}");
    });
}
