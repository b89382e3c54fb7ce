//! What a [`Leaf`] does over an IPv6 underlay.

use fabric_common::flow_hash;

use crate::{
    addresses::{LEAF1_VTEP6, LEAF2_VTEP6, SPINE1_MAC, SPINE2_MAC, VNI},
    leaf::Leaf,
    model,
    packet::{Frame, Vxlan6},
    world::SEED,
};

impl Leaf {
    /// A VXLAN packet of leaf2 for this leaf, as it arrives on the first underlay port.
    #[must_use]
    pub fn from_leaf2_over_ipv6(&self) -> Vxlan6 {
        Vxlan6 {
            destination_mac: self.up0.mac,
            source_mac: SPINE1_MAC,
            hop_limit: 62,
            ..Vxlan6::new(LEAF2_VTEP6, LEAF1_VTEP6, VNI)
        }
    }

    /// As [`Leaf::to_leaf2`].
    #[must_use]
    pub fn to_leaf2_over_ipv6(&self, inner: &[u8]) -> Vxlan6 {
        let hash = model::flow_hash(inner, SEED);
        let underlay = self.underlay_of(inner);
        Vxlan6 {
            destination_mac: if underlay == self.up0 { SPINE1_MAC } else { SPINE2_MAC },
            source_mac: underlay.mac,
            label: flow_hash::label(hash),
            source_port: flow_hash::source_port(hash),
            ..Vxlan6::new(LEAF1_VTEP6, LEAF2_VTEP6, VNI)
        }
    }

    /// As [`Leaf::encapsulates`].
    #[track_caller]
    pub fn encapsulates_over_ipv6(&mut self, frame: &Frame, change: impl FnOnce(Vxlan6) -> Vxlan6) {
        let inner = frame.clone().untagged().bytes();
        let expected = change(self.to_leaf2_over_ipv6(&inner)).around(&inner);
        let underlay = self.underlay_of(&inner);
        let from = self.port_of(frame.source());
        let outcome = self.world.send(&from, &frame.bytes());
        outcome.is_encapsulated(&underlay, self.domain, self.leaf2, &expected);
    }

    /// As [`Leaf::decapsulates`].
    #[track_caller]
    pub fn decapsulates_over_ipv6(&mut self, outer: &Vxlan6, inner: &Frame, expected: &Frame) {
        let to = self.port_of(inner.destination());
        let outcome = self.world.send(&self.up0, &outer.around(&inner.bytes()));
        outcome.is_decapsulated(&to, self.domain, self.leaf2, &expected.bytes());
    }
}
