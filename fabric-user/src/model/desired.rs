//! What the maps should hold, under natural keys.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use fabric_common::schema::ports::{TUNNELS, is_tunnel};
use serde::Serialize;

use super::{Guarded, Multipath, pairs};
use crate::{
    hashed::HashMap,
    observe::{Df, Mac, Prefix, Resilient, SourceQuestion},
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
    /// What packets that arrive here are looked up in: position in [`Structure::views`]. None if
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
    /// All of [`Structure::vteps`] that are not [`Structure::unheard`].
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

/// Identity of a bridge domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct DomainKey {
    /// Interface index of the bridge.
    pub bridge: u32,
    /// VLAN ID of a VLAN-aware bridge, 0 for a plain one.
    pub vlan: u16,
}

/// A bridge domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// For people: the bridge's name, and the VLAN if there is one.
    pub name: String,
    /// VXLAN network identifier; `None` if its tunnel is left to the kernel or there is none. The
    /// fields from `vxlan` to `vxlan_mac` are 0 or false then.
    pub vni: Option<u32>,
    /// Whether its frames have the tag of their VLAN in the tunnel.
    pub inside: Inside,
    /// Interface index of the vxlan device.
    pub vxlan: u32,
    /// VNI that the device's own entries name for the domain: [`vni`](Self::vni) in external mode, 0 for a
    /// device of one VNI.
    pub source_vni: u32,
    /// Local VTEP address, of the underlay's family; unspecified if each VTEP has its own, see
    /// [`Structure::sources`], and packets for any address of this box are taken.
    pub local: IpAddr,
    /// UDP destination port, host order.
    pub udp_port: u16,
    /// Outer TTL or hop limit; with `ttl_inherit` the one for frames that are not IP.
    pub ttl: u8,
    /// The outer TTL is the inner one.
    pub ttl_inherit: bool,
    /// Outer TOS byte or traffic class with ECN bits 0; 0 with `tos_inherit`.
    pub tos: u8,
    /// The outer DSCP is the inner one.
    pub tos_inherit: bool,
    /// Outer Don't Fragment bit, of no meaning over IPv6.
    pub df: Df,
    /// Outer flow label over IPv6, 20 bits; 0 if the flow chooses it.
    pub label: u32,
    /// The outer flow label over IPv6 is the inner one.
    pub label_inherit: bool,
    /// Over IPv6 the UDP checksum is 0.
    pub zero_checksum_tx: bool,
    /// Over IPv6 packets with the UDP checksum 0 are accepted.
    pub zero_checksum_rx: bool,
    /// Largest frame into the tunnel in bytes, without a tag: the vxlan device's MTU plus 14.
    pub max_frame: u32,
    /// Bridge ageing time in milliseconds; 0 means that MACs are forgotten at once.
    pub ageing_ms: u64,
    /// The vxlan device or the bridge's port towards it learns.
    pub overlay_learning: bool,
    /// The vxlan device learns.
    pub overlay_snoops: bool,
    /// The bridge's port towards the vxlan device is isolated.
    pub overlay_isolated: bool,
    /// The bridge's port towards the vxlan device admits only known sources.
    pub overlay_locked: bool,
    /// The bridge sends back into the tunnel what came out of it for a station behind it.
    pub overlay_hairpin: bool,
    /// The vxlan device's own MAC address.
    pub vxlan_mac: Mac,
    /// It is a tunnel of next hops: nothing that arrives belongs to it.
    pub only_sends: bool,
    /// ARP requests for hosts behind the tunnel are answered by [`Desired::answers`].
    pub answers_arp: bool,
    /// The same for neighbour solicitations.
    pub answers_nd: bool,
}

