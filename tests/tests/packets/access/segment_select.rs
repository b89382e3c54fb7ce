//! Which VTEP of an Ethernet segment a flow takes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use fabric_common::{
    reason::Reason,
    schema::{
        domains::{FLAG_OVERLAY_ISOLATED, FLAG_OVERLAY_LEARNING, FLAG_OVERLAY_SNOOPS},
        groups::Choice,
    },
};
use fabric_tests::{
    addresses::{HOST_A, HOST_M, HOST_T, VLAN},
    leaf::{Leaf, leaf, leaf6},
    packet::{Frame, ether_type, outer_destination},
    run::action,
    world::VtepId,
};
use fabric_user::observe::Resilient;

const FLOWS: u16 = 2_000;

/// A flow of [`HOST_A`] or, with a tag, of [`HOST_T`] to the station behind the segment.
fn flow(number: u16) -> Frame {
    let ports = [number.wrapping_mul(7_919), 53];
    match number % 4 {
        0 => Frame::ipv4(&HOST_A, &HOST_M).ports(ports),
        1 => Frame::ipv6(&HOST_A, &HOST_M).ports(ports),
        2 => Frame::ipv4(&HOST_T, &HOST_M).ports(ports).tag(VLAN),
        _ => Frame::ipv6(&HOST_T, &HOST_M).ports(ports).tag(VLAN),
    }
}

/// The VTEP that a flow takes, and the MAC address of the next hop.
fn taken(leaf: &mut Leaf, flow: &Frame) -> (IpAddr, [u8; 6]) {
    let port = leaf.port_of(flow.source());
    let run = leaf.world.run(&port, &flow.bytes(), 0).expect("the program runs");
    assert_eq!(run.action, action::REDIRECT, "{flow:?}");
    (outer_destination(&run.bytes), *run.bytes.first_chunk().expect("a header"))
}

fn address(leaf: &Leaf, vtep: VtepId) -> IpAddr {
    leaf.world.maps.vteps.get(vtep.0).remote()
}

#[test]
fn flows_are_spread_over_the_vteps_of_a_segment_by_weight() {
    leaf(spread);
}

#[test]
fn flows_are_spread_over_the_vteps_of_a_segment_by_weight_over_ipv6() {
    leaf6(spread);
}

fn spread(leaf: &mut Leaf) {
    const WEIGHTS: [u16; 3] = [1, 2, 5];
    let (_, vteps) = leaf.multihome(HOST_M.mac, &WEIGHTS);
    let mut shares: BTreeMap<IpAddr, u32> = BTreeMap::new();
    let mut both: BTreeMap<(IpAddr, [u8; 6]), u32> = BTreeMap::new();
    for number in 0..FLOWS {
        let way = taken(leaf, &flow(number));
        assert_eq!(taken(leaf, &flow(number)), way, "a flow has one VTEP");
        *shares.entry(way.0).or_default() += 1;
        *both.entry(way).or_default() += 1;
    }
    assert_eq!(shares.len(), 3, "{shares:?}");
    for (vtep, weight) in vteps.iter().zip(WEIGHTS) {
        let share = shares[&address(leaf, *vtep)];
        let fair = u32::from(FLOWS) * u32::from(weight) / 8;
        assert!(share.abs_diff(fair) < 80, "weight {weight} has {share} flows of {FLOWS}");
    }
    // Of the flows to each VTEP half go by each spine: the choices say nothing about each other.
    assert_eq!(both.len(), 6, "{both:?}");
    for ((vtep, _), flows) in &both {
        assert!(flows.abs_diff(shares[vtep] / 2) < 80, "{both:?}");
    }
}

#[test]
fn frames_of_another_kind_than_ip_have_one_vtep_too() {
    leaf(|leaf| {
        leaf.multihome(HOST_M.mac, &[1, 1]);
        let frames = (0..16).map(|i| Frame::other(&HOST_A, &HOST_M, ether_type::EXPERIMENTAL + i));
        let vteps: BTreeSet<IpAddr> = frames.map(|frame| taken(leaf, &frame).0).collect();
        assert_eq!(vteps.len(), 2);
    });
}

