//! The way to the VTEPs: routes, groups, next hops, and the ports that they use.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use fabric_common::schema::ports::is_tunnel;

use super::{
    GroupKey, Network, NexthopKey, Port, Role, Structure, VtepKey,
    compile::Compiler,
    compile_groups::NotExpressed,
    compile_hop_limits::HopLimit,
    routes::Via,
    rules::{Answer, OWN, Packets, UDP},
};
use crate::observe::{Link, LinkKind, Path, RouteKind};

/// The tunnel between two addresses, if they can be its ends.
pub(super) fn tunnel(local: IpAddr, remote: IpAddr) -> Option<VtepKey> {
    let valid = remote != local && remote.is_ipv4() == local.is_ipv4();
    valid.then_some(VtepKey { local, remote })
}

/// Whether a VTEP comes or goes with what vxlan devices began or ceased to name, where `structure`
/// is the last one. Nearly always another VNI names it as well.
pub(super) fn vteps_changed(
    network: &Network,
    structure: &Structure,
    tunnels: &BTreeSet<(u32, IpAddr)>,
) -> bool {
    let changed = |(vxlan, remote): &(u32, IpAddr)| {
        let domains = network.tunnel_domains(*vxlan).filter_map(|key| structure.domains.get(&key));
        // Without an accelerated domain it is nobody's VTEP; if that changes, all is compiled anew.
        let mut domains = domains.filter(|domain| domain.vni.is_some() && domain.vxlan == *vxlan);
        // All of them have the device's local address.
        let domain = domains.next()?;
        let Some(vtep) = tunnel(domain.local, *remote) else {
            // Of a device without a local address the first VTEP tells the family.
            return Some(domain.local.is_unspecified());
        };
        let known = match domain.local.is_unspecified() {
            true => structure.sources.contains_key(remote),
            false => structure.vteps.contains_key(&vtep),
        };
        // Of one that has both kinds of devices the ways are compared.
        let of_next_hops = || network.routing().chooses_tunnel(*remote..=*remote);
        let is_shared =
            structure.sources.get(remote) == Some(&Some(domain.local)) || of_next_hops();
        if network.names_remote(*vxlan, *remote) {
            return Some(!known || is_shared);
        }
        let mut others = structure.domains.values().filter(|other| other.local == vtep.local);
        let named =
            others.any(|other| other.vni.is_some() && network.names_remote(other.vxlan, *remote));
        Some(known && !named)
    };
    tunnels.iter().any(|each| changed(each) == Some(true))
}

