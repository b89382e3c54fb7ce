//! Bridge domains and the tunnel that each may have.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{
    Domain, DomainKey, Inside, Network,
    compile::Compiler,
    routes::{LOCAL, host},
};
use crate::observe::{Bridge, Classifiers, Df, Link, LinkKind, RouteKind, Vxlan};

/// UDP source ports that Fabric writes (RFC 7348 §5 recommends the dynamic ports).
const SOURCE_PORTS: (u16, u16) = (49_152, 65_535);
/// Ethernet header without a tag.
pub(super) const ETHERNET: u32 = 14;

/// A vxlan device as one bridge domain uses it.
#[derive(Clone, Copy)]
pub(super) struct Tunnel<'a> {
    pub(super) link: &'a Link,
    pub(super) vxlan: &'a Vxlan,
    /// VNI of the domain's frames.
    pub(super) vni: u32,
    pub(super) inside: Inside,
}

impl<'a> Compiler<'a> {
    /// Adds a domain. A tunnel that cannot be expressed is left out and reported, which leaves the
    /// domain's local ports to Fabric and everything else to the kernel.
    pub(super) fn domain(
        &mut self,
        key: DomainKey,
        bridge: &Link,
        options: &Bridge,
        tunnel: Option<Tunnel<'_>>,
    ) {
        let name = match key.vlan {
            0 => bridge.name.clone(),
            vlan => format!("{} vlan {vlan}", bridge.name),
        };
        let mut domain = Domain { name, ageing_ms: ageing_ms(options), ..Domain::default() };
        if let Some(Tunnel { link, vxlan, vni, inside }) = tunnel {
            let forwards = self.network.vlan_forwards(link.ifindex, key.vlan);
            let local = self
                .unclassified(link)
                .and_then(|()| self.hooked(link).map_or(Ok(()), Err))
                .and_then(|()| local_address(link, vxlan))
                .map(|local| local.unwrap_or_else(|| self.no_address(link, vxlan)))
                .and_then(|local| self.hears_alone(link, vxlan, vni).map(|()| local))
                .and_then(|local| self.local_end(link, vxlan, local));
            match local.and_then(|local| match forwards {
                true => Ok(local),
                false => Err(format!(
                    "vxlan device {0} does not forward in VLAN {1} (see `bridge -d vlan show dev {0}`)",
                    link.name, key.vlan
                )),
            }) {
                Ok(local) => {
                    domain.vni = Some(vni);
                    domain.inside = inside;
                    domain.vxlan = link.ifindex;
                    domain.source_vni = if vxlan.external { vni } else { 0 };
                    domain.local = local;
                    domain.udp_port = vxlan.port;
                    // Otherwise the way to the VTEPs says, which is not known yet.
                    domain.ttl = if vxlan.ttl_inherit { 0 } else { vxlan.ttl };
                    domain.ttl_inherit = vxlan.ttl_inherit;
                    domain.tos_inherit = vxlan.tos_inherit;
                    domain.tos = if vxlan.tos_inherit { 0 } else { vxlan.tos & 0xfc };
                    // With the metadata that the bridge gives a frame the device's own does not count
                    // (`vxlan_xmit_one`).
                    domain.df = if vxlan.external { Df::Unset } else { vxlan.df };
                    if local.is_ipv6() {
                        domain.label = vxlan.label;
                        domain.label_inherit = vxlan.label_inherit;
                        domain.zero_checksum_tx = vxlan.udp6_zero_checksum_tx;
                        domain.zero_checksum_rx = vxlan.udp6_zero_checksum_rx;
                    }
                    domain.max_frame = link.mtu + ETHERNET;
                    let port = link.port.unwrap_or_default();
                    domain.overlay_learning = vxlan.learning || port.learning;
                    domain.overlay_snoops = vxlan.learning;
                    if vxlan.learning && vxlan.ageing_s != 0 {
                        domain.ageing_ms =
                            domain.ageing_ms.min(u64::from(vxlan.ageing_s).saturating_mul(1000));
                    }
                    domain.overlay_isolated = port.isolated;
                    domain.overlay_locked = port.locked;
                    domain.overlay_hairpin = port.hairpin;
                    domain.vxlan_mac = link.mac.unwrap_or_default();
                    if domain.overlay_locked {
                        let text = format!(
                            "bridge {}: vxlan device {1} is locked as a bridge port, so frames that \
                             arrive by it go through the kernel (`bridge link set dev {1} locked \
                             off`)",
                            bridge.name, link.name,
                        );
                        self.problem(Some(link.ifindex), text);
                    }
                }
                Err(reason) => {
                    let text = format!("bridge {}: {reason}, left to the kernel", bridge.name);
                    self.problem(Some(link.ifindex), text);
                }
            }
        }
        self.out.domains.insert(key, domain);
    }

