//! Packets that end anywhere, and mangled ones, compared with the model.

use fabric_common::{
    reason::Reason,
    schema::domains::{FLAG_ZERO_CHECKSUM_RX, FLAG_ZERO_CHECKSUM_TX},
};
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, HOST_T, LEAF1_VTEP6, OTHER_VTEP6, VLAN, VXLAN_PORT},
    leaf::leaf6,
    packet::{Frame, OUTER6, UdpChecksum, Vxlan6, udp_checksum},
    random::Random,
    run::SHORTEST,
};

use crate::fuzz::{PACKETS, assert_seen, mangled, seed};

#[test]
fn every_prefix_of_a_packet_is_treated_as_the_model_says() {
    leaf6(|leaf| {
        let (a, trunk, up0) = (leaf.a.clone(), leaf.trunk.clone(), leaf.up0.clone());
        let frame = Frame::ipv6(&HOST_A, &HOST_R);
        let packet = leaf.from_leaf2_over_ipv6().around(&Frame::ipv4(&HOST_R, &HOST_B).bytes());
        for flags in [0, FLAG_ZERO_CHECKSUM_TX] {
            leaf.world.change_domain(leaf.domain, |d| d.flags ^= flags);
            for (port, bytes) in
                [(&a, frame.bytes()), (&trunk, frame.clone().from(HOST_T.mac).tag(VLAN).bytes())]
            {
                let cut = (SHORTEST..=bytes.len()).map(|l| (port.clone(), bytes[..l].to_vec()));
                let met = leaf.world.compare(cut);
                assert!(met.contains_key(&Reason::Encapsulated), "{met:?}");
            }
        }
        let cut = (SHORTEST..=packet.len()).map(|l| (up0.clone(), packet[..l].to_vec()));
        let met = leaf.world.compare(cut);
        assert_eq!(met[&Reason::Decapsulated], 1, "the whole packet and nothing else");
        // Cut before it entered the tunnel: the outer headers are right.
        let inner = Frame::ipv4(&HOST_R, &HOST_B).tos(0b10).bytes();
        for class in 0..4 {
            let outer = Vxlan6 { class, ..leaf.from_leaf2_over_ipv6() };
            let cut = (0..inner.len()).map(|length| (up0.clone(), outer.around(&inner[..length])));
            let met = leaf.world.compare(cut.collect::<Vec<_>>());
            assert!(
                met.keys().all(|r| matches!(r, Reason::InnerGuardTruncated | Reason::Decapsulated))
            );
        }
    });
}

/// Makes the outer headers of a mangled packet valid again, the checksum included.
fn repair(packet: &mut [u8], mac: [u8; 6], random: &mut Random) {
    if packet.len() < OUTER6 {
        return;
    }
    let length = ((packet.len() - 54) as u16).to_be_bytes();
    packet[..6].copy_from_slice(&mac);
    packet[12..14].copy_from_slice(&[0x86, 0xdd]);
    packet[14] = 0x60 | packet[14] & 0xf;
    packet[18..20].copy_from_slice(&length);
    packet[20] = 17;
    packet[56..58].copy_from_slice(&VXLAN_PORT.to_be_bytes());
    packet[58..60].copy_from_slice(&length);
    if random.below(4) > 0 {
        packet[60..62].fill(0);
        let address = |at: usize| packet[at..at + 16].try_into().expect("16 bytes");
        let sum = udp_checksum(address(22), address(38), &packet[54..]);
        packet[60..62].copy_from_slice(&sum.to_be_bytes());
    }
}

#[test]
fn mangled_vxlan_packets_meet_the_fate_that_the_model_forecasts() {
    leaf6(|leaf| {
        let mut random = Random::new(seed());
        leaf.world.change_domain(leaf.domain, |d| d.flags |= FLAG_ZERO_CHECKSUM_RX);
        let (up0, plain) = (leaf.up0.clone(), leaf.from_leaf2_over_ipv6());
        let seen = leaf.world.compare((0..PACKETS).map(|_| {
            let checksum = *random.choose(&[UdpChecksum::None, UdpChecksum::Right]);
            let mut outer = Vxlan6 { class: random.bits() as u8, checksum, ..plain.clone() };
            match random.below(32) {
                0 => outer.source = OTHER_VTEP6,
                1 => (outer.source, outer.destination) = (LEAF1_VTEP6, OTHER_VTEP6),
                _ => {}
            }
            let packet = mangled(
                &mut random,
                |inner| outer.around(inner),
                |packet, random| repair(packet, up0.mac, random),
            );
            (up0.clone(), packet)
        }));
        assert_seen(
            &seen,
            &[
                Reason::Decapsulated,
                Reason::UnderlayInputNotVxlan,
                Reason::UnderlayInputTruncated,
                Reason::UnderlayInputOtherHost,
                Reason::VxlanInputInvalidHeader,
                Reason::VxlanInputUnknownVni,
                Reason::VxlanInputNotLocal,
                Reason::VxlanInputUnknownVtep,
                Reason::VxlanInputBadChecksum,
                Reason::EcnDecapNotEctCe,
                Reason::SplitHorizonOverlayToOverlay,
                Reason::BridgeDeliverUnknown,
            ],
        );
    });
}
