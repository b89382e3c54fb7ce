//! What fits a local port: its MTU plus the Ethernet header, a VLAN tag not counted.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, HOST_T, VLAN},
    leaf::leaf,
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
