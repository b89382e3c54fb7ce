//! The TTL of tunnels whose vxlan device sets none, or inherits one that a frame does not have.
//!
//! The kernel takes the way's to the VTEP: the metric of the route, else over IPv4 that of the box
//! (`ip4_dst_hoplimit`), over IPv6 that of the interface (`ip6_dst_hoplimit`). A domain has one TTL for
//! all of its VTEPs, so it gets the one that most VTEPs of its address have, and the others are the
//! kernel's. No usual underlay has any of those.

use std::{collections::BTreeMap, net::IpAddr};

use super::{NexthopKey, VtepKey, compile::Compiler};

/// What the kernel writes into packets to a VTEP, or why that depends on the packet.
pub(super) type HopLimit = Result<u8, String>;

impl Compiler<'_> {
    /// The TTL of packets by a route with this metric (0 for none) and these next hops.
    pub(super) fn hop_limit(
        &self,
        metric: u8,
        remote: IpAddr,
        members: &[(NexthopKey, u16)],
    ) -> HopLimit {
        if metric != 0 {
            return Ok(metric);
        }
        if remote.is_ipv4() {
            return Ok(self.policy.default_ttl);
        }
        let default = self.policy.default_hop_limit;
        let of = |ifindex| self.policy.hop_limit6.get(&ifindex).copied().unwrap_or(default);
        let interfaces = members.iter().map(|(key, _)| key.ifindex);
        let limits: BTreeMap<u32, u8> = interfaces.map(|ifindex| (ifindex, of(ifindex))).collect();
        let first = limits.values().next().copied().unwrap_or(default);
        if limits.values().all(|limit| *limit == first) {
            return Ok(first);
        }
        let each = |(ifindex, limit): (&u32, &u8)| {
            format!("net.ipv6.conf.{}.hop_limit is {limit}", self.network.name(*ifindex))
        };
        let each: Vec<String> = limits.iter().map(each).collect();
        Err(format!(
            "its next hops are on interfaces with different hop limits ({}), and the vxlan device sets \
             none",
            each.join(", ")
        ))
    }

    /// Gives domains without a TTL that of the ways to most VTEPs, and declines the VTEPs to which the
    /// kernel sends with another one.
    pub(super) fn hop_limits(&mut self, limits: &BTreeMap<VtepKey, HopLimit>) {
        let mut votes: BTreeMap<IpAddr, BTreeMap<u8, usize>> = BTreeMap::new();
        for (tunnel, limit) in limits {
            if let Ok(limit) = limit {
                *votes.entry(tunnel.local).or_default().entry(*limit).or_default() += 1;
            }
        }
        let default = |local: IpAddr| match local {
            IpAddr::V4(_) => self.policy.default_ttl,
            IpAddr::V6(_) => self.policy.default_hop_limit,
        };
        let chosen = |local: &IpAddr| {
            let votes = votes.get(local).into_iter().flatten();
            let most = votes.max_by_key(|(limit, count)| (**count, **limit == default(*local)));
            most.map_or_else(|| default(*local), |(limit, _)| *limit)
        };
        for domain in self.out.domains.values_mut() {
            if domain.vni.is_some() && domain.ttl == 0 {
                domain.ttl = chosen(&domain.local);
            }
        }
        for (tunnel, limit) in limits {
            let chosen = chosen(&tunnel.local);
            match limit {
                Ok(limit) if *limit == chosen => {}
                Ok(limit) => self.decline(
                    *tunnel,
                    &format!(
                        "the way to it has the hop limit {limit}, those to most VTEPs {chosen}, and the \
                         vxlan device sets none (`ip route get {}`)",
                        tunnel.remote
                    ),
                ),
                Err(reason) => self.decline(*tunnel, reason),
            }
        }
    }
}
