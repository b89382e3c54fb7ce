//! What the maps should hold, under natural keys.

mod domain;
mod port;
mod way;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use fabric_common::schema::ports::{TUNNELS, is_tunnel};
use serde::Serialize;

pub use self::{
    domain::{
        Answer, AnswerKey, Answering, Circuit, CircuitKey, Domain, DomainKey, FdbKey, Inside,
        Target,
    },
    port::{Arrivals, Port, Role},
    way::{
        Group, GroupKey, Nexthop, NexthopKey, RoutePlace, Segment, SegmentKey, View, VtepKey, Way,
    },
};
use super::{Guarded, Multipath, pairs};
use crate::{
    hashed::HashMap,
    observe::{Mac, SourceQuestion},
};

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Desired {
    /// All but the routes and the MAC addresses.
    pub structure: Structure,
    /// Where packets to each prefix go: routes, and connected hosts as prefixes of full length.
    #[serde(with = "pairs")]
    pub routes: HashMap<RoutePlace, Way>,
    /// Where each MAC is. MACs that are left to the kernel are not in it.
    #[serde(with = "pairs")]
    pub fdb: HashMap<FdbKey, Target>,
    /// Neighbours that ARP and neighbour discovery are answered by.
    #[serde(with = "pairs")]
    pub answers: HashMap<AnswerKey, Answer>,
}

/// Ports, domains, views and groups of next hops: what routes and MAC addresses refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Structure {
    /// Interfaces on which a program runs, by interface index. A port stays while it is down.
    pub ports: BTreeMap<u32, Port>,
    /// Interfaces that a bridge or the underlay uses and on which no program may run, with the
    /// reason as one sentence.
    pub declined: BTreeMap<u32, String>,
    /// Bridge domains.
    #[serde(with = "pairs")]
    pub domains: BTreeMap<DomainKey, Domain>,
    /// Attachment circuits that forward at this moment.
    #[serde(with = "pairs")]
    pub circuits: BTreeMap<CircuitKey, Circuit>,
    /// Gateways of bridges without a tunnel, each with a family (IPv6 or not) that is routed there, for
    /// [`super::Policy::sticky_local`] of the next compilation.
    pub local: BTreeSet<(u32, bool)>,
    /// MAC addresses that interfaces on top of bridges listen to, which makes them the box's own
    /// wherever the FDB has them; with VLAN 0 in every VLAN.
    pub heard: BTreeSet<FdbKey>,
    /// Remote VTEPs with the group of next hops towards them; `None` if there is no way that can
    /// be expressed.
    #[serde(with = "pairs")]
    pub vteps: BTreeMap<VtepKey, Option<GroupKey>>,
    /// Ethernet segments behind which there are stations.
    #[serde(with = "pairs")]
    pub segments: BTreeMap<SegmentKey, Segment>,
    /// Interfaces whose neighbours ARP and neighbour discovery are answered by: bridges, and VLAN devices on
    /// VLAN-aware ones.
    pub answering: BTreeMap<u32, Answering>,
    /// Gateways' MAC addresses, with the interface index of the port of each.
    #[serde(with = "pairs")]
    pub gateways: BTreeMap<FdbKey, u32>,
    /// MAC addresses of routers in the domains of next hops' tunnels, each with the VTEP that it is behind, which is in
    /// [`vteps`](Self::vteps).
    #[serde(with = "pairs")]
    pub routers: BTreeMap<FdbKey, VtepKey>,
    /// Those of [`vteps`](Self::vteps) whose packets are left to the kernel when they arrive.
    pub unheard: BTreeSet<VtepKey>,
    /// Remote addresses that vxlan devices without a local address send to, with the one from which the
    /// kernel does, which is the local one of the VTEP in [`vteps`](Self::vteps); `None` if that is not
    /// known, or depends on the flow.
    pub sources: BTreeMap<IpAddr, Option<IpAddr>>,
    /// Local addresses of tunnels whose underlay is in a VRF, with the interface index of that: none of them is one of
    /// other tunnels.
    pub vrfs: BTreeMap<IpAddr, u32>,
    /// What the kernel is to be asked to know the [`sources`](Self::sources), see [`super::Policy::sources`].
    pub questions: BTreeSet<SourceQuestion>,
    /// Other addresses of this box to which VTEPs with such a source may send, with the VTEP that this is.
    #[serde(with = "pairs")]
    pub aliases: BTreeMap<VtepKey, VtepKey>,
    /// What ports look destinations up in; [`RoutePlace::view`] and [`Port::view`] are positions
    /// in this list, which change when a view comes or goes (all routes are compiled again then).
    pub views: Vec<View>,
    /// VRF devices that routes lead to, with the view that packets of IPv4 and of IPv6 are looked up in
    /// there: positions in [`views`](Self::views). None for what the kernel forwards.
    pub leaks: BTreeMap<u32, [Option<u16>; 2]>,
    /// Groups that VTEPs or routes use.
    #[serde(with = "pairs")]
    pub groups: BTreeMap<GroupKey, Group>,
    /// The members of all [`groups`](Self::groups), resolved or not. Connected hosts are not in
    /// it, see [`Way::Nexthop`].
    #[serde(with = "pairs")]
    pub nexthops: BTreeMap<NexthopKey, Nexthop>,
    /// Neighbours that groups wait for: the kernel should resolve them.
    pub unresolved: BTreeSet<NexthopKey>,
    /// Every neighbour that a group names, resolved or not. XDP sends past the kernel's neighbour
    /// table, so these need a confirmation whenever they are stale.
    pub watched: BTreeSet<NexthopKey>,
    /// Addresses of this box without those of loopback and link-local scope: a packet to be
    /// forwarded that claims to come from one of them is a martian (RFC 1812 §5.3.7).
    pub own: BTreeSet<IpAddr>,
    /// What flows are told apart by where there are several next hops.
    pub multipath: Multipath,
    /// What an operator should know although nothing is left to the kernel for it: sentences.
    pub notes: BTreeSet<String>,
    /// Destinations of routed packets that are left to the kernel whatever routes say.
    pub guarded: Guarded,
    /// Where the kernel drops IPv6 packets instead of sending them.
    pub without_ipv6: WithoutIpv6,
    /// What is left to the kernel, and why.
    pub problems: Vec<Problem>,
}

