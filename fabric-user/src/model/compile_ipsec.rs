//! What IPsec policies may match is left to the kernel, and named.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{Domain, Guarded, VtepKey, compile::Compiler, ipsec::Guard};

/// So many sentences about routed packets, at most.
const SENTENCES: usize = 8;

impl Compiler<'_> {
    /// Looks at the tunnels and at the routed ports that are compiled by now.
    pub(super) fn ipsec(&mut self) {
        let ipsec = self.network.ipsec();
        if ipsec.is_empty() {
            return;
        }
        self.ipsec_tunnels();
        let routes = &self.network.routing().routes;
        let routed = ipsec.routed(|address| routes.is_own(address));
        let is_routed = |v6| self.out.views.iter().any(|view| !view.of(v6).is_empty());
        let families = [is_routed(false), is_routed(true)];
        let named =
            routed.iter().filter(|(prefix, _)| families[usize::from(prefix.address.is_ipv6())]);
        let named: Vec<_> = named.collect();
        for (prefix, guard) in named.iter().take(SENTENCES) {
            let text =
                format!("routed packets to {prefix}: {guard} may match them, left to the kernel");
            self.problem(None, text);
        }
        if let Some(more) = named.len().checked_sub(SENTENCES + 1) {
            let text = format!(
                "routed packets to {} more destinations: IPsec policies may match them, left to the \
                 kernel (see `ip xfrm policy`)",
                more + 1
            );
            self.problem(None, text);
        }
        self.out.guarded = Guarded::new(routed.into_keys());
    }

    /// Leaves out tunnels whose packets a policy may match when they arrive.
    pub(super) fn without_ipsec<T>(&self, tunnels: &mut BTreeMap<VtepKey, T>) {
        let ipsec = self.network.ipsec();
        if ipsec.is_empty() {
            return;
        }
        let inward = ipsec.sent_by_vteps();
        let is_such = |domain: &&Domain| domain.vni.is_some() && domain.local.is_unspecified();
        let domains = self.out.domains.values().filter(is_such);
        let ports: BTreeSet<u16> = domains.map(|domain| domain.udp_port).collect();
        let is_guarded = |key: &VtepKey, port| inward.of(key.local, key.remote, port).is_some();
        tunnels.retain(|key, _| !ports.iter().any(|port| is_guarded(key, *port)));
    }

    fn ipsec_tunnels(&mut self) {
        let ipsec = self.network.ipsec();
        let mut ports: BTreeMap<IpAddr, BTreeSet<u16>> = BTreeMap::new();
        for domain in self.out.domains.values().filter(|domain| domain.vni.is_some()) {
            match domain.local.is_unspecified() {
                false => drop(ports.entry(domain.local).or_default().insert(domain.udp_port)),
                true => {
                    for vtep in self.out.sourceless_vteps() {
                        ports.entry(vtep.local).or_default().insert(domain.udp_port);
                    }
                }
            }
        }
        let (outward, inward) = (ipsec.to_vteps(), ipsec.sent_by_vteps());
        // By what they are about: a policy for all VTEPs is one sentence.
        let mut to: BTreeMap<String, (IpAddr, usize)> = BTreeMap::new();
        let mut from = to.clone();
        let note = |sentences: &mut BTreeMap<_, (IpAddr, usize)>, guard: Guard<'_>, remote| {
            sentences.entry(guard.to_string()).or_insert((remote, 0)).1 += 1;
        };
        for (key, way) in &mut self.out.vteps {
            let VtepKey { local, remote } = *key;
            let mut ports = ports.get(&local).into_iter().flatten();
            let mut others = ports.clone();
            if let Some(guard) = ports.find_map(|port| outward.of(local, remote, *port)) {
                *way = None;
                note(&mut to, guard, remote);
            }
            if let Some(guard) = others.find_map(|port| inward.of(local, remote, *port)) {
                self.out.unheard.insert(*key);
                note(&mut from, guard, remote);
            }
        }
        for (sentences, preposition) in [(to, "to"), (from, "from")] {
            for (guard, (remote, count)) in sentences {
                let others = match count {
                    1 => String::new(),
                    _ => format!(" and {} others", count - 1),
                };
                let text = format!(
                    "VTEP {remote}{others}: {guard} may match VXLAN packets {preposition} it, left to \
                     the kernel"
                );
                self.problem(None, text);
            }
        }
    }
}
