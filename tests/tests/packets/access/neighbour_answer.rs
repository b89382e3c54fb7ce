//! ARP and neighbour discovery answered for hosts behind a tunnel.

use fabric_common::{
    reason::Reason,
    schema::{
        circuits::{FLAG_SUPPRESSES, NOT_A_TARGET},
        domains::{FLAG_ANSWERS_ARP, FLAG_ANSWERS_ND},
    },
};
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, HOST_T, MULTICAST, Mac, STRANGER, Station, VLAN},
    leaf::{Leaf, leaf},
    packet::{Arp, Discovery},
};
use fabric_user::{model::Answer, observe};

/// The bits of what is answered.
const BOTH: u16 = FLAG_ANSWERS_ARP | FLAG_ANSWERS_ND;

/// Says by which MAC address both addresses of a host are answered for.
fn set(leaf: &mut Leaf, host: &Station, mac: Option<Mac>, router: bool) {
    for address in [host.ipv4.into(), host.ipv6.into()] {
        let answer = Answer { mac: mac.map(observe::Mac), router };
        leaf.world.answer(leaf.domain, address, Some(answer));
    }
}

/// The leaf, whose tunnel suppresses, with HOST_R as a neighbour of its bridge.
fn answering(test: impl FnOnce(&mut Leaf) + Send) {
    leaf(|leaf| {
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= BOTH);
        set(leaf, &HOST_R, Some(HOST_R.mac), false);
        test(leaf);
    });
}

fn arp() -> Arp {
    Arp::request(&HOST_A, &HOST_R)
}

fn nd() -> Discovery {
    Discovery::solicitation(&HOST_A, &HOST_R)
}

/// Both questions of HOST_A for HOST_R pass.
#[track_caller]
fn pass(leaf: &mut Leaf, reason: Reason) {
    for bytes in [arp().bytes(), nd().bytes()] {
        leaf.world.send(&leaf.a, &bytes).passes(reason);
    }
}

#[test]
pub(crate) fn arp_for_a_host_behind_the_tunnel_is_answered_without_padding() {
    answering(|leaf| {
        let reply = Arp::reply(&HOST_A, &HOST_R).bytes();
        for request in [arp().bytes(), arp().padded()] {
            leaf.world.send(&leaf.a, &request).is_answered(Reason::ArpAnswered, &reply);
        }
        // Whoever is thought to have the address asked for.
        let request = Arp { target: (STRANGER.mac, HOST_R.ipv4), ..arp() };
        let outcome = leaf.world.send(&leaf.a, &request.bytes());
        outcome.is_answered(Reason::ArpAnswered, &reply);
        let tagged = Arp::request(&HOST_T, &HOST_R).tagged(&[VLAN]);
        let reply = Arp::reply(&HOST_T, &HOST_R).tagged(&[VLAN]);
        leaf.world.send(&leaf.trunk, &tagged).is_answered(Reason::ArpAnswered, &reply);
    });
}

#[test]
pub(crate) fn neighbour_discovery_for_a_host_behind_the_tunnel_is_answered() {
    answering(|leaf| {
        for (router, flags) in [(false, 0x60), (true, 0xe0)] {
            set(leaf, &HOST_R, Some(HOST_R.mac), router);
            let reply = Discovery { flags, ..Discovery::advertisement(&HOST_A, &HOST_R) };
            let outcome = leaf.world.send(&leaf.a, &nd().bytes());
            outcome.is_answered(Reason::NdAnswered, &reply.bytes());
            let tagged = Discovery::solicitation(&HOST_T, &HOST_R).tagged(&[VLAN]);
            let reply = Discovery { flags, ..Discovery::advertisement(&HOST_T, &HOST_R) };
            let outcome = leaf.world.send(&leaf.trunk, &tagged);
            outcome.is_answered(Reason::NdAnswered, &reply.tagged(&[VLAN]));
        }
    });
}

#[test]
fn of_the_traffic_class_the_upper_half_is_answered_and_no_flow_label() {
    answering(|leaf| {
        set(leaf, &HOST_R, Some(HOST_R.mac), false);
        let asked = Discovery { start: [0x6b, 0xc7, 1, 2], ..nd() };
        let answer =
            Discovery { start: [0x6b, 0, 0, 0], ..Discovery::advertisement(&HOST_A, &HOST_R) };
        let outcome = leaf.world.send(&leaf.a, &asked.bytes());
        outcome.is_answered(Reason::NdAnswered, &answer.bytes());
    });
}

#[test]
fn checksums_of_advertisements_are_right_whatever_the_addresses() {
    answering(|leaf| {
        for number in 0..64_u8 {
            let mut asked = HOST_R;
            asked.ipv6[2..10].fill(number.wrapping_mul(0x1b) ^ 0xff);
            asked.ipv6[14] = 0xff - number;
            let mut asking = HOST_A;
            asking.ipv6[5..13].fill(0xff - number);
            set(leaf, &asked, Some(HOST_R.mac), number & 1 != 0);
            let flags = if number & 1 != 0 { 0xe0 } else { 0x60 };
            let reply = Discovery { flags, ..Discovery::advertisement(&asking, &asked) };
            let question = Discovery::solicitation(&asking, &asked);
            let outcome = leaf.world.send(&leaf.a, &question.bytes());
            outcome.is_answered(Reason::NdAnswered, &reply.bytes());
        }
    });
}