    /// Whether nothing but the vxlan device sees what goes through it.
    pub(super) fn unclassified(&self, link: &Link) -> Result<(), String> {
        match self.network.classifiers(link.ifindex) == Classifiers::default() {
            true => Ok(()),
            false => Err(format!(
                "vxlan device {0} has filters of `tc` (`tc filter show dev {0} ingress`, and `egress`)",
                link.name
            )),
        }
    }

    /// Whether the kernel gives packets of a VNI that arrive to this vxlan device.
    ///
    /// It hears over IPv4 and IPv6 in external mode, whatever its local address (`vxlan_sock_add`), and
    /// without a filter of all VNIs; of two such devices only one hears (`vxlan_vs_find_vni`).
    fn hears_alone(&self, link: &Link, vxlan: &Vxlan, vni: u32) -> Result<(), String> {
        if !vxlan.external {
            return Ok(());
        }
        let hears = |link: &Link, vxlan: &Vxlan| {
            !vxlan.vni_filter || self.network.hears_of(link.ifindex, vni)
        };
        let name = &link.name;
        if !hears(link, vxlan) {
            return Err(format!(
                "vxlan device {name} does not hear of VNI {vni} (`bridge vni add vni {vni} dev {name}`)"
            ));
        }
        // In another VRF it has a socket of its own.
        let vrf = |vxlan: &Vxlan| vrf_below(self.network, vxlan).map(|vrf| vrf.ifindex);
        let rival = self.external.iter().find(|(other, its)| {
            other.ifindex != link.ifindex
                && its.port == vxlan.port
                && hears(other, its)
                && vrf(its) == vrf(vxlan)
        });
        match rival {
            None => Ok(()),
            Some((other, _)) => Err(format!(
                "vxlan device {} hears of VNI {vni} on the UDP port of {name} as well",
                other.name
            )),
        }
    }

    /// Leaves all but the first of the tunnels with one VNI, UDP port and family to the kernel. It lets them be in
    /// different VRFs if an option of their sockets differs (`vxlan_config_validate`), and the map `vnis` has one
    /// place for them.
    pub(super) fn twins(&mut self) {
        let mut heard = BTreeMap::new();
        let mut twins = Vec::new();
        for (key, domain) in &mut self.out.domains {
            let Some(vni) = domain.vni else { continue };
            let first = heard
                .entry((domain.udp_port, vni, domain.local.is_ipv6()))
                .or_insert((domain.vxlan, key.bridge));
            if first.0 == domain.vxlan {
                continue;
            }
            twins.push((domain.vxlan, first.0, vni, domain.udp_port));
            let Domain { name, ageing_ms, .. } = std::mem::take(domain);
            *domain = Domain { name, ageing_ms, ..Domain::default() };
        }
        for (vxlan, first, vni, port) in twins {
            let text = format!(
                "vxlan device {} has the VNI {vni} on the UDP port {port} that {} has in another VRF, left to the \
                 kernel",
                self.network.name(vxlan),
                self.network.name(first)
            );
            self.problem(Some(vxlan), text);
        }
    }

