//! The way of a packet through the maps, found by the code that the packet path uses.

use std::net::IpAddr;

use fabric_common::{
    flow_hash, halves,
    martian::{is_martian4, is_martian6},
    reason::Reason,
    schema::{
        circuits,
        domains::{Domain, FLAG_OVERLAY_HAIRPIN, FLAG_OVERLAY_ISOLATED, FLAG_ZERO_CHECKSUM_TX},
        fdb,
        groups::Choice,
        nexthops::Nexthop,
        ports::{self, FLAG_ROUTE4, FLAG_ROUTE6},
        routes::{KIND_GROUP, KIND_LOCAL, KIND_NEXTHOP, KIND_VIEW, refusal, split_target},
        vteps::Vtep,
    },
    tunnel::{LONGEST_SUM, OUTER_IP4, OUTER_IP6, UDP_AND_VXLAN},
};

use super::flow::{Flow, Payload, UDP};
use crate::{
    kernel::{maps::Maps, selection::Selection},
    mac::Mac,
};

/// What is known of a packet besides its flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Slot of the port on which it arrives.
    pub port: Option<u32>,
    /// Length of the IP packet in bytes.
    pub length: Option<u32>,
    /// What it carries if it is VXLAN; see [`Flow::is_told_apart_by_inner`].
    pub inner: Option<Flow>,
}

/// What becomes of an IP packet that is to be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// It stands among the hosts, and not in the trie.
    pub exact: bool,
    /// See [`fabric_common::schema::routes`]; `None` if nothing matches.
    pub target: Option<u32>,
    /// For targets in another VRF: what the address leads to there.
    pub leak: Option<Leak>,
    /// For targets that are groups.
    pub selection: Option<Selection>,
    /// Index of the nexthop that the packet takes.
    pub nexthop: Option<u32>,
    /// For a nexthop behind a bridge: the frame to its MAC address, whose end is the packet's.
    pub frame: Option<Bridged>,
    /// The packet's end.
    pub reason: Reason,
}

/// A second lookup, in the view of another VRF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Index of the view.
    pub view: u16,
    /// As in [`Routed`].
    pub exact: bool,
    /// As in [`Routed`].
    pub target: Option<u32>,
}

/// What becomes of a frame inside a bridge domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridged {
    /// See [`fabric_common::schema::fdb`]; `None` if the MAC address is not known.
    pub target: Option<u32>,
    /// For frames to an Ethernet segment: its index.
    pub segment: Option<u32>,
    /// For frames into a tunnel: index of the VTEP; 0 if the segment has none.
    pub vtep: Option<u32>,
    /// For frames into a tunnel: the outer UDP source port.
    pub source_port: Option<u16>,
    /// For frames into a tunnel.
    pub selection: Option<Selection>,
    /// For frames to a gateway: the way of the packet inside.
    pub routed: Option<Box<Routed>>,
    /// The frame's end.
    pub reason: Reason,
}

/// Where a frame inside a bridge domain comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From any port of the bridge.
    AnyPort,
    /// From this circuit.
    Circuit(u32),
    /// Out of a tunnel of the domain.
    Tunnel,
    /// From the bridge itself, with a packet that it has routed.
    Gateway,
}

/// The way of an IP packet with a valid header in a view.
#[must_use]
pub fn routed(maps: &Maps, view: u16, arrival: &Arrival, flow: &Flow) -> Routed {
    let mut routed = route(maps, view, arrival, flow);
    // What the tunnel's stages, which come first, found out says more.
    if let Reason::TransitRouteLocal
    | Reason::TransitInputNotForwarding
    | Reason::UnderlayInputNotVxlan = routed.reason
        && is_tunnel_fragment(arrival, flow)
    {
        routed.reason = Reason::UnderlayInputFragment;
    }
    routed
}

/// As [`routed`], of a packet that is no tunnel's.
fn route(maps: &Maps, view: u16, arrival: &Arrival, flow: &Flow) -> Routed {
    let (exact, target) = look_up(maps, view, flow.destination);
    let mut routed = Routed {
        exact,
        target,
        leak: None,
        selection: None,
        nexthop: None,
        frame: None,
        reason: Reason::TransitRouteNone,
    };
    routed.reason = match follow(maps, view, arrival, flow, &mut routed) {
        Ok(reason) | Err(reason) => reason,
    };
    routed
}

/// The target of an address in a view, and whether it is a host's.
fn look_up(maps: &Maps, view: u16, address: IpAddr) -> (bool, Option<u32>) {
    let host = maps.host(view, address);
    (host.is_some(), host.or_else(|| maps.by_prefix(view, address)))
}

