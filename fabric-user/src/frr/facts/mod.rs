//! What FRR of a box knows: its JSON, of versions from 8.4 on, as one value of plain types that can be compared, written
//! to a file and read again.
//!
//! [`collect`] asks the daemons over their own sockets, one question a table, however large. A file here is a table: its
//! type, its question, and how the answers of different versions are read. Answers of FRR 8.4 and 10.3 lie in
//! `recorded/`, and both have to be read as the same values.

mod answer;
mod bfd;
mod by_vni;
mod collect;
mod duplicates;
mod error;
mod loose;
mod mac;
mod neighbour;
mod place;
mod prefix;
mod route;
mod router;
mod segment;
mod session;
#[cfg(test)]
mod tests;
mod version;
mod vni;
mod vrf;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::bfd::BfdSession;
pub use self::collect::collect;
pub use self::duplicates::DuplicateDetection;
pub use self::error::FrrError;
pub use self::mac::MacEntry;
pub use self::neighbour::NeighbourEntry;
pub use self::place::Place;
pub use self::route::{HopEntry, HopKind, RouteEntry};
pub use self::router::RouterEntry;
pub use self::segment::{Segment, SegmentVtep};
pub use self::session::{Prefixes, Session};
pub use self::vni::{Vni, VniKind};
pub use self::vrf::VrfEntry;

/// What FRR of a box knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Frr {
    /// Its version, `8.4.4` or `10.3`.
    pub version: String,
    /// Daemons whose tables are empty here because they do not say what they know, with the reason as a sentence.
    pub missing: BTreeMap<String, String>,
    /// VNIs by number.
    pub vnis: BTreeMap<u32, Vni>,
    /// MACs of bridged networks, by VNI and MAC.
    pub macs: Vec<MacEntry>,
    /// Neighbours of bridged networks, by VNI and address.
    pub neighbours: Vec<NeighbourEntry>,
    /// Routers of other leafs, by L3VNI and VTEP.
    pub routers: Vec<RouterEntry>,
    /// VRFs that have an L3VNI, by name.
    pub vrfs: BTreeMap<String, VrfEntry>,
    /// Ethernet segments, by identifier.
    pub segments: Vec<Segment>,
    /// How duplicates are detected; none where EVPN is off.
    pub duplicates: Option<DuplicateDetection>,
    /// Routes that zebra has chosen, of both families and all VRFs.
    pub routes: Vec<RouteEntry>,
    /// Sessions of BGP, by VRF and neighbour.
    pub sessions: Vec<Session>,
    /// Sessions of BFD, by VRF, interface and neighbour.
    pub bfd: Vec<BfdSession>,
}

impl Frr {
    /// The session of BGP with a neighbour; without a VRF's name in the default one. Two VRFs may have neighbours of one
    /// address.
    pub fn session(&self, vrf: Option<&str>, peer: &str) -> Option<&Session> {
        self.sessions.iter().find(|it| it.vrf.as_deref() == vrf && it.peer == peer)
    }
}