    /// The VRF that the underlay of a vxlan device is in, if it is in one that can be told for sure.
    ///
    /// Outside VRFs the interface that it is bound to (`dev`) makes no difference. Known stations are sent to by
    /// routes as ever: the kernel looks for one over that interface only where an entry says so (`via`), as that
    /// of the device's own `remote` or `group` does. And what arrives is taken from everywhere, unless the local
    /// address is link-local (`vxlan_vs_find_vni`). Below a VRF, however, the socket is the VRF's
    /// (`__vxlan_sock_add`): it sends by the VRF's routes (`vxlan_xmit_one`, as bound to it) and hears of nothing
    /// else (`inet_bound_dev_eq`). Which VRF that is the kernel looks up when the device comes up, and no more
    /// when the interface moves.
    pub(super) fn vrf_of(&self, link: &Link, vxlan: &Vxlan) -> Result<Option<&'a Link>, String> {
        let vrf = vrf_below(self.network, vxlan);
        let is_in = |vrf: &Link| vxlan.bound_to != Some(vrf.ifindex);
        if self.network.has_strayed(link.ifindex) && !vrf.is_some_and(is_in) {
            return Err(format!(
                "vxlan device {0} came up when what it is bound to was in another VRF, or in none, and sends and hears \
                 there until it comes up anew (`ip link set {0} down`, `ip link set {0} up`)",
                link.name
            ));
        }
        let Some(vrf) = vrf else { return Ok(None) };
        let (name, of) = (&link.name, &vrf.name);
        let bound_to = vxlan.bound_to.unwrap_or_default();
        if bound_to != vrf.ifindex {
            let port = self.network.name(bound_to);
            return Err(format!(
                "vxlan device {name} is bound to {port} (`dev {port}`), which is in the VRF {of}: in which one it \
                 was when the vxlan device came up is not known (create it with `dev {of}`)"
            ));
        }
        if !vrf.up {
            return Err(format!(
                "vxlan device {name} has its underlay in the VRF {of}, which is down"
            ));
        }
        // Where it has a queueing discipline, packets go through it (`vrf_ip_out`).
        if self.network.classifiers(vrf.ifindex) != Classifiers::default() {
            return Err(format!(
                "vxlan device {name} has its underlay in the VRF {of}, which has filters of `tc` (`tc filter show dev \
                 {of} ingress`, and `egress`)"
            ));
        }
        self.hooked(vrf).map_or(Ok(Some(vrf)), Err)
    }

    /// The local address of a tunnel, if it is one of this box or none in particular, in the VRF of the underlay or
    /// outside VRFs. The kernel sends from no other over IPv4 (`ip_route_output_key_hash_rcu`) and hears what is for
    /// another one over neither family. An IPv6 address has its local route once it is known to be nobody else's.
    ///
    /// What arrives is told apart by addresses and the port only. So a local address stands for one VRF.
    fn local_end(&mut self, link: &Link, vxlan: &Vxlan, local: IpAddr) -> Result<IpAddr, String> {
        let name = &link.name;
        let Some(vrf) = self.vrf_of(link, vxlan)? else {
            return (local.is_unspecified() || self.is_here(local)).then_some(local).ok_or_else(
                || {
                    format!(
                        "vxlan device {name} has the local address {local}, which no interface outside VRFs has"
                    )
                },
            );
        };
        let of = &vrf.name;
        if local.is_unspecified() {
            return Err(format!(
                "vxlan device {name} has its underlay in the VRF {of} and no local address, which is not supported \
                 (`ip link set {name} type vxlan id VNI local ADDRESS`)"
            ));
        }
        if !vrf_table(vrf).is_some_and(|table| self.has_address(table, local)) {
            return Err(format!(
                "vxlan device {name} has the local address {local}, which no interface in the VRF {of} has"
            ));
        }
        if self.is_here(local) {
            return Err(format!(
                "vxlan device {name} has the local address {local}, which is in the VRF {of} and outside VRFs"
            ));
        }
        match self.vrf_ends.get(&local) {
            Some(other) if *other != vrf.ifindex => Err(format!(
                "vxlan device {name} has the local address {local} in the VRF {of}, and another one has it in the VRF \
                 {}",
                self.network.name(*other)
            )),
            _ => {
                self.out.vrfs.insert(local, vrf.ifindex);
                Ok(local)
            }
        }
    }

    /// Whether an interface outside VRFs has an address.
    pub(super) fn is_here(&self, address: IpAddr) -> bool {
        self.has_address(LOCAL, address)
    }

    /// Whether an interface whose addresses stand in a table has an address.
    fn has_address(&self, table: u32, address: IpAddr) -> bool {
        let found = self.network.routing().routes.find(&[table], host(address));
        found.is_some_and(|found| {
            found.prefix == host(address)
                && found.route.is_some_and(|route| route.kind == RouteKind::Local)
        })
    }

    /// Name and table of the VRF that the underlay of tunnels from a local address is in.
    pub(super) fn underlay_vrf(&self, local: IpAddr) -> Option<(&'a str, u32)> {
        let vrf = self.network.link(*self.out.vrfs.get(&local)?)?;
        Some((&vrf.name, vrf_table(vrf)?))
    }

    /// The address that stands for none, of the family that a vxlan device without a local one sends over:
    /// that of its group, else of the VTEPs that it knows, which the kernel has seen to
    /// (`vxlan_fdb_parse`).
    fn no_address(&self, link: &Link, vxlan: &Vxlan) -> IpAddr {
        let mut remotes = self.network.remotes(link.ifindex);
        match vxlan.group.or_else(|| remotes.next()) {
            Some(IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
            _ => Ipv4Addr::UNSPECIFIED.into(),
        }
    }
}