#[test]
fn a_vtep_that_goes_moves_its_own_flows_and_no_other() {
    leaf(|leaf| {
        let (segment, vteps) = leaf.multihome(HOST_M.mac, &[1, 1, 1]);
        let all = |leaf: &mut Leaf| (0..400).map(|i| taken(leaf, &flow(i)).0).collect::<Vec<_>>();
        let before = all(leaf);
        leaf.world.change_segment(segment, &[(vteps[0], 1), (vteps[2], 1)]);
        let (after, gone) = (all(leaf), address(leaf, vteps[1]));
        for (before, after) in before.iter().zip(&after) {
            assert!(before == after && *before != gone || *before == gone && *after != gone);
        }
        leaf.world.change_segment(segment, &[(vteps[2], 1)]);
        let last = address(leaf, vteps[2]);
        assert!(all(leaf).iter().all(|vtep| *vtep == last));
    });
}

#[test]
fn a_segment_without_vteps_and_flows_to_one_without_a_way_are_the_kernels() {
    leaf(|leaf| {
        let (segment, vteps) = leaf.multihome(HOST_M.mac, &[1, 1]);
        let port = leaf.a.clone();
        let frames: Vec<Frame> = (0..16).map(|i| flow(4 * i)).collect();
        let ways: Vec<IpAddr> = frames.iter().map(|frame| taken(leaf, frame).0).collect();
        leaf.world.maps.vteps.update(vteps[1].0, |vtep| vtep.group = 0);
        let lost = address(leaf, vteps[1]);
        assert!(ways.contains(&lost) && ways.iter().any(|way| *way != lost));
        for (frame, way) in frames.iter().zip(&ways) {
            match *way == lost {
                true => {
                    let outcome = leaf.world.send(&port, &frame.bytes());
                    outcome.passes(Reason::NexthopSelectEmptyGroup);
                }
                false => assert_eq!(taken(leaf, frame).0, *way),
            }
        }
        leaf.world.change_segment(segment, &[]);
        for frame in &frames {
            let outcome = leaf.world.send(&port, &frame.bytes());
            outcome.passes(Reason::NexthopSelectEmptyGroup);
        }
    });
}

#[test]
fn a_bucket_of_a_resilient_segment_is_noted_as_used() {
    leaf(|leaf| {
        let resilient = Some(Resilient { buckets: 32, idle_ms: 60_000, unbalanced_ms: 0 });
        let vtep = leaf.world.vtep([192, 0, 2, 1], [192, 0, 2, 3], &[leaf.spine1]);
        let segment = leaf.world.segment(&[(leaf.leaf2, 1), (vtep, 1)], resilient);
        leaf.world.learn_segment(leaf.domain, HOST_M.mac, segment);
        let group = leaf.world.segment_entry(segment).group;
        let Choice::Spread { chunk, count: 32, timed: true } =
            leaf.world.maps.groups.get(group).choice()
        else {
            panic!("a resilient group");
        };
        let used = |leaf: &Leaf| leaf.world.maps.bucket_use.get(chunk).jiffies;
        assert_eq!(used(leaf), [0; 32]);
        taken(leaf, &flow(0));
        assert_eq!(used(leaf).iter().filter(|jiffies| **jiffies != 0).count(), 1);
    });
}

#[test]
fn a_segment_is_behind_the_tunnel_for_isolation_and_split_horizon() {
    leaf(|leaf| {
        leaf.multihome(HOST_M.mac, &[1, 1]);
        leaf.world.change_circuit(leaf.circuit_a, |circuit| {
            circuit.flags |= fabric_common::schema::circuits::FLAG_ISOLATED;
        });
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= FLAG_OVERLAY_ISOLATED);
        let port = leaf.a.clone();
        leaf.world.send(&port, &flow(0).bytes()).passes(Reason::BridgeLookupIsolated);
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_A, &HOST_M).bytes());
        let up0 = leaf.up0.clone();
        leaf.world.send(&up0, &packet).is_dropped(Reason::SplitHorizonOverlayToOverlay);
    });
}

#[test]
fn any_vtep_may_send_what_comes_from_a_segment_unless_the_vxlan_device_learns() {
    leaf(|leaf| {
        leaf.multihome(HOST_M.mac, &[1, 1]);
        let up0 = leaf.up0.clone();
        let frame = Frame::ipv4(&HOST_M, &HOST_A);
        let packet = leaf.from_leaf2().around(&frame.bytes());
        let outer = leaf.from_leaf2();
        leaf.decapsulates(&outer, &frame, &frame);
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= FLAG_OVERLAY_LEARNING);
        leaf.world.send(&up0, &packet).passes(Reason::InnerSourceRefresh);
        leaf.decapsulates(&outer, &frame, &frame);
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= FLAG_OVERLAY_SNOOPS);
        leaf.world.send(&up0, &packet).passes(Reason::InnerSourceMoved);
    });
}
