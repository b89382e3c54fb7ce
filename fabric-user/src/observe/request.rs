//! What is asked of the kernel.

use std::net::IpAddr;

use super::{
    Scope, SourceQuestion,
    address::{BRIDGE, INET, INET6},
    neighbour::{Marks, NDA_FLAGS_EXT},
    netfilter::{self, Chain, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE, NFT_MSG_GETTABLE},
    protocol::Protocol,
    xfrm::{self, XFRM_MSG_GETDEFAULT, XFRM_MSG_GETPOLICY},
};
use crate::netlink::{
    NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLMSG_NOOP, Request,
    rtnetlink::{
        RTM_GETLINK, RTM_GETNEIGH, RTM_GETNETCONF, RTM_GETNEXTHOP, RTM_GETNSID, RTM_GETQDISC,
        RTM_GETROUTE, RTM_GETRULE, RTM_GETTFILTER, RTM_GETTUNNEL, RTM_GETVLAN, RTM_NEWNEIGH,
    },
};

/// What can be dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dump {
    Links,
    Bridges,
    BridgePorts,
    /// By ranges of VLANs that are alike but for their `neigh_suppress`, which is that of the first one: by it the
    /// kernel does not tell others apart (`br_vlan_opts_eq_range`).
    VlanStates,
    /// VLAN by VLAN, each with its counters, which takes the kernel longer.
    EachVlan,
    VniFilters,
    Nexthops,
    RoutesV4,
    RoutesV6,
    NeighboursV4,
    NeighboursV6,
    Fdb,
    RulesV4,
    RulesV6,
    NetconfV4,
    NetconfV6,
    IpsecPolicies,
    IpsecDefaults,
    NftTables,
    NftChains,
}

impl Dump {
    /// Everything, in the order in which the objects refer to each other.
    const ALL: &[Self] = &[
        Self::Links,
        Self::BridgePorts,
        Self::EachVlan,
        Self::VniFilters,
        Self::NetconfV4,
        Self::NetconfV6,
        Self::RulesV4,
        Self::RulesV6,
        Self::Nexthops,
        Self::RoutesV4,
        Self::RoutesV6,
        Self::NeighboursV4,
        Self::NeighboursV6,
        Self::Fdb,
        Self::IpsecDefaults,
        Self::IpsecPolicies,
        Self::NftTables,
        Self::NftChains,
    ];
    const ROUTING: &[Self] =
        &[Self::Nexthops, Self::RoutesV4, Self::RoutesV6, Self::NeighboursV4, Self::NeighboursV6];

