//! What routing is made of: routes, nexthop objects, neighbours, rules and the settings of the
//! interfaces.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::RangeBounds,
};

use super::{
    Dirty, NexthopKey,
    compile_segments::vtep_of,
    network::release,
    routes::{self, Routes},
};
use crate::{
    hashed::HashMap,
    observe::{Encap, Learned, Mac, Neighbour, Netconf, Nexthop, NexthopKind, Prefix, Rule},
};

/// Objects as they were observed.
#[derive(Clone, Debug, Default)]
pub(super) struct Routing {
    pub(super) routes: Routes,
    pub(super) nexthops: BTreeMap<u32, Nexthop>,
    /// What the kernel has learned about the ways to addresses.
    pub(super) learned: BTreeMap<IpAddr, Learned>,
    /// Those of them that are groups.
    groups: BTreeSet<u32>,
    /// Addresses of those of them that are VTEPs, and how many have each.
    fdb_vteps: BTreeMap<IpAddr, u32>,
    /// Other ends of the tunnels that those of them choose that are next hops, and how many have each.
    ends: BTreeMap<IpAddr, u32>,
    pub(super) neighbours: HashMap<NexthopKey, Neighbour>,
    /// Resolved neighbours by address.
    hosts: BTreeSet<(IpAddr, u32)>,
    /// Interfaces that came to life after routes were read last: the kernel has silently taken the next
    /// hops on them into use again (`fib_sync_up`), whatever was said of them before.
    pub(super) revived: BTreeSet<u32>,
    rules_v4: Vec<Rule>,
    rules_v6: Vec<Rule>,
    /// By family and interface; none stands for `all`.
    netconf: BTreeMap<(bool, Option<u32>), Settings>,
}

/// Settings of an interface, or those for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Settings {
    forwarding: bool,
    rp_filter: u8,
    /// `proxy_arp` or `proxy_ndp`.
    proxy: bool,
}

/// What a dump of [`crate::observe::Scope::Routing`] replaces.
pub(super) struct Objects {
    pub(super) routes: Routes,
    nexthops: BTreeMap<u32, Nexthop>,
    neighbours: HashMap<NexthopKey, Neighbour>,
}

impl Routing {
    pub(super) fn set_neighbour(&mut self, neighbour: Neighbour, dirty: &mut Dirty) {
        let key = NexthopKey { ifindex: neighbour.ifindex, gateway: neighbour.address };
        let before = self.neighbours.insert(key, neighbour);
        if said(before.as_ref()) != said(Some(&neighbour)) {
            dirty.answers.insert(key);
        }
        // Most messages only say that a neighbour became stale or was confirmed.
        if before.and_then(|before| before.mac) != neighbour.mac {
            dirty.neighbours.insert(key);
            match unicast(neighbour) {
                Some(_) => self.hosts.insert((key.gateway, key.ifindex)),
                None => self.hosts.remove(&(key.gateway, key.ifindex)),
            };
        }
    }

    pub(super) fn remove_neighbour(&mut self, key: NexthopKey, dirty: &mut Dirty) {
        if self.neighbours.remove(&key).is_some() {
            self.hosts.remove(&(key.gateway, key.ifindex));
            dirty.neighbours.insert(key);
            dirty.answers.insert(key);
        }
    }

    /// The MAC address of a neighbour that is resolved to a single station's one.
    pub(super) fn resolved(&self, key: NexthopKey) -> Option<Mac> {
        self.neighbours.get(&key).copied().and_then(unicast)
    }

    /// Resolved neighbours whose address is in a prefix.
    pub(super) fn hosts(&self, prefix: Prefix) -> impl Iterator<Item = NexthopKey> {
        let range = (prefix.address, 0)..=(routes::last(prefix), u32::MAX);
        self.hosts.range(range).map(|&(gateway, ifindex)| NexthopKey { ifindex, gateway })
    }

    /// All resolved neighbours.
    pub(super) fn all_hosts(&self) -> impl Iterator<Item = NexthopKey> {
        self.hosts.iter().map(|&(gateway, ifindex)| NexthopKey { ifindex, gateway })
    }

    pub(super) fn set_learned(&mut self, learned: Learned) -> bool {
        self.learned.insert(learned.destination, learned) != Some(learned)
    }

