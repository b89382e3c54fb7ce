//! Requests to the kernel: `nlmsghdr` (length, type, flags, sequence, port: 16 bytes), a fixed
//! header, attributes.

use std::{io, net::IpAddr};

use super::{
    Scope,
    address::{BRIDGE, INET, INET6},
    datagram::NLMSG_NOOP,
    message::{
        RTM_GETLINK, RTM_GETNEIGH, RTM_GETNETCONF, RTM_GETNEXTHOP, RTM_GETQDISC, RTM_GETROUTE,
        RTM_GETRULE, RTM_GETTFILTER, RTM_GETVLAN, RTM_NEWNEIGH,
    },
    neighbour::{Marks, NDA_FLAGS_EXT},
    netfilter::{self, Chain, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE, NFT_MSG_GETTABLE},
    protocol::Protocol,
    xfrm::{self, XFRM_MSG_GETDEFAULT, XFRM_MSG_GETPOLICY},
};

/// Length of `nlmsghdr`.
pub(super) const HEADER: usize = 16;

const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;

/// What can be dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dump {
    Links,
    Bridges,
    BridgePorts,
    VlanStates,
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
        Self::VlanStates,
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
            Scope::Bridges => &[Self::Bridges, Self::VlanStates],
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
    pub(super) fn is_missing(self, error: &io::Error) -> bool {
        // A kind of message that came with Linux 5.14.
        if self == Self::IpsecDefaults && error.raw_os_error() == Some(libc::EINVAL) {
            return true;
        }
        // What the kernel says of a subsystem of netfilter that it cannot load either.
        if self.protocol() == Protocol::Netfilter && error.raw_os_error() == Some(libc::EINVAL) {
            return true;
        }
        let optional = matches!(
            self,
            Self::RulesV4
                | Self::RulesV6
                | Self::NetconfV4
                | Self::NetconfV6
                | Self::VlanStates
                | Self::NftTables
                | Self::NftChains
        );
        let missing = [libc::EOPNOTSUPP, libc::EAFNOSUPPORT];
        optional && error.raw_os_error().is_some_and(|code| missing.contains(&code))
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
    pub(super) fn request(self, sequence: u32) -> Vec<u8> {
        let (kind, family, header) = match self {
            Self::Links | Self::Bridges => (RTM_GETLINK, 0, 16),
            Self::BridgePorts => (RTM_GETLINK, BRIDGE, 16),
            Self::VlanStates => (RTM_GETVLAN, BRIDGE, 8),
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
        let whole = if self == Self::IpsecDefaults { NLM_F_ACK } else { NLM_F_DUMP };
        let mut request = Request::new(kind, NLM_F_REQUEST | whole, sequence);
        request.fixed(family, header);
        if self == Self::BridgePorts {
            const IFLA_EXT_MASK: u16 = 29;
            const RTEXT_FILTER_BRVLAN_COMPRESSED: u32 = 1 << 2;
            request.attribute(IFLA_EXT_MASK, &RTEXT_FILTER_BRVLAN_COMPRESSED.to_ne_bytes());
        }
        if self == Self::Bridges {
            const IFLA_LINKINFO: u16 = 18;
            /// `IFLA_INFO_KIND` with the string `bridge`.
            const KIND: [u8; 12] = *b"\x0b\0\x01\0bridge\0\0";
            request.attribute(IFLA_LINKINFO, &KIND);
        }
        request.finish()
    }
}

/// Lists the rules of a chain of nftables.
pub(super) fn rules(sequence: u32, chain: &Chain) -> Vec<u8> {
    const NFTA_RULE_TABLE: u16 = 1;
    const NFTA_RULE_CHAIN: u16 = 2;
    let mut request = Request::new(NFT_MSG_GETRULE, NLM_F_REQUEST | NLM_F_DUMP, sequence);
    request.fixed(netfilter::protocol(chain.family), 4);
    for (kind, name) in [(NFTA_RULE_TABLE, &chain.table), (NFTA_RULE_CHAIN, &chain.name)] {
        request.attribute(kind, &[name.as_bytes(), b"\0"].concat());
    }
    request.finish()
}

/// Asks for nothing but an acknowledgement, which is queued behind all that was queued before.
pub(super) fn mark(sequence: u32) -> Vec<u8> {
    Request::new(NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, sequence).finish()
}

/// Asks for one neighbour.
pub(super) fn neighbour(sequence: u32, ifindex: u32, address: IpAddr) -> Vec<u8> {
    about_neighbour(RTM_GETNEIGH, 0, sequence, ifindex, address, Marks::default())
}

/// Asks the kernel to resolve or confirm a neighbour, as a packet to it would (`NTF_USE`): a `new` one,
/// which is refused if there is one by now, or one that there is and keeps these marks.
pub(super) fn resolve(
    sequence: u32,
    ifindex: u32,
    address: IpAddr,
    new: bool,
    marks: Marks,
) -> Vec<u8> {
    const NTF_USE: u8 = 1;
    let flags = if new { NLM_F_CREATE | NLM_F_EXCL } else { 0 };
    let marks = Marks { flags: marks.flags | NTF_USE, ..marks };
    about_neighbour(RTM_NEWNEIGH, flags, sequence, ifindex, address, marks)
}

fn about_neighbour(
    kind: u16,
    flags: u16,
    sequence: u32,
    ifindex: u32,
    address: IpAddr,
    marks: Marks,
) -> Vec<u8> {
    const NDA_DST: u16 = 1;
    let mut request = Request::new(kind, NLM_F_REQUEST | NLM_F_ACK | flags, sequence);
    let family = if address.is_ipv4() { INET } else { INET6 };
    let at = request.fixed(family, 12);
    request.0[at + 4..at + 8].copy_from_slice(&ifindex.to_ne_bytes());
    request.0[at + 10] = marks.flags;
    match address {
        IpAddr::V4(address) => request.attribute(NDA_DST, &address.octets()),
        IpAddr::V6(address) => request.attribute(NDA_DST, &address.octets()),
    }
    if marks.extended != 0 {
        request.attribute(NDA_FLAGS_EXT, &marks.extended.to_ne_bytes());
    }
    request.finish()
}

/// Asks how the kernel would send VXLAN packets from one address to another, which are of one family.
pub(super) fn path(sequence: u32, local: IpAddr, remote: IpAddr) -> Vec<u8> {
    const RTA_DST: u16 = 1;
    const RTA_SRC: u16 = 2;
    const RTA_IP_PROTO: u16 = 27;
    const UDP: u8 = 17;
    let mut request = Request::new(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_ACK, sequence);
    let (family, length) = if remote.is_ipv4() { (INET, 32) } else { (INET6, 128) };
    let at = request.fixed(family, 12);
    request.0[at + 1..at + 3].fill(length);
    for (kind, address) in [(RTA_DST, remote), (RTA_SRC, local)] {
        match address {
            IpAddr::V4(address) => request.attribute(kind, &address.octets()),
            IpAddr::V6(address) => request.attribute(kind, &address.octets()),
        }
    }
    // Without ports, as the kernel itself looks for the way that an ICMP message is about: with several
    // next hops it finds the same one then.
    request.attribute(RTA_IP_PROTO, &[UDP]);
    request.finish()
}

/// Asks for one interface.
pub(super) fn link(ifindex: u32) -> Vec<u8> {
    let mut request = Request::new(RTM_GETLINK, NLM_F_REQUEST, 1);
    let at = request.fixed(0, 16);
    request.0[at + 4..at + 8].copy_from_slice(&ifindex.to_ne_bytes());
    request.finish()
}

/// Lists the filters of `tc` at one place of an interface (`TC_H_*` of `linux/pkt_sched.h`). In full: some
/// classifiers know no `TCA_DUMP_FLAGS_TERSE`, and the kernel's answer then is an error.
pub(super) fn filters(sequence: u32, ifindex: u32, parent: u32) -> Vec<u8> {
    let mut request = Request::new(RTM_GETTFILTER, NLM_F_REQUEST | NLM_F_DUMP, sequence);
    let at = request.fixed(0, 20);
    request.0[at + 4..at + 8].copy_from_slice(&ifindex.to_ne_bytes());
    request.0[at + 12..at + 16].copy_from_slice(&parent.to_ne_bytes());
    request.finish()
}

/// Lists the queueing disciplines of all interfaces.
pub(super) fn disciplines(sequence: u32) -> Vec<u8> {
    let mut request = Request::new(RTM_GETQDISC, NLM_F_REQUEST | NLM_F_DUMP, sequence);
    request.fixed(0, 20);
    request.finish()
}

/// Asks which number a network namespace has here.
pub(super) fn namespace_number(descriptor: i32) -> Vec<u8> {
    const RTM_GETNSID: u16 = 90;
    const NETNSA_FD: u16 = 3;
    let mut request = Request::new(RTM_GETNSID, NLM_F_REQUEST, 1);
    request.fixed(0, 4);
    request.attribute(NETNSA_FD, &descriptor.to_ne_bytes());
    request.finish()
}

/// Asks for the numbers of a generic netlink family.
pub(super) fn generic_family(name: &[u8]) -> Vec<u8> {
    const GENL_ID_CTRL: u16 = 16;
    const CTRL_CMD_GETFAMILY: u8 = 3;
    const CTRL_ATTR_FAMILY_NAME: u16 = 2;
    let mut request = Request::new(GENL_ID_CTRL, NLM_F_REQUEST | NLM_F_ACK, 1);
    request.fixed(CTRL_CMD_GETFAMILY, 4);
    request.attribute(CTRL_ATTR_FAMILY_NAME, name);
    request.finish()
}

/// Lists all objects of a generic netlink family.
pub(super) fn generic_dump(family: u16, command: u8) -> Vec<u8> {
    let mut request = Request::new(family, NLM_F_REQUEST | NLM_F_DUMP, 1);
    request.fixed(command, 4);
    request.finish()
}

struct Request(Vec<u8>);

impl Request {
    fn new(kind: u16, flags: u16, sequence: u32) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        Self(bytes)
    }

    /// Adds a fixed header that starts with the family, or the command of a generic one, and is otherwise zero; returns its place.
    fn fixed(&mut self, family: u8, length: usize) -> usize {
        let at = self.0.len();
        self.0.push(family);
        self.0.resize(at + length, 0);
        at
    }

    /// Adds an attribute of at most 65,531 bytes, with padding.
    fn attribute(&mut self, kind: u16, payload: &[u8]) {
        self.0.extend((payload.len() as u16 + 4).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(payload);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}