/// What sends no IPv6 packets ([`super::Policy::without_ipv6`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WithoutIpv6 {
    /// Routed ports and gateways.
    pub ports: BTreeSet<u32>,
    /// Groups some of whose next hops are on such an interface.
    pub groups: BTreeSet<GroupKey>,
}

/// Something that is left to the kernel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Interface index that it is about, if it is about one.
    pub ifindex: Option<u32>,
    /// What, why, and what to do: one sentence.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Structure {
    /// Why an interface is not accelerated, or not in full: the reason of
    /// [`declined`](Self::declined) first, then its problems.
    pub fn why_not(&self, ifindex: u32) -> impl Iterator<Item = &str> {
        let problems = self.problems.iter().filter(move |each| each.ifindex == Some(ifindex));
        self.declined
            .get(&ifindex)
            .into_iter()
            .map(String::as_str)
            .chain(problems.map(|problem| problem.text.as_str()))
    }

    /// The group of a key is wanted.
    #[must_use]
    pub fn has_group(&self, key: &GroupKey) -> bool {
        match key {
            GroupKey::Segment(segment) => self.segments.contains_key(segment),
            hops => self.groups.contains_key(hops),
        }
    }

    /// The VTEP at the remote end of a tunnel from the local address of a domain, if its own one is known.
    #[must_use]
    pub fn vtep(&self, tunnel: VtepKey) -> Option<VtepKey> {
        match tunnel.local.is_unspecified() {
            true => {
                let local = self.sources.get(&tunnel.remote).copied().flatten()?;
                Some(VtepKey { local, ..tunnel })
            }
            false => Some(tunnel),
        }
    }

    /// What the kernel is asked about to know the way to a VTEP.
    #[must_use]
    pub fn asked(&self, vtep: VtepKey) -> super::Asked {
        (self.vrfs.get(&vtep.local).copied(), vtep.remote)
    }

    /// The VTEPs that vxlan devices without a local address send to.
    pub fn sourceless_vteps(&self) -> impl Iterator<Item = VtepKey> {
        let known = self.sources.iter();
        known.filter_map(|(remote, local)| Some(VtepKey { local: (*local)?, remote: *remote }))
    }

    /// Whether an interface on top of a bridge listens to a MAC address.
    #[must_use]
    pub fn hears(&self, key: FdbKey) -> bool {
        let anywhere = DomainKey { vlan: 0, ..key.domain };
        !self.heard.is_empty()
            && (self.heard.contains(&key)
                || self.heard.contains(&FdbKey { domain: anywhere, ..key }))
    }

    /// Whether routes compile to the same under `other`, so that only changed ones have to be
    /// compiled again.
    #[must_use]
    pub fn routes_like(&self, other: &Self) -> bool {
        // Of those that stand for tunnels, to which nothing is connected, only the MTUs matter.
        let routed = |structure: &Self| -> BTreeSet<(u32, u32, Mac, bool)> {
            let ports = structure.ports.iter().filter(|(_, port)| port.role.routes());
            let used = ports.map(|(index, port)| match is_tunnel(*index) {
                true => (TUNNELS, port.mtu, Mac::default(), false),
                false => (*index, port.mtu, port.mac, port.is_target),
            });
            used.collect()
        };
        self.views == other.views
            && self.leaks == other.leaks
            && routed(self) == routed(other)
            && self.without_ipv6 == other.without_ipv6
    }

    /// Whether MACs compile to the same under `other`, as far as the network is the same.
    #[must_use]
    pub fn macs_like(&self, other: &Self) -> bool {
        self.domains == other.domains
            && self.circuits == other.circuits
            && self.vteps.keys().eq(other.vteps.keys())
            && self.gateways == other.gateways
            && self.routers == other.routers
            && self.sources == other.sources
            && self.vrfs == other.vrfs
    }

    /// Whether the neighbours that ARP and neighbour discovery are answered by compile to the same under `other`,
    /// as far as the network is the same.
    #[must_use]
    pub fn answers_like(&self, other: &Self) -> bool {
        self.answering == other.answering
            && self.own == other.own
            && (self.answering.is_empty() || self.domains == other.domains)
    }

    /// Interface indexes of the routed ports, those of the underlay among them, for
    /// [`super::Policy::sticky_routed`] of the next compilation.
    #[must_use]
    pub fn routed(&self) -> BTreeSet<u32> {
        let is_routed = |port: &Port| port.role.is_routed() && port.member_of.is_none();
        let routed = self.ports.iter().filter(|(_, port)| is_routed(port));
        routed.map(|(ifindex, _)| *ifindex).collect()
    }
}
