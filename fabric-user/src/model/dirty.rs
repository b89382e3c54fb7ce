//! What must be compiled again.

use std::{collections::BTreeSet, net::IpAddr};

use super::{FdbKey, Network, NexthopKey, RoutePlace, Structure};
use crate::{hashed::HashSet, observe::Prefix};

/// Which parts of [`super::Desired`] an event may have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Links or bridge ports changed: the structure, and with it any MAC's place.
    pub bridging: bool,
    /// The way to VTEPs changed: the structure, but no MAC's place.
    pub underlay: bool,
    /// Chains of netfilter changed: the structure, and all MACs where it is not
    /// [`Structure::macs_like`] the last one.
    pub chains: bool,
    /// VTEPs that a vxlan device, given by its index, began or ceased to name. It matters if no
    /// other one names them.
    pub tunnels: BTreeSet<(u32, IpAddr)>,
    /// The kernel may send to VTEPs from other addresses than before: it is to be asked once more.
    pub sources: bool,
    /// Neighbours that changed; they matter if the structure watches them.
    pub neighbours: BTreeSet<NexthopKey>,
    /// Neighbours of which something changed that ARP or neighbour discovery is answered by.
    pub answers: BTreeSet<NexthopKey>,
    /// MACs whose place changed.
    pub macs: HashSet<FdbKey>,
    /// Destinations in a routing table of which a route changed.
    pub routes: BTreeSet<(u32, Prefix)>,
    /// Those of them that came or went: they shadow routes of other tables.
    pub shadows: BTreeSet<(u32, Prefix)>,
    /// More than single routes changed. See also [`Structure::routes_like`].
    pub all_routes: bool,
    /// A link went down or away, with which the kernel removes nexthops and routes without a
    /// message: dump them a moment later.
    pub routing_stale: bool,
    /// The kernel may have changed bridges, states of VLANs or what `tc` classifies without a message that
    /// says how: dump them a moment later.
    pub bridges_stale: bool,
    /// Chains of nftables may have changed: dump them a moment later.
    pub netfilter_stale: bool,
}

impl Dirty {
    /// Everything.
    #[must_use]
    pub fn everything() -> Self {
        Self { bridging: true, underlay: true, all_routes: true, ..Self::default() }
    }

    /// What the policy says of ports and of ways has changed: the structure.
    #[must_use]
    pub fn policy() -> Self {
        Self { underlay: true, ..Self::default() }
    }

    /// Nothing at all.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    /// Forgets everything, and keeps the room for it.
    pub fn clear(&mut self) {
        let mut macs = std::mem::take(&mut self.macs);
        macs.clear();
        *self = Self { macs, ..Self::default() };
    }

    /// The structure has to be compiled again, where `structure` is the last one.
    #[must_use]
    pub fn needs_structure(&self, network: &Network, structure: &Structure) -> bool {
        self.bridging
            || self.underlay
            || self.chains
            || !self.neighbours.is_disjoint(&structure.watched)
            || super::compile_underlay::vteps_changed(network, structure, &self.tunnels)
    }

    /// The places whose way may have changed, unless all routes have to be compiled again
    /// ([`all_routes`](Self::all_routes) or the structure is not [`Structure::routes_like`] the
    /// last one), which was `before`.
    #[must_use]
    pub fn places(
        &self,
        network: &Network,
        structure: &Structure,
        before: &Structure,
    ) -> BTreeSet<RoutePlace> {
        super::compile_routes::changed_places(network, structure, before, self)
    }

    /// All MACs have to be compiled again, and not only [`macs`](Self::macs).
    #[must_use]
    pub fn all_macs(&self) -> bool {
        self.bridging
    }
}
