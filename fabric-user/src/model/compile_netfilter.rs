//! What netfilter would see of the packets that Fabric forwards is left to the kernel, and named.

use std::collections::BTreeMap;

use super::{Network, Policy, VtepKey, compile::Compiler};
use crate::observe::{Bridge, Chain, Link};

/// Chains that may do something to packets, without those that the settings say not to mind.
pub(super) fn chains<'a>(network: &'a Network, policy: &'a Policy) -> Vec<&'a Chain> {
    let all = network.nftables().acting().chain(policy.chains.iter().filter(|chain| chain.acts));
    let is_ignored = |chain: &Chain| {
        let path = chain.path();
        policy.ignored_chains.iter().any(|pattern| pattern.matches(&path))
    };
    all.filter(|chain| !is_ignored(chain)).collect()
}

impl<'a> Compiler<'a> {
    /// The chain that sees what an interface receives or sends, if there is one, in a sentence.
    pub(super) fn hooked(&self, link: &Link) -> Option<String> {
        if self.chains.iter().all(|chain| chain.devices.is_empty()) {
            return None;
        }
        let mut interfaces = std::iter::once(link).chain(self.members(link));
        interfaces.find_map(|interface| {
            let chain = self.chains.iter().find(|chain| chain.is_at(&interface.name))?;
            Some(format!("{chain} sees what {} receives or sends", interface.name))
        })
    }

    /// What sees a bridge's frames, if something does, in a sentence.
    pub(super) fn sees_bridged(&self, bridge: &Bridge) -> Option<String> {
        let chains = || self.chains.iter();
        if let Some(chain) = chains().find(|chain| chain.sees_bridged()) {
            return Some(format!("{chain} sees frames"));
        }
        let everywhere = self.policy.bridge_nf?;
        let switches = [
            (bridge.nf_call_ip, "bridge-nf-call-iptables", "nf_call_iptables"),
            (bridge.nf_call_ip6, "bridge-nf-call-ip6tables", "nf_call_ip6tables"),
        ];
        switches.into_iter().zip([false, true]).find_map(|((here, sysctl, option), v6)| {
            let switch = match (everywhere[usize::from(v6)], here) {
                (true, _) => sysctl,
                (false, true) => option,
                (false, false) => return None,
            };
            let who = match chains().find(|chain| chain.sees_routed(v6)) {
                Some(chain) => chain.to_string(),
                None if self.policy.virtual_servers[usize::from(v6)] => "IPVS".into(),
                None => return None,
            };
            Some(format!("{who} sees frames by br_netfilter ({switch})"))
        })
    }

    /// Why packets of a family are not routed here, if so.
    pub(super) fn why_not_routed(&self, v6: bool) -> Option<String> {
        let family = family(v6);
        if self.policy.virtual_servers[usize::from(v6)] {
            return Some(format!(
                "routed {family} packets: IPVS has virtual services (`ipvsadm -Ln`) and may translate \
                 what passes, left to the kernel"
            ));
        }
        let chains = self.chains.iter().filter(|chain| chain.sees_routed(v6));
        let chains = several(chains)?;
        Some(format!("routed {family} packets: {chains} them, left to the kernel"))
    }

    /// Looks at the bridges and tunnels that are compiled by now.
    pub(super) fn netfilter(&mut self) {
        let mut bridges: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, seen) in std::mem::take(&mut self.filtered) {
            bridges.entry(seen).or_default().push(name);
        }
        for (seen, names) in bridges {
            let bridges = and_others(names[0], names.len());
            self.problem(None, format!("bridge {bridges}: {seen}, left to the kernel"));
        }
        for v6 in [false, true] {
            self.netfilter_tunnels(v6);
        }
    }

    fn netfilter_tunnels(&mut self, v6: bool) {
        let is_there = |key: &&VtepKey| key.local.is_ipv6() == v6;
        let vteps: Vec<VtepKey> = self.out.vteps.keys().filter(is_there).copied().collect();
        let Some(first) = vteps.first() else { return };
        let chains = || self.chains.iter();
        let sent = chains().find(|chain| chain.moves_sent(v6)).copied();
        let received = chains().find(|chain| chain.moves_received(v6)).copied();
        let filters = several(chains().filter(|chain| chain.filters_tunnels(v6)));
        let vtep = and_others(&first.remote.to_string(), vteps.len());
        if let Some(chain) = sent {
            for (_, way) in self.out.vteps.iter_mut().filter(|(key, _)| is_there(key)) {
                *way = None;
            }
            let text = format!(
                "VTEP {vtep}: {chain} may lead VXLAN packets to it elsewhere, left to the kernel"
            );
            self.problem(None, text);
        }
        if let Some(chain) = received {
            self.out.unheard.extend(vteps);
            let text = format!(
                "VTEP {vtep}: {chain} may lead VXLAN packets from it elsewhere, left to the kernel"
            );
            self.problem(None, text);
        }
        if let Some(filters) = filters {
            let text =
                format!("tunnels over {}: {filters} nothing of what XDP forwards", family(v6));
            self.out.notes.insert(text);
        }
    }
}

const fn family(v6: bool) -> &'static str {
    if v6 { "IPv6" } else { "IPv4" }
}

fn and_others(first: &str, count: usize) -> String {
    match count {
        0 | 1 => first.to_owned(),
        _ => format!("{first} and {} others", count - 1),
    }
}

/// The first of some chains and how many others, with a verb.
fn several<'a>(mut chains: impl Iterator<Item = &'a &'a Chain>) -> Option<String> {
    let first = chains.next()?;
    Some(match chains.count() {
        0 => format!("{first} sees"),
        more => format!("{first} and {more} more see"),
    })
}
