//! From which VTEPs the packets that arrive at a port are taken out of their tunnels.
//!
//! Only where the underlay leads over the port, and where the kernel would deliver the packet to the
//! vxlan device: the rules lead packets from this port to a table in which the tunnel's end is an
//! address of this box (`ip_route_input_slow`), the port is in the VRF of the tunnel's underlay or outside as
//! that is (a socket of a VRF hears of nothing else, and one without an interface hears of VRFs only with
//! `udp_l3mdev_accept`), and the source passes the kernel's reverse path filter
//! (`__fib_validate_source`). Everything else is the kernel's to judge.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Arrivals, Domain, Role, VtepKey,
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
        self.unheard_in_vrfs();
        let tunnels: BTreeSet<VtepKey> =
            self.out.vteps.keys().filter(|key| !self.out.unheard.contains(key)).copied().collect();
        let origins = self.origins(tunnels.iter().copied());
        let accepted = origins.iter().map(|origin| origin.tunnel).collect();
        self.out.unheard.extend(tunnels.difference(&accepted));
        let ports: Vec<u32> = self.out.ports.keys().copied().collect();
        for ifindex in ports {
            let arrivals = self.arrivals_at(ifindex, &origins);
            if let Some(port) = self.out.ports.get_mut(&ifindex) {
                port.arrivals = arrivals;
            }
        }
    }

    /// Leaves what arrives in VRFs to the kernel where a vxlan device without a local address hears of every VTEP, which
    /// it does outside VRFs only.
    fn unheard_in_vrfs(&mut self) {
        for v6 in [false, true] {
            let in_vrf = |key: &&VtepKey| {
                key.local.is_ipv6() == v6 && self.out.vrfs.contains_key(&key.local)
            };
            let unheard: Vec<VtepKey> = self.out.vteps.keys().filter(in_vrf).copied().collect();
            if unheard.is_empty() || !self.takes_any(v6) {
                continue;
            }
            self.out.unheard.extend(unheard);
            let text = format!(
                "what arrives in VRFs for tunnels over {} is left to the kernel: there is a vxlan device without a \
                 local address outside VRFs (`ip link set DEVICE type vxlan id VNI local ADDRESS`)",
                if v6 { "IPv6" } else { "IPv4" }
            );
            self.problem(None, text);
        }
    }

    /// Keeps those of the tunnels on the left whose packets are taken from the same ports as those of the
    /// VTEPs on the right, which stand for them.
    pub(super) fn arrive_alike(&mut self, tunnels: &mut BTreeMap<VtepKey, VtepKey>) {
        let origins = self.origins(tunnels.keys().copied());
        let accepted: BTreeSet<VtepKey> = origins.iter().map(|origin| origin.tunnel).collect();
        tunnels.retain(|tunnel, _| accepted.contains(tunnel));
        let ports: Vec<u32> = self.out.ports.keys().copied().collect();
        for ifindex in ports {
            let arrivals = self.arrivals_at(ifindex, &origins);
            let of_vteps = &self.out.ports[&ifindex].arrivals;
            tunnels.retain(|tunnel, vtep| arrivals.accept(tunnel) == of_vteps.accept(vtep));
        }
    }

    /// The UDP port of the tunnels that may be from an address, if it is one for all of them.
    pub(super) fn udp_port(&self, local: IpAddr) -> Option<u16> {
        let may_be = |from: IpAddr| {
            from == local || from.is_unspecified() && from.is_ipv6() == local.is_ipv6()
        };
        let hears = |domain: &&Domain| domain.vni.is_some() && !domain.only_sends;
        let tunnels = self.out.domains.values().filter(hears);
        let mut ports = tunnels.filter(|domain| may_be(domain.local)).map(|each| each.udp_port);
        let first = ports.next()?;
        ports.all(|port| port == first).then_some(first)
    }

    /// Those of some tunnels whose packets may be accepted at all.
    fn origins(&mut self, tunnels: impl Iterator<Item = VtepKey>) -> Vec<Origin<'a>> {
        let mut origins = Vec::new();
        let mut ports = BTreeMap::new();
        for tunnel in tunnels {
            let port = *ports.entry(tunnel.local).or_insert_with(|| self.udp_port(tunnel.local));
            if let Some(back) = self.back(tunnel, port) {
                origins.push(Origin { tunnel, back });
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
            ..Packets::arriving(OWN, self.underlay_vrf(local))
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
        let Some(link) = network.link(ifindex).filter(|link| underlay && self.is_alone(link))
        else {
            return Arrivals::Nothing;
        };
        let leads = [false, true].map(|v6| self.leads.contains(&(v6, ifindex)));
        let filter = network.routing().rp_filter(ifindex);
        let has_address = filter > 1 && self.addresses(ifindex).next().is_some();
        let mut delivered: BTreeMap<IpAddr, Option<bool>> = BTreeMap::new();
        let mut over: BTreeMap<Via, bool> = BTreeMap::new();
        let mut refused = BTreeSet::new();
        for Origin { tunnel, back } in origins {
            let v6 = tunnel.local.is_ipv6();
            let by_tables =
                *delivered.entry(tunnel.local).or_insert_with(|| self.delivers(link, tunnel.local));
            let delivered = link.master == self.out.vrfs.get(&tunnel.local).copied()
                && leads[usize::from(v6)]
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
            ..Packets::arriving(&link.name, self.vrf_of_port(link))
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

    /// The IPv4 addresses of an interface: the kernel writes each into the local table, or that of its VRF.
    pub(super) fn addresses(&self, ifindex: u32) -> impl Iterator<Item = IpAddr> {
        let vrf = self.network.link(ifindex).and_then(|link| self.vrf_of_port(link));
        let table = vrf.map_or(LOCAL, |(_, table)| table);
        let prefixes = self.network.routing().routes.prefixes(table, false);
        let addresses = prefixes.filter(|prefix| prefix.length == 32).map(|prefix| prefix.address);
        addresses.filter(move |address| self.interfaces_of(table, *address).any(|on| on == ifindex))
    }

    /// The interfaces that have an address of this box, which stands in this table.
    pub(super) fn interfaces_of(
        &self,
        table: u32,
        address: IpAddr,
    ) -> impl Iterator<Item = u32> + use<'a> {
        let routes = &self.network.routing().routes;
        let found = routes.find(&[table], host(address)).and_then(|found| found.route);
        let hops = found.filter(|route| route.kind == RouteKind::Local).map(|route| route.via);
        let hops = match hops {
            Some(Via::Hops(id)) => routes.hops(id),
            _ => &[],
        };
        hops.iter().map(|hop| hop.ifindex)
    }
}

const fn is_delivered(kind: RouteKind) -> bool {
    matches!(
        kind,
        RouteKind::Local | RouteKind::Broadcast | RouteKind::Anycast | RouteKind::Multicast
    )
}
