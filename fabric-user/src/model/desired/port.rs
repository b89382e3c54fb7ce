//! Interfaces on which programs run.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{CircuitKey, DomainKey, VtepKey};
use crate::observe::Mac;

/// An interface on which a program runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Interface name.
    pub name: String,
    /// Which program.
    pub role: Role,
    /// IP MTU in bytes.
    pub mtu: u32,
    /// MAC address.
    pub mac: Mac,
    /// The bond that it is an active member of: the bond's program runs here, and what arrives counts as
    /// the bond's. Nothing is sent out of it but by the bond.
    pub member_of: Option<u32>,
    /// It is routed and switched off: nothing arrives, so it needs no program, and may have none to join
    /// a bond that runs one (`bond_enslave`), before which it has to be switched off.
    pub idle: bool,
    /// Its device takes frames from XDP programs. Otherwise only what arrives here is accelerated.
    pub is_target: bool,
    /// Where frames without a tag belong.
    pub untagged: Option<CircuitKey>,
    /// Where frames with a tag belong, by VLAN ID on the wire.
    pub tagged: BTreeMap<u16, CircuitKey>,
    /// What packets that arrive here are looked up in: position in [`super::Structure::views`]. None if
    /// neither family is routed.
    pub view: Option<u16>,
    /// IPv4 packets that arrive here may be routed.
    pub route4: bool,
    /// IPv6 packets that arrive here may be routed.
    pub route6: bool,
    /// Which VTEPs' packets are taken out of their tunnels here.
    pub arrivals: Arrivals,
    /// Of a gateway, the domain whose hosts it routes for.
    pub domain: Option<DomainKey>,
}

/// VTEPs whose packets are taken out of their tunnels at a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// None: no tunnel ends here.
    #[default]
    Nothing,
    /// All of [`super::Structure::vteps`] that are not [`super::Structure::unheard`].
    All,
    /// The same without these: the kernel would not accept their packets from here, or cannot be
    /// asked.
    AllBut(BTreeSet<VtepKey>),
}

impl Arrivals {
    /// Whether the packets of a VTEP that is heard are among them.
    #[must_use]
    pub fn accept(&self, vtep: &VtepKey) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::AllBut(refused) => !refused.contains(vtep),
        }
    }
}

/// What is behind a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Hosts of bridges.
    #[default]
    Access,
    /// Hosts or routers: packets that arrive are routed.
    Routed,
    /// As [`Routed`](Self::Routed), and the underlay leads over it: only here tunnels end.
    Underlay,
    /// A bridge, or an interface on top of one, that the kernel routes from and to: packets come and go by the
    /// bridge's FDB, and no program runs here.
    Gateway,
}

impl Role {
    /// Whether the program of routed ports runs here.
    #[must_use]
    pub const fn is_routed(self) -> bool {
        matches!(self, Self::Routed | Self::Underlay)
    }

    /// Whether packets are routed from and to here.
    #[must_use]
    pub const fn routes(self) -> bool {
        !matches!(self, Self::Access)
    }
}
