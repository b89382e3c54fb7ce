//! From which VTEPs the packets that arrive at a port are taken out of their tunnels.
//!
//! Only where the underlay leads over the port, and where the kernel would deliver the packet to the
//! vxlan device: the rules lead packets from this port to a table in which the tunnel's end is an
//! address of this box (`ip_route_input_slow`), the port is in no VRF (a socket without an interface
//! hears of VRFs only with `udp_l3mdev_accept`), and the source passes the kernel's reverse path filter
//! (`__fib_validate_source`). Everything else is the kernel's to judge.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Arrivals, Role, VtepKey,
    compile::Compiler,
    routes::{LOCAL, Via, host, never_forwarded},
    rules::{Answer, OWN, Packets, UDP},
};
use crate::observe::{Link, NexthopKind, RouteKind, Rule};

/// A VTEP, and what the kernel finds when it looks for the way back to it.
struct Origin<'a> {
    tunnel: VtepKey,
    back: Back<'a>,
}

/// The way back to a VTEP.
#[derive(Clone, Copy)]
enum Back<'a> {
    /// By which next hops.
    Via(Via),
    /// There is none.
    Nowhere,
    /// The rule that may apply to some packets decides.
    Unsure(&'a Rule),
}

impl<'a> Compiler<'a> {
    /// Looks at the VTEPs and ports that are compiled by now.
    pub(super) fn arrivals(&mut self) {
        let origins = self.origins();
        let ports: Vec<u32> = self.out.ports.keys().copied().collect();
        for ifindex in ports {
            let arrivals = self.arrivals_at(ifindex, &origins);
            if let Some(port) = self.out.ports.get_mut(&ifindex) {
                port.arrivals = arrivals;
            }
        }
    }

    /// The UDP port of the tunnels from an address, if it is one for all of them.
    pub(super) fn udp_port(&self, local: IpAddr) -> Option<u16> {
        let tunnels = self.out.domains.values().filter(|domain| domain.vni.is_some());
        let mut ports = tunnels.filter(|domain| domain.local == local).map(|each| each.udp_port);
        let first = ports.next()?;
        ports.all(|port| port == first).then_some(first)
    }