    /// What a scope covers.
    pub(super) const fn of(scope: Scope) -> &'static [Self] {
        match scope {
            Scope::All => Self::ALL,
            Scope::Routing => Self::ROUTING,
            Scope::Bridges => &[Self::Bridges, Self::VlanStates, Self::VniFilters],
            Scope::BridgesByVlan => &[Self::Bridges, Self::EachVlan, Self::VniFilters],
            Scope::Netfilter => &[Self::NftTables, Self::NftChains],
        }
    }

    /// Who is asked.
    pub(super) const fn protocol(self) -> Protocol {
        match self {
            Self::IpsecPolicies | Self::IpsecDefaults => Protocol::Xfrm,
            Self::NftTables | Self::NftChains => Protocol::Netfilter,
            _ => Protocol::Route,
        }
    }

    /// Whether the kernel was built or booted without these objects, or without IPv6.
    pub(super) fn is_missing(self, errno: i32) -> bool {
        // A kind of message that came with Linux 5.14; and what the kernel says of a subsystem of netfilter
        // that it cannot load either.
        let is_late = self == Self::IpsecDefaults || self.protocol() == Protocol::Netfilter;
        if is_late && errno == libc::EINVAL {
            return true;
        }
        let optional = matches!(
            self,
            Self::RulesV4
                | Self::RulesV6
                | Self::NetconfV4
                | Self::NetconfV6
                | Self::VlanStates
                | Self::EachVlan
                | Self::VniFilters
                | Self::NftTables
                | Self::NftChains
        );
        optional && [libc::EOPNOTSUPP, libc::EAFNOSUPPORT].contains(&errno)
    }

    /// Whether the answers of several interrupted attempts make a whole one together. These objects have
    /// numbers and no order among each other, and the kernel goes on behind the last number (next hops;
    /// links since 6.10), so that an interrupted answer lacks nothing that stays; where it counts places
    /// instead, one that is passed over has to be passed over by every attempt. Routes and rules shadow
    /// each other, so a doubt about them is not borne.
    pub(super) const fn can_be_pieced(self) -> bool {
        matches!(
            self,
            Self::Links
                | Self::Bridges
                | Self::BridgePorts
                | Self::Nexthops
                | Self::NetconfV4
                | Self::NetconfV6
                | Self::Fdb
        )
    }

    /// Whether an answer that was interrupted will do: a message says that it was, and it is asked for again
    /// then.
    pub(super) fn is_told_of(self) -> bool {
        self.protocol() == Protocol::Netfilter
    }

    /// The request.
    pub(super) fn request(self) -> Request {
        let (kind, family, header) = match self {
            Self::Links | Self::Bridges => (RTM_GETLINK, 0, 16),
            Self::BridgePorts => (RTM_GETLINK, BRIDGE, 16),
            Self::VlanStates | Self::EachVlan => (RTM_GETVLAN, BRIDGE, 8),
            Self::VniFilters => (RTM_GETTUNNEL, BRIDGE, 8),
            Self::Nexthops => (RTM_GETNEXTHOP, 0, 8),
            Self::RoutesV4 => (RTM_GETROUTE, INET, 12),
            Self::RoutesV6 => (RTM_GETROUTE, INET6, 12),
            Self::NeighboursV4 => (RTM_GETNEIGH, INET, 12),
            Self::NeighboursV6 => (RTM_GETNEIGH, INET6, 12),
            Self::Fdb => (RTM_GETNEIGH, BRIDGE, 12),
            Self::RulesV4 => (RTM_GETRULE, INET, 12),
            Self::RulesV6 => (RTM_GETRULE, INET6, 12),
            Self::NetconfV4 => (RTM_GETNETCONF, INET, 4),
            Self::NetconfV6 => (RTM_GETNETCONF, INET6, 4),
            Self::IpsecPolicies => (XFRM_MSG_GETPOLICY, 0, xfrm::ID),
            Self::IpsecDefaults => (XFRM_MSG_GETDEFAULT, 0, 4),
            Self::NftTables => (NFT_MSG_GETTABLE, 0, 4),
            Self::NftChains => (NFT_MSG_GETCHAIN, 0, 4),
        };
        let flags = if self == Self::IpsecDefaults { 0 } else { NLM_F_DUMP };
        let request = Request::new(kind, flags, &[&[family][..], &[0; 63][..header - 1]].concat());
        match self {
            Self::BridgePorts => {
                const IFLA_EXT_MASK: u16 = 29;
                const RTEXT_FILTER_BRVLAN_COMPRESSED: u32 = 1 << 2;
                request.attribute(IFLA_EXT_MASK, &RTEXT_FILTER_BRVLAN_COMPRESSED.to_ne_bytes())
            }
            Self::EachVlan => {
                const BRIDGE_VLANDB_DUMP_FLAGS: u16 = 1;
                const BRIDGE_VLANDB_DUMPF_STATS: u32 = 1;
                request
                    .attribute(BRIDGE_VLANDB_DUMP_FLAGS, &BRIDGE_VLANDB_DUMPF_STATS.to_ne_bytes())
            }
            Self::Bridges => {
                const IFLA_LINKINFO: u16 = 18;
                /// `IFLA_INFO_KIND` with the string `bridge`.
                const KIND: [u8; 12] = *b"\x0b\0\x01\0bridge\0\0";
                request.attribute(IFLA_LINKINFO, &KIND)
            }
            _ => request,
        }
    }
}

/// Lists the rules of a chain of nftables.
pub(super) fn rules(chain: &Chain) -> Request {
    const NFTA_RULE_TABLE: u16 = 1;
    const NFTA_RULE_CHAIN: u16 = 2;
    let text = |name: &str| [name.as_bytes(), b"\0"].concat();
    Request::dump(NFT_MSG_GETRULE, &[netfilter::protocol(chain.family), 0, 0, 0])
        .attribute(NFTA_RULE_TABLE, &text(&chain.table))
        .attribute(NFTA_RULE_CHAIN, &text(&chain.name))
}

/// Asks for nothing but an acknowledgement, which is queued behind all that was queued before.
pub(super) fn mark() -> Request {
    Request::new(NLMSG_NOOP, 0, &[]).acknowledged()
}

/// Asks for one neighbour.
pub(super) fn neighbour(ifindex: u32, address: IpAddr) -> Request {
    about_neighbour(RTM_GETNEIGH, 0, ifindex, address, Marks::default())
}

/// Asks the kernel to resolve or confirm a neighbour, as a packet to it would (`NTF_USE`): a `new` one,
/// which is refused if there is one by now, or one that there is and keeps these marks.
pub(super) fn resolve(ifindex: u32, address: IpAddr, new: bool, marks: Marks) -> Request {
    const NTF_USE: u8 = 1;
    let flags = if new { NLM_F_CREATE | NLM_F_EXCL } else { 0 };
    let marks = Marks { flags: marks.flags | NTF_USE, ..marks };
    about_neighbour(RTM_NEWNEIGH, flags, ifindex, address, marks)
}