    pub(super) fn set_nexthop(&mut self, nexthop: Nexthop, dirty: &mut Dirty) {
        let id = nexthop.id;
        let link = on_link(&nexthop);
        match nexthop.kind {
            NexthopKind::Group { .. } => self.groups.insert(id),
            _ => self.groups.remove(&id),
        };
        if let Some(vtep) = vtep_of(&nexthop) {
            *self.fdb_vteps.entry(vtep).or_default() += 1;
        }
        if let Some(end) = end_of(&nexthop) {
            *self.ends.entry(end).or_default() += 1;
        }
        let before = self.nexthops.insert(id, nexthop);
        if let Some(end) = before.as_ref().and_then(end_of) {
            release(&mut self.ends, end);
        }
        if let Some(vtep) = before.as_ref().and_then(vtep_of) {
            release(&mut self.fdb_vteps, vtep);
        }
        if before.as_ref() != self.nexthops.get(&id) {
            dirty.underlay = true;
            // A route that becomes one on the link, or ceases to be one, leads another way.
            if before.as_ref().and_then(on_link) != link && self.routes.uses_object(id) {
                dirty.all_routes = true;
            }
        }
    }

    pub(super) fn remove_nexthop(&mut self, id: u32, dirty: &mut Dirty) {
        if let Some(before) = self.nexthops.remove(&id) {
            dirty.underlay = true;
            if let Some(end) = end_of(&before) {
                release(&mut self.ends, end);
            }
            if let Some(vtep) = vtep_of(&before) {
                release(&mut self.fdb_vteps, vtep);
            }
            if self.routes.uses_object(id) {
                dirty.all_routes |= on_link(&before).is_some();
                // The kernel removes its IPv4 routes without a message (`__remove_nexthop_fib`).
                dirty.routing_stale = true;
            }
        }
        self.groups.remove(&id);
        for group in &self.groups {
            if let Some(NexthopKind::Group { members, .. }) =
                self.nexthops.get_mut(group).map(|nexthop| &mut nexthop.kind)
            {
                members.retain(|member| member.id != id);
            }
        }
    }

    /// VTEPs that nexthop objects stand for, whether or not somebody uses them, and how many do.
    pub(super) const fn fdb_vteps(&self) -> &BTreeMap<IpAddr, u32> {
        &self.fdb_vteps
    }

    /// Whether next hops choose a tunnel whose other end is in this range, or any tunnel.
    pub(super) fn chooses_tunnel(&self, ends: impl RangeBounds<IpAddr> + Clone) -> bool {
        [&self.ends, self.routes.ends()].iter().any(|all| all.range(ends.clone()).next().is_some())
    }

    /// The VTEPs of a nexthop group, as far as they are any.
    pub(super) fn segment_vteps(&self, group: u32) -> impl Iterator<Item = IpAddr> {
        let members = match self.nexthops.get(&group).map(|nexthop| &nexthop.kind) {
            Some(NexthopKind::Group { members, .. }) => &members[..],
            _ => &[],
        };
        members.iter().filter_map(|member| vtep_of(self.nexthops.get(&member.id)?))
    }

    /// The rules of a family in the order in which they are tried.
    pub(super) fn rules(&self, v6: bool) -> &[Rule] {
        if v6 { &self.rules_v6 } else { &self.rules_v4 }
    }

    pub(super) fn add_rule(&mut self, rule: Rule) -> bool {
        let rules = if rule.v6 { &mut self.rules_v6 } else { &mut self.rules_v4 };
        if rules.contains(&rule) {
            return false;
        }
        let index = rules.partition_point(|each| each.priority <= rule.priority);
        rules.insert(index, rule);
        true
    }

    pub(super) fn remove_rule(&mut self, rule: &Rule) -> bool {
        let rules = if rule.v6 { &mut self.rules_v6 } else { &mut self.rules_v4 };
        let index = rules.iter().position(|each| each == rule);
        index.map(|index| rules.remove(index)).is_some()
    }

    /// Whether the kernel forwards IPv4 or IPv6 packets that arrive at an interface. For IPv6 only
    /// `all` decides (`ip6_forward`).
    pub(super) fn forwards(&self, v6: bool, ifindex: u32) -> bool {
        let of = |interface| self.netconf.get(&(v6, interface)).map(|each| each.forwarding);
        match (of(Some(ifindex)), v6) {
            (None, _) => false,
            (Some(forwarding), false) => forwarding,
            (Some(_), true) => of(None) == Some(true),
        }
    }

