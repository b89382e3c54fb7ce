//! Packets that end anywhere.

use std::collections::BTreeMap;

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, HOST_T, VLAN},
    leaf::{Leaf, leaf},
    packet::{Frame, Vxlan},
    router::{CLIENT, IN0_MAC, router, server},
    run::SHORTEST,
    world::Port,
};

/// Runs every prefix of a packet, compares it with the model and returns how often each reason was
/// met.
fn prefixes(leaf: &mut Leaf, port: &Port, packet: &[u8]) -> BTreeMap<Reason, usize> {
    let lengths = SHORTEST..=packet.len();
    let packets = lengths.map(|length| (port.clone(), packet[..length].to_vec()));
    leaf.world.compare(packets)
}

#[test]
fn every_prefix_of_a_hosts_frame_is_forwarded_as_it_is_or_passes() {
    leaf(|leaf| {
        let (a, trunk) = (leaf.a.clone(), leaf.trunk.clone());
        for (to, forwarded) in [(HOST_B, Reason::Bridged), (HOST_R, Reason::Encapsulated)] {
            for frame in [Frame::ipv4(&HOST_A, &to), Frame::ipv6(&HOST_A, &to)] {
                let met = prefixes(leaf, &a, &frame.bytes());
                assert!(
                    met.keys().all(|r| matches!(r, Reason::PortInputTruncated) || *r == forwarded)
                );
                let tagged = frame.from(HOST_T.mac).tag(VLAN);
                let met = prefixes(leaf, &trunk, &tagged.bytes());
                assert!(
                    met.keys().all(|r| matches!(r, Reason::PortInputTruncated) || *r == forwarded)
                );
            }
        }
    });
}

/// The lengths in the outer headers tell every cut.
#[test]
fn no_prefix_of_a_vxlan_packet_is_forwarded() {
    leaf(|leaf| {
        let up0 = leaf.up0.clone();
        for frame in [Frame::ipv4(&HOST_R, &HOST_A), Frame::ipv6(&HOST_R, &HOST_T)] {
            let packet = leaf.from_leaf2().around(&frame.bytes());
            let met = prefixes(leaf, &up0, &packet);
            assert_eq!(met[&Reason::Decapsulated], 1, "the whole packet and nothing else");
        }
    });
}

/// An inner frame that was cut before it entered the tunnel: the outer lengths are right.
#[test]
fn every_prefix_of_an_inner_frame_is_delivered_as_it_is_or_passes() {
    leaf(|leaf| {
        let up0 = leaf.up0.clone();
        for frame in [Frame::ipv4(&HOST_R, &HOST_A), Frame::ipv6(&HOST_R, &HOST_T)] {
            let frame = frame.tos(0b10).bytes();
            for tos in 0..4 {
                let outer = Vxlan { tos, ..leaf.from_leaf2() };
                let packets = (0..frame.len()).map(|length| outer.around(&frame[..length]));
                let packets: Vec<_> = packets.map(|packet| (up0.clone(), packet)).collect();
                let met = leaf.world.compare(packets);
                assert!(
                    met.keys().all(|reason| matches!(
                        reason,
                        Reason::InnerGuardTruncated | Reason::Decapsulated
                    )),
                    "{met:?}"
                );
            }
        }
    });
}

/// The IP length tells every cut; whatever stands behind the packet does not count.
#[test]
fn no_prefix_of_a_routed_packet_is_forwarded() {
    router(|router| {
        let in0 = router.in0.clone();
        let to = server(server::BOTH);
        let inner = Frame::ipv4(&HOST_R, &HOST_A).bytes();
        let outer = Vxlan { destination_mac: IN0_MAC, ..Vxlan::new(CLIENT.ipv4, to.ipv4, 7) };
        for hash_flags in [0, 7] {
            router.world.change_settings(|settings| settings.hash_flags = hash_flags);
            for packet in [
                Frame::ipv4(&CLIENT, &to).bytes(),
                Frame::ipv6(&CLIENT, &to).bytes(),
                outer.around(&inner),
            ] {
                let lengths = SHORTEST..=packet.len();
                let cut = lengths.map(|length| (in0.clone(), packet[..length].to_vec()));
                let met = router.world.compare(cut);
                assert_eq!(met[&Reason::Routed], 1, "the whole packet and nothing else: {met:?}");
                assert_eq!(met.len(), 2, "{met:?}");
                let padded = (1..40).map(|more| {
                    let padding = vec![0x55; more];
                    (in0.clone(), [&packet[..], &padding].concat())
                });
                let met = router.world.compare(padded);
                assert_eq!(met[&Reason::Routed], 39, "{met:?}");
            }
        }
    });
}