#[test]
pub(crate) fn whom_the_bridge_does_not_know_behind_the_tunnel_nobody_is_answered_for() {
    const UNKNOWN: Reason = Reason::NeighbourAnswerUnknown;
    answering(|leaf| {
        for bytes in [
            Arp::request(&HOST_A, &STRANGER).bytes(),
            Discovery::solicitation(&HOST_A, &STRANGER).bytes(),
        ] {
            leaf.world.send(&leaf.a, &bytes).passes(UNKNOWN);
        }
        // A neighbour that does not answer, one behind another port, and one behind the same.
        for mac in [None, Some(STRANGER.mac), Some(HOST_B.mac), Some(HOST_A.mac)] {
            set(leaf, &HOST_R, mac, false);
            pass(leaf, UNKNOWN);
        }
        set(leaf, &HOST_R, Some(HOST_R.mac), false);
        leaf.world.forget(leaf.domain, HOST_R.mac);
        pass(leaf, UNKNOWN);
        leaf.world.learn_own(leaf.domain, HOST_R.mac);
        pass(leaf, UNKNOWN);
    });
}

#[test]
fn an_address_of_one_family_or_domain_is_none_of_another() {
    answering(|leaf| {
        let mut mapped = HOST_R;
        mapped.ipv6 = [0; 16];
        mapped.ipv6[..4].copy_from_slice(&HOST_R.ipv4);
        let question = Discovery::solicitation(&HOST_A, &mapped);
        leaf.world.send(&leaf.a, &question.bytes()).passes(Reason::NeighbourAnswerUnknown);
        for address in [HOST_R.ipv4.into(), HOST_R.ipv6.into()] {
            leaf.world.answer(leaf.domain, address, None);
        }
        pass(leaf, Reason::NeighbourAnswerUnknown);
    });
}

#[test]
pub(crate) fn what_says_something_of_its_sender_or_is_not_plain_passes() {
    const NO: Reason = Reason::NeighbourAnswerNotPlain;
    answering(|leaf| {
        let arps = [
            // A probe, a gratuitous request, an announcement, an answer.
            Arp { sender: (HOST_A.mac, [0; 4]), ..arp() },
            Arp { sender: (HOST_A.mac, HOST_R.ipv4), ..arp() },
            Arp { operation: 2, ..arp() },
            // For somebody else.
            Arp { sender: (HOST_B.mac, HOST_A.ipv4), ..arp() },
            // Addresses of no host.
            Arp { target: ([0; 6], [127, 0, 0, 1]), ..arp() },
            Arp { target: ([0; 6], [224, 0, 0, 5]), ..arp() },
        ];
        for request in arps {
            leaf.world.send(&leaf.a, &request.bytes()).passes(NO);
        }
        for at in 14..20 {
            let mut other = arp().bytes();
            other[at] ^= 8;
            leaf.world.send(&leaf.a, &other).passes(NO);
        }
        let discoveries = [
            // Duplicate address detection.
            Discovery { source: [0; 16], options: Vec::new(), ..nd() },
            Discovery { source: [0; 16], ..nd() },
            Discovery { destination: HOST_A.ipv6, ..nd() },
            Discovery { options: Vec::new(), ..nd() },
            Discovery { options: [nd().options, vec![14, 1, 0, 0, 0, 0, 0, 0]].concat(), ..nd() },
            Discovery { options: vec![1, 1, 2, 2, 2, 2, 2, 2], ..nd() },
            Discovery { options: vec![14, 1, 0, 0, 0, 0, 0, 0], ..nd() },
            Discovery { hop_limit: 254, ..nd() },
            Discovery { source: [0xff; 16], ..nd() },
            Discovery { start: [0x40, 0, 0, 0], ..nd() },
            Discovery { to: MULTICAST, ..nd() },
        ];
        for question in discoveries {
            leaf.world.send(&leaf.a, &question.bytes()).passes(NO);
        }
        let mut longer = nd().bytes();
        longer.push(0);
        leaf.world.send(&leaf.a, &longer).passes(NO);
        let mut code = nd().bytes();
        code[55] = 1;
        leaf.world.send(&leaf.a, &code).passes(NO);
    });
}

#[test]
fn from_whom_the_kernel_would_learn_it_gets_the_request() {
    answering(|leaf| {
        let reply = Arp::reply(&HOST_A, &HOST_R).bytes();
        for (mac, passes) in [(Some(HOST_B.mac), true), (None, true), (Some(HOST_A.mac), false)] {
            set(leaf, &HOST_A, mac, false);
            let outcome = leaf.world.send(&leaf.a, &arp().bytes());
            match passes {
                true => outcome.passes(Reason::NeighbourAnswerNotPlain),
                false => outcome.is_answered(Reason::ArpAnswered, &reply),
            }
        }
    });
}

