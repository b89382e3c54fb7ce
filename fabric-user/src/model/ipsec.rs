//! IPsec policies, as far as they concern packets that Fabric would forward.
//!
//! What a policy may match is the kernel's, whatever the policy does with it: only policies that let
//! packets through as they are make an exception. The kernel looks for a policy after it has found a
//! route (`xfrm_lookup`), for packets from tunnels before it opens them (`xfrm4_policy_check` of
//! `udp_queue_rcv_one_skb`), and for forwarded ones twice (`ip_forward`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use super::routes::normal;
use crate::{
    hashed::HashMap,
    observe::{IpsecDefaults, IpsecDirection, IpsecPolicy, Prefix},
};

const UDP: u8 = 17;

/// All policies.
#[derive(Clone, Debug, Default)]
pub(super) struct Ipsec {
    policies: BTreeMap<u32, IpsecPolicy>,
    defaults: IpsecDefaults,
}

/// What may match a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard<'a> {
    Policy(&'a IpsecPolicy),
    /// Packets that no policy matches are refused.
    Default,
}

/// Policies for the packets of tunnels, by the remote end.
pub(super) struct Guards<'a> {
    by_remote: HashMap<Prefix, Vec<&'a IpsecPolicy>>,
    lengths: BTreeSet<u8>,
    is_refused_otherwise: bool,
}

impl Ipsec {
    /// Takes in a policy; returns whether that changes anything.
    pub(super) fn set(&mut self, policy: IpsecPolicy) -> bool {
        self.policies.insert(policy.index, policy.clone()).as_ref() != Some(&policy)
    }

    pub(super) fn remove(&mut self, index: u32) -> bool {
        self.policies.remove(&index).is_some()
    }

    /// Forgets all main policies, or all sub-policies.
    pub(super) fn flush(&mut self, sub: bool) -> bool {
        let before = self.policies.len();
        self.policies.retain(|_, policy| policy.sub != sub);
        self.policies.len() != before
    }

    pub(super) fn set_defaults(&mut self, defaults: IpsecDefaults) -> bool {
        std::mem::replace(&mut self.defaults, defaults) != defaults
    }

    /// There is nothing that any packet may match.
    pub(super) fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.defaults == IpsecDefaults::default()
    }

    /// Those for packets to VTEPs.
    pub(super) fn to_vteps(&self) -> Guards<'_> {
        let out = |policy: &IpsecPolicy| policy.direction == IpsecDirection::Out;
        Guards::new(self.relevant().filter(|policy| out(policy)), self.defaults.block_out)
    }

    /// Those for packets from VTEPs.
    pub(super) fn sent_by_vteps(&self) -> Guards<'_> {
        let inward = |policy: &IpsecPolicy| policy.direction == IpsecDirection::In;
        Guards::new(self.relevant().filter(|policy| inward(policy)), self.defaults.block_in)
    }

    /// Destinations of packets to be routed of which one may match, with one of the policies each. Only
    /// destinations are told apart: sources, protocols and ports may be any. `is_own` says whether an
    /// address is the box's own, whose packets are not routed.
    pub(super) fn routed(&self, is_own: impl Fn(IpAddr) -> bool) -> BTreeMap<Prefix, Guard<'_>> {
        let is_own_host = |prefix: &Prefix| {
            let whole = if prefix.address.is_ipv4() { 32 } else { 128 };
            prefix.length == whole && is_own(prefix.address)
        };
        let mut all = BTreeMap::new();
        if self.defaults.block_out || self.defaults.block_forward {
            for any in [IpAddr::from([0; 4]), IpAddr::from([0; 16])] {
                all.insert(Prefix { address: any, length: 0 }, Guard::Default);
            }
        }
        for policy in self.relevant() {
            let is_local = policy.direction == IpsecDirection::In
                || is_own_host(&policy.source)
                || is_own_host(&policy.destination);
            if let Some(prefix) = normal(policy.destination)
                && !is_local
                && !policy.passes
            {
                all.entry(prefix).or_insert(Guard::Policy(policy));
            }
        }
        all
    }

    /// Policies of xfrm interfaces are for packets that are sent through those.
    fn relevant(&self) -> impl Iterator<Item = &IpsecPolicy> {
        self.policies.values().filter(|policy| policy.interface == 0)
    }
}

impl<'a> Guards<'a> {
    fn new(policies: impl Iterator<Item = &'a IpsecPolicy>, is_refused_otherwise: bool) -> Self {
        let mut this =
            Self { by_remote: HashMap::default(), lengths: BTreeSet::new(), is_refused_otherwise };
        for policy in policies {
            if let Some(remote) = normal(remote(policy)) {
                this.by_remote.entry(remote).or_default().push(policy);
                this.lengths.insert(remote.length);
            }
        }
        this
    }

    /// What may match the VXLAN packets between two addresses, to a UDP port. Which source port they
    /// have is not known, nor which mark the kernel gave them.
    pub(super) fn of(&self, local: IpAddr, remote: IpAddr, port: u16) -> Option<Guard<'a>> {
        let around = self.lengths.iter().filter_map(|length| {
            self.by_remote.get(&normal(Prefix { address: remote, length: *length })?)
        });
        let mut matching: Vec<&IpsecPolicy> =
            around.flatten().copied().filter(|policy| may_match(policy, local, port)).collect();
        // Which of two with the same priority decides, the kernel knows.
        matching.sort_by_key(|policy| (policy.priority, policy.passes));
        let exempt = matching.iter().find(|policy| policy.passes && is_sure(policy));
        let exempt = exempt.map(|policy| policy.priority);
        let decides = |policy: &&&IpsecPolicy| {
            let comes_first = exempt.is_none_or(|exempt| policy.priority <= exempt);
            // A sub-policy is asked first, and then the main one all the same.
            !policy.passes && (policy.sub || comes_first)
        };
        match matching.iter().find(decides) {
            Some(policy) => Some(Guard::Policy(policy)),
            None => (self.is_refused_otherwise && exempt.is_none()).then_some(Guard::Default),
        }
    }
}

/// The selector of the address at the other end of a tunnel.
fn remote(policy: &IpsecPolicy) -> Prefix {
    match policy.direction {
        IpsecDirection::In => policy.source,
        IpsecDirection::Out | IpsecDirection::Forward => policy.destination,
    }
}

fn may_match(policy: &IpsecPolicy, local: IpAddr, port: u16) -> bool {
    let selector = match policy.direction {
        IpsecDirection::In => policy.destination,
        IpsecDirection::Out | IpsecDirection::Forward => policy.source,
    };
    let (value, mask) = policy.destination_port;
    normal(Prefix { address: local, ..selector }) == normal(selector)
        && matches!(policy.protocol, 0 | UDP)
        && value & mask == port & mask
}

/// Whether it matches all packets of a tunnel if it may match some.
fn is_sure(policy: &IpsecPolicy) -> bool {
    policy.mark.is_none() && policy.ifindex == 0 && policy.source_port.1 == 0 && !policy.sub
}

impl fmt::Display for Guard<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(policy) => write!(formatter, "the IPsec policy `{policy}`"),
            Self::Default => formatter.write_str("IPsec's default policy"),
        }
    }
}