impl Compiler<'_> {
    pub(super) fn underlay(&mut self) {
        let network = self.network;
        for ifindex in &self.policy.sticky_routed {
            if let Some(link) = network.link(*ifindex).filter(|link| link.bond.is_none()) {
                // It is one for the sake of what it was; nobody needs to know why not.
                let _ = self.routed_port(link, Role::Routed);
            }
        }
        // Whether it is the way that gives some packets to a VTEP their TTL.
        let mut tunnels: BTreeMap<VtepKey, bool> = BTreeMap::new();
        let domains = self.out.domains.values().filter(|domain| domain.vni.is_some());
        // A vxlan device of many domains is the same in all of them.
        let devices = domains.map(|domain| (domain.vxlan, (domain.local, domain.ttl)));
        for (vxlan, (local, ttl)) in devices.collect::<BTreeMap<_, _>>() {
            for remote in network.remotes(vxlan) {
                if let Some(tunnel) = tunnel(local, remote) {
                    *tunnels.entry(tunnel).or_default() |= ttl == 0;
                }
            }
        }
        let mut ports = BTreeMap::new();
        let mut limits = BTreeMap::new();
        for (tunnel, limited) in tunnels {
            let port = *ports.entry(tunnel.local).or_insert_with(|| self.udp_port(tunnel.local));
            if tunnel.local.is_unspecified() {
                self.out.sources.insert(tunnel.remote, None);
            }
            let way = self.way(tunnel, port).map_err(|reason| self.decline(tunnel, &reason)).ok();
            if let Some((_, limit)) = way.as_ref().filter(|_| limited) {
                limits.insert(tunnel, limit.clone());
            }
            let Some(vtep) = self.out.vtep(tunnel) else { continue };
            let group = way.map(|(group, _)| group);
            match self.out.vteps.insert(vtep, group.clone()) {
                Some(other) if other != group => {
                    self.decline(tunnel, &format!(
                        "the kernel sends to it from {} another way where that is the local address of \
                         the vxlan device than where it has none",
                        vtep.local
                    ));
                }
                _ => {}
            }
        }
        self.hop_limits(&limits);
    }

    /// Leaves what is sent to a VTEP to the kernel. Many a reason says that of a port already.
    pub(super) fn decline(&mut self, tunnel: VtepKey, reason: &str) {
        const LEFT: &str = "left to the kernel";
        let remote = tunnel.remote;
        if let Some(vtep) = self.out.vtep(tunnel) {
            self.out.vteps.insert(vtep, None);
        }
        let text = match reason.contains(LEFT) {
            true => format!("VTEP {remote}: {reason}"),
            false => format!("VTEP {remote}: {reason}, {LEFT}"),
        };
        self.problem(None, text);
    }

    /// The group of next hops towards a VTEP and the TTL of the way, or why it is left to the kernel. The
    /// UDP port is the destination, if all packets to it have the same. Without a local address it is
    /// looked for without one, which it then says.
    pub(super) fn way(
        &mut self,
        tunnel: VtepKey,
        udp_port: Option<u16>,
    ) -> Result<(GroupKey, HopLimit), String> {
        let network = self.network;
        let VtepKey { local, remote } = tunnel;
        // As the vxlan device asks (`vxlan_get_route`). The source port differs by flow; marks and TOS
        // may be those of the frame inside.
        let packets = Packets {
            source: Some(local),
            destination: Some(remote),
            protocol: Some(UDP),
            destination_port: udp_port,
            ..Packets::arriving(OWN, self.underlay_vrf(local))
        };
        let found = match network.routing().resolve(&packets, remote) {
            Ok(Answer::Route(found)) => found,
            Ok(Answer::Nothing) => return Err("no route".into()),
            Ok(Answer::Refused(rule)) => {
                return Err(format!("the rule `{rule}` (priority {}) refuses", rule.priority));
            }
            Err(rule) => {
                return Err(format!(
                    "the rule `{rule}` (priority {}) may apply to some packets to it",
                    rule.priority
                ));
            }
        };
        let prefix = found.prefix;
        let route = found.route.ok_or_else(|| {
            format!("routes for {prefix} depend on more than the destination, as TOS or source")
        })?;
        match route.kind {
            RouteKind::Unicast => {}
            RouteKind::Local => return Err("it is an address of this box".into()),
            RouteKind::Blackhole => return Err(format!("the route {prefix} discards")),
            _ => return Err(format!("the route {prefix} does not forward")),
        }
        let through_another = || {
            format!(
                "the route {prefix} leads through another tunnel or MPLS, which is not supported"
            )
        };
        let candidates = self.candidates(route.via).map_err(|why| match why {
            NotExpressed::Discards => format!("the route {prefix} discards"),
            NotExpressed::Tunnelled => through_another(),
            NotExpressed::Nested => {
                format!("the route {prefix} has a nexthop group inside a group")
            }
        })?;
        let members = candidates.members(remote);
        if members.iter().any(|(key, _)| is_tunnel(key.ifindex)) {
            return Err(through_another());
        }
        let source = match local.is_unspecified() {
            true => {
                let is_object = matches!(route.via, Via::Object(_));
                self.source(remote, udp_port, &members, is_object).map(Some)
            }
            false => Ok(None),
        };
        if let Ok(Some(source)) = source {
            self.out.sources.insert(remote, Some(source));
        }
        for (nexthop, _) in &members {
            let Some(link) = network.link(nexthop.ifindex) else {
                continue;
            };
            if remote.is_ipv6() && self.policy.without_ipv6.contains(&link.ifindex) {
                return Err(format!(
                    "the way leads over {0}, on which IPv6 is switched off \
                     (net.ipv6.conf.{0}.disable_ipv6)",
                    link.name
                ));
            }
            self.leads.insert((remote.is_ipv6(), nexthop.ifindex));
            self.routed_port(link, Role::Underlay)?;
            if let Some(why) = self.why_not_target(link) {
                return Err(format!("the way leads over {}, which {why}", link.name));
            }
            if route.mtu != 0 && route.mtu < link.mtu {
                return Err(format!("the route {prefix} sets a path MTU of {} bytes", route.mtu));
            }
        }
        if let Some(path) = self.policy.learned.get(&self.out.asked(tunnel)) {
            self.fits(path, remote, &members)?;
        }
        source?;
        let limit = self.hop_limit(route.hop_limit, remote, &members);
        // The object is the identity unless its members depend on the VTEP.
        let (key, resilient) = match route.via {
            Via::Object(id) if !candidates.on_link() => {
                (GroupKey::Object(id), candidates.resilient)
            }
            _ => (GroupKey::Hops(members.clone().into()), None),
        };
        let group = self.group(members, resilient);
        if !self.reaches(&group) {
            let text = format!(
                "VTEP {remote}: no next hop of the route {prefix} is up and resolved, left to the \
                 kernel"
            );
            self.problem(None, text);
        }
        self.out.groups.insert(key.clone(), group);
        Ok((key, limit))
    }

    /// Whether next hops carry what the kernel has learned that the way to a VTEP carries, and lead where
    /// it was told to send.
    fn fits(
        &self,
        path: &Path,
        remote: IpAddr,
        members: &[(NexthopKey, u16)],
    ) -> Result<(), String> {
        let hop = NexthopKey { ifindex: path.ifindex, gateway: path.gateway.unwrap_or(remote) };
        if path.learned && !members.iter().any(|(key, _)| *key == hop) {
            return Err(format!(
                "an ICMP redirect has told the kernel to send over {} on {} (`ip route get {remote}`)",
                hop.gateway,
                self.network.name(hop.ifindex)
            ));
        }
        let links = members.iter().filter_map(|(key, _)| self.network.link(key.ifindex));
        match path.mtu {
            Some(mtu) if links.into_iter().any(|link| mtu < link.mtu) => Err(format!(
                "its path MTU of {mtu} bytes, as the kernel has learned by ICMP, is less than that of the \
                 port (`ip route get {remote}`)"
            )),
            _ => Ok(()),
        }
    }

    /// Makes an interface a port of one of the routed roles, or says why it cannot be one.
    pub(super) fn routed_port(&mut self, link: &Link, role: Role) -> Result<(), String> {
        let name = &link.name;
        let kind = match &link.kind {
            LinkKind::Device => None,
            LinkKind::Bridge(_) => Some("bridge"),
            LinkKind::Vxlan(_) => Some("vxlan"),
            LinkKind::Vlan(_) => Some("VLAN"),
            LinkKind::Vrf { .. } => Some("vrf"),
            LinkKind::Other(kind) => {
                matches!(kind.as_str(), "macvlan" | "macvtap" | "ipvlan" | "ipvtap" | "macsec")
                    .then_some(kind.as_str())
            }
        };
        let why_not = match (kind, link.mac) {
            _ if link.port.is_some() => {
                Err(format!("the way leads over {name}, which is a bridge port"))
            }
            _ if self.taken.contains_key(&link.ifindex) => Err(format!(
                "the way leads over {name}, and {} on top of it takes packets that would be routed",
                self.taken[&link.ifindex].name
            )),
            _ if link.loopback => Err(format!("the way leads over {name}, the loopback interface")),
            (Some(kind), _) => Err(format!(
                "the way leads over {name}, and {kind} devices are not supported as routed ports"
            )),
            (None, None) => {
                Err(format!("the way leads over {name}, which is no Ethernet interface"))
            }
            (None, Some(mac)) => match self.policy.why_not(link.ifindex, name) {
                Some(reason) => Err(reason),
                None => match (self.why_not_source(link), self.hooked(link)) {
                    (Some(why), _) => Err(format!("the way leads over {name}, which {why}")),
                    (None, Some(why)) => Err(format!("the way leads over {name}, and {why}")),
                    (None, None) => Ok(mac),
                },
            },
        };
        let mac = why_not.inspect_err(|reason| {
            self.out.declined.entry(link.ifindex).or_insert_with(|| reason.clone());
        })?;
        let mtu = self.policy.mtu(link);
        let is_target = self.is_target(link);
        let port = self.out.ports.entry(link.ifindex).or_insert_with(|| Port {
            name: name.clone(),
            role,
            mtu,
            mac,
            idle: !link.up,
            is_target,
            ..Port::default()
        });
        match port.role {
            Role::Routed | Role::Underlay => {
                port.role = port.role.max(role);
                if mtu < link.mtu {
                    let text = format!(
                        "port {name}: its MTU for IPv6 is {mtu} bytes, less than the {} of the link \
                         (net.ipv6.conf.{name}.mtu), packets longer than that are left to the kernel",
                        link.mtu
                    );
                    self.problem(Some(link.ifindex), text);
                }
                Ok(())
            }
            Role::Gateway => Err(format!("the way leads over {name}, the gateway of a bridge")),
            Role::Access => Err(format!(
                "the way leads over {name}, which has hosts behind it; use separate ports for hosts \
                 and fabric"
            )),
        }
    }
}
