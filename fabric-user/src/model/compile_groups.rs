//! Groups of next hops.

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    Group, GroupKey, Nexthop, NexthopKey,
    compile::Compiler,
    routes::{HopsKind, Via},
    routing::on_link,
};
use crate::observe::{Hop, NexthopKind, Resilient};

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
                if hops.iter().any(|hop| hop.encapsulated) {
                    return Err(NotExpressed::Tunnelled);
                }
                let candidate = |hop: &Hop| Candidate {
                    ifindex: hop.ifindex,
                    gateway: hop.gateway,
                    weight: hop.weight,
                };
                let hops = hops.iter().filter(|hop| self.is_used(hop)).map(candidate).collect();
                return Ok(Candidates { hops, resilient: None });
            }
            Via::Object(id) => id,
        };
        // An object that is not known was removed with its link: no hop of it is usable.
        let Some(object) = self.network.nexthop(id) else {
            return Ok(Candidates::default());
        };
        let single = |kind: &NexthopKind, weight| match kind {
            NexthopKind::Single { encapsulated: true, .. } => Err(NotExpressed::Tunnelled),
            NexthopKind::Single { ifindex, gateway, .. } => {
                Ok(Candidate { ifindex: *ifindex, gateway: *gateway, weight })
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
        let Some(link) = self.network.link(key.ifindex) else {
            return false;
        };
        let destination = self.network.routing().resolved(key);
        let source = link.mac.unwrap_or_default();
        self.out.nexthops.insert(key, Nexthop { source, destination, mtu: self.policy.mtu(link) });
        self.out.watched.insert(key);
        // A dead link resolves nothing.
        if destination.is_none() && link.alive() {
            self.out.unresolved.insert(key);
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

    /// Says out of which interfaces routes lead whose next hops have an encapsulation of their own: the VNI and
    /// VTEP of a downstream VNI (out of a vxlan device, past its bridge and FDB), labels, segments.
    fn name_encapsulating(&mut self, uses: &BTreeSet<Via>) {
        let interfaces: BTreeSet<u32> =
            uses.iter().flat_map(|via| self.encapsulating(*via)).collect();
        for ifindex in interfaces {
            let name = self.network.name(ifindex);
            let text = format!(
                "routes out of {name} have an encapsulation of their own (`ip route show dev {name}`), \
                 which is not supported, left to the kernel"
            );
            self.problem(Some(ifindex), text);
        }
    }

    /// Interfaces of the next hops with an encapsulation of their own.
    fn encapsulating(&self, via: Via) -> Vec<u32> {
        let network = self.network;
        let single = |id| match network.nexthop(id)?.kind {
            NexthopKind::Single { ifindex, encapsulated: true, .. } => Some(ifindex),
            _ => None,
        };
        match via {
            Via::Nothing => Vec::new(),
            Via::Hops(id) => {
                let hops = network.routing().routes.hops(id).iter();
                hops.filter(|hop| hop.encapsulated).map(|hop| hop.ifindex).collect()
            }
            Via::Object(id) => match network.nexthop(id).map(|object| &object.kind) {
                Some(NexthopKind::Group { members, .. }) => {
                    members.iter().filter_map(|member| single(member.id)).collect()
                }
                _ => single(id).into_iter().collect(),
            },
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
                || self.network.link(key.ifindex).is_none()
        });
        match expressed {
            true => self.group(members, candidates.resilient),
            false => Group::default(),
        }
    }
}