fn about_neighbour(kind: u16, flags: u16, ifindex: u32, address: IpAddr, marks: Marks) -> Request {
    const NDA_DST: u16 = 1;
    let family = if address.is_ipv4() { INET } else { INET6 };
    let [a, b, c, d] = ifindex.to_ne_bytes();
    // `ndmsg`: family, pads, interface index, state, flags, type.
    let request = Request::new(kind, flags, &[family, 0, 0, 0, a, b, c, d, 0, 0, marks.flags, 0]);
    let request = with_address(request, NDA_DST, address);
    match marks.extended {
        0 => request,
        extended => request.attribute(NDA_FLAGS_EXT, &extended.to_ne_bytes()),
    }
}

const RTA_OIF: u16 = 4;

fn with_address(request: Request, kind: u16, address: IpAddr) -> Request {
    match address {
        IpAddr::V4(address) => request.attribute(kind, &address.octets()),
        IpAddr::V6(address) => request.attribute(kind, &address.octets()),
    }
}

/// Asks how the kernel would send VXLAN packets from one address to another, which are of one family.
pub(super) fn path(local: IpAddr, remote: IpAddr, vrf: Option<u32>) -> Request {
    const RTA_SRC: u16 = 2;
    // Without ports, as the kernel itself looks for the way that an ICMP message is about: with several
    // next hops it finds the same one then.
    let request = with_address(way(remote, true), RTA_SRC, local);
    match vrf {
        // As the vxlan device's socket is bound.
        Some(vrf) => request.attribute(RTA_OIF, &vrf.to_ne_bytes()),
        None => request,
    }
}

/// Asks from which address the kernel would send VXLAN packets.
pub(super) fn source(question: SourceQuestion) -> Request {
    const RTA_DPORT: u16 = 29;
    let mut request = way(question.remote, false);
    if let Some(over) = question.over {
        request = request.attribute(RTA_OIF, &over.to_ne_bytes());
    }
    if let Some(port) = question.port {
        request = request.attribute(RTA_DPORT, &port.to_be_bytes());
    }
    request
}

/// Asks for the way of UDP packets to an address, from another one or from any.
fn way(remote: IpAddr, from_another: bool) -> Request {
    const RTA_DST: u16 = 1;
    const RTA_IP_PROTO: u16 = 27;
    const UDP: u8 = 17;
    let (family, length) = if remote.is_ipv4() { (INET, 32) } else { (INET6, 128) };
    let source_length = if from_another { length } else { 0 };
    let head = [family, length, source_length, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    with_address(Request::new(RTM_GETROUTE, 0, &head), RTA_DST, remote)
        .attribute(RTA_IP_PROTO, &[UDP])
}

/// Lists the filters of `tc` at one place of an interface (`TC_H_*` of `linux/pkt_sched.h`). In full: some
/// classifiers know no `TCA_DUMP_FLAGS_TERSE`, and the kernel's answer then is an error.
pub(super) fn filters(ifindex: u32, parent: u32) -> Request {
    let mut head = [0; 20];
    head[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    head[12..16].copy_from_slice(&parent.to_ne_bytes());
    Request::dump(RTM_GETTFILTER, &head)
}

/// Lists the queueing disciplines of all interfaces.
pub(super) fn disciplines() -> Request {
    Request::dump(RTM_GETQDISC, &[0; 20])
}

/// Asks which number a network namespace has here.
pub(super) fn namespace_number(descriptor: i32) -> Request {
    const NETNSA_FD: u16 = 3;
    Request::new(RTM_GETNSID, 0, &[0; 4]).attribute(NETNSA_FD, &descriptor.to_ne_bytes())
}

/// Asks for the numbers of a generic netlink family.
pub(super) fn generic_family(name: &[u8]) -> Request {
    const GENL_ID_CTRL: u16 = 16;
    const CTRL_CMD_GETFAMILY: u8 = 3;
    const CTRL_ATTR_FAMILY_NAME: u16 = 2;
    Request::new(GENL_ID_CTRL, 0, &[CTRL_CMD_GETFAMILY, 0, 0, 0])
        .attribute(CTRL_ATTR_FAMILY_NAME, name)
}

/// Lists all objects of a generic netlink family.
pub(super) fn generic_dump(family: u16, command: u8) -> Request {
    Request::dump(family, &[command, 0, 0, 0])
}
