//! The way to the VTEPs: routes, groups, next hops, and the uplinks that they use.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use super::{Group, GroupKey, Nexthop, NexthopKey, Port, Role, VtepKey, compile::Compiler};
use crate::observe::{Link, LinkKind, NexthopKind, Route, RouteKind, TunnelTarget};

/// A next hop before its link and neighbour were looked at.
#[derive(Clone, Copy)]
struct Candidate {
    ifindex: u32,
    gateway: Option<IpAddr>,
    weight: u16,
}

impl Compiler<'_> {
    pub(super) fn underlay(&mut self) {
        let network = self.network;
        for ifindex in &self.policy.sticky_uplinks {
            if let Some(link) = network.link(*ifindex) {
                // It is an uplink for the sake of what it was; nobody needs to know why not.
                let _ = self.uplink(link);
            }
        }
        let mut tunnels = BTreeSet::new();
        let domains: Vec<(u32, Ipv4Addr)> = self
            .out
            .domains
            .values()
            .filter(|domain| domain.vni.is_some())
            .map(|domain| (domain.vxlan, domain.local))
            .collect();
        for (vxlan, local) in domains {
            tunnels.extend(
                network
                    .remotes(vxlan)
                    .filter(|remote| *remote != local)
                    .map(|remote| VtepKey { local, remote }),
            );
            for target in network.floods(vxlan) {
                if let TunnelTarget::Vtep { address: IpAddr::V6(address), .. } = target {
                    let text = format!(
                        "VTEP {address}: IPv6 underlays are not supported, left to the kernel"
                    );
                    self.problem(Some(vxlan), text);
                }
            }
        }
        let mut ways: BTreeMap<Ipv4Addr, Option<GroupKey>> = BTreeMap::new();
        for tunnel in tunnels {
            let way = match ways.get(&tunnel.remote) {
                Some(known) => known.clone(),
                None => {
                    let found = self.way(tunnel.remote);
                    let group = found
                        .map_err(|reason| {
                            let text =
                                format!("VTEP {}: {reason}, left to the kernel", tunnel.remote);
                            self.problem(None, text);
                        })
                        .ok();
                    ways.insert(tunnel.remote, group.clone());
                    group
                }
            };
            self.out.vteps.insert(tunnel, way);
        }
    }

    /// The group of next hops towards a VTEP, or why it is left to the kernel.
    fn way(&mut self, remote: Ipv4Addr) -> Result<GroupKey, String> {
        let network = self.network;
        let route = network.routes().lookup(remote).ok_or("no route")?;
        let prefix = format!("{}/{}", route.key.prefix.address, route.key.prefix.length);
        match route.kind {
            RouteKind::Unicast => {}
            RouteKind::Local => return Err("it is an address of this box".into()),
            RouteKind::Blackhole => return Err(format!("the route {prefix} discards")),
            RouteKind::Other(_) => return Err(format!("the route {prefix} does not forward")),
        }
        let candidates = self.candidates(route, &prefix)?;
        let members: Vec<(NexthopKey, u16)> = candidates
            .iter()
            .map(|each| {
                let gateway = each.gateway.unwrap_or(IpAddr::V4(remote));
                (NexthopKey { ifindex: each.ifindex, gateway }, each.weight)
            })
            .collect();
        // The object is the identity unless its members depend on the VTEP.
        let on_link = candidates.iter().any(|each| each.gateway.is_none());
        let key = match route.nexthop {
            Some(id) if !on_link => GroupKey::Object(id),
            _ => GroupKey::Hops(members.clone().into()),
        };
        let mut usable = Vec::new();
        for (nexthop, weight) in members {
            // The kernel drops the next hops of a dead link too, sooner or later.
            let Some(link) = network.link(nexthop.ifindex).filter(|link| link.alive()) else {
                continue;
            };
            let source = self.uplink(link)?;
            if let Some(mtu) = route.mtu
                && mtu < link.mtu
            {
                return Err(format!("the route {prefix} sets a path MTU of {mtu} bytes"));
            }
            self.out.watched.insert(nexthop);
            let neighbour = network.neighbour(nexthop).and_then(|neighbour| neighbour.mac);
            let destination = neighbour.filter(|mac| mac.is_unicast());
            if destination.is_some() {
                self.out.nexthops.insert(nexthop, Nexthop { source, destination, mtu: link.mtu });
                usable.push((nexthop, weight));
            } else {
                self.out.unresolved.insert(nexthop);
            }
        }
        if usable.is_empty() {
            return Err(unusable(&prefix));
        }
        let group = Group { members: usable, ..Group::default() };
        self.out.groups.insert(key.clone(), group);
        Ok(key)
    }

    /// The next hops of a route, by its nexthop object if it has one.
    fn candidates(&self, route: &Route, prefix: &str) -> Result<Vec<Candidate>, String> {
        let tunnelled = || {
            format!(
                "the route {prefix} leads through another tunnel or MPLS, which is not supported"
            )
        };
        let Some(id) = route.nexthop else {
            if route.hops.iter().any(|hop| hop.encapsulated) {
                return Err(tunnelled());
            }
            let hops = route.hops.iter();
            return Ok(hops
                .map(|hop| Candidate {
                    ifindex: hop.ifindex,
                    gateway: hop.gateway,
                    weight: hop.weight,
                })
                .collect());
        };
        // An object that is not known was removed with its link: no hop of it is usable.
        let Some(object) = self.network.nexthop(id) else {
            return Ok(Vec::new());
        };
        let single = |kind: &NexthopKind, weight| match kind {
            NexthopKind::Single { encapsulated: true, .. } => Err(tunnelled()),
            NexthopKind::Single { ifindex, gateway, .. } => {
                Ok(Candidate { ifindex: *ifindex, gateway: *gateway, weight })
            }
            NexthopKind::Blackhole => Err(format!("the route {prefix} discards")),
            NexthopKind::Group { .. } => {
                Err(format!("the route {prefix} has a nexthop group inside a group"))
            }
        };
        match &object.kind {
            NexthopKind::Group { members, .. } => members
                .iter()
                .filter_map(|member| Some((self.network.nexthop(member.id)?, member.weight)))
                .map(|(member, weight)| single(&member.kind, weight))
                .collect(),
            kind => Ok(vec![single(kind, 1)?]),
        }
    }

    /// Makes an interface an uplink and returns its MAC address, or says why it cannot be one.
    fn uplink(&mut self, link: &Link) -> Result<crate::observe::Mac, String> {
        let name = &link.name;
        let kind = match &link.kind {
            LinkKind::Device => None,
            LinkKind::Bridge(_) => Some("bridge"),
            LinkKind::Vxlan(_) => Some("vxlan"),
            LinkKind::Vlan(_) => Some("VLAN"),
            LinkKind::Other(kind) => {
                matches!(kind.as_str(), "vrf" | "macvlan" | "ipvlan").then_some(kind.as_str())
            }
        };
        let why_not = match (kind, link.mac) {
            _ if link.port.is_some() => {
                Err(format!("the way leads over {name}, which is a bridge port"))
            }
            _ if link.loopback => Err(format!("the way leads over {name}, the loopback interface")),
            (Some(kind), _) => Err(format!(
                "the way leads over {name}, and {kind} devices are not supported as uplinks"
            )),
            (None, None) => {
                Err(format!("the way leads over {name}, which is no Ethernet interface"))
            }
            (None, Some(mac)) => match self.policy.why_not(link.ifindex, name) {
                Some(reason) => Err(reason),
                None => Ok(mac),
            },
        };
        let mac = why_not.inspect_err(|reason| {
            self.out.declined.entry(link.ifindex).or_insert_with(|| reason.clone());
        })?;
        let port = self.out.ports.entry(link.ifindex).or_insert_with(|| Port {
            name: name.clone(),
            role: Role::Uplink,
            mtu: link.mtu,
            mac,
            untagged: None,
            tagged: BTreeMap::new(),
            view: None,
            route4: false,
            route6: false,
        });
        match port.role {
            Role::Uplink => Ok(mac),
            Role::Access => Err(format!(
                "the way leads over {name}, which has hosts behind it; use separate ports for hosts \
                 and fabric"
            )),
        }
    }
}

fn unusable(prefix: &str) -> String {
    format!("no next hop of the route {prefix} is up and resolved")
}
