//! Where a station is.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Where zebra has a MAC or a neighbour.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Nowhere yet: neighbours have told of the MAC, and neither a bridge nor a VTEP has it.
    #[default]
    Unknown,
    /// Here.
    Local {
        /// The port of the bridge, which zebra does not say of neighbours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interface: Option<String>,
        /// The VLAN at that port; none in a bridge without VLANs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vlan: Option<u16>,
    },
    /// Behind another VTEP.
    Vtep(IpAddr),
    /// Behind another Ethernet segment, by its identifier as FRR writes it: ten bytes with colons.
    Segment(String),
}

impl Place {
    /// Whether it is here.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local { .. })
    }

    /// Of what zebra says of a MAC or neighbour that is elsewhere. FRR 8.4 writes a VTEP `0.0.0.0` for one behind
    /// a segment.
    pub(super) fn remote(vtep: Option<IpAddr>, segment: Option<String>) -> Self {
        match (vtep.filter(|vtep| !vtep.is_unspecified()), segment) {
            (_, Some(segment)) => Self::Segment(segment),
            (Some(vtep), None) => Self::Vtep(vtep),
            (None, None) => Self::Unknown,
        }
    }
}