/// The VRF that the interface of a vxlan device (`dev`) is, or is in (`l3mdev_master_upper_ifindex_by_index`).
pub(super) fn vrf_below<'a>(network: &'a Network, vxlan: &Vxlan) -> Option<&'a Link> {
    let mut next = vxlan.bound_to;
    while let Some(link) = next.and_then(|ifindex| network.link(ifindex)) {
        if vrf_table(link).is_some() {
            return Some(link);
        }
        next = link.master;
    }
    None
}

/// The routing table of a VRF.
pub(super) const fn vrf_table(link: &Link) -> Option<u32> {
    match link.kind {
        LinkKind::Vrf { table } => Some(table),
        _ => None,
    }
}

/// The local addresses of vxlan devices whose underlay is in a VRF, each with the VRF, which is the one of the lowest
/// index where there are several.
pub(super) fn vrf_ends(network: &Network) -> BTreeMap<IpAddr, u32> {
    let mut ends: BTreeMap<IpAddr, u32> = BTreeMap::new();
    for link in network.links().filter(|link| link.up) {
        if let LinkKind::Vxlan(vxlan) = &link.kind
            && let (Some(local), Some(vrf)) = (vxlan.local, vrf_below(network, vxlan))
        {
            let first = ends.entry(local).or_insert(vrf.ifindex);
            *first = vrf.ifindex.min(*first);
        }
    }
    ends
}

/// After how many milliseconds a MAC may be forgotten that the bridge does not see.
///
/// While a spanning tree's topology changes, which the kernel does not tell, it is the forward delay
/// (`hold_time` of `br_fdb.c`); and as four frames are shown in the time that this returns, two of
/// them are shown in a forward delay.
fn ageing_ms(bridge: &Bridge) -> u64 {
    match bridge.stp {
        true => bridge.ageing_ms.min(2 * bridge.forward_delay_ms),
        false => bridge.ageing_ms,
    }
}

/// Whether the options of a vxlan device that change whatever it sends can be expressed.
pub(super) fn plain_options(link: &Link, vxlan: &Vxlan) -> Result<(), String> {
    let name = &link.name;
    if !vxlan.unsupported.is_empty() {
        let options = vxlan.unsupported.join(", ");
        return Err(format!("vxlan device {name} uses {options}, which is not supported"));
    }
    if link.lower_elsewhere {
        return Err(format!("vxlan device {name} has its underlay in another network namespace"));
    }
    if let Some((low, high)) = vxlan.source_ports
        && (low > SOURCE_PORTS.0 || high < SOURCE_PORTS.1)
    {
        return Err(format!(
            "vxlan device {name} limits its UDP source ports to {low}–{high} (`srcport`)"
        ));
    }
    Ok(())
}

/// The local VTEP address of a vxlan device that can be expressed, if it has one; or what cannot.
fn local_address(link: &Link, vxlan: &Vxlan) -> Result<Option<IpAddr>, String> {
    let name = &link.name;
    plain_options(link, vxlan)?;
    if vxlan.vni == 0 && !vxlan.external {
        return Err(format!("vxlan device {name} has VNI 0, which stands for no VNI"));
    }
    if let Some(IpAddr::V6(local)) = vxlan.local
        && local.is_unicast_link_local()
    {
        return Err(format!(
            "vxlan device {name} has the link-local address {local}; create it with an address that is \
             routed"
        ));
    }
    if vxlan.external && vxlan.local.is_none() {
        return Err(format!(
            "vxlan device {name} has no local address (`ip link set {name} type vxlan external local \
             ADDRESS`)"
        ));
    }
    if !link.up {
        return Err(format!("vxlan device {name} is down (`ip link set {name} up`)"));
    }
    if !link.forwards() {
        return Err(format!(
            "vxlan device {name} is a bridge port that does not forward (see `bridge -d link show \
             dev {name}`)"
        ));
    }
    Ok(vxlan.local)
}