    /// `rp_filter` as it applies to an interface: the higher one of its own and that for all
    /// (`IN_DEV_RPFILTER`).
    pub(super) fn rp_filter(&self, ifindex: u32) -> u8 {
        let of = |interface| self.netconf.get(&(false, interface)).map_or(0, |each| each.rp_filter);
        of(None).max(of(Some(ifindex)))
    }

    /// Whether the kernel may answer ARP, or neighbour discovery, on an interface for hosts that are elsewhere
    /// (`IN_DEV_PROXY_ARP`, `ndisc_recv_ns`).
    pub(super) fn is_proxy(&self, v6: bool, ifindex: u32) -> bool {
        let of = |interface| self.netconf.get(&(v6, interface)).is_some_and(|each| each.proxy);
        of(None) || of(Some(ifindex))
    }

    pub(super) fn set_netconf(&mut self, netconf: Netconf) -> bool {
        let key = (netconf.v6, netconf.ifindex);
        let before = self.netconf.get(&key).copied();
        let Settings { forwarding, rp_filter, proxy } = before.unwrap_or_default();
        let now = Settings {
            forwarding: netconf.forwarding.unwrap_or(forwarding),
            rp_filter: netconf.rp_filter.unwrap_or(rp_filter),
            proxy: netconf.proxy.unwrap_or(proxy),
        };
        self.netconf.insert(key, now);
        before != Some(now)
    }

    pub(super) fn remove_netconf(&mut self, v6: bool, ifindex: u32) -> bool {
        self.netconf.remove(&(v6, Some(ifindex))).is_some()
    }

    /// Nothing of an interface that is gone may stay for the next one of its index. Nexthop objects
    /// go with the next dump.
    pub(super) fn forget_link(&mut self, ifindex: u32) {
        self.neighbours.retain(|key, _| key.ifindex != ifindex);
        self.hosts.retain(|(_, on)| *on != ifindex);
        self.netconf.retain(|(_, interface), _| *interface != Some(ifindex));
    }

    /// Takes out what a dump is going to bring anew.
    pub(super) fn take_objects(&mut self) -> Objects {
        self.hosts.clear();
        self.learned.clear();
        self.groups.clear();
        self.fdb_vteps.clear();
        self.ends.clear();
        self.revived.clear();
        Objects {
            routes: std::mem::take(&mut self.routes),
            nexthops: std::mem::take(&mut self.nexthops),
            neighbours: std::mem::take(&mut self.neighbours),
        }
    }

    /// Says which neighbours and nexthop objects are not what they were.
    pub(super) fn compare_objects(&self, before: &Objects, dirty: &mut Dirty) {
        let mac = |neighbour: Option<&Neighbour>| neighbour.and_then(|each| each.mac);
        let keys = || self.neighbours.keys().chain(before.neighbours.keys());
        let spoken = |all: &HashMap<NexthopKey, Neighbour>, key| said(all.get(key));
        dirty.answers.extend(
            keys().filter(|key| spoken(&self.neighbours, key) != spoken(&before.neighbours, key)),
        );
        let changed =
            keys().filter(|key| mac(self.neighbours.get(key)) != mac(before.neighbours.get(key)));
        dirty.neighbours.extend(changed);
        let link = |nexthop: Option<&Nexthop>| nexthop.and_then(on_link);
        dirty.all_routes |= self
            .nexthops
            .keys()
            .chain(before.nexthops.keys())
            .any(|id| link(self.nexthops.get(id)) != link(before.nexthops.get(id)));
    }
}

/// The other end of the tunnel that a next hop chooses.
fn end_of(nexthop: &Nexthop) -> Option<IpAddr> {
    match &nexthop.kind {
        NexthopKind::Single { encap, .. } => encap.and_then(Encap::end),
        _ => None,
    }
}

/// The interface of a nexthop object without a router.
pub(super) fn on_link(nexthop: &Nexthop) -> Option<u32> {
    match nexthop.kind {
        NexthopKind::Single { ifindex, gateway: None, encap: None } => Some(ifindex),
        _ => None,
    }
}

/// What of a neighbour ARP and neighbour discovery are answered by.
fn said(neighbour: Option<&Neighbour>) -> Option<(Option<Mac>, bool)> {
    neighbour.map(|neighbour| (neighbour.mac, neighbour.router))
}

fn unicast(neighbour: Neighbour) -> Option<Mac> {
    neighbour.mac.filter(|mac| mac.is_unicast())
}
