//! What the packet path should do, written a second time: plainly, slowly, on slices.
//!
//! Fuzzed packets have no expectations written by hand; they are compared with this. It follows
//! the rules (IEEE 802.1Q, RFC 7348, RFC 6040, RFC 1812, the kernel's bridge), not the code under
//! test.

mod flow;
mod transit;
mod tunnel6;

use fabric_common::{
    ecn, flow_hash as hash,
    reason::Reason,
    schema::{
        circuits::{Circuit, FLAG_HAIRPIN, FLAG_ISOLATED, NOT_A_TARGET},
        domains::{
            Domain, FLAG_DF, FLAG_DF_INHERIT, FLAG_IPV6, FLAG_OVERLAY_HAIRPIN,
            FLAG_OVERLAY_ISOLATED, FLAG_OVERLAY_LEARNING, FLAG_OVERLAY_LOCKED, FLAG_OVERLAY_SNOOPS,
            FLAG_TOS_INHERIT, FLAG_TTL_INHERIT,
        },
        fdb::{self, KIND_LOCAL, KIND_OWN, KIND_REMOTE, KIND_SEGMENT},
        peers, ports, vnis,
    },
};

pub use flow::{flow_hash, flow_hash_by};

use crate::{
    packet::{
        OUTER, OUTER6, Vxlan, Vxlan6, ether_type, fix_ipv4_checksum, internet_checksum, protocol,
    },
    world::{DomainId, Port, VtepId, World},
};

/// What should become of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The one reason.
    pub reason: Reason,
    /// `None` unless it is forwarded.
    pub sent: Option<Sent>,
}

/// A forwarded packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Slot of the port that it leaves through.
    pub slot: u32,
    /// What it looks like then.
    pub bytes: Vec<u8>,
    /// The tunnel that it entered or left.
    pub tunnel: Option<(DomainId, VtepId)>,
}

impl From<Reason> for Forecast {
    fn from(reason: Reason) -> Self {
        Self { reason, sent: None }
    }
}