/// A fragment that could belong to a tunnel of this box; shorter ones than all outer headers are
/// taken for something else.
fn is_tunnel_fragment(arrival: &Arrival, flow: &Flow) -> bool {
    let long = arrival.length.is_none_or(|length| length >= OUTER_IP4);
    flow.destination.is_ipv4() && flow.protocol == UDP && flow.ports.is_none() && long
}

fn follow(
    maps: &Maps,
    view: u16,
    arrival: &Arrival,
    flow: &Flow,
    routed: &mut Routed,
) -> Result<Reason, Reason> {
    if let Some(port) = arrival.port {
        let port = maps.ports.get(port);
        let flag = if flow.destination.is_ipv4() { FLAG_ROUTE4 } else { FLAG_ROUTE6 };
        if port.flags & (FLAG_ROUTE4 | FLAG_ROUTE6) == 0 || ports::view(port.mac_and_view) == 0 {
            return Err(Reason::UnderlayInputNotVxlan);
        }
        if port.flags & flag == 0 {
            return Err(Reason::TransitInputNotForwarding);
        }
    }
    if is_martian(flow.source) || is_martian(flow.destination) || is_own(maps, view, flow.source) {
        return Err(Reason::TransitInputMartian);
    }
    let mut target = routed.target;
    if let Some((KIND_VIEW, view)) = target.map(split_target) {
        let view = view as u16;
        let (exact, found) = look_up(maps, view, flow.destination);
        routed.leak = Some(Leak { view, exact, target: found });
        target = found;
    }
    let (kind, index) = split_target(target.ok_or(Reason::TransitRouteNone)?);
    let nexthop = match kind {
        KIND_GROUP => {
            let hash = flow.hash_routed(arrival.inner.as_ref(), &maps.settings.get(0));
            let hash = hash.ok_or(Reason::TransitInputBadHeader)?;
            let selection = routed.selection.insert(maps.select(index, flow_hash::routed(hash)));
            if selection.choice == Choice::Blackhole {
                return Err(Reason::TransitRouteBlackhole);
            }
            selection.nexthop.ok_or(Reason::NexthopSelectEmptyGroup)?
        }
        KIND_NEXTHOP if maps.lives(index) => index,
        KIND_NEXTHOP => return Err(Reason::TransitRouteUnresolved),
        other => return Err(refusal(other)),
    };
    routed.nexthop = Some(nexthop);
    let nexthop = maps.nexthops.get(nexthop);
    // What arrives at a member of a bond counts as the bond's.
    if arrival.port.is_some_and(|port| maps.ports.get(port).as_port == nexthop.port) {
        return Err(Reason::TransitOutputSamePort);
    }
    if arrival.length.is_some_and(|length| length > nexthop.mtu.into()) {
        return Err(Reason::TransitOutputTooBig);
    }
    let port = maps.ports.get(nexthop.port.into());
    if port.role == ports::ROLE_GATEWAY {
        let to = station(&nexthop);
        let payload = Payload::Ip(*flow);
        let frame = bridged(maps, port.untagged_domain, Origin::Gateway, arrival, to, &payload);
        return Ok(routed.frame.insert(frame).reason);
    }
    Ok(Reason::Routed)
}

/// The MAC address of a nexthop.
pub(super) const fn station(nexthop: &Nexthop) -> Mac {
    let [a, b, c, d, e, f, ..] = nexthop.macs;
    Mac([a, b, c, d, e, f])
}

/// Addresses that routers do not forward, as the packet path has them.
fn is_martian(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_martian4(address.to_bits().to_be()),
        IpAddr::V6(address) => is_martian6(halves::of(address)[0]),
    }
}

/// A source that the box itself has, of IPv4 only, as the kernel checks it.
fn is_own(maps: &Maps, view: u16, source: IpAddr) -> bool {
    let IpAddr::V4(address) = source else { return false };
    maps.local_addresses.get(0).may_have(address.to_bits().to_be().into())
        && maps.target(view, source).is_some_and(|found| split_target(found).0 == KIND_LOCAL)
}

/// Length of an Ethernet header.
const ETHERNET: u32 = 14;
/// Length of a VLAN tag.
const TAG: u32 = 4;

