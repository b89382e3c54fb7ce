//! Ways that routes and MAC addresses lead: tunnels, segments, groups, next hops.

use std::{net::IpAddr, sync::Arc};

use serde::Serialize;

use crate::observe::{Mac, Prefix, Resilient};

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
    /// VTEPs with their weights (from 1), all of them in [`super::Structure::vteps`]. Empty if there are none, or if
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
    /// The VTEPs of a segment, which is in [`super::Structure::segments`].
    Segment(SegmentKey),
}

/// A group of next hops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Members with their weights (from 1), all of them in [`super::Structure::nexthops`] and on ports of
    /// [`super::Structure::ports`], also while their link or their neighbour is down. Empty if the group
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
    /// Position in [`super::Structure::views`].
    pub view: u16,
    /// Destination; a host if its length is that of its address.
    pub prefix: Prefix,
}

/// Where packets to a prefix go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To a group, which is in [`super::Structure::groups`].
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
    /// Into another VRF: what the address leads to in this view, by its position in [`super::Structure::views`],
    /// unless that is yet another VRF.
    View(u16),
}
