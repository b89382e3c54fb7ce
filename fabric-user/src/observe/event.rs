//! One change of the network, and everything at once.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use serde::{Deserialize, Serialize};

use super::{
    BridgeMac, BridgePort, Chain, ChainFamily, Classifiers, IpsecDefaults, IpsecPolicy, Learned,
    Link, Mac, Neighbour, Netconf, Nexthop, PortVlan, Prefix, Route, Rule, TunnelMac, VlanStates,
    VniFilter, XdpFeatures,
};

/// One change. A message always carries the whole object, never a difference ([`Netconf`] excepted).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A network interface is there or has changed.
    Link(Link),
    /// A network interface has left the namespace.
    LinkGone {
        /// Its interface index.
        ifindex: u32,
    },
    /// A bridge port's options or VLANs.
    BridgePort(BridgePort),
    /// A bridge's own VLANs: those of frames for the bridge itself and for interfaces on top of it.
    BridgeVlans {
        /// Interface index of the bridge.
        ifindex: u32,
        /// The VLANs in ascending order.
        vlans: Vec<PortVlan>,
    },
    /// An interface is no bridge port any more.
    BridgePortGone {
        /// Its interface index.
        ifindex: u32,
    },
    /// States of VLANs of a bridge port.
    VlanStates(VlanStates),
    /// A vxlan device hears of these VNIs as well.
    VniFilter(VniFilter),
    /// A vxlan device does not hear of these VNIs any more.
    VniFilterGone(VniFilter),
    /// A bridge knows behind which port a MAC is.
    BridgeMac(BridgeMac),
    /// A bridge forgot a MAC.
    BridgeMacGone {
        /// Interface index of the bridge.
        bridge: u32,
        /// VLAN ID, 0 for none.
        vlan: u16,
        /// The address.
        mac: Mac,
    },
    /// A vxlan device knows behind which VTEP a MAC is; for the zero MAC: one VTEP more to flood to.
    TunnelMac(TunnelMac),
    /// A vxlan device forgot it. For the zero MAC only this destination is meant.
    TunnelMacGone(TunnelMac),
    /// An interface listens to a MAC address beside its own (`dev_uc_add`), for one on top of it. The
    /// kernel tells neither when one on top begins nor when it ends to; only a dump has it.
    OwnMac {
        /// Its interface index.
        ifindex: u32,
        /// The address.
        mac: Mac,
    },
    /// It does not any more.
    OwnMacGone {
        /// Its interface index.
        ifindex: u32,
        /// The address.
        mac: Mac,
    },
    /// An IP neighbour is there or has changed.
    Neighbour(Neighbour),
    /// An IP neighbour is gone.
    NeighbourGone {
        /// Interface index.
        ifindex: u32,
        /// IP address.
        address: IpAddr,
    },
    /// A route is there or has changed: it takes the place of the first one with its key.
    Route(Route),
    /// A route is there, behind others with its key.
    RouteAppended(Route),
    /// A route is there, before others with its key (IPv4 only).
    RoutePrepended(Route),
    /// A route is gone. An IPv6 route only loses the next hops that are named.
    RouteGone(Route),
    /// The kernel has learned something about the way to an address. Only dumps tell, and only what is
    /// true now.
    Learned(Learned),
    /// A nexthop object is there or has changed.
    Nexthop(Nexthop),
    /// A nexthop object is gone.
    NexthopGone {
        /// Its ID.
        id: u32,
    },
    /// A policy routing rule is there.
    Rule(Rule),
    /// A policy routing rule is gone.
    RuleGone(Rule),
    /// An address came to an interface or left it: IPv4 routes may have changed without a message.
    AddressChanged {
        /// Its interface index.
        ifindex: u32,
    },
    /// What XDP programs may do with an interface.
    XdpFeatures {
        /// Its interface index.
        ifindex: u32,
        /// What.
        features: XdpFeatures,
    },
    /// Nothing is known about an interface any more.
    XdpFeaturesGone {
        /// Its interface index.
        ifindex: u32,
    },
    /// The other end of a veth pair was looked at.
    VethPeer {
        /// Interface index of this end.
        ifindex: u32,
        /// Whether the other end takes what XDP programs send into this one; none if it cannot be
        /// looked at.
        receives: Option<bool>,
    },
    /// Filters of `tc` may have come or gone: only who asks knows.
    ClassifiersChanged,
    /// The interfaces of which `tc` classifies packets, by index: all that there are.
    Classifiers(BTreeMap<u32, Classifiers>),
    /// Settings about forwarding.
    Netconf(Netconf),
    /// An interface does not speak a family any more, or is gone.
    NetconfGone {
        /// IPv6; otherwise IPv4.
        v6: bool,
        /// Its interface index.
        ifindex: u32,
    },
    /// An IPsec policy is there or has changed.
    IpsecPolicy(IpsecPolicy),
    /// An IPsec policy is gone.
    IpsecPolicyGone {
        /// Its index.
        index: u32,
    },
    /// All IPsec policies of a type are gone.
    IpsecPoliciesGone {
        /// The sub-policies; otherwise the main ones.
        sub: bool,
    },
    /// What happens to packets that no IPsec policy matches.
    IpsecDefaults(IpsecDefaults),
    /// There is a base chain of nftables. Only dumps tell.
    Chain(Chain),
    /// The chains of a table of nftables see nothing for now. Only dumps tell.
    DormantTable {
        /// Packets that its chains are for.
        family: ChainFamily,
        /// Its name.
        name: String,
    },
    /// Tables, chains or rules of nftables have changed.
    NetfilterChanged,
}

impl Event {
    /// The interfaces on which IPv6 may have been switched on or off (`disable_ipv6`), of which the kernel says nothing:
    /// it makes or removes their route for multicast, and with an MTU of less than 1280 bytes their settings.
    pub(crate) fn may_switch_ipv6(&self) -> impl Iterator<Item = u32> {
        const MULTICAST: Prefix =
            Prefix { address: IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), length: 8 };
        let hops = match self {
            Self::Route(route) | Self::RouteAppended(route) | Self::RouteGone(route)
                if route.key.prefix == MULTICAST =>
            {
                &route.hops[..]
            }
            _ => &[],
        };
        let setting = match self {
            Self::Netconf(Netconf { v6: true, ifindex, .. }) => *ifindex,
            Self::NetconfGone { v6: true, ifindex } => Some(*ifindex),
            _ => None,
        };
        hops.iter().map(|hop| hop.ifindex).chain(setting)
    }
}

/// What a [`Listing`] covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every kind of object.
    All,
    /// Neighbours, routes and nexthops: what the kernel removes without a word when a link goes
    /// down.
    Routing,
    /// Bridges, the states of VLANs, the VNIs of vxlan devices and what `tc` classifies, which the kernel
    /// sometimes changes without a word that says how.
    Bridges,
    /// The same, and which VLANs of a port suppress questions, of which a range says only the first one's.
    BridgesByVlan,
    /// Tables and chains of nftables, whose messages are not followed one by one.
    Netfilter,
}

/// The result of a complete dump: objects of its scope that are not in it do not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Which kinds of objects it covers.
    pub scope: Scope,
    /// The objects, links first.
    pub events: Vec<Event>,
}
