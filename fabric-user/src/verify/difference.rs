//! What differs.

use std::fmt;

use serde::Serialize;

/// A difference between FRR, the kernel and the maps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// What it is about.
    pub kind: Kind,
    /// Which one, in words: a MAC address with its domain, a route with its VRF.
    pub what: String,
    /// Which of the three says something else than it should.
    pub differs: Side,
    /// What FRR says; none where it is not asked.
    pub frr: Option<String>,
    /// What the kernel says, or what follows from it; none where it is not asked.
    pub kernel: Option<String>,
    /// What the maps say; none where they are not asked.
    pub maps: Option<String>,
    /// The likely cause: a sentence without its full stop.
    pub likely: String,
    /// The next command, or what else to do.
    pub next: String,
}

/// What a difference is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A port, its program or its settings.
    Port,
    /// A bridge domain and the settings of its tunnel.
    Domain,
    /// An attachment circuit.
    Circuit,
    /// The domain of what arrives in tunnels.
    Tunnel,
    /// A MAC address.
    Mac,
    /// A neighbour that ARP and neighbour discovery are answered by.
    Answer,
    /// A remote VTEP and the ways to it.
    Vtep,
    /// An Ethernet segment.
    Segment,
    /// A next hop.
    Nexthop,
    /// A route.
    Route,
    /// A VNI and its vxlan device.
    Vni,
    /// A VRF and its L3VNI.
    Vrf,
    /// The VTEPs that broadcasts are sent to.
    Flood,
    /// A neighbour behind a VTEP.
    Neighbour,
    /// The router of another VTEP in an L3VNI.
    Router,
    /// A setting that cannot work.
    Setup,
}

impl Kind {
    /// As people name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Port => "port",
            Self::Domain => "bridge domain",
            Self::Circuit => "circuit",
            Self::Tunnel => "tunnel",
            Self::Mac => "MAC",
            Self::Answer => "answered neighbour",
            Self::Vtep => "VTEP",
            Self::Segment => "Ethernet segment",
            Self::Nexthop => "next hop",
            Self::Route => "route",
            Self::Vni => "VNI",
            Self::Vrf => "VRF",
            Self::Flood => "flood",
            Self::Neighbour => "neighbour",
            Self::Router => "router",
            Self::Setup => "setup",
        }
    }
}

/// One of the three that should say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// FRR.
    Frr,
    /// The kernel's tables.
    Kernel,
    /// Fabric's maps.
    Maps,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (self.kind, self.differs) {
            (Kind::Setup, _) => "cannot work",
            (_, Side::Frr) => "FRR differs",
            (_, Side::Kernel) => "the kernel differs",
            (_, Side::Maps) => "the maps differ",
        };
        writeln!(f, "{} {}: {verdict}", self.kind.name(), self.what)?;
        let said = [("FRR", &self.frr), ("kernel", &self.kernel), ("maps", &self.maps)];
        for (who, said) in said {
            if let Some(said) = said {
                writeln!(f, "    {who:<7} {said}")?;
            }
        }
        writeln!(f, "    likely  {}", self.likely)?;
        write!(f, "    next    {}", self.next)
    }
}
