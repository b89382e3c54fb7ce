//! Routes into other VRFs (route leaking): those that lead to the device of a VRF, as FRR 10 writes what is connected
//! there, and administrators do.
//!
//! The kernel forwards such a packet to the device (`ip_forward`, `ip6_forward`), whose driver looks for the destination
//! once more, by the rules for what the box itself sends in that VRF, and sends the packet on or takes it in
//! (`vrf_process_v4_outbound`, `vrf_process_v6_outbound`). So such a route leads to whatever the destination leads
//! to in a second view, of which this says in which tables it looks. What else decides:
//!
//! - The device has to be up, and its MTU counts when the packet is forwarded to it; that of the port it leaves by
//!   counts afterwards, and the TTL does not once more.
//! - Filters of tc and chains at the device see the packet on its way out, chains at `output` as well, because to
//!   netfilter it is the box's own; an XDP program at the device does not, as nothing arrives there.
//! - Any router that a next hop names on the device is not asked for (`IFF_NOARP`), and of several next hops one may
//!   be such a device: neither is expressed.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    View,
    compile::Compiler,
    routes::{HopsKind, Via},
    routing::on_link,
    rules::Packets,
};
use crate::observe::{Link, LinkKind};

/// A VRF that routes of a family lead into.
pub(super) struct Leak<'a> {
    vrf: &'a Link,
    v6: bool,
    /// What packets are looked up in there, or why the kernel does that; nothing is said of what passes.
    pub(super) tables: Result<Vec<u32>, Option<String>>,
}

impl<'a> Compiler<'a> {
    /// The VRFs that routes of these views lead into.
    pub(super) fn leaks<'v>(&self, views: impl Iterator<Item = &'v View> + Clone) -> Vec<Leak<'a>> {
        let vrfs = |v6| {
            let tables: BTreeSet<u32> =
                views.clone().flat_map(|view| view.of(v6)).copied().collect();
            let routes = &self.network.routing().routes;
            let uses = tables
                .into_iter()
                .flat_map(|table| routes.uses(table).map(move |via| (table, via)));
            let led_to = uses.filter_map(|(from, via)| {
                // What a VRF's own routes lead to its device, as networks of its addresses are, comes to nothing.
                let (vrf, table) = self.vrf(self.on_link_of(via)?)?;
                (table != from).then_some((vrf.ifindex, (vrf, table)))
            });
            let vrfs: BTreeMap<u32, _> = led_to.collect();
            vrfs.into_values()
        };
        let mut leaks = Vec::new();
        for v6 in [false, true] {
            leaks.extend(vrfs(v6).map(|(vrf, table)| {
                let tables = self.leak(vrf, table, v6);
                Leak { vrf, v6, tables }
            }));
        }
        leaks
    }

    /// Notes the views of VRFs that routes lead into, and names what is left to the kernel.
    pub(super) fn lead_into(&mut self, leaks: Vec<Leak<'_>>) {
        for Leak { vrf, v6, tables } in leaks {
            let view = match tables {
                Ok(tables) => self.out.views.iter().position(|view| *view.of(v6) == tables),
                Err(why) => {
                    let family = if v6 { "IPv6" } else { "IPv4" };
                    let name = &vrf.name;
                    if let Some(why) = why {
                        let text = format!(
                            "{family} routes into the VRF {name}: {why}, left to the kernel"
                        );
                        self.problem(Some(vrf.ifindex), text);
                    }
                    None
                }
            };
            let view = view.and_then(|view| u16::try_from(view).ok());
            self.out.leaks.entry(vrf.ifindex).or_default()[usize::from(v6)] = view;
        }
        self.name_mixed();
    }

    /// The tables that the packets of a family are looked up in when they were routed to a VRF's device.
    fn leak(&self, vrf: &Link, table: u32, v6: bool) -> Result<Vec<u32>, Option<String>> {
        if !vrf.alive() {
            return Err(None);
        }
        let name = &vrf.name;
        if v6 && self.policy.without_ipv6.contains(&vrf.ifindex) {
            return Err(Some(format!(
                "{name} has no IPv6 (`sysctl -w net.ipv6.conf.{name}.disable_ipv6=0`)"
            )));
        }
        if self.network.classifiers(vrf.ifindex).leaving {
            return Err(Some(format!(
                "{name} has filters of `tc` (`tc filter show dev {name} egress`)"
            )));
        }
        let leaves = self.chains.iter().find(|chain| chain.is_at(name) || chain.sees_leaked(v6));
        if let Some(chain) = leaves {
            return Err(Some(format!("{chain} sees what {name} sends")));
        }
        let routed = self.out.ports.values().filter(|port| port.role.routes());
        if let Some(longest) = routed.map(|port| port.mtu).max()
            && self.policy.mtu(vrf) < longest
        {
            return Err(Some(format!(
                "the MTU of {name} is less than that of ports that packets come from or leave by (`ip link \
                 set dev {name} mtu {longest}`)"
            )));
        }
        self.tables_of(v6, &Packets::leaking((name, table))).map_err(|rule| {
            Some(format!(
                "the rule `{rule}` (priority {}) may apply to some packets there",
                rule.priority
            ))
        })
    }

    /// Names the VRFs that are among several next hops of routes, or that routes lead to by a router there.
    fn name_mixed(&mut self) {
        let routes = &self.network.routing().routes;
        let views = self.out.views.iter();
        let tables: BTreeSet<u32> =
            views.flat_map(|view| view.v4.iter().chain(&view.v6)).copied().collect();
        let mut mixed = BTreeSet::new();
        for via in tables.into_iter().flat_map(|table| routes.uses(table)) {
            if self.on_link_of(via).is_none() {
                self.via_leads_out(via, &mut mixed);
            }
        }
        for ifindex in mixed {
            let Some((vrf, _)) = self.vrf(ifindex) else { continue };
            let name = &vrf.name;
            let text = format!(
                "routes with several next hops, or with a router, on the device of the VRF {name} (`ip route show \
                 table all dev {name}`) are left to the kernel; lead them to {name} alone, as `dev {name}`"
            );
            self.problem(Some(vrf.ifindex), text);
        }
    }

    /// The interface of next hops that are one alone, without a router.
    fn on_link_of(&self, via: Via) -> Option<u32> {
        match via {
            Via::Nothing => None,
            Via::Object(id) => self.network.nexthop(id).and_then(on_link),
            Via::Hops(id) => match self.network.routing().routes.kind(id) {
                HopsKind::OnLink(ifindex) => Some(*ifindex),
                HopsKind::Routers(_) | HopsKind::Other => None,
            },
        }
    }

    /// A VRF's device with its table.
    fn vrf(&self, ifindex: u32) -> Option<(&'a Link, u32)> {
        let link = self.network.link(ifindex)?;
        match link.kind {
            LinkKind::Vrf { table } => Some((link, table)),
            _ => None,
        }
    }
}

/// Views for VRFs that routes lead into, where no other view looks into the same tables.
pub(super) fn views_to_add<'v>(
    leaks: &[Leak<'_>],
    views: impl Iterator<Item = &'v View> + Clone,
) -> BTreeSet<View> {
    let mut added: BTreeMap<u32, View> = BTreeMap::new();
    for Leak { vrf, v6, tables } in leaks {
        let Ok(tables) = tables else { continue };
        if views.clone().all(|view| view.of(*v6) != tables) {
            let view = added.entry(vrf.ifindex).or_default();
            *(if *v6 { &mut view.v6 } else { &mut view.v4 }) = tables.clone();
        }
    }
    added.into_values().collect()
}
