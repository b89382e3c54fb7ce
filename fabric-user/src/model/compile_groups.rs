//! Groups of next hops.

use std::{collections::BTreeSet, net::IpAddr};

use fabric_common::schema::ports::is_tunnel;

use super::{
    FdbKey, Group, GroupKey, Nexthop, NexthopKey, WithoutIpv6,
    compile::Compiler,
    compile_downstream::{domain_of, port_of},
    routes::{HopsKind, Via},
    routing::on_link,
};
use crate::observe::{Encap, Hop, NexthopKind, Resilient};

/// Next hops before their links and neighbours were looked at.
#[derive(Default)]
pub(super) struct Candidates {
    hops: Vec<Candidate>,
    pub(super) resilient: Option<Resilient>,
}

struct Candidate {
    ifindex: u32,
    gateway: Option<IpAddr>,
    weight: u16,
}

/// Why next hops cannot be expressed.
pub(super) enum NotExpressed {
    Discards,
    Tunnelled,
    Nested,
}

impl Candidates {
    /// Some destination is on the link itself.
    pub(super) fn on_link(&self) -> bool {
        self.hops.iter().any(|hop| hop.gateway.is_none())
    }

    /// The members with their weights, for a destination that may be on the link. Those with the
    /// same router are one.
    pub(super) fn members(&self, destination: IpAddr) -> Vec<(NexthopKey, u16)> {
        let mut members: Vec<(NexthopKey, u16)> = Vec::with_capacity(self.hops.len());
        for hop in &self.hops {
            let gateway = hop.gateway.unwrap_or(destination);
            let key = NexthopKey { ifindex: hop.ifindex, gateway };
            match members.iter_mut().find(|(member, _)| *member == key) {
                Some((_, weight)) => *weight = weight.saturating_add(hop.weight),
                None => members.push((key, hop.weight)),
            }
        }
        members
    }
}

