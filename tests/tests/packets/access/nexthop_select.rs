//! Which path of the underlay a flow takes.

use std::collections::BTreeSet;

use fabric_common::{
    flow_hash,
    reason::Reason,
    schema::{
        groups::{Choice, Group},
        nexthops::Nexthop,
        settings::{HASH_TUNNEL4, HASH_TUNNEL6},
    },
};
use fabric_tests::{
    addresses::{HOST_A, HOST_R, HOST_T, Station, VLAN},
    leaf::{Leaf, leaf},
    model,
    packet::{Frame, ether_type, protocol},
    random::Random,
    world::SEED,
};

#[test]
pub(crate) fn a_vtep_without_nexthops_is_left_to_the_kernel() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_A, &HOST_R).bytes();
        let mut vtep = leaf.world.maps.vteps.get(leaf.leaf2.0);
        vtep.group = 0;
        leaf.world.maps.vteps.set(leaf.leaf2.0, &vtep);
        leaf.world.send(&leaf.a, &frame).passes(Reason::NexthopSelectEmptyGroup);
    });
}

#[test]
fn a_nexthop_without_port_is_left_to_the_kernel() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_T, &HOST_R).tag(VLAN).bytes();
        for nexthop in [leaf.spine1, leaf.spine2] {
            leaf.world.maps.nexthops.set(nexthop.0.into(), &Nexthop::default());
        }
        leaf.world.send(&leaf.trunk, &frame).passes(Reason::NexthopSelectEmptyGroup);
    });
}

/// Sends frames of many flows and returns the underlay ports that they took, by slot.
fn taken_ports(leaf: &mut Leaf, frames: impl IntoIterator<Item = Frame>) -> BTreeSet<u32> {
    let mut taken = BTreeSet::new();
    for frame in frames {
        leaf.encapsulates(&frame, |outer| outer);
        taken.insert(leaf.underlay_of(&frame.untagged().bytes()).slot);
    }
    taken
}

/// The test computes the bucket by `fabric_common::flow_hash`, the program by the same code
/// compiled for BPF; `Leaf::encapsulates` compares underlay port, MAC addresses and source port.
#[test]
fn flows_take_the_bucket_and_source_port_of_their_hash() {
    leaf(|leaf| {
        let both = BTreeSet::from([leaf.up0.slot, leaf.up1.slot]);
        let ports = (0..64).map(|i| [40_000 + i, 53]);
        for number in [protocol::UDP, protocol::TCP, protocol::SCTP] {
            let frame = Frame::ipv4(&HOST_A, &HOST_R).change_ipv4(|ip| ip.protocol = number);
            let frames = ports.clone().map(|ports| frame.clone().ports(ports));
            assert_eq!(taken_ports(leaf, frames), both, "IPv4 protocol {number}");
            let frame = Frame::ipv6(&HOST_A, &HOST_R).change_ipv6(|ip| ip.next_header = number);
            let frames = ports.clone().map(|ports| frame.clone().ports(ports));
            assert_eq!(taken_ports(leaf, frames), both, "IPv6 next header {number}");
        }
    });
}

#[test]
fn flows_without_ports_are_told_apart_by_their_addresses() {
    leaf(|leaf| {
        let both = BTreeSet::from([leaf.up0.slot, leaf.up1.slot]);
        let hosts = (0..32).map(|i| Station { ipv4: [198, 51, 100, 100 + i], ..HOST_R });
        let echo = |to: Station| {
            Frame::ipv4(&HOST_A, &to).change_ipv4(|ip| {
                ip.protocol = protocol::ICMP;
                ip.payload[0] = 8;
            })
        };
        assert_eq!(taken_ports(leaf, hosts.map(echo)), both, "ICMP");

        let types = (0..32).map(|i| ether_type::EXPERIMENTAL + 0x100 * i);
        let others: Vec<_> = types.map(|t| Frame::other(&HOST_A, &HOST_R, t)).collect();
        assert_eq!(taken_ports(leaf, others), both, "not IP");
    });
}

