//! Next hops that say themselves into which tunnel their packets go: downstream VNIs (RFC 8365 §5.1.1), where each
//! VTEP chooses the VNI in which it wants what it routes for others.
//!
//! The route leads out of a vxlan device in external mode, whose own settings count as little as its bridge and FDBs
//! do (`vxlan_xmit`, `vxlan_xmit_one` without `rdst`): VNI, VTEP, TTL, TOS, DF and UDP checksum are the next hop's, the
//! source is that of the way to the VTEP unless the next hop has one. The router's MAC address is that of the
//! neighbour on the device.
//!
//! In the maps each such tunnel is a gateway without an interface: a port that next hops are on, with a domain of its own
//! that packets only enter. Its FDB has the routers' MAC addresses, all of them behind the one VTEP. So the packet
//! path knows nothing of it.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use fabric_common::schema::ports::TUNNELS;

use super::{
    Domain, DomainKey, Port, Role, VtepKey,
    compile::Compiler,
    compile_tunnels::{ETHERNET, plain_options},
    compile_underlay::tunnel,
    routes::Via,
};
use crate::observe::{Df, Encap, Link, LinkKind, NexthopKind, TunnelEncap, Vxlan};

/// Largest VNI.
const MAX_VNI: u64 = 0xff_ffff;

/// The port that packets to a next hop leave by: its interface, or what stands for its tunnel. None if it cannot be
/// told.
pub(super) fn port_of(ifindex: u32, encap: Option<Encap>) -> Option<u32> {
    match encap {
        None => Some(ifindex),
        Some(Encap::Tunnel(encap)) => Some(number(ifindex, &encap)),
        Some(Encap::Other) => None,
    }
}

/// What stands for the tunnel of a next hop in place of an interface index. The same at all times, so that maps that
/// are taken over are understood; two tunnels of one number are declined.
fn number(device: u32, encap: &TunnelEncap) -> u32 {
    let TunnelEncap { id, destination, source, ttl, tos, flags } = encap;
    let address = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    let bytes = [
        &device.to_be_bytes()[..],
        &id.to_be_bytes(),
        &address(destination),
        &source.as_ref().map_or([0; 16], address),
        &[*ttl, *tos],
        &flags.to_be_bytes(),
    ];
    // FNV-1a, with the upper half folded into the lower one.
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    let hash = bytes.concat().iter().fold(0xcbf2_9ce4_8422_2325, mix);
    TUNNELS | (hash ^ hash >> 32) as u32
}

/// The tunnel of a next hop.
pub(super) struct Downstream {
    /// Interface index of the vxlan device.
    pub(super) device: u32,
    encap: TunnelEncap,
    /// Its other end; or why it is the kernel's.
    pub(super) vtep: Result<VtepKey, String>,
}

impl<'a> Compiler<'a> {
    /// Finds the tunnels of all next hops, and adds what stands for those that can be expressed.
    pub(super) fn downstream(&mut self) {
        let network = self.network;
        let mut found: BTreeMap<u32, Downstream> = BTreeMap::new();
        let uses: BTreeSet<Via> = network.routing().routes.all_uses().collect();
        for (device, encap) in uses.into_iter().flat_map(|via| self.encaps(via)) {
            let Encap::Tunnel(encap) = encap else { continue };
            match found.entry(number(device, &encap)) {
                Entry::Vacant(place) => {
                    let vtep = Err(String::new());
                    place.insert(Downstream { device, encap, vtep });
                }
                Entry::Occupied(place)
                    if (place.get().device, place.get().encap) == (device, encap) => {}
                Entry::Occupied(mut place) => {
                    place.get_mut().vtep = Err("another tunnel has the same number".into());
                }
            }
        }
        for (number, each) in &mut found {
            if each.vtep.as_ref().is_err_and(String::is_empty) {
                let ends = self.add_tunnel(*number, each.device, &each.encap);
                each.vtep = ends.and_then(|ends| self.lead(*number, ends));
            }
            if each.vtep.is_err() {
                self.out.ports.remove(number);
                self.out.domains.remove(&domain_of(*number));
            }
        }
        self.tunnels = found;
    }