impl Compiler<'_> {
    /// The next hops of a route, by its nexthop object if it has one.
    pub(super) fn candidates(&self, via: Via) -> Result<Candidates, NotExpressed> {
        let id = match via {
            Via::Nothing => return Ok(Candidates::default()),
            Via::Hops(id) => {
                let hops = self.network.routing().routes.hops(id);
                if hops.iter().any(|hop| hop.encap == Some(Encap::Other)) {
                    return Err(NotExpressed::Tunnelled);
                }
                let candidate = |hop: &Hop| {
                    let ifindex = port_of(hop.ifindex, hop.encap)?;
                    Some(Candidate { ifindex, gateway: hop.gateway, weight: hop.weight })
                };
                let used = hops.iter().filter(|hop| self.is_used(hop));
                let hops = used.filter_map(candidate).collect();
                return Ok(Candidates { hops, resilient: None });
            }
            Via::Object(id) => id,
        };
        // An object that is not known was removed with its link: no hop of it is usable.
        let Some(object) = self.network.nexthop(id) else {
            return Ok(Candidates::default());
        };
        let single = |kind: &NexthopKind, weight| match kind {
            NexthopKind::Single { ifindex, gateway, encap } => {
                let ifindex = port_of(*ifindex, *encap).ok_or(NotExpressed::Tunnelled)?;
                Ok(Candidate { ifindex, gateway: *gateway, weight })
            }
            NexthopKind::Blackhole => Err(NotExpressed::Discards),
            NexthopKind::Group { .. } => Err(NotExpressed::Nested),
        };
        match &object.kind {
            NexthopKind::Group { members, resilient } => {
                let hops = members
                    .iter()
                    .filter_map(|member| Some((self.network.nexthop(member.id)?, member.weight)))
                    .map(|(member, weight)| single(&member.kind, weight))
                    .collect::<Result<_, _>>()?;
                Ok(Candidates { hops, resilient: *resilient })
            }
            kind => Ok(Candidates { hops: vec![single(kind, 1)?], resilient: None }),
        }
    }

    /// Whether the kernel uses a next hop of a route. On a link that is down it does not, but those stay
    /// in their groups, where nothing is sent to them, so that flows return to them.
    fn is_used(&self, hop: &Hop) -> bool {
        let routing = self.network.routing();
        let alive = self.network.link(hop.ifindex).is_some_and(|link| link.alive());
        !hop.dead || !alive || routing.revived.contains(&hop.ifindex)
    }

    /// Makes a group of members that are all on routed ports. Those whose interface is gone are left
    /// out: the kernel removed them with it.
    pub(super) fn group(
        &mut self,
        mut members: Vec<(NexthopKey, u16)>,
        resilient: Option<Resilient>,
    ) -> Group {
        members.retain(|(key, _)| self.member(*key));
        Group { members, resilient, blackhole: false }
    }

    /// Some member can be sent to.
    pub(super) fn reaches(&self, group: &Group) -> bool {
        group.members.iter().any(|(key, _)| {
            self.network.link(key.ifindex).is_some_and(|link| link.alive())
                && self.out.nexthops.get(key).is_some_and(|each| each.destination.is_some())
        })
    }

    /// Notes a member of a group, unless its interface is gone.
    fn member(&mut self, key: NexthopKey) -> bool {
        // The neighbour of one that chooses its tunnel is that of the vxlan device.
        let tunnel = self.tunnels.get(&key.ifindex);
        let neighbour =
            NexthopKey { ifindex: tunnel.map_or(key.ifindex, |tunnel| tunnel.device), ..key };
        let Some(link) = self.network.link(neighbour.ifindex) else {
            return false;
        };
        let destination = self.network.routing().resolved(neighbour);
        let source = link.mac.unwrap_or_default();
        self.out.nexthops.insert(key, Nexthop { source, destination, mtu: self.policy.mtu(link) });
        self.out.watched.insert(neighbour);
        // A dead link resolves nothing, nor does a device that only next hops tell whereto: the kernel's own question
        // has none, unless a packet makes it ask (`arp_solicit`).
        if destination.is_none() && link.alive() && tunnel.is_none() {
            self.out.unresolved.insert(neighbour);
        }
        if let (Some(Ok(vtep)), Some(mac)) = (tunnel.map(|tunnel| &tunnel.vtep), destination) {
            let domain = domain_of(key.ifindex);
            self.out.routers.insert(FdbKey { domain, mac }, *vtep);
        }
        true
    }

    /// Groups for all routes of the tables that ports look up.
    pub(super) fn routed_groups(&mut self) {
        let routing = self.network.routing();
        let views = self.out.views.iter();
        let tables: BTreeSet<u32> =
            views.flat_map(|view| view.v4.iter().chain(&view.v6)).copied().collect();
        let uses: BTreeSet<Via> =
            tables.into_iter().flat_map(|table| routing.routes.uses(table)).collect();
        self.name_encapsulating(&uses);
        for via in uses {
            let key = match via {
                Via::Nothing => continue,
                Via::Object(id) => match self.network.nexthop(id).and_then(on_link) {
                    Some(_) => continue,
                    None => GroupKey::Object(id),
                },
                Via::Hops(id) => match routing.routes.kind(id) {
                    HopsKind::Routers(routers) => GroupKey::Hops(routers.clone()),
                    HopsKind::OnLink(_) | HopsKind::Other => continue,
                },
            };
            if !self.out.groups.contains_key(&key) {
                let group = self.routed_group(via);
                self.out.groups.insert(key, group);
            }
        }
    }

    /// Follows what the kernel chooses among several next hops by, or leaves the choice to it.
    pub(super) fn multipath(&mut self) {
        let multipath = self.policy.multipath;
        self.out.multipath = multipath;
        let has_choice = |group: &Group| group.members.len() > 1;
        if !self.out.groups.values().any(has_choice) {
            return;
        }
        let Some(why) = multipath.why_not() else {
            self.out.notes.extend(multipath.notes());
            return;
        };
        for group in self.out.groups.values_mut().filter(|group| has_choice(group)) {
            *group = Group::default();
        }
        self.problem(None, why);
    }

    /// Notes where IPv6 packets cannot be sent.
    pub(super) fn without_ipv6(&mut self) {
        let off = &self.policy.without_ipv6;
        if off.is_empty() {
            return;
        }
        // Of next hops that choose their tunnel it is their device.
        let is_off = |ifindex: &u32| {
            off.contains(self.tunnels.get(ifindex).map_or(ifindex, |tunnel| &tunnel.device))
        };
        let ports = self.out.ports.iter().filter(|(_, port)| port.role.routes());
        let ports = ports.map(|(ifindex, _)| *ifindex).filter(is_off);
        let leads = |group: &Group| group.members.iter().any(|(key, _)| is_off(&key.ifindex));
        let groups = self.out.groups.iter().filter(|(_, group)| leads(group));
        self.out.without_ipv6 = WithoutIpv6 {
            ports: ports.collect(),
            groups: groups.map(|(key, _)| key.clone()).collect(),
        };
    }

    /// A group for routes. If a member cannot be expressed, nothing is: a part of the members would
    /// get all of the traffic.
    fn routed_group(&mut self, via: Via) -> Group {
        let candidates = match self.candidates(via) {
            Ok(candidates) if candidates.on_link() => return Group::default(),
            Ok(candidates) => candidates,
            Err(NotExpressed::Discards) => return Group { blackhole: true, ..Group::default() },
            Err(NotExpressed::Tunnelled | NotExpressed::Nested) => return Group::default(),
        };
        let members = candidates.members(IpAddr::from([0; 4]));
        let expressed = members.iter().all(|(key, _)| {
            let port = self.out.ports.get(&key.ifindex);
            port.is_some_and(|port| port.role.routes() && port.is_target)
                || !is_tunnel(key.ifindex) && self.network.link(key.ifindex).is_none()
        });
        match expressed {
            true => self.group(members, candidates.resilient),
            false => Group::default(),
        }
    }
}