/// All fragments of a packet, and packets with options, hash by addresses and protocol alone.
#[test]
pub(crate) fn fragments_of_a_packet_stay_on_one_path() {
    leaf(|leaf| {
        for source in 0..16 {
            let frame = Frame::ipv4(&HOST_A, &HOST_R).ports([40_000 + source, 53]);
            let first = frame.clone().change_ipv4(|ip| ip.mf = true);
            let middle = first.clone().change_ipv4(|ip| ip.offset = 185);
            let last = frame.clone().change_ipv4(|ip| ip.offset = 370);
            let options = frame.change_ipv4(|ip| ip.options = vec![1; 4]);
            let all = [first, middle, last, options];
            let hashes: BTreeSet<_> =
                all.iter().map(|frame| model::flow_hash(&frame.bytes(), SEED)).collect();
            assert_eq!(hashes.len(), 1);
            assert_eq!(taken_ports(leaf, all).len(), 1);
        }
    });
}

#[test]
fn another_seed_sends_flows_another_way() {
    leaf(|leaf| {
        let frames: Vec<_> =
            (0..64).map(|i| Frame::ipv4(&HOST_A, &HOST_R).ports([40_000 + i, 53])).collect();
        let seed = SEED ^ 1;
        leaf.world.change_settings(|settings| settings.seed = seed);
        let group = leaf.world.group_of(leaf.leaf2);
        let mut moved = 0;
        for frame in frames {
            let hash = model::flow_hash(&frame.bytes(), seed);
            let selection = leaf.world.maps.select(group, flow_hash::bucket(hash));
            let first = selection.nexthop == Some(leaf.spine1.0.into());
            let expected = if first { &leaf.up0 } else { &leaf.up1 };
            let outcome = leaf.world.send(&leaf.a, &frame.bytes());
            assert_eq!(outcome.counted.port_tx.keys().collect::<Vec<_>>(), [&expected.slot]);
            moved += u32::from(*expected != leaf.underlay_of(&frame.bytes()));
        }
        assert!((10..54).contains(&moved), "{moved} of 64 flows took the other spine");
    });
}

/// As the kernel does by its default policy, which counts the addresses of the tunnel alone.
#[test]
fn a_tunnel_takes_one_path_if_the_kernel_counts_addresses_alone() {
    leaf(|leaf| {
        let frames: Vec<_> =
            (0..64).map(|i| Frame::ipv4(&HOST_A, &HOST_R).ports([40_000 + i, 53])).collect();
        for (policy, paths) in [(HASH_TUNNEL6, 2), (HASH_TUNNEL4, 1), (0, 2)] {
            leaf.world.change_settings(|settings| settings.hash_flags = policy);
            let (mut ports, mut taken) = (BTreeSet::new(), BTreeSet::new());
            for frame in &frames {
                let bytes = leaf.world.run(&leaf.a, &frame.bytes(), 0).expect("it runs").bytes;
                taken.insert(bytes[6..12].to_vec());
                ports.insert(bytes[34..36].to_vec());
            }
            assert_eq!(taken.len(), paths, "policy {policy:#x}");
            assert!(ports.len() > 48, "{} UDP source ports of 64 flows", ports.len());
        }
    });
}

/// To the kernel that is an error of the vxlan device, and not what blackhole routes do with packets.
#[test]
fn a_vtep_behind_a_blackhole_is_left_to_the_kernel() {
    leaf(|leaf| {
        leaf.world.maps.groups.set(leaf.world.group_of(leaf.leaf2), &Group::new(Choice::Blackhole));
        for frame in [Frame::ipv4(&HOST_A, &HOST_R), Frame::ipv6(&HOST_A, &HOST_R)] {
            let outcome = leaf.world.send(&leaf.a, &frame.bytes());
            outcome.passes(Reason::NexthopSelectEmptyGroup);
        }
    });
}

#[test]
fn random_flows_are_shared_evenly() {
    leaf(|leaf| {
        let seed = 7;
        let mut random = Random::new(seed);
        let mut first = 0_u32;
        let flows = 4_096;
        for _ in 0..flows {
            let bits = random.bits().to_be_bytes();
            let to = Station { ipv4: [bits[0], bits[1], bits[2], bits[3]], ..HOST_R };
            let ports = [u16::from_be_bytes([bits[4], bits[5]]), u16::from(bits[6])];
            let frame = Frame::ipv4(&HOST_A, &to).ports(ports).bytes();
            let run = leaf.world.run(&leaf.a, &frame, 0).expect("the program runs");
            first += u32::from(run.bytes[6..12] == leaf.up0.mac);
        }
        // Three standard deviations of a fair coin: 3 * sqrt(4096) / 2 = 96.
        assert!((2_048 - 96..=2_048 + 96).contains(&first), "seed {seed}: {first} of {flows}");
    });
}