/// The packet's fate, in a world whose heartbeat and switches are in order.
#[must_use]
pub fn forecast(world: &World, port: &Port, packet: &[u8]) -> Forecast {
    let result = if ports::is_routed(port.role) {
        from_fabric(world, port, packet)
    } else {
        from_host(world, port, packet)
    };
    result.unwrap_or_else(Forecast::from)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn address(bytes: &[u8], at: usize) -> [u8; 4] {
    [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
}

/// An Ethernet frame, taken apart.
struct Parsed<'a> {
    destination: [u8; 6],
    source: [u8; 6],
    tci: Option<u16>,
    ether_type: u16,
    payload: &'a [u8],
}

impl<'a> Parsed<'a> {
    /// `None` if the headers are not all there.
    fn new(frame: &'a [u8]) -> Option<Self> {
        let tagged = word(frame, 12)? == ether_type::VLAN;
        let payload = if tagged { 18 } else { 14 };
        Some(Self {
            destination: frame.get(..6)?.try_into().ok()?,
            source: frame.get(6..12)?.try_into().ok()?,
            tci: if tagged { word(frame, 14) } else { None },
            ether_type: word(frame, payload - 2)?,
            payload: frame.get(payload..)?,
        })
    }

    /// The frame with another tag, or without one.
    fn with_tag(&self, tci: Option<u16>) -> Vec<u8> {
        let mut frame = [self.destination, self.source].concat();
        if let Some(tci) = tci {
            frame.extend(ether_type::VLAN.to_be_bytes());
            frame.extend(tci.to_be_bytes());
        }
        frame.extend(self.ether_type.to_be_bytes());
        frame.extend(self.payload);
        frame
    }

    fn is_neighbour_discovery(&self) -> bool {
        self.ether_type == ether_type::IPV6
            && self.payload.get(6) == Some(&protocol::ICMPV6)
            && self.payload.get(40).is_some_and(|message| (133..=137).contains(message))
    }
}

fn lookup(world: &World, domain: u16, mac: [u8; 6]) -> Option<(u32, u32)> {
    let key = fdb::key(domain, fdb::mac_number(mac));
    world.maps.fdb_table().get(key).map(fdb::split_target)
}

fn from_host(world: &World, port: &Port, packet: &[u8]) -> Result<Forecast, Reason> {
    let entry = world.maps.ports.get(port.slot);
    let outer_type = word(packet, 12).ok_or(Reason::PortInputTruncated)?;
    if outer_type == ether_type::SERVICE_VLAN {
        return Err(Reason::VlanClassifyStackedTag);
    }
    let frame = Parsed::new(packet).ok_or(Reason::PortInputTruncated)?;
    let index = match frame.tci {
        None => entry.untagged_circuit,
        Some(_) if matches!(frame.ether_type, ether_type::VLAN | ether_type::SERVICE_VLAN) => {
            return Err(Reason::VlanClassifyStackedTag);
        }
        Some(tci) => world.maps.vlans.get(entry.vlans.into()).circuits[usize::from(tci & 0xfff)],
    };
    if index == 0 {
        return Err(Reason::VlanClassifyNotMember);
    }
    let circuit = world.maps.circuits.get(index.into());
    let domain = world.maps.domains.get(circuit.domain.into());

    if frame.destination[0] & 1 != 0 {
        return Err(Reason::FrameGuardMulticast);
    }
    match frame.ether_type {
        ether_type::ARP => return Err(Reason::FrameGuardArp),
        ether_type::LLDP | ether_type::EAPOL | ether_type::SLOW_PROTOCOLS => {
            return Err(Reason::FrameGuardControlProtocol);
        }
        _ if frame.is_neighbour_discovery() => {
            return Err(Reason::FrameGuardNeighbourDiscovery);
        }
        _ => {}
    }

    let isolated = circuit.flags & FLAG_ISOLATED != 0;
    let destination = match lookup(world, circuit.domain, frame.destination) {
        None => return Err(Reason::BridgeLookupUnknown),
        Some((KIND_LOCAL, to)) if to == u32::from(index) && circuit.flags & FLAG_HAIRPIN == 0 => {
            return Err(Reason::BridgeLookupSamePort);
        }
        Some((KIND_LOCAL, to))
            if isolated && world.maps.circuits.get(to).flags & FLAG_ISOLATED != 0 =>
        {
            return Err(Reason::BridgeLookupIsolated);
        }
        Some((KIND_REMOTE | KIND_SEGMENT, _))
            if isolated && domain.flags & FLAG_OVERLAY_ISOLATED != 0 =>
        {
            return Err(Reason::BridgeLookupIsolated);
        }
        Some(destination @ (KIND_LOCAL | KIND_REMOTE | KIND_SEGMENT, _)) => destination,
        Some(_) => return Err(Reason::BridgeLookupOwnMac),
    };

    // A source that the world has settled was shown to the kernel a moment ago.
    match lookup(world, circuit.domain, frame.source) {
        None if frame.source[0] & 1 != 0 => return Err(Reason::FrameGuardSourceMulticast),
        None if frame.source == [0; 6] => return Err(Reason::FrameGuardSourceZero),
        None => return Err(Reason::SourceCheckUnknown),
        Some(place) if place != (KIND_LOCAL, index.into()) => return Err(Reason::SourceCheckMoved),
        Some(_) => {}
    }

    match destination {
        (KIND_LOCAL, to) => {
            deliver(world, &frame, &world.maps.circuits.get(to), &domain, Reason::Bridged)
        }
        (KIND_SEGMENT, segment) => {
            let inner = frame.with_tag(None);
            let flow = flow_hash_by(&inner, &world.maps.settings.get(0), false);
            let vtep = world.maps.select_vtep(segment, hash::segment(flow)).unwrap_or(0);
            encapsulate(world, &frame, DomainId(circuit.domain), vtep)
        }
        (_, vtep) => encapsulate(world, &frame, DomainId(circuit.domain), vtep),
    }
}

fn deliver(
    world: &World,
    frame: &Parsed<'_>,
    to: &Circuit,
    domain: &Domain,
    forwarded: Reason,
) -> Result<Forecast, Reason> {
    if to.max_frame == NOT_A_TARGET {
        return Err(Reason::AccessFitNotATarget);
    }
    if frame.payload.len() + 14 > to.max_frame as usize {
        return Err(Reason::AccessFitTooBig);
    }
    let is_lost = world.maps.settings.get(0).lost_ports != 0;
    if is_lost && world.maps.ports.get(to.port.into()).down != 0 {
        return Err(Reason::AccessFitPortDown);
    }
    // A VLAN-aware bridge keeps the priority of a tag, a VLAN device starts with priority 0.
    let priority = frame.tci.filter(|_| domain.vlan != 0).unwrap_or(0) & 0xf000;
    let tci = (to.vlan != 0).then_some(priority | to.vlan);
    Ok(Forecast {
        reason: forwarded,
        sent: Some(Sent { slot: to.port.into(), bytes: frame.with_tag(tci), tunnel: None }),
    })
}

fn encapsulate(
    world: &World,
    frame: &Parsed<'_>,
    domain_index: DomainId,
    vtep: u32,
) -> Result<Forecast, Reason> {
    let domain = world.maps.domains.get(domain_index.0.into());
    let (tos, ttl, df) = match frame.ether_type {
        ether_type::IPV4 => {
            let header = frame.payload.get(..20).ok_or(Reason::PortInputTruncated)?;
            (header[1], header[8], header[6] & 0x40 != 0)
        }
        ether_type::IPV6 => {
            let header = frame.payload.get(..40).ok_or(Reason::PortInputTruncated)?;
            (header[0] << 4 | header[1] >> 4, header[7], true)
        }
        _ => (0, 0, false),
    };
    let inner = frame.with_tag(None);
    let flow = flow_hash_by(&inner, &world.maps.settings.get(0), false);
    let target = world.maps.vteps.get(vtep);
    let selection = world.maps.select(target.group, hash::bucket(flow));
    let nexthop = selection.nexthop.ok_or(Reason::NexthopSelectEmptyGroup)?;
    let nexthop = world.maps.nexthops.get(nexthop);
    let outer = if target.is_ipv6() { 56 } else { 36 };
    if inner.len() > domain.max_frame as usize {
        return Err(Reason::VxlanOutputTooBig);
    }
    if inner.len() > (nexthop.mtu - outer) as usize {
        return Err(Reason::VxlanOutputUnderlayTooSmall);
    }
    let has = |flag: u16| domain.flags & flag != 0;
    let sent = world.sent_to(VtepId(vtep));
    let outer_tos = if has(FLAG_TOS_INHERIT) { tos } else { domain.tos };
    let destination_mac = nexthop.macs[..6].try_into().expect("six bytes");
    let source_mac = nexthop.macs[6..].try_into().expect("six bytes");
    let outer_tos = ecn::encapsulate(outer_tos, tos);
    let outer_ttl = if has(FLAG_TTL_INHERIT) && ttl != 0 { ttl } else { domain.ttl };
    if target.is_ipv6() {
        let header = Vxlan6 {
            destination_mac,
            source_mac,
            class: outer_tos,
            hop_limit: outer_ttl,
            source_port: hash::source_port(flow),
            destination_port: u16::from_be(domain.udp_port_be),
            ..tunnel6::header(world, frame, domain_index, vtep, flow)
        };
        let sent = Some(Sent {
            slot: nexthop.port.into(),
            bytes: header.around(&inner),
            tunnel: Some((domain_index, VtepId(vtep))),
        });
        return Ok(Forecast { reason: Reason::Encapsulated, sent });
    }
    let header = Vxlan {
        destination_mac,
        source_mac,
        tos: outer_tos,
        ttl: outer_ttl,
        id: (sent as u16 ^ (flow >> 32) as u16).to_be(),
        source_port: hash::source_port(flow),
        destination_port: u16::from_be(domain.udp_port_be),
        ..Vxlan::new(target.local_be.to_ne_bytes(), target.remote_be.to_ne_bytes(), domain.vni)
    }
    .df(has(FLAG_DF) || has(FLAG_DF_INHERIT) && df);
    let sent = Some(Sent {
        slot: nexthop.port.into(),
        bytes: header.around(&inner),
        tunnel: Some((domain_index, VtepId(vtep))),
    });
    Ok(Forecast { reason: Reason::Encapsulated, sent })
}

fn from_fabric(world: &World, port: &Port, packet: &[u8]) -> Result<Forecast, Reason> {
    let (tunnel, outer, tos) = match word(packet, 12) {
        Some(ether_type::IPV6) => {
            let class = packet.get(14..16).map_or(0, |first| first[0] << 4 | first[1] >> 4);
            (tunnel6::tunnel(world, port, packet), OUTER6, class)
        }
        _ => (tunnel(world, port, packet), OUTER, packet.get(15).copied().unwrap_or(0)),
    };
    match tunnel {
        Ok((domain, vtep)) => from_tunnel(world, &packet[outer..], tos, domain, vtep),
        Err(ended @ (Reason::VxlanInputUnknownVtep | Reason::VxlanInputBadChecksum)) => Err(ended),
        Err(otherwise) => transit::from_router(world, port, packet, otherwise),
    }
}

/// The domain and VTEP of a VXLAN packet for this box.
fn tunnel(world: &World, port: &Port, packet: &[u8]) -> Result<(u32, u32), Reason> {
    let settings = world.maps.settings.get(0);
    let domain_index = underlay(&settings.vxlan_ports_be, port, packet).and_then(|()| {
        let flags = u32::from_be_bytes(address(packet, 42));
        let vni = u32::from_be_bytes(address(packet, 46));
        if flags != 0x0800_0000 || vni & 0xff != 0 {
            return Err(Reason::VxlanInputInvalidHeader);
        }
        let udp_port_be = u16::from_ne_bytes([packet[36], packet[37]]);
        let index = world.maps.vnis.table().get(vnis::key(udp_port_be, vni >> 8, false));
        index.ok_or(Reason::VxlanInputUnknownVni)
    })?;
    let domain = world.maps.domains.get(domain_index);
    let [source, destination] = [address(packet, 26), address(packet, 30)].map(u32::from_ne_bytes);
    let is_any = domain.local_be == 0;
    if (domain.local_be != destination && !is_any) || domain.flags & FLAG_IPV6 != 0 {
        return Err(Reason::VxlanInputNotLocal);
    }
    let key = peers::key(destination, source);
    let unknown = if is_any { Reason::VxlanInputNotLocal } else { Reason::VxlanInputUnknownVtep };
    let vtep = world.maps.peers.table().get(key).ok_or(unknown)?;
    may_arrive(world, port, vtep)?;
    Ok((domain_index, vtep))
}

/// Does the port take the packets of this VTEP?
fn may_arrive(world: &World, port: &Port, vtep: u32) -> Result<(), Reason> {
    match world.maps.ports.get(port.slot).decapsulates {
        ports::DECAPSULATES_ALL => Ok(()),
        ports::DECAPSULATES_NONE => Err(Reason::VxlanInputNotUnderlay),
        number => {
            let accepted = world.maps.reverse_paths.get(vtep).ports >> (number - 1) & 1 == 1;
            accepted.then_some(()).ok_or(Reason::VxlanInputReversePath)
        }
    }
}

fn from_tunnel(
    world: &World,
    inner: &[u8],
    outer_tos: u8,
    domain_index: u32,
    vtep: u32,
) -> Result<Forecast, Reason> {
    let domain = world.maps.domains.get(domain_index);
    if domain.flags & FLAG_OVERLAY_LOCKED != 0 {
        return Err(Reason::InnerGuardLocked);
    }

    let mut inner = inner.to_vec();
    if inner.len() < 14 {
        return Err(Reason::InnerGuardTruncated);
    }
    if inner[0] & 1 != 0 {
        return Err(Reason::InnerGuardMulticast);
    }
    match word(&inner, 12) {
        Some(ether_type::ARP) => return Err(Reason::InnerGuardArp),
        Some(ether_type::LLDP | ether_type::EAPOL | ether_type::SLOW_PROTOCOLS) => {
            return Err(Reason::InnerGuardControlProtocol);
        }
        Some(ether_type::VLAN | ether_type::SERVICE_VLAN) => return Err(Reason::InnerGuardTagged),
        _ => {}
    }
    if Parsed::new(&inner).is_some_and(|frame| frame.is_neighbour_discovery()) {
        return Err(Reason::InnerGuardNeighbourDiscovery);
    }
    if inner[6] & 1 != 0 {
        return Err(Reason::InnerGuardSourceMulticast);
    }
    if inner[6..12] == [0; 6] {
        return Err(Reason::InnerGuardSourceZero);
    }
    if inner[8..12] == domain.vxlan_mac_end.to_le_bytes() {
        return Err(Reason::InnerGuardLoop);
    }
    if domain.flags & FLAG_OVERLAY_LEARNING != 0 {
        let source = Parsed::new(&inner).ok_or(Reason::InnerGuardTruncated)?.source;
        match lookup(world, domain_index as u16, source) {
            None => return Err(Reason::InnerSourceUnknown),
            // To the bridge all VTEPs are one port, and from its own addresses it learns nothing.
            Some((KIND_SEGMENT | KIND_OWN, _)) if domain.flags & FLAG_OVERLAY_SNOOPS == 0 => {}
            Some(found) if found != (KIND_REMOTE, vtep) => return Err(Reason::InnerSourceMoved),
            // A source that the world has settled was shown to the kernel a moment ago.
            Some(_) => {}
        }
    }

    let marked = decapsulate_ecn(&mut inner, outer_tos)?;
    let frame = Parsed::new(&inner).ok_or(Reason::InnerGuardTruncated)?;
    let circuit = match lookup(world, domain_index as u16, frame.destination) {
        None => return Err(Reason::BridgeDeliverUnknown),
        Some((KIND_LOCAL, circuit)) => world.maps.circuits.get(circuit),
        Some((KIND_REMOTE | KIND_SEGMENT, _)) if domain.flags & FLAG_OVERLAY_HAIRPIN != 0 => {
            return Err(Reason::BridgeDeliverHairpin);
        }
        Some((KIND_REMOTE | KIND_SEGMENT, _)) => return Err(Reason::SplitHorizonOverlayToOverlay),
        Some(_) => return Err(Reason::BridgeDeliverOwnMac),
    };
    if circuit.flags & FLAG_ISOLATED != 0 && domain.flags & FLAG_OVERLAY_ISOLATED != 0 {
        return Err(Reason::BridgeDeliverIsolated);
    }
    let mut result = deliver(world, &frame, &circuit, &domain, Reason::Decapsulated)?;
    if let Some(sent) = &mut result.sent {
        sent.tunnel = Some((DomainId(domain_index as u16), VtepId(vtep)));
    }
    // The mark has no place in a header that is cut off.
    if marked { Ok(result) } else { Err(Reason::InnerGuardTruncated) }
}

/// Is the packet plain VXLAN for this box?
fn underlay(vxlan_ports_be: &[u16], port: &Port, packet: &[u8]) -> Result<(), Reason> {
    let is_udp = packet.len() >= OUTER
        && word(packet, 12) == Some(ether_type::IPV4)
        && packet[14] >> 4 == 4
        && packet[23] == protocol::UDP;
    if !is_udp {
        return Err(Reason::UnderlayInputNotVxlan);
    }
    if packet[14] != 0x45 {
        return Err(Reason::UnderlayInputIpOptions);
    }
    if word(packet, 20).is_some_and(|fragment| fragment & 0x3fff != 0) {
        return Err(Reason::UnderlayInputFragment);
    }
    let udp_port_be = u16::from_ne_bytes([packet[36], packet[37]]);
    if udp_port_be == 0 || !vxlan_ports_be.contains(&udp_port_be) {
        return Err(Reason::UnderlayInputNotVxlan);
    }
    if packet[..6] != port.mac {
        return Err(Reason::UnderlayInputOtherHost);
    }
    if internet_checksum(&[&packet[14..34]]) != 0 {
        return Err(Reason::UnderlayInputBadChecksum);
    }
    let lengths = [word(packet, 16), word(packet, 38)].map(|l| usize::from(l.unwrap_or(0)));
    if lengths != [packet.len() - 14, packet.len() - 34] {
        return Err(Reason::UnderlayInputTruncated);
    }
    Ok(())
}

/// Writes the congestion mark of the outer header (RFC 6040 §4.2, figure 4); false if it had to
/// but the inner header is cut off.
fn decapsulate_ecn(inner: &mut [u8], outer_tos: u8) -> Result<bool, Reason> {
    let ether_type = word(inner, 12).unwrap_or(0);
    if ether_type != ether_type::IPV4 && ether_type != ether_type::IPV6 {
        return Ok(true);
    }
    let Some(&[first, second]) = inner.get(14..16) else {
        return Err(Reason::InnerGuardTruncated);
    };
    let tos = if ether_type == ether_type::IPV4 { second } else { first << 4 | second >> 4 };
    let ecn = ecn::decapsulate(outer_tos, tos).ok_or(Reason::EcnDecapNotEctCe)?;
    if ecn == tos & ecn::MASK {
        return Ok(true);
    }
    if ether_type == ether_type::IPV6 {
        inner[15] = inner[15] & 0xcf | ecn << 4;
        return Ok(true);
    }
    if inner.len() < 14 + 12 {
        return Ok(false);
    }
    inner[15] = inner[15] & !ecn::MASK | ecn;
    // RFC 1624: what changed in the word changes the sum, and a wrong sum stays as wrong.
    let old = [first, second];
    let sum = !u16::from_be_bytes([inner[24], inner[25]]);
    let change = u32::from(sum)
        + u32::from(!u16::from_be_bytes(old))
        + u32::from(u16::from_be_bytes([first, inner[15]]));
    let folded = (change & 0xffff) + (change >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    inner[24..26].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    Ok(true)
}

/// Makes the outer headers of a mangled VXLAN packet valid again, so that the parts behind them
/// are reached: EtherType, IP version, protocol, lengths, checksum, UDP port.
pub fn repair_outer(packet: &mut [u8], port: &Port, destination_port: u16) {
    if packet.len() < OUTER {
        return;
    }
    let length = packet.len();
    packet[..6].copy_from_slice(&port.mac);
    packet[12..15].copy_from_slice(&[8, 0, 0x45]);
    packet[16..18].copy_from_slice(&((length - 14) as u16).to_be_bytes());
    packet[20..22].fill(0);
    packet[23] = protocol::UDP;
    packet[36..38].copy_from_slice(&destination_port.to_be_bytes());
    packet[38..40].copy_from_slice(&((length - 34) as u16).to_be_bytes());
    fix_ipv4_checksum(&mut packet[14..34]);
}
