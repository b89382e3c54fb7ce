//! What fits a local port: its MTU plus the Ethernet header, a VLAN tag not counted.

use fabric_common::{reason::Reason, schema::circuits::NOT_A_TARGET};
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, HOST_T, VLAN},
    leaf::{Leaf, leaf},
    packet::Frame,
};

const FITS: usize = 1514;

#[test]
pub(crate) fn a_frame_one_byte_longer_than_the_ports_mtu_passes() {
    leaf(|leaf| {
        let fits = Frame::ipv4(&HOST_A, &HOST_B).length(FITS).bytes();
        leaf.world.send(&leaf.a, &fits).is_bridged(&leaf.b, &fits);
        let longer = Frame::ipv4(&HOST_A, &HOST_B).length(FITS + 1).bytes();
        leaf.world.send(&leaf.a, &longer).passes(Reason::AccessFitTooBig);
    });
}

#[test]
fn a_tag_does_not_count_whether_it_comes_or_goes() {
    leaf(|leaf| {
        let fits = Frame::ipv4(&HOST_T, &HOST_B).length(FITS);
        let tagged = fits.clone().tag(VLAN).bytes();
        leaf.world.send(&leaf.trunk, &tagged).is_bridged(&leaf.b, &fits.bytes());
        let longer = Frame::ipv4(&HOST_T, &HOST_B).length(FITS + 1).tag(VLAN).bytes();
        leaf.world.send(&leaf.trunk, &longer).passes(Reason::AccessFitTooBig);

        let fits = Frame::ipv4(&HOST_A, &HOST_T).length(FITS);
        let tagged = fits.clone().tag(VLAN).bytes();
        leaf.world.send(&leaf.a, &fits.bytes()).is_bridged(&leaf.trunk, &tagged);
        let longer = Frame::ipv4(&HOST_A, &HOST_T).length(FITS + 1).bytes();
        leaf.world.send(&leaf.a, &longer).passes(Reason::AccessFitTooBig);
    });
}

/// Not even the congestion mark may have been changed when the kernel gets the packet.
#[test]
fn a_frame_out_of_the_tunnel_that_is_too_long_passes_unchanged() {
    leaf(|leaf| {
        let mut outer = leaf.from_leaf2();
        outer.tos = 0b11;
        let fits = Frame::ipv4(&HOST_R, &HOST_B).tos(0b10).length(FITS);
        leaf.decapsulates(&outer, &fits, &fits.clone().tos(0b11));
        let longer = Frame::ipv4(&HOST_R, &HOST_B).tos(0b10).length(FITS + 1).bytes();
        let outcome = leaf.world.send(&leaf.up0, &outer.around(&longer));
        outcome.passes(Reason::AccessFitTooBig);
        // Tagged on the other side: the tag does not count either.
        let fits = Frame::ipv6(&HOST_R, &HOST_T).tos(0b10).length(FITS);
        leaf.decapsulates(&outer, &fits, &fits.clone().tos(0b11).tag(VLAN));
        let longer = Frame::ipv6(&HOST_R, &HOST_T).tos(0b10).length(FITS + 1).bytes();
        let outcome = leaf.world.send(&leaf.up0, &outer.around(&longer));
        outcome.passes(Reason::AccessFitTooBig);
    });
}

/// The kernel gets it as it came, congestion mark and tag included, and what arrives from such a port is
/// forwarded all the same.
#[test]
pub(crate) fn a_frame_to_a_port_that_takes_none_from_programs_passes() {
    leaf(|leaf| {
        leaf.world.change_circuit(leaf.circuit_b, |circuit| circuit.max_frame = NOT_A_TARGET);
        to_b_passes(leaf, Reason::AccessFitNotATarget);
    });
}

#[test]
pub(crate) fn a_frame_to_a_port_that_is_down_passes() {
    leaf(|leaf| {
        leaf.world.maps.ports.update(leaf.b.slot, |port| port.down = 1);
        leaf.world.change_settings(|settings| settings.lost_ports = 1);
        to_b_passes(leaf, Reason::AccessFitPortDown);
        leaf.world.maps.ports.update(leaf.b.slot, |port| port.down = 0);
        let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        leaf.world.send(&leaf.a, &frame).is_bridged(&leaf.b, &frame);
    });
}

fn to_b_passes(leaf: &mut Leaf, reason: Reason) {
    let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
    leaf.world.send(&leaf.a, &frame).passes(reason);
    let tagged = Frame::ipv6(&HOST_T, &HOST_B).tag(VLAN).bytes();
    leaf.world.send(&leaf.trunk, &tagged).passes(reason);
    let mut outer = leaf.from_leaf2();
    outer.tos = 0b11;
    let inner = Frame::ipv4(&HOST_R, &HOST_B).tos(0b10).bytes();
    leaf.world.send(&leaf.up0, &outer.around(&inner)).passes(reason);
    let back = Frame::ipv4(&HOST_B, &HOST_A).bytes();
    leaf.world.send(&leaf.b, &back).is_bridged(&leaf.a, &back);
}
