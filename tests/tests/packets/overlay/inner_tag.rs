//! VLANs with their tags inside a tunnel, into it and out of it.

use fabric_common::{
    reason::Reason,
    schema::domains::{FLAG_DF, FLAG_DF_INHERIT},
};
use fabric_tests::{
    addresses::{HOST_R, HOST_T, LEAF1_VTEP, LEAF1_VTEP6, Station, VNI, ZERO},
    leaf::{Leaf, leaf, leaf6},
    packet::{Frame, Vxlan},
    world::{DomainId, tunnel},
};
use fabric_user::model::{Domain, Inside};

/// The VLAN, in a domain of its own.
pub(crate) const INNER: u16 = 200;
/// Its ID in the tags of the trunk.
const ON_WIRE: u16 = 201;
/// Priority 5 in a tag, and drop eligibility.
pub(crate) const PRIORITY: u16 = 0xb000;

/// The VLAN with its tag in the leaf's VNI, HOST_T on its trunk and HOST_R behind leaf2.
pub(crate) fn vlan(leaf: &mut Leaf, is_ipv6: bool) -> DomainId {
    let plain = match is_ipv6 {
        true => tunnel(VNI, LEAF1_VTEP6),
        false => tunnel(VNI, LEAF1_VTEP),
    };
    let domain = leaf.world.domain(INNER, Domain { inside: Inside::Tagged, ..plain });
    let circuit = leaf.world.circuit(&leaf.trunk.clone(), domain, ON_WIRE);
    leaf.world.settle(circuit, &HOST_T);
    leaf.world.learn_remote(domain, HOST_R.mac, leaf.leaf2);
    domain
}

fn frames(source: &Station, to: &Station) -> [Frame; 2] {
    [Frame::ipv4(source, to), Frame::ipv6(source, to)]
}

#[test]
pub(crate) fn a_tag_in_the_tunnel_says_the_vlan() {
    leaf(|leaf| {
        let domain = vlan(leaf, false);
        for frame in frames(&HOST_R, &HOST_T) {
            let inner = frame.clone().tag(INNER | PRIORITY).bytes();
            let outcome = leaf.world.send(&leaf.up0, &leaf.from_leaf2().around(&inner));
            let expected = frame.tag(ON_WIRE | PRIORITY).bytes();
            outcome.is_decapsulated(&leaf.trunk, domain, leaf.leaf2, &expected);
        }
    });
    leaf6(|leaf| {
        let domain = vlan(leaf, true);
        for frame in frames(&HOST_R, &HOST_T) {
            let inner = frame.clone().tag(INNER).bytes();
            let outcome = leaf.world.send(&leaf.up0, &leaf.from_leaf2_over_ipv6().around(&inner));
            let expected = frame.tag(ON_WIRE).bytes();
            outcome.is_decapsulated(&leaf.trunk, domain, leaf.leaf2, &expected);
        }
    });
}

#[test]
pub(crate) fn the_tag_with_its_priority_goes_into_the_tunnel() {
    leaf(|leaf| {
        let domain = vlan(leaf, false);
        for flags in [0, FLAG_DF_INHERIT, FLAG_DF] {
            leaf.world.change_domain(domain, |d| d.flags |= flags);
            for frame in frames(&HOST_T, &HOST_R) {
                let plain = frame.bytes();
                let inner = frame.clone().tag(INNER | PRIORITY).bytes();
                let mut outer = leaf.to_leaf2(&plain);
                // The kernel inherits none of what is behind a tag.
                outer.fragment = if flags == FLAG_DF { 0x4000 } else { 0 };
                let underlay = leaf.underlay_of(&plain);
                let sent = leaf.world.send(&leaf.trunk, &frame.tag(ON_WIRE | PRIORITY).bytes());
                sent.is_encapsulated(&underlay, domain, leaf.leaf2, &outer.around(&inner));
            }
        }
    });
    leaf6(|leaf| {
        let domain = vlan(leaf, true);
        for frame in frames(&HOST_T, &HOST_R) {
            let plain = frame.bytes();
            let inner = frame.clone().tag(INNER).bytes();
            let outer = leaf.to_leaf2_over_ipv6(&plain);
            let underlay = leaf.underlay_of(&plain);
            let sent = leaf.world.send(&leaf.trunk, &frame.tag(ON_WIRE).bytes());
            sent.is_encapsulated(&underlay, domain, leaf.leaf2, &outer.around(&inner));
        }
    });
}

#[test]
pub(crate) fn ecn_bits_that_the_kernel_would_write_into_the_tag_pass() {
    leaf(|leaf| {
        vlan(leaf, false);
        let inner = Frame::ipv4(&HOST_R, &HOST_T).tag(INNER).bytes();
        for tos in [1, 3] {
            let outer = Vxlan { tos, ..leaf.from_leaf2() };
            leaf.world.send(&leaf.up0, &outer.around(&inner)).passes(Reason::EcnDecapTagged);
        }
    });
}

#[test]
pub(crate) fn the_longest_frame_with_a_tag_is_four_bytes_longer() {
    const LONGEST: usize = 1_514;
    leaf(|leaf| {
        let domain = vlan(leaf, false);
        let of_length = |length| Frame::ipv4(&HOST_T, &HOST_R).length(length);
        let longest = of_length(LONGEST);
        let (plain, inner) = (longest.bytes(), longest.clone().tag(INNER).bytes());
        let expected = leaf.to_leaf2(&plain).around(&inner);
        let underlay = leaf.underlay_of(&plain);
        let sent = leaf.world.send(&leaf.trunk, &longest.tag(ON_WIRE).bytes());
        sent.is_encapsulated(&underlay, domain, leaf.leaf2, &expected);
        let longer = of_length(LONGEST + 1).tag(ON_WIRE).bytes();
        leaf.world.send(&leaf.trunk, &longer).passes(Reason::VxlanOutputTooBig);
    });
}

#[test]
pub(crate) fn what_is_dropped_without_a_tag_is_dropped_with_one() {
    leaf(|leaf| {
        vlan(leaf, false);
        let frame = Frame::ipv4(&HOST_R, &HOST_T).tag(INNER);
        let packet = leaf.from_leaf2().around(&frame.clone().from(ZERO).bytes());
        leaf.world.send(&leaf.up0, &packet).is_dropped(Reason::InnerGuardSourceZero);
        let packet = leaf.from_leaf2().around(&frame.to(HOST_R.mac).bytes());
        leaf.world.send(&leaf.up0, &packet).is_dropped(Reason::SplitHorizonOverlayToOverlay);
    });
}
