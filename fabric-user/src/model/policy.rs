//! What the operator allows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use serde::{Deserialize, Serialize};

use super::{Multipath, pairs};
use crate::observe::{Chain, Link, Path, Source, SourceQuestion};

/// A way to a VTEP that the kernel is asked about: the interface index of the VRF that the underlay is in, if it is in
/// one, and the remote address.
pub type Asked = (Option<u32>, IpAddr);

/// Which interfaces may be touched, and facts that are not in netlink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Interfaces that may be used; empty for all.
    pub allowed: Vec<Pattern>,
    /// Interfaces that may not be used, even if allowed.
    pub denied: Vec<Pattern>,
    /// Interfaces that are left to the kernel by request.
    pub detached: BTreeSet<u32>,
    /// Interfaces on which a program could not be attached, with the reason as one sentence.
    pub unusable: BTreeMap<u32, String>,
    /// Routed ports so far. Such a port stays one while it exists and is no port of a bridge or bond,
    /// so that a route that comes and goes does not attach and detach programs.
    pub sticky_routed: BTreeSet<u32>,
    /// Gateways because of which bridges without a tunnel were accelerated so far, each with a family (IPv6 or not) whose
    /// routes led out of it. They stay while packets of that family may be routed there: a card may lose its link when a
    /// program comes or goes, whoever configures it takes the addresses away then, and that must not move programs again.
    pub sticky_local: BTreeSet<(u32, bool)>,
    /// Programs run in drivers, which take frames from each other only if they are made for it.
    pub native: bool,
    /// Interfaces that take frames from XDP programs where the kernel is too old to say so.
    pub redirect_targets: Vec<Pattern>,
    /// TTL of tunnels that do not set one (`net.ipv4.ip_default_ttl`).
    pub default_ttl: u8,
    /// The same over IPv6 where an interface has none of its own (`net.ipv6.conf.all.hop_limit`).
    pub default_hop_limit: u8,
    /// Hop limit of this box's own IPv6 packets by interface (`net.ipv6.conf.*.hop_limit`), which routers'
    /// advertisements change too.
    pub hop_limit6: BTreeMap<u32, u8>,
    /// MTU of IPv6 packets by interface, which may be less than that of the link
    /// (`net.ipv6.conf.*.mtu`).
    pub mtu6: BTreeMap<u32, u32>,
    /// Interfaces on which the kernel drops IPv6 packets that arrive (`ip6_rcv_core`) or are to be sent (`ip6_output`):
    /// `net.ipv6.conf.*.disable_ipv6`, or an MTU of less than 1280 bytes.
    pub without_ipv6: BTreeSet<u32>,
    /// What the kernel has learned about path MTUs counts for IPv4 packets that it forwards
    /// (`net.ipv4.ip_forward_use_pmtu`).
    pub forwards_by_path_mtu: bool,
    /// What the kernel has learned about the ways to VTEPs, by [`Structure::asked`](super::Structure::asked).
    #[serde(with = "pairs")]
    pub learned: BTreeMap<Asked, Path>,
    /// From which addresses the kernel sends to the VTEPs of vxlan devices without a local address.
    #[serde(with = "pairs")]
    pub sources: BTreeMap<SourceQuestion, Source>,
    /// What the kernel tells flows apart by.
    pub multipath: Multipath,
    /// Chains of netfilter that tell nobody of themselves: those of iptables-legacy and ebtables-legacy.
    pub chains: Vec<Chain>,
    /// Chains of netfilter that do not matter, by [`Chain::path`].
    pub ignored_chains: Vec<Pattern>,
    /// Whether chains for IPv4, and those for IPv6, see the frames of all bridges
    /// (`net.bridge.bridge-nf-call-*tables`); none if they cannot see those of any.
    pub bridge_nf: Option<[bool; 2]>,
    /// Interfaces on which the kernel answers ARP for hosts of the same network
    /// (`net.ipv4.conf.*.proxy_arp_pvlan`).
    pub arp_pvlan: BTreeSet<u32>,
    /// IPVS has virtual services for IPv4, and for IPv6.
    pub virtual_servers: [bool; 2],
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            denied: Vec::new(),
            detached: BTreeSet::new(),
            unusable: BTreeMap::new(),
            sticky_routed: BTreeSet::new(),
            sticky_local: BTreeSet::new(),
            native: false,
            redirect_targets: Vec::new(),
            default_ttl: 64,
            default_hop_limit: 64,
            hop_limit6: BTreeMap::new(),
            mtu6: BTreeMap::new(),
            without_ipv6: BTreeSet::new(),
            forwards_by_path_mtu: false,
            learned: BTreeMap::new(),
            sources: BTreeMap::new(),
            multipath: Multipath::default(),
            chains: Vec::new(),
            ignored_chains: Vec::new(),
            bridge_nf: None,
            arp_pvlan: BTreeSet::new(),
            virtual_servers: [false; 2],
        }
    }
}