/// Whether frames of a domain have the tag of their VLAN in the tunnel (`br_handle_vlan` and `__allowed_ingress` of
/// `net/bridge/br_vlan.c`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Inside {
    /// Neither those that are sent nor those that arrive.
    #[default]
    Untagged,
    /// The VLAN is the vxlan device's PVID beside others: frames arrive without a tag, with one that has a priority alone, or with
    /// that of the VLAN.
    Pvid {
        /// Those that are sent have the tag.
        sent_tagged: bool,
    },
    /// All of them.
    Tagged,
}

impl Inside {
    /// Whether frames that are sent have the tag.
    #[must_use]
    pub const fn is_sent_tagged(self) -> bool {
        matches!(self, Self::Tagged | Self::Pvid { sent_tagged: true })
    }

    /// The VLAN IDs of the tags that frames of a VLAN arrive with, 0 for those with a priority alone; `None` for frames
    /// without a tag.
    pub fn arriving(self, vlan: u16) -> impl Iterator<Item = Option<u16>> {
        let [untagged, tagged] = match self {
            Self::Untagged => [true, false],
            Self::Pvid { .. } => [true, true],
            Self::Tagged => [false, true],
        };
        let priority = (untagged && tagged).then_some(Some(0));
        let tags = untagged.then_some(None).into_iter().chain(priority);
        tags.chain(tagged.then_some(Some(vlan)))
    }
}

/// A domain without a tunnel, whose bridge forgets MACs at once.
impl Default for Domain {
    fn default() -> Self {
        Self {
            name: String::new(),
            vni: None,
            inside: Inside::default(),
            vxlan: 0,
            source_vni: 0,
            local: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            udp_port: 0,
            ttl: 0,
            ttl_inherit: false,
            tos: 0,
            tos_inherit: false,
            df: Df::default(),
            label: 0,
            label_inherit: false,
            zero_checksum_tx: false,
            zero_checksum_rx: false,
            max_frame: 0,
            ageing_ms: 0,
            overlay_learning: false,
            overlay_snoops: false,
            overlay_isolated: false,
            overlay_locked: false,
            overlay_hairpin: false,
            vxlan_mac: Mac::default(),
            only_sends: false,
            answers_arp: false,
            answers_nd: false,
        }
    }
}

/// An interface whose neighbours ARP and neighbour discovery are answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Answering {
    /// The domain whose hosts ask.
    pub domain: DomainKey,
    /// The routing table that the interface's own addresses stand in.
    pub table: u32,
}

/// Identity of a neighbour that ARP or neighbour discovery is answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct AnswerKey {
    /// The domain whose hosts ask.
    pub domain: DomainKey,
    /// The address that they ask for.
    pub address: IpAddr,
}

/// A neighbour that ARP or neighbour discovery is answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Its MAC address; none if the kernel would not send to it now.
    pub mac: Option<Mac>,
    /// It is a router.
    pub router: bool,
}

/// Identity of an attachment circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CircuitKey {
    /// Interface index of the bridge port.
    pub bridge_port: u32,
    /// The domain.
    pub domain: DomainKey,
}

/// A bridge port's membership in a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Circuit {
    /// Interface index of the port where frames enter and leave: the lower interface if the bridge
    /// port is a VLAN device.
    pub port: u32,
    /// VLAN ID that frames carry on the wire, 0 for untagged.
    pub vlan: u16,
    /// Exchanges no frames with other isolated circuits.
    pub isolated: bool,
    /// Frames may leave by the port that they came from.
    pub hairpin: bool,
    /// ARP and neighbour discovery that arrive here are not answered for others.
    pub suppresses: bool,
    /// Largest frame in bytes without the tag: the bridge port's MTU plus 14, or
    /// [`NOT_A_TARGET`](fabric_common::schema::circuits::NOT_A_TARGET).
    pub max_frame: u32,
}

/// Identity of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct VtepKey {
    /// Local VTEP address.
    pub local: IpAddr,
    /// Remote VTEP address, of the same family.
    pub remote: IpAddr,
}

