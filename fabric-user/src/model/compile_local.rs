//! Which bridges without a tunnel are accelerated, for networks of this box alone.
//!
//! One is if a route leads out of one of its gateways, where packets are looked up in the same tables as at a gateway of
//! a bridge with a tunnel (an L3VNI's is one), and if netfilter does not see packets of that family. So nothing is attached
//! to the bridges of containers and virtual machines whose managers translate or filter what they route. Once it is, routes
//! may come and go.

use std::collections::{BTreeMap, BTreeSet};

use super::{DomainKey, compile::Compiler};

/// What packets of a family are looked up in: whether it is IPv6, and the tables in their order.
type LookedUp = (bool, Vec<u32>);

/// By what packets are looked up in, the interfaces that routes there lead out of.
pub(super) type WaysOut = BTreeMap<LookedUp, BTreeSet<u32>>;

impl Compiler<'_> {
    /// The ways out of what packets are looked up in that arrive at the gateways that are noted by now.
    pub(super) fn ways_out(&self) -> WaysOut {
        let routes = &self.network.routing().routes;
        let all = self.gateways.keys().flat_map(|gateway| self.looked_up(*gateway));
        let all: BTreeSet<LookedUp> = all.collect();
        let ways_out = all.into_iter().map(|(v6, tables)| {
            let uses = tables.iter().flat_map(|table| routes.uses_of(*table, v6));
            let out = self.leads_out(uses);
            ((v6, tables), out)
        });
        ways_out.collect()
    }

    /// Whether one of a bridge's gateways is among the ways out of what packets are looked up in that arrive there, or was.
    /// Of one that is not to be used it is said why.
    pub(super) fn routes_along(
        &mut self,
        gateways: &BTreeMap<u32, DomainKey>,
        ways_out: &WaysOut,
    ) -> bool {
        let sticky = &self.policy.sticky_local;
        let mut families = BTreeSet::new();
        for gateway in gateways.keys() {
            let along = self.looked_up(*gateway).filter_map(|looked_up| {
                let out = ways_out.get(&looked_up)?;
                let family = (*gateway, looked_up.0);
                (out.contains(gateway) || sticky.contains(&family)).then_some(family)
            });
            let along: Vec<(u32, bool)> = along.collect();
            if along.is_empty() {
                continue;
            }
            match self.policy.why_not(*gateway, &self.network.name(*gateway)) {
                Some(why) => drop(self.out.declined.insert(*gateway, why)),
                None => families.extend(along),
            }
        }
        let found = !families.is_empty();
        self.out.local.extend(families);
        found
    }

    /// What packets are looked up in that arrive at an interface, for each family that the kernel forwards there and
    /// netfilter does not see. A reverse path filter leaves them to the kernel, which is said where the interface is a
    /// gateway, and nothing of what is routed to it.
    fn looked_up(&self, ifindex: u32) -> impl Iterator<Item = LookedUp> {
        let link = self.network.link(ifindex).filter(|link| self.is_alone(link));
        let families = link.into_iter().flat_map(|link| [(false, link), (true, link)]);
        families.filter_map(move |(v6, link)| {
            let is_ours = self.forwards(v6, ifindex) && self.why_not_routed(v6).is_none();
            Some((v6, self.tables(v6, link).ok().filter(|_| is_ours)?))
        })
    }
}
