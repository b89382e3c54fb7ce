//! Routed ports: where packets arrive that the kernel would forward by its routing tables.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Role, View, compile::Compiler, compile_leaks::views_to_add, compile_uppers::DEPTH, routes::Via,
};
use crate::observe::{Link, LinkKind, NexthopKind, Rule};

/// A port that may become a routed one.
struct Candidate<'a> {
    link: &'a Link,
    view: View,
    problems: Vec<String>,
}

impl<'a> Compiler<'a> {
    /// Makes interfaces ports that routes lead out of and that the kernel forwards from, and says
    /// what the packets that arrive there are looked up in.
    pub(super) fn routed_ports(&mut self) {
        let network = self.network;
        let candidates: Vec<Candidate<'a>> =
            network.links().filter_map(|link| self.candidate(link)).collect();
        let mut tables: BTreeSet<u32> = candidates
            .iter()
            .flat_map(|each| each.view.v4.iter().chain(&each.view.v6))
            .copied()
            .collect();
        let leaks = self.leaks(candidates.iter().map(|each| &each.view));
        tables.extend(leaks.into_iter().filter_map(|leak| leak.tables.ok()).flatten());
        let uses = |table: &u32| self.network.routing().routes.uses(*table);
        let leads_out = self.leads_out(tables.iter().flat_map(uses));
        let leads_down = self.leads_down(&tables);
        let seen = [false, true].map(|v6| self.why_not_routed(v6));
        let mut left = [false; 2];
        let mut views: BTreeMap<View, Vec<u32>> = BTreeMap::new();
        for Candidate { link, mut view, problems } in candidates {
            let ifindex = link.ifindex;
            let gateway = self.gateways.get(&ifindex).copied();
            // What is sent into downstream VNIs comes back to the gateway of this leaf's own one, which no route needs to
            // lead out of.
            let comes_back = || {
                let mut tables = view.v4.iter().chain(&view.v6);
                gateway.is_some() && tables.any(|table| leads_down.contains(table))
            };
            if !leads_out.contains(&ifindex)
                && !self.policy.sticky_routed.contains(&ifindex)
                && !comes_back()
            {
                continue;
            }
            if let (Some(_), Some(why)) = (gateway, self.policy.why_not(ifindex, &link.name)) {
                self.out.declined.insert(ifindex, why);
                continue;
            }
            let added = match gateway {
                Some(domain) => self.gateway(link, domain),
                None => self.routed_port(link, Role::Routed),
            };
            if let Err(reason) = added {
                let is_access =
                    self.out.ports.get(&ifindex).is_some_and(|port| port.role == Role::Access);
                if is_access || gateway.is_some() {
                    let text = format!("port {}: {reason}; routed by the kernel", link.name);
                    self.problem(Some(ifindex), text);
                }
                continue;
            }
            for problem in problems {
                self.problem(Some(ifindex), problem);
            }
            // The port stays one, so that rules that come and go do not attach and detach programs.
            for (v6, tables) in [&mut view.v4, &mut view.v6].into_iter().enumerate() {
                if seen[v6].is_some() {
                    left[v6] |= !tables.is_empty();
                    tables.clear();
                }
            }
            if view != View::default() {
                views.entry(view).or_default().push(ifindex);
            }
        }
        for text in seen.into_iter().zip(left).filter_map(|(text, left)| text.filter(|_| left)) {
            self.problem(None, text);
        }
        let leaks = self.leaks(views.keys());
        for view in views_to_add(&leaks, views.keys()) {
            views.entry(view).or_default();
        }
        for (position, (view, members)) in views.into_iter().enumerate() {
            for ifindex in members {
                if let Some(port) = self.out.ports.get_mut(&ifindex) {
                    port.view = u16::try_from(position).ok();
                    port.route4 = !view.v4.is_empty();
                    port.route6 = !view.v6.is_empty();
                }
            }
            self.out.views.push(view);
        }
        self.lead_into(leaks);
    }