/// The way of a frame to `destination` in a bridge domain; the length in `arrival` is that of its payload.
#[must_use]
pub fn bridged(
    maps: &Maps,
    domain: u16,
    origin: Origin,
    arrival: &Arrival,
    destination: Mac,
    payload: &Payload,
) -> Bridged {
    let target = maps.fdb_table().get(fdb::key(domain, fdb::mac_number(destination.0)));
    let reason = unknown(origin);
    let mut bridged = Bridged {
        target,
        segment: None,
        vtep: None,
        source_port: None,
        selection: None,
        routed: None,
        reason,
    };
    let frame = FrameTo {
        domain: maps.domains.get(domain.into()),
        max_tagged: maps.domains6.get(domain.into()).max_tagged,
        origin,
        arrival,
        payload,
    };
    bridged.reason = match frame.follow(maps, destination, &mut bridged) {
        Ok(reason) | Err(reason) => reason,
    };
    bridged
}

/// The end of a frame for a MAC address that the bridge does not know.
const fn unknown(origin: Origin) -> Reason {
    match origin {
        Origin::AnyPort | Origin::Circuit(_) => Reason::BridgeLookupUnknown,
        Origin::Tunnel => Reason::BridgeDeliverUnknown,
        Origin::Gateway => Reason::StationLookupUnknown,
    }
}

/// The end of a frame for a MAC address of the box itself.
const fn own(origin: Origin) -> Reason {
    match origin {
        Origin::AnyPort | Origin::Circuit(_) => Reason::BridgeLookupOwnMac,
        Origin::Tunnel => Reason::BridgeDeliverOwnMac,
        Origin::Gateway => Reason::StationLookupUnknown,
    }
}

/// A frame in a bridge domain.
struct FrameTo<'a> {
    domain: Domain,
    /// See [`Domain6::max_tagged`](fabric_common::schema::domains6::Domain6::max_tagged).
    max_tagged: u32,
    origin: Origin,
    arrival: &'a Arrival,
    payload: &'a Payload,
}

impl FrameTo<'_> {
    fn follow(
        &self,
        maps: &Maps,
        destination: Mac,
        bridged: &mut Bridged,
    ) -> Result<Reason, Reason> {
        let origin = self.origin;
        let overlay = |flag| self.domain.flags & flag != 0;
        let (kind, index) = fdb::split_target(bridged.target.ok_or(unknown(origin))?);
        match (kind, origin) {
            (fdb::KIND_LOCAL, _) => {
                let flag = |circuit, flag| maps.circuits.get(circuit).flags & flag != 0;
                let isolated = |circuit| flag(circuit, circuits::FLAG_ISOLATED);
                match origin {
                    Origin::Circuit(from)
                        if from == index && !flag(index, circuits::FLAG_HAIRPIN) =>
                    {
                        return Err(Reason::BridgeLookupSamePort);
                    }
                    Origin::Circuit(from) if isolated(from) && isolated(index) => {
                        return Err(Reason::BridgeLookupIsolated);
                    }
                    Origin::Tunnel if isolated(index) && overlay(FLAG_OVERLAY_ISOLATED) => {
                        return Err(Reason::BridgeDeliverIsolated);
                    }
                    _ => {}
                }
                self.fits_port(maps, index)?;
                Ok(match origin {
                    Origin::AnyPort | Origin::Circuit(_) => Reason::Bridged,
                    Origin::Tunnel => Reason::Decapsulated,
                    Origin::Gateway => Reason::Routed,
                })
            }
            (fdb::KIND_REMOTE | fdb::KIND_SEGMENT, Origin::Tunnel)
                if overlay(FLAG_OVERLAY_HAIRPIN) =>
            {
                Err(Reason::BridgeDeliverHairpin)
            }
            (fdb::KIND_REMOTE | fdb::KIND_SEGMENT, Origin::Tunnel) => {
                Err(Reason::SplitHorizonOverlayToOverlay)
            }
            (fdb::KIND_REMOTE | fdb::KIND_SEGMENT, Origin::Circuit(from))
                if maps.circuits.get(from).flags & circuits::FLAG_ISOLATED != 0
                    && overlay(FLAG_OVERLAY_ISOLATED) =>
            {
                Err(Reason::BridgeLookupIsolated)
            }
            (fdb::KIND_REMOTE | fdb::KIND_SEGMENT, _) => {
                bridged.segment = (kind == fdb::KIND_SEGMENT).then_some(index);
                bridged.vtep = (kind == fdb::KIND_REMOTE).then_some(index);
                self.to_vtep(maps, destination, bridged)?;
                Ok(if origin == Origin::Gateway { Reason::Routed } else { Reason::Encapsulated })
            }
            (fdb::KIND_OWN, Origin::AnyPort | Origin::Circuit(_) | Origin::Tunnel)
                if index != 0 =>
            {
                self.by_gateway(maps, index, bridged)
            }
            _ => Err(own(origin)),
        }
    }

    fn is_longer(&self, limit: u32) -> bool {
        self.arrival.length.is_some_and(|length| length + ETHERNET > limit)
    }

    /// Whether the port of a circuit can send it.
    fn fits_port(&self, maps: &Maps, circuit: u32) -> Result<(), Reason> {
        let to = maps.circuits.get(circuit);
        match to.max_frame {
            circuits::NOT_A_TARGET => Err(Reason::AccessFitNotATarget),
            longest if self.is_longer(longest) => Err(Reason::AccessFitTooBig),
            _ if maps.ports.get(to.port.into()).down != 0 => Err(Reason::AccessFitPortDown),
            _ => Ok(()),
        }
    }

    /// Chooses the segment's VTEP and the underlay's nexthop, if the packet around it fits.
    fn to_vtep(&self, maps: &Maps, destination: Mac, bridged: &mut Bridged) -> Result<(), Reason> {
        let settings = maps.settings.get(0);
        let hash = self.payload.hash(destination, &settings).ok_or(unknown(self.origin))?;
        bridged.source_port = Some(flow_hash::source_port(hash));
        let member = |segment| maps.select_vtep(segment, flow_hash::segment(hash)).unwrap_or(0);
        let vtep = bridged.vtep.or_else(|| bridged.segment.map(member)).unwrap_or(0);
        bridged.vtep = Some(vtep);
        let vtep = maps.vteps.get(vtep);
        let selection = maps.select(vtep.group, settings.tunnel_bucket(&vtep, hash));
        let nexthop = bridged.selection.insert(selection).nexthop;
        let mtu = maps.nexthops.get(nexthop.ok_or(Reason::NexthopSelectEmptyGroup)?).mtu.into();
        // Of frames with a tag the limits are meant with it.
        let (longest, tag) = match self.max_tagged {
            0 => (self.domain.max_frame, 0),
            longest => (longest, TAG),
        };
        if self.is_longer(taken_by(&self.domain, longest, &vtep) - tag) {
            return Err(Reason::VxlanOutputTooBig);
        }
        if self.is_longer(carried_by(mtu, &vtep).saturating_sub(tag)) {
            return Err(Reason::VxlanOutputUnderlayTooSmall);
        }
        Ok(())
    }

    /// The gateway in a slot routes the packet inside.
    fn by_gateway(&self, maps: &Maps, slot: u32, bridged: &mut Bridged) -> Result<Reason, Reason> {
        let Payload::Ip(flow) = self.payload else { return Err(own(self.origin)) };
        let arrival = Arrival { port: Some(slot), ..*self.arrival };
        let view = ports::view(maps.ports.get(slot).mac_and_view);
        let routed = route(maps, view, &arrival, flow);
        match bridged.routed.insert(Box::new(routed)).reason {
            // It routes neither family.
            Reason::UnderlayInputNotVxlan => Err(own(self.origin)),
            reason => Ok(reason),
        }
    }
}