#[test]
fn who_asks_is_shown_to_the_bridge_as_with_any_other_frame() {
    answering(|leaf| {
        leaf.world.learn(leaf.domain, HOST_A.mac, leaf.circuit_a);
        let outcome = leaf.world.send(&leaf.a, &arp().bytes());
        outcome.passes(Reason::SourceCheckRefresh);
        let reply = Arp::reply(&HOST_A, &HOST_R).bytes();
        leaf.world.send(&leaf.a, &arp().bytes()).is_answered(Reason::ArpAnswered, &reply);
        leaf.world.learn(leaf.domain, HOST_A.mac, leaf.circuit_b);
        pass(leaf, Reason::SourceCheckMoved);
        leaf.world.forget(leaf.domain, HOST_A.mac);
        pass(leaf, Reason::SourceCheckUnknown);
    });
}

#[test]
fn each_kind_is_answered_only_where_the_domain_says_so() {
    answering(|leaf| {
        let answers = [
            (arp().bytes(), Reason::ArpAnswered, FLAG_ANSWERS_ARP),
            (nd().bytes(), Reason::NdAnswered, FLAG_ANSWERS_ND),
        ];
        let replies = [
            Arp::reply(&HOST_A, &HOST_R).bytes(),
            Discovery::advertisement(&HOST_A, &HOST_R).bytes(),
        ];
        for flags in [0, FLAG_ANSWERS_ARP, FLAG_ANSWERS_ND, BOTH] {
            leaf.world.change_domain(leaf.domain, |domain| {
                domain.flags = domain.flags & !BOTH | flags;
            });
            for ((question, reason, flag), reply) in answers.iter().zip(&replies) {
                let outcome = leaf.world.send(&leaf.a, question);
                match flags & flag {
                    0 => outcome.passes(Reason::FrameGuardMulticast),
                    _ => outcome.is_answered(*reason, reply),
                }
            }
        }
    });
}

#[test]
fn at_ports_where_the_kernel_does_not_answer_or_otherwise_nobody_does() {
    answering(|leaf| {
        let circuit = leaf.circuit_a;
        leaf.world.change_circuit(circuit, |circuit| circuit.flags |= FLAG_SUPPRESSES);
        pass(leaf, Reason::NeighbourAnswerNotPlain);
        leaf.world.change_circuit(circuit, |circuit| {
            circuit.flags = 0;
            circuit.max_frame = NOT_A_TARGET;
        });
        pass(leaf, Reason::NeighbourAnswerNotPlain);
        // A tag with a priority.
        for tci in [VLAN | 1 << 13, VLAN | 1 << 12] {
            for bytes in [
                Arp::request(&HOST_T, &HOST_R).tagged(&[tci]),
                Discovery::solicitation(&HOST_T, &HOST_R).tagged(&[tci]),
            ] {
                let outcome = leaf.world.send(&leaf.trunk, &bytes);
                outcome.passes(Reason::NeighbourAnswerNotPlain);
            }
        }
    });
}

#[test]
fn a_tag_of_the_ports_own_vlan_is_the_kernels_to_answer() {
    answering(|leaf| {
        leaf.world.also_tagged(&leaf.b, leaf.circuit_b, VLAN);
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= BOTH);
        let request = Arp::request(&HOST_B, &HOST_R);
        let outcome = leaf.world.send(&leaf.b, &request.tagged(&[VLAN]));
        outcome.passes(Reason::NeighbourAnswerNotPlain);
        let reply = Arp::reply(&HOST_B, &HOST_R).bytes();
        let outcome = leaf.world.send(&leaf.b, &request.bytes());
        outcome.is_answered(Reason::ArpAnswered, &reply);
    });
}

#[test]
fn other_broadcast_and_multicast_is_flooded_where_arp_is_answered() {
    answering(|leaf| {
        let mut frames = vec![
            Arp { to: MULTICAST, ..arp() }.bytes(),
            Discovery { kind: 136, ..nd() }.bytes(),
            Discovery { kind: 133, ..nd() }.bytes(),
        ];
        let mut protocol = nd().bytes();
        protocol[20] = 17;
        frames.push(protocol);
        for bytes in [arp().bytes(), nd().bytes()] {
            frames.extend((14..bytes.len()).step_by(3).map(|length| bytes[..length].to_vec()));
        }
        for frame in frames {
            let outcome = leaf.world.send(&leaf.a, &frame);
            let reason = match frame.len() {
                // The message has begun, and its end is missing.
                56..86 if frame[12] == 0x86 => Reason::NeighbourAnswerNotPlain,
                _ => Reason::FrameGuardMulticast,
            };
            match frame.get(54) {
                Some(133 | 136) => outcome.passes(Reason::FrameGuardMulticast),
                _ if frame.get(20) == Some(&17) => outcome.passes(Reason::FrameGuardMulticast),
                _ => outcome.passes(reason),
            }
        }
    });
}