    /// An interface that could be a routed port or is a gateway, as far as it alone is concerned.
    fn candidate(&self, link: &'a Link) -> Option<Candidate<'a>> {
        let ifindex = link.ifindex;
        let [v4, v6] = [false, true].map(|v6| self.forwards(v6, ifindex));
        // Switched virtual interfaces that are no gateways, and tunnels, are the kernel's, and nothing to complain about. Nor is
        // what nothing ever arrives at.
        let is_port = match &link.kind {
            LinkKind::Bridge(_) | LinkKind::Vxlan(_) | LinkKind::Vrf { .. } => false,
            LinkKind::Other(kind) if kind == "dummy" => false,
            _ => !self.is_on_bridge(link),
        };
        let is_port = is_port || self.gateways.contains_key(&ifindex);
        if !(v4 || v6) || !is_port || !self.is_alone(link) || link.loopback || link.mac.is_none() {
            return None;
        }
        let (mut view, mut problems) = (View::default(), Vec::new());
        let name = &link.name;
        if v4 {
            match (self.network.routing().rp_filter(ifindex), self.tables(false, link)) {
                (0, Ok(tables)) => view.v4 = tables,
                (0, Err(rule)) => problems.push(rule_problem(name, "IPv4", rule)),
                (mode, _) => problems.push(format!(
                    "port {name}: the kernel checks where the sources of IPv4 packets are \
                     (rp_filter {mode}), so it routes what arrives here; set \
                     net.ipv4.conf.{name}.rp_filter and net.ipv4.conf.all.rp_filter to 0 to have it \
                     accelerated"
                )),
            }
        }
        if v6 {
            match self.tables(true, link) {
                Ok(tables) => view.v6 = tables,
                Err(rule) => problems.push(rule_problem(name, "IPv6", rule)),
            }
        }
        Some(Candidate { link, view, problems })
    }

    /// Whether the kernel forwards packets of a family that arrive at an interface.
    pub(super) fn forwards(&self, v6: bool, ifindex: u32) -> bool {
        let has_family = !v6 || !self.policy.without_ipv6.contains(&ifindex);
        has_family && self.network.routing().forwards(v6, ifindex)
    }

    /// Whether an interface is no part of another one, a VRF aside.
    pub(super) fn is_alone(&self, link: &Link) -> bool {
        link.master.is_none_or(|master| {
            self.network.link(master).is_some_and(|link| matches!(link.kind, LinkKind::Vrf { .. }))
        })
    }

    /// Whether an interface stands on a bridge, as VLAN devices and the macvlans of virtual routers do.
    fn is_on_bridge(&self, link: &Link) -> bool {
        let mut at = link;
        for _ in 0..DEPTH {
            let lower = at.lower.filter(|_| !at.lower_elsewhere);
            let Some(lower) = lower.and_then(|lower| self.network.link(lower)) else {
                return false;
            };
            if matches!(lower.kind, LinkKind::Bridge(_)) {
                return true;
            }
            at = lower;
        }
        false
    }

    /// The interfaces of all these next hops.
    pub(super) fn leads_out(&self, vias: impl Iterator<Item = Via>) -> BTreeSet<u32> {
        let mut out = BTreeSet::new();
        for via in vias {
            self.via_leads_out(via, &mut out);
        }
        out
    }

    /// Adds the interfaces of next hops.
    pub(super) fn via_leads_out(&self, via: Via, out: &mut BTreeSet<u32>) {
        match via {
            Via::Nothing => {}
            Via::Hops(id) => {
                let hops = self.network.routing().routes.hops(id);
                out.extend(hops.iter().map(|hop| hop.ifindex));
            }
            Via::Object(id) => self.object_leads_out(id, out),
        }
    }

    fn object_leads_out(&self, id: u32, out: &mut BTreeSet<u32>) {
        match self.network.nexthop(id).map(|nexthop| &nexthop.kind) {
            Some(NexthopKind::Single { ifindex, .. }) => drop(out.insert(*ifindex)),
            Some(NexthopKind::Group { members, .. }) => {
                for member in members {
                    // A group cannot contain a group.
                    if let Some(NexthopKind::Single { ifindex, .. }) =
                        self.network.nexthop(member.id).map(|nexthop| &nexthop.kind)
                    {
                        out.insert(*ifindex);
                    }
                }
            }
            Some(NexthopKind::Blackhole) | None => {}
        }
    }
}

fn rule_problem(port: &str, family: &str, rule: &Rule) -> String {
    format!(
        "port {port}: the rule `{rule}` (priority {}) may apply to some {family} packets that arrive \
         here, so the kernel routes all of them; limit the rule to other interfaces (`iif`) or \
         remove it to have them accelerated",
        rule.priority
    )
}
