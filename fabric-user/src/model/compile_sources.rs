//! From which address the kernel sends to the VTEPs of vxlan devices that have no local address, and which
//! other addresses of this box these VTEPs may send to.
//!
//! The address is that of the route, or one that the kernel chooses by the interface and, over IPv6, by the
//! destination (`fib_result_prefsrc`, `inet_select_addr`, `ipv6_dev_get_saddr`). So it is asked. Where a
//! route leads over several interfaces it is asked about each: with different answers it depends on the
//! flow.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    NexthopKey, VtepKey,
    compile::Compiler,
    routes::{LOCAL, host, never_forwarded},
};
use crate::observe::{LinkKind, SourceQuestion};

/// Addresses of this box, of one family, to which VTEPs may send beside the one from which the kernel sends
/// to them: each takes an entry per VTEP in the map `peers`.
const OTHERS: usize = 16;

impl Compiler<'_> {
    /// From which address the kernel sends packets for this UDP port, if it is one for all, by these next
    /// hops, which may be those of a nexthop object; or why that is not known. Notes what the kernel is to be
    /// asked.
    pub(super) fn source(
        &mut self,
        remote: IpAddr,
        port: Option<u16>,
        members: &[(NexthopKey, u16)],
        is_object: bool,
    ) -> Result<IpAddr, String> {
        let is_alive = |ifindex: &u32| self.network.link(*ifindex).is_some_and(|link| link.alive());
        let interfaces: BTreeSet<u32> = members.iter().map(|(key, _)| key.ifindex).collect();
        // Nothing is sent over the others, whatever the kernel does.
        let alive: Vec<u32> = interfaces.iter().copied().filter(is_alive).collect();
        // An IPv6 route with a nexthop object has the source of the object's first member for all of them,
        // and does not care over which interface it is asked for (`nexthop_fib6_nh`, `fib6_select_path`).
        let is_one = interfaces.len() == 1 || remote.is_ipv6() && is_object;
        let asked: Vec<Option<u32>> = match is_one && !alive.is_empty() {
            true => vec![None],
            false => alive.iter().copied().map(Some).collect(),
        };
        let mut found: BTreeMap<IpAddr, u32> = BTreeMap::new();
        let mut is_known = true;
        for over in asked {
            let question = SourceQuestion { remote, port, over };
            let answer = self.policy.sources.get(&question).filter(|answer| {
                let gateway = answer.gateway.unwrap_or(remote);
                let hop = NexthopKey { ifindex: answer.ifindex, gateway };
                members.iter().any(|(key, _)| *key == hop)
                    && over.is_none_or(|over| over == answer.ifindex)
            });
            match answer {
                Some(answer) => {
                    found.entry(answer.address).or_insert(answer.ifindex);
                }
                None => is_known = false,
            }
            self.out.questions.insert(question);
        }
        let is_unknown = || {
            format!(
                "it is not known from which address the kernel sends to it (`ip route get {remote}`)"
            )
        };
        let depends = |what: String| {
            format!(
                "from which address the kernel sends to it depends on the flow: {what} (`ip link set \
                 DEVICE type vxlan id VNI local ADDRESS`)"
            )
        };
        if !is_known {
            return Err(is_unknown());
        }
        if found.len() > 1 {
            let each = found.iter().map(|(address, ifindex)| {
                format!("{address} over {}", self.network.name(*ifindex))
            });
            return Err(depends(each.collect::<Vec<_>>().join(", ")));
        }
        // The kernel prefers an address of the router's network, over IPv4.
        let has_choice = |ifindex: &u32| {
            members.iter().filter(|(key, _)| key.ifindex == *ifindex).count() > 1
                && self.addresses(*ifindex).nth(1).is_some()
        };
        if remote.is_ipv4()
            && let Some(ifindex) = alive.iter().copied().find(has_choice)
        {
            let name = self.network.name(ifindex);
            return Err(depends(format!(
                "{name} has several addresses and leads to several routers"
            )));
        }
        let source = found.into_keys().next().ok_or_else(is_unknown)?;
        match self.is_here(source) && !never_forwarded(host(source)) {
            true => Ok(source),
            false => Err(format!(
                "the kernel sends to it from {source}, which is no address of this box outside VRFs that \
                 others can reach"
            )),
        }
    }

    /// Finds the other addresses to which VTEPs may send, where a vxlan device without a local address takes
    /// what arrives there: such as are taken from the same ports as the one from which the kernel sends.
    /// Addresses of bridges, of which a gateway has many, are left out.
    pub(super) fn aliases(&mut self) {
        let sources: Vec<VtepKey> = self.out.sourceless_vteps().collect();
        let heard = |key: &VtepKey| !self.out.unheard.contains(key);
        let mains: Vec<VtepKey> = sources.into_iter().filter(heard).collect();
        let mut wanted: BTreeMap<VtepKey, VtepKey> = BTreeMap::new();
        for v6 in [false, true] {
            let of_family = |key: &&VtepKey| key.remote.is_ipv6() == v6;
            if !self.takes_any(v6) || !mains.iter().any(|key| of_family(&key)) {
                continue;
            }
            let others = self.others(v6);
            let mut is_all = true;
            for main in mains.iter().filter(of_family) {
                let aliases = others.iter().map(|local| VtepKey { local: *local, ..*main });
                let mut aliases = aliases
                    .filter(|key| key.local != key.remote && !self.out.vteps.contains_key(key));
                wanted.extend(aliases.by_ref().take(OTHERS).map(|alias| (alias, *main)));
                is_all &= aliases.next().is_none();
            }
            if !is_all {
                let text = format!(
                    "vxlan devices without a local address: this box has more than {OTHERS} addresses, so \
                     that what arrives for some of them is left to the kernel"
                );
                self.problem(None, text);
            }
        }
        self.without_ipsec(&mut wanted);
        self.arrive_alike(&mut wanted);
        self.out.aliases = wanted;
    }

    /// Whether some vxlan device takes what arrives for any address of this box.
    pub(super) fn takes_any(&self, v6: bool) -> bool {
        let mut domains = self.out.domains.values();
        domains.any(|domain| {
            domain.vni.is_some()
                && !domain.only_sends
                && domain.local.is_unspecified()
                && domain.local.is_ipv6() == v6
        })
    }

    /// The addresses of this box that others can reach, without those of bridges.
    fn others(&self, v6: bool) -> Vec<IpAddr> {
        let is_bridge = |ifindex: u32| {
            let link = self.network.link(ifindex);
            link.is_some_and(|link| matches!(link.kind, LinkKind::Bridge(_)))
        };
        let is_on_bridge = |ifindex: u32| {
            let link = self.network.link(ifindex).filter(|link| !link.lower_elsewhere);
            is_bridge(ifindex) || link.and_then(|link| link.lower).is_some_and(is_bridge)
        };
        let routes = &self.network.routing().routes;
        let own = routes.own().filter(|address| address.is_ipv6() == v6 && self.is_here(*address));
        own.filter(|address| !self.interfaces_of(LOCAL, *address).any(is_on_bridge)).collect()
    }
}