/// The longest frame that a tunnel to this VTEP takes, wherever it leads; `longest` by its vxlan device.
fn taken_by(domain: &Domain, longest: u32, vtep: &Vtep) -> u32 {
    match vtep.is_ipv6() && domain.flags & FLAG_ZERO_CHECKSUM_TX == 0 {
        true => longest.min(LONGEST_SUM - UDP_AND_VXLAN),
        false => longest,
    }
}

/// The longest frame that a next hop with this IP MTU carries to a VTEP.
fn carried_by(mtu: u32, vtep: &Vtep) -> u32 {
    mtu.saturating_sub(if vtep.is_ipv6() { OUTER_IP6 } else { OUTER_IP4 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tunnel_takes_depends_on_its_family_and_its_checksum() {
        let (tunnel4, tunnel6) = (Vtep::new(1, 2, 0), Vtep::new6([1; 2], [2; 2], 0));
        let plain = Domain { max_frame: 16_014, ..Domain::default() };
        let without = Domain { flags: FLAG_ZERO_CHECKSUM_TX, ..plain };
        for (domain, of4, of6) in [(plain, 16_014, 12_272), (without, 16_014, 16_014)] {
            let taken = |tunnel| taken_by(&domain, domain.max_frame, tunnel);
            assert_eq!([taken(&tunnel4), taken(&tunnel6)], [of4, of6]);
        }
        for (mtu, of4, of6) in [(1_600, 1_564, 1_544), (16_000, 15_964, 15_944), (20, 0, 0)] {
            assert_eq!([carried_by(mtu, &tunnel4), carried_by(mtu, &tunnel6)], [of4, of6]);
        }
    }
}