/// Identity of an Ethernet segment of other leafs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SegmentKey {
    /// Local VTEP address of the domains that use it; unspecified as in [`Domain::local`].
    pub local: IpAddr,
    /// ID of the kernel's nexthop group.
    pub group: u32,
}

/// An Ethernet segment of other leafs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// VTEPs with their weights (from 1), all of them in [`Structure::vteps`]. Empty if there are none, or if
    /// one of them cannot be expressed: then the kernel forwards what is for the segment.
    pub members: Vec<(VtepKey, u16)>,
    /// The kernel's own settings for a resilient group.
    pub resilient: Option<Resilient>,
}

/// Identity of a group of next hops.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKey {
    /// The kernel's nexthop object of this ID.
    Object(u32),
    /// The next hops of a route without nexthop object, or of one whose VTEPs are on the link,
    /// with their weights (from 1).
    Hops(Arc<[(NexthopKey, u16)]>),
    /// The VTEPs of a segment, which is in [`Structure::segments`].
    Segment(SegmentKey),
}

/// A group of next hops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Members with their weights (from 1), all of them in [`Structure::nexthops`] and on ports of
    /// [`Structure::ports`], also while their link or their neighbour is down. Empty if the group
    /// discards, if it has no members, or if one of them cannot be expressed: then the kernel
    /// forwards what would be sent to the group.
    pub members: Vec<(NexthopKey, u16)>,
    /// The kernel's own settings for a resilient group.
    pub resilient: Option<Resilient>,
    /// Packets sent to the group are discarded.
    pub blackhole: bool,
}

/// Identity of a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct NexthopKey {
    /// Interface index of the port.
    pub ifindex: u32,
    /// Address of the router; the VTEP's own if it is on the link.
    pub gateway: IpAddr,
}

/// A next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Nexthop {
    /// MAC address of the port.
    pub source: Mac,
    /// MAC address of the router; none while it is unresolved or does not answer.
    pub destination: Option<Mac>,
    /// IP MTU of the port in bytes.
    pub mtu: u32,
}

/// Routing tables in the order in which they are looked up, for each family: the first table that
/// matches decides. A list is empty if the family is left to the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct View {
    /// For IPv4 packets.
    pub v4: Vec<u32>,
    /// For IPv6 packets.
    pub v6: Vec<u32>,
}

/// Identity of an entry of the longest-prefix match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RoutePlace {
    /// Position in [`Structure::views`].
    pub view: u16,
    /// Destination; a host if its length is that of its address.
    pub prefix: Prefix,
}

/// Where packets to a prefix go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To a group, which is in [`Structure::groups`].
    Group(GroupKey),
    /// To a connected host that is resolved; the destination is never none.
    Nexthop {
        /// Identity. A group may have the same next hop.
        key: NexthopKey,
        /// Content.
        nexthop: Nexthop,
    },
    /// It is for this box, or a broadcast or multicast.
    Local,
    /// The kernel forwards; the route cannot be expressed.
    Kernel,
    /// Nowhere, silently.
    Blackhole,
    /// Nowhere; the kernel tells the sender.
    Unreachable,
    /// It is on the link of a port, and the kernel resolves the neighbour.
    Connected,
    /// Into another VRF: what the address leads to in this view, by its position in [`Structure::views`],
    /// unless that is yet another VRF.
    View(u16),
}

/// Identity of an FDB entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FdbKey {
    /// The domain.
    pub domain: DomainKey,
    /// The address.
    pub mac: Mac,
}

/// Where a MAC is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Behind a circuit, which is in [`Structure::circuits`].
    Local(CircuitKey),
    /// Behind a VTEP, which is in [`Structure::vteps`].
    Remote(VtepKey),
    /// Behind an Ethernet segment, which is in [`Structure::segments`].
    Segment(SegmentKey),
    /// It is this box's own.
    Own,
    /// It is a gateway's, by the interface index of its port.
    Gateway(u32),
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
