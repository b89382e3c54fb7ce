//! The journeys through the packet path whose stages are timed.

use anyhow::Result;
use fabric_common::reason::Reason;
use fabric_user::kernel::programs::{ACCESS, ROUTED};

use crate::{
    direction::Direction,
    fabric::Fabric,
    leaf::{Leaf, VTEPS},
    spine::{Routes, Spine},
    traffic::{Offer, Traffic},
};

/// A stage, and the program of `fabric-ebpf/src/stages` that ends after it.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Name of the stage, as in the packet path.
    pub name: &'static str,
    /// Name of the program.
    pub program: &'static str,
}

/// A way of packets through a program of fabric-xdpd.
#[derive(Clone, Copy, Debug)]
pub struct Journey {
    /// Name in reports.
    pub name: &'static str,
    /// In words.
    pub title: &'static str,
    /// Its stages in their order. The last one is the whole journey.
    pub stages: &'static [Stage],
    /// The program of fabric-xdpd.
    pub program: &'static str,
    /// How a packet ends.
    pub reason: Reason,
    place: Place,
    /// At most so many nanoseconds for a packet of one flow.
    pub bar_one_flow: Option<f64>,
    /// At most so many nanoseconds for a packet to one of 65,536 destinations.
    pub bar_many: Option<f64>,
}

/// Where it leads along.
#[derive(Clone, Copy, Debug)]
enum Place {
    Leaf(Direction),
    Spine(Offer),
}

const fn stage(name: &'static str, program: &'static str) -> Stage {
    Stage { name, program }
}

/// All journeys.
pub const JOURNEYS: [Journey; 5] = [
    Journey {
        name: "encap",
        title: "Encapsulation over IPv4",
        stages: &[
            stage("port_input", "access_port_input"),
            stage("vlan_classify", "access_vlan_classify"),
            stage("frame_guard", "access_frame_guard"),
            stage("bridge_lookup", "access_bridge_lookup"),
            stage("source_check", "access_source_check"),
            stage("nexthop_select", "encap_nexthop_select"),
            stage("vxlan_output", "encap_vxlan_output"),
            stage("underlay_output", "encap_underlay_output"),
            stage("verdict", "access_verdict"),
        ],
        program: ACCESS,
        reason: Reason::Encapsulated,
        place: Place::Leaf(Direction::Encapsulate),
        bar_one_flow: Some(60.0),
        bar_many: Some(110.0),
    },
    Journey {
        name: "bridge",
        title: "Local bridging",
        stages: &[
            stage("port_input", "access_port_input"),
            stage("vlan_classify", "access_vlan_classify"),
            stage("frame_guard", "access_frame_guard"),
            stage("bridge_lookup", "access_bridge_lookup"),
            stage("source_check", "access_source_check"),
            stage("access_fit", "bridge_access_fit"),
            stage("access_output", "bridge_access_output"),
            stage("verdict", "access_verdict"),
        ],
        program: ACCESS,
        reason: Reason::Bridged,
        place: Place::Leaf(Direction::Bridge),
        bar_one_flow: None,
        bar_many: None,
    },
    Journey {
        name: "decap",
        title: "Decapsulation over IPv4",
        stages: &[
            stage("port_input", "routed_port_input"),
            stage("underlay_input", "decap_underlay_input"),
            stage("vxlan_input", "decap_vxlan_input"),
            stage("inner_guard", "decap_inner_guard"),
            stage("inner_source", "decap_inner_source"),
            stage("ecn_decap", "decap_ecn_decap"),
            stage("bridge_deliver", "decap_bridge_deliver"),
            stage("access_fit", "decap_access_fit"),
            stage("access_output", "decap_access_output"),
            stage("verdict", "routed_verdict"),
        ],
        program: ROUTED,
        reason: Reason::Decapsulated,
        place: Place::Leaf(Direction::Decapsulate),
        bar_one_flow: None,
        bar_many: Some(100.0),
    },
    Journey {
        name: "transit-v4",
        title: "Routing IPv4 to hosts",
        stages: &TRANSIT,
        program: ROUTED,
        reason: Reason::Routed,
        place: Place::Spine(Offer::Routed4),
        bar_one_flow: None,
        bar_many: None,
    },
    Journey {
        name: "transit-v6",
        title: "Routing IPv6 to hosts",
        stages: &TRANSIT,
        program: ROUTED,
        reason: Reason::Routed,
        place: Place::Spine(Offer::Routed6),
        bar_one_flow: None,
        bar_many: None,
    },
];

const TRANSIT: [Stage; 8] = [
    stage("port_input", "routed_port_input"),
    stage("underlay_input", "transit_underlay_input"),
    stage("transit_input", "transit_transit_input"),
    stage("transit_route", "transit_transit_route"),
    stage("nexthop", "transit_nexthop"),
    stage("transit_output", "transit_transit_output"),
    stage("underlay_output", "transit_underlay_output"),
    stage("verdict", "routed_verdict"),
];

impl Journey {
    /// Builds what the journey leads through in the present network namespace, with so many
    /// destinations, and returns it with the index of the port where packets come in.
    ///
    /// # Errors
    /// If the kernel lacks something, or a table has no room.
    pub fn build(&self, destinations: u32) -> Result<(Fabric, u32)> {
        match self.place {
            Place::Leaf(direction) => {
                // The kernel does not see these packets, so it need not know the stations.
                let leaf = Leaf::build_empty()?;
                let fabric = Fabric::start(leaf.desired(&direction.plan(destinations, VTEPS)))?;
                Ok((fabric, direction.way(&leaf).ingress))
            }
            Place::Spine(_) => {
                let spine = Spine::build(1, Routes::Hosts)?;
                let fabric = Fabric::start(spine.desired(destinations, Routes::Hosts))?;
                Ok((fabric, spine.inward))
            }
        }
    }

    /// What is offered.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        match self.place {
            Place::Leaf(Direction::Decapsulate) => {
                Traffic { vteps: Some(VTEPS), ..Traffic::default() }
            }
            Place::Leaf(_) => Traffic::default(),
            Place::Spine(offer) => Traffic::of(offer),
        }
    }

    /// The program of the generator that offers it.
    #[must_use]
    pub const fn offer(&self) -> &'static str {
        match self.place {
            Place::Leaf(Direction::Decapsulate) => "offer_tunnelled",
            Place::Leaf(_) | Place::Spine(Offer::Bridged | Offer::Arp) => "offer_frames",
            Place::Spine(Offer::Routed4) => "offer_routed4",
            Place::Spine(Offer::Routed6) => "offer_routed6",
        }
    }
}