impl Policy {
    /// Notes the MTU and the hop limit of IPv6 packets on an interface; returns whether one is another.
    pub fn set_ipv6(&mut self, ifindex: u32, mtu: Option<u32>, hop_limit: Option<u8>) -> bool {
        let mtu_before = match mtu {
            Some(mtu) => self.mtu6.insert(ifindex, mtu),
            None => self.mtu6.remove(&ifindex),
        };
        let hop_limit_before = match hop_limit {
            Some(hop_limit) => self.hop_limit6.insert(ifindex, hop_limit),
            None => self.hop_limit6.remove(&ifindex),
        };
        (mtu_before, hop_limit_before) != (mtu, hop_limit)
    }

    /// Notes whether an interface has IPv6; returns whether that is new.
    pub fn set_has_ipv6(&mut self, ifindex: u32, has: bool) -> bool {
        match has {
            true => self.without_ipv6.remove(&ifindex),
            false => self.without_ipv6.insert(ifindex),
        }
    }

    /// IP MTU of packets that leave by a link, of whichever family: what is longer the kernel treats.
    #[must_use]
    pub fn mtu(&self, link: &Link) -> u32 {
        self.mtu6.get(&link.ifindex).map_or(link.mtu, |mtu6| link.mtu.min(*mtu6))
    }

    /// Why a VLAN device may not be used as bridge port, or the member of a bond as that, if so. Whether
    /// it is allowed is decided by the name of its port or bond.
    #[must_use]
    pub fn why_not_part(&self, ifindex: u32, name: &str) -> Option<String> {
        let choice = self.choice_of_vlan(ifindex, name);
        choice.or_else(|| self.unusable.get(&ifindex).cloned())
    }

    /// Why an interface may not be used, if so.
    #[must_use]
    pub fn why_not(&self, ifindex: u32, name: &str) -> Option<String> {
        let choice = self.choice(ifindex, name);
        choice.or_else(|| self.unusable.get(&ifindex).cloned())
    }

    /// How the operator has said that an interface is not to be used, if so.
    #[must_use]
    pub fn choice(&self, ifindex: u32, name: &str) -> Option<String> {
        let choice = self.choice_of_vlan(ifindex, name);
        if choice.is_some() {
            return choice;
        }
        if !self.allowed.is_empty() && !self.allowed.iter().any(|pattern| pattern.matches(name)) {
            return Some(format!("port {name} matches no allowed pattern in the settings"));
        }
        None
    }

    /// As [`Self::choice`] for a VLAN device.
    #[must_use]
    pub fn choice_of_vlan(&self, ifindex: u32, name: &str) -> Option<String> {
        if self.detached.contains(&ifindex) {
            return Some(format!(
                "port {name} is detached by request; `fabricctl attach {name}` ends that"
            ));
        }
        let pattern = self.denied.iter().find(|pattern| pattern.matches(name))?;
        Some(format!("port {name} is denied by the pattern `{pattern}` in the settings"))
    }
}

/// A pattern for interface names: `*` stands for any characters, `?` for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether a name fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        fn fits(pattern: &[u8], name: &[u8]) -> bool {
            match (pattern, name) {
                ([], []) => true,
                ([b'*', rest @ ..], _) => {
                    fits(rest, name)
                        || name.split_first().is_some_and(|(_, name)| fits(pattern, name))
                }
                ([b'?', pattern @ ..], [_, name @ ..]) => fits(pattern, name),
                ([a, pattern @ ..], [b, name @ ..]) => a == b && fits(pattern, name),
                _ => false,
            }
        }
        fits(self.0.as_bytes(), name.as_bytes())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