    /// Adds the port and the domain of a tunnel; its ends, of which the local one may still be unspecified.
    fn add_tunnel(
        &mut self,
        number: u32,
        device: u32,
        encap: &TunnelEncap,
    ) -> Result<VtepKey, String> {
        let link = self.network.link(device).ok_or("its interface has gone")?;
        let vxlan = self.external_device(link)?;
        if let Some(why) = self.policy.choice(device, &link.name) {
            self.out.declined.insert(device, why.clone());
            return Err(why);
        }
        if let Some(why) = self.policy.unusable.get(&number) {
            return Err(why.clone());
        }
        let TunnelEncap { id, destination: remote, source, ttl, tos, flags } = *encap;
        if id == 0 || id > MAX_VNI {
            return Err(format!("{id} is no VNI"));
        }
        if flags & !(TunnelEncap::CHECKSUM | TunnelEncap::DONT_FRAGMENT) != 0 {
            return Err(format!("it has flags that are not supported ({flags:#06x})"));
        }
        if let Some(source) = source.filter(|source| !self.is_here(*source)) {
            return Err(format!("its source {source} is no address of this box outside VRFs"));
        }
        let unspecified = match remote {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let ends = tunnel(source.unwrap_or(unspecified), remote)
            .filter(|_| !remote.is_multicast() && remote != IpAddr::V4(Ipv4Addr::BROADCAST))
            .ok_or_else(|| format!("{remote} cannot be its other end"))?;
        let name = format!("{} VNI {id} to {remote}", link.name);
        let domain = Domain {
            name: name.clone(),
            vni: Some(id as u32),
            vxlan: device,
            local: ends.local,
            udp_port: vxlan.port,
            ttl,
            tos: tos & 0xfc,
            df: if flags & TunnelEncap::DONT_FRAGMENT != 0 { Df::Set } else { Df::Unset },
            zero_checksum_tx: remote.is_ipv6() && flags & TunnelEncap::CHECKSUM == 0,
            max_frame: link.mtu + ETHERNET,
            only_sends: true,
            ..Domain::default()
        };
        let key = domain_of(number);
        let port = Port {
            name,
            role: Role::Gateway,
            mtu: self.policy.mtu(link),
            mac: link.mac.unwrap_or_default(),
            is_target: true,
            domain: Some(key),
            ..Port::default()
        };
        self.out.domains.insert(key, domain);
        self.out.ports.insert(number, port);
        Ok(ends)
    }

    /// The options of a vxlan device that does with packets what their next hops say, and nothing else.
    fn external_device(&self, link: &'a Link) -> Result<&'a Vxlan, String> {
        let name = &link.name;
        let vxlan = match &link.kind {
            LinkKind::Vxlan(vxlan) if vxlan.external => vxlan,
            _ => {
                return Err(format!(
                    "{name} is no vxlan device in external mode, and what its next hops say is not supported there"
                ));
            }
        };
        let has_vrf = link.master.and_then(|master| self.network.link(master));
        if let Some(vrf) = has_vrf.filter(|master| matches!(master.kind, LinkKind::Vrf { .. })) {
            return Err(format!("{name} is in the VRF {}", vrf.name));
        }
        if !link.alive() {
            return Err(format!("{name} is down"));
        }
        self.unclassified(link)?;
        self.hooked(link).map_or(Ok(()), Err)?;
        if let Some(vrf) = self.vrf_of(link, vxlan)? {
            return Err(format!("{name} has its underlay in the VRF {}", vrf.name));
        }
        plain_options(link, vxlan)?;
        Ok(vxlan)
    }

    /// Finds the way of a tunnel; its VTEP.
    fn lead(&mut self, number: u32, tunnel: VtepKey) -> Result<VtepKey, String> {
        let remote = tunnel.remote;
        let known = self.out.sources.get(&remote).copied().flatten();
        if tunnel.local.is_unspecified() {
            self.out.sources.entry(remote).or_insert(None);
        }
        let port = self.out.domains.get(&domain_of(number)).map(|domain| domain.udp_port);
        let way = self.way(tunnel, port);
        if let (true, Some(known), Some(now)) =
            (tunnel.local.is_unspecified(), known, self.out.sources.get(&remote).copied().flatten())
            && known != now
        {
            self.out.sources.insert(remote, Some(known));
            return Err(format!("the kernel sends to {remote} from {known} and {now}"));
        }
        let vtep = self.out.vtep(tunnel);
        if let (Err(_), Some(vtep)) = (&way, vtep) {
            // The kernel is asked about the way to it, which may be another one again.
            self.out.vteps.entry(vtep).or_insert(None);
        }
        let (group, limit) = way?;
        let vtep = vtep.ok_or("from which address it is sent is not known")?;
        let group = Some(group);
        match self.out.vteps.get(&vtep) {
            Some(None) => return Err(format!("what is sent to the VTEP {remote} is the kernel's")),
            Some(other) if *other != group => {
                return Err(format!(
                    "the kernel sends to {remote} from {} another way for next hops than for bridges",
                    vtep.local
                ));
            }
            _ => {}
        }
        let domain = self.out.domains.get_mut(&domain_of(number)).ok_or("it has no domain")?;
        if domain.ttl == 0 {
            domain.ttl = limit?;
        }
        self.out.vteps.insert(vtep, group);
        Ok(vtep)
    }

    /// Those of some tables that have routes into tunnels of next hops.
    pub(super) fn leads_down(&self, tables: &BTreeSet<u32>) -> BTreeSet<u32> {
        if self.tunnels.values().all(|tunnel| tunnel.vtep.is_err()) {
            return BTreeSet::new();
        }
        let routes = &self.network.routing().routes;
        let is_carried = |(device, encap): (u32, Encap)| match encap {
            Encap::Tunnel(encap) => {
                self.tunnels.get(&number(device, &encap)).is_some_and(|tunnel| tunnel.vtep.is_ok())
            }
            Encap::Other => false,
        };
        let leads = |table: &u32| {
            routes.uses(*table).any(|via| self.encaps(via).into_iter().any(is_carried))
        };
        tables.iter().copied().filter(leads).collect()
    }

    /// The encapsulations of next hops, each with the interface. A tunnel without a router, whose neighbours are the
    /// destinations, is not supported.
    fn encaps(&self, via: Via) -> Vec<(u32, Encap)> {
        let network = self.network;
        let of = |ifindex, gateway: Option<IpAddr>, encap: Option<Encap>| {
            let encap = encap?;
            Some((ifindex, if gateway.is_some() { encap } else { Encap::Other }))
        };
        let single = |id| match network.nexthop(id)?.kind {
            NexthopKind::Single { ifindex, gateway, encap } => of(ifindex, gateway, encap),
            _ => None,
        };
        match via {
            Via::Nothing => Vec::new(),
            Via::Hops(id) => {
                let hops = network.routing().routes.hops(id).iter();
                hops.filter_map(|hop| of(hop.ifindex, hop.gateway, hop.encap)).collect()
            }
            Via::Object(id) => match network.nexthop(id).map(|object| &object.kind) {
                Some(NexthopKind::Group { members, .. }) => {
                    members.iter().filter_map(|member| single(member.id)).collect()
                }
                _ => single(id).into_iter().collect(),
            },
        }
    }

    /// Says which routes are the kernel's for the encapsulation of their next hops.
    pub(super) fn name_encapsulating(&mut self, uses: &BTreeSet<Via>) {
        let encaps: BTreeSet<(u32, Encap)> =
            uses.iter().flat_map(|via| self.encaps(*via)).collect();
        for (ifindex, encap) in encaps {
            let name = self.network.name(ifindex);
            let (what, why) = match encap {
                Encap::Other => (String::new(), "which is not supported".to_owned()),
                Encap::Tunnel(encap) => {
                    let tunnel = self.tunnels.get(&number(ifindex, &encap));
                    match tunnel.map(|tunnel| &tunnel.vtep) {
                        Some(Err(why)) => (
                            format!(" into VNI {} to {}", encap.id, encap.destination),
                            format!("of which the kernel takes care: {why}"),
                        ),
                        _ => continue,
                    }
                }
            };
            let text = format!(
                "routes out of {name}{what} have an encapsulation of their own (`ip route show dev {name}`), {why}, \
                 left to the kernel"
            );
            self.problem(Some(ifindex), text);
        }
    }
}

/// The domain of what stands for a tunnel.
pub(super) const fn domain_of(number: u32) -> DomainKey {
    DomainKey { bridge: number, vlan: 0 }
}