    /// The VTEPs whose packets may be accepted at all. The others are unheard from now on.
    fn origins(&mut self) -> Vec<Origin<'a>> {
        let mut origins = Vec::new();
        let mut ports = BTreeMap::new();
        let tunnels: Vec<VtepKey> =
            self.out.vteps.keys().filter(|key| !self.out.unheard.contains(key)).copied().collect();
        for tunnel in tunnels {
            let port = *ports.entry(tunnel.local).or_insert_with(|| self.udp_port(tunnel.local));
            match self.back(tunnel, port) {
                Some(back) => origins.push(Origin { tunnel, back }),
                None => drop(self.out.unheard.insert(tunnel)),
            }
        }
        origins
    }

    /// The way back to a VTEP; none where its address is one of this box, whose packets the kernel
    /// takes for martians, whatever the filter is.
    fn back(&mut self, tunnel: VtepKey, udp_port: Option<u16>) -> Option<Back<'a>> {
        let network = self.network;
        let routing = network.routing();
        let VtepKey { local, remote } = tunnel;
        if never_forwarded(host(remote)) || routing.routes.is_own(remote) {
            return None;
        }
        if remote.is_ipv6() {
            // Nobody looks for it.
            return Some(Back::Nowhere);
        }
        let packets = Packets {
            source: Some(local),
            destination: Some(remote),
            protocol: Some(UDP),
            source_port: udp_port,
            ..Packets::arriving(OWN, None)
        };
        match routing.resolve(&packets, remote) {
            Ok(Answer::Route(found)) => match found.route {
                Some(route) if route.kind == RouteKind::Unicast => Some(Back::Via(route.via)),
                Some(route) if is_delivered(route.kind) => None,
                _ => Some(Back::Nowhere),
            },
            Ok(Answer::Refused(_) | Answer::Nothing) => Some(Back::Nowhere),
            Err(rule) if routing.may_find(&packets, remote, is_delivered) => {
                let text = format!(
                    "VTEP {remote}: the rule `{rule}` (priority {}) may make its address one of this \
                     box for the kernel, so what arrives from it is left to the kernel",
                    rule.priority
                );
                self.problem(None, text);
                None
            }
            Err(rule) => Some(Back::Unsure(rule)),
        }
    }

    fn arrivals_at(&mut self, ifindex: u32, origins: &[Origin<'a>]) -> Arrivals {
        let network = self.network;
        let underlay = self.out.ports.get(&ifindex).is_some_and(|port| port.role == Role::Underlay);
        let Some(link) = network.link(ifindex).filter(|link| underlay && link.master.is_none())
        else {
            return Arrivals::Nothing;
        };
        let leads = [false, true].map(|v6| self.leads.contains(&(v6, ifindex)));
        let filter = network.routing().rp_filter(ifindex);
        let has_address = filter > 1 && self.has_address(ifindex);
        let mut delivered: BTreeMap<IpAddr, Option<bool>> = BTreeMap::new();
        let mut over: BTreeMap<Via, bool> = BTreeMap::new();
        let mut refused = BTreeSet::new();
        for Origin { tunnel, back } in origins {
            let v6 = tunnel.local.is_ipv6();
            let by_tables =
                *delivered.entry(tunnel.local).or_insert_with(|| self.delivers(link, tunnel.local));
            let delivered = leads[usize::from(v6)]
                && by_tables.unwrap_or_else(|| self.delivers_tunnel(link, *tunnel));
            let accepted = delivered
                && match *back {
                    _ if v6 || filter == 0 => true,
                    Back::Nowhere => false,
                    // Without an address of its own a port has to be the way back in any case.
                    Back::Via(via) => {
                        filter > 1 && has_address
                            || *over.entry(via).or_insert_with(|| self.via_uses(via, ifindex))
                    }
                    Back::Unsure(rule) => {
                        let text = format!(
                            "VTEP {}: the rule `{rule}` (priority {}) may apply to the way back \
                             (rp_filter), so what arrives from it is left to the kernel",
                            tunnel.remote, rule.priority
                        );
                        self.problem(None, text);
                        false
                    }
                };
            if !accepted {
                refused.insert(*tunnel);
            }
        }
        match refused.len() {
            0 => Arrivals::All,
            all if all == origins.len() => Arrivals::Nothing,
            _ => Arrivals::AllBut(refused),
        }
    }

    /// Whether packets that arrive at a port for an address are delivered to this box, by the tables
    /// that they are all looked up in; none if not all are looked up in the same.
    fn delivers(&self, link: &Link, address: IpAddr) -> Option<bool> {
        let tables = self.tables(address.is_ipv6(), link).ok()?;
        let mut found = tables
            .iter()
            .filter_map(|table| self.network.routing().routes.find(&[*table], host(address)));
        let first =
            found.find(|found| found.route.is_none_or(|route| route.kind != RouteKind::Throw));
        let route = first.and_then(|found| found.route);
        Some(route.is_some_and(|route| route.kind == RouteKind::Local))
    }

    /// The same for the packets of one tunnel, where rules tell packets apart. What some of them may
    /// meet counts as a no, and is named.
    fn delivers_tunnel(&mut self, link: &Link, tunnel: VtepKey) -> bool {
        let packets = Packets {
            source: Some(tunnel.remote),
            destination: Some(tunnel.local),
            protocol: Some(UDP),
            destination_port: self.udp_port(tunnel.local),
            ..Packets::arriving(&link.name, None)
        };
        match self.network.routing().resolve(&packets, tunnel.local) {
            Ok(Answer::Route(found)) => {
                found.route.is_some_and(|route| route.kind == RouteKind::Local)
            }
            Ok(Answer::Refused(_) | Answer::Nothing) => false,
            Err(rule) => {
                let text = format!(
                    "port {}: the rule `{rule}` (priority {}) may apply to some VXLAN packets that \
                     arrive here, left to the kernel",
                    link.name, rule.priority
                );
                self.problem(Some(link.ifindex), text);
                false
            }
        }
    }

    /// Whether some next hop is on an interface (`fib_info_nh_uses_dev`).
    fn via_uses(&self, via: Via, ifindex: u32) -> bool {
        match via {
            Via::Nothing => false,
            Via::Hops(id) => {
                self.network.routing().routes.hops(id).iter().any(|hop| hop.ifindex == ifindex)
            }
            Via::Object(id) => self.object_uses(id, ifindex),
        }
    }

    fn object_uses(&self, id: u32, ifindex: u32) -> bool {
        let on = |id: u32| match self.network.nexthop(id).map(|nexthop| &nexthop.kind) {
            Some(NexthopKind::Single { ifindex: on, .. }) => *on == ifindex,
            _ => false,
        };
        match self.network.nexthop(id).map(|nexthop| &nexthop.kind) {
            Some(NexthopKind::Group { members, .. }) => members.iter().any(|each| on(each.id)),
            _ => on(id),
        }
    }

    /// Whether an interface has an IPv4 address: the kernel writes each into the local table.
    fn has_address(&self, ifindex: u32) -> bool {
        let routes = &self.network.routing().routes;
        routes.prefixes(LOCAL, false).filter(|prefix| prefix.length == 32).any(|prefix| {
            let route = routes.find(&[LOCAL], prefix).and_then(|found| found.route);
            route.is_some_and(|route| {
                route.kind == RouteKind::Local && self.via_uses(route.via, ifindex)
            })
        })
    }
}

const fn is_delivered(kind: RouteKind) -> bool {
    matches!(
        kind,
        RouteKind::Local | RouteKind::Broadcast | RouteKind::Anycast | RouteKind::Multicast
    )
}
