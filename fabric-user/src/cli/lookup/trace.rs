//! The way of a packet through the maps, found by the code that the packet path uses.

use std::net::IpAddr;

use fabric_common::{
    bfd::Watch,
    bucket, flow_hash,
    reason::Reason,
    schema::{
        circuits,
        domains::{Domain, FLAG_OVERLAY_ISOLATED, FLAG_ZERO_CHECKSUM_TX},
        fdb,
        groups::Choice,
        local_addresses,
        ports::{self, FLAG_ROUTE4, FLAG_ROUTE6},
        routes::{
            KIND_BLACKHOLE, KIND_CONNECTED, KIND_GROUP, KIND_LOCAL, KIND_NEXTHOP, KIND_NONE,
            KIND_UNREACHABLE, split_target,
        },
        settings::{HASH_TUNNEL4, HASH_TUNNEL6, Settings},
        vteps::Vtep,
    },
    tunnel::{LONGEST_SUM, OUTER_IP4, OUTER_IP6, UDP_AND_VXLAN},
};

use super::flow::{Flow, Payload, UDP};
use crate::{cli::clock, kernel::maps::Maps, mac::Mac};

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

/// How a member of a group was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Index of the group.
    pub group: u32,
    /// The part of the flow's hash that chooses a bucket.
    pub hash: u32,
    /// Number of buckets; 0 for a group without.
    pub buckets: u32,
    /// What was looked at, in this order; all but the last one was dead.
    pub looks: Vec<Look>,
    /// Index of the nexthop that the packet takes, if one lives.
    pub nexthop: Option<u32>,
    /// The group discards.
    pub blackhole: bool,
}

/// A look at a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Number of the bucket, `None` for a group without.
    pub bucket: Option<u32>,
    /// Index of the nexthop.
    pub nexthop: u32,
}

/// What becomes of an IP packet that is to be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// It stands among the hosts, and not in the trie.
    pub exact: bool,
    /// See [`fabric_common::schema::routes`]; `None` if nothing matches.
    pub target: Option<u32>,
    /// For targets that are groups.
    pub selection: Option<Selection>,
    /// Index of the nexthop that the packet takes.
    pub nexthop: Option<u32>,
    /// The packet's end.
    pub reason: Reason,
}

/// What becomes of a frame inside a bridge domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridged {
    /// See [`fabric_common::schema::fdb`]; `None` if the MAC address is not known.
    pub target: Option<u32>,
    /// For frames into a tunnel: the outer UDP source port.
    pub source_port: Option<u16>,
    /// For frames into a tunnel.
    pub selection: Option<Selection>,
    /// The frame's end.
    pub reason: Reason,
}

/// Chooses a member as the packet path does.
#[must_use]
pub fn select(maps: &Maps, group: u32, hash: u32) -> Selection {
    let mut selection =
        Selection { group, hash, buckets: 0, looks: Vec::new(), nexthop: None, blackhole: false };
    let choice =
        if group < maps.groups.len() { maps.groups.get(group).choice() } else { Choice::Nothing };
    match choice {
        Choice::Nothing => {}
        Choice::Blackhole => selection.blackhole = true,
        Choice::Single { nexthop } => {
            selection.looks.push(Look { bucket: None, nexthop });
            selection.nexthop = Some(nexthop).filter(|nexthop| lives(maps, *nexthop));
        }
        Choice::Spread { chunk, count, .. } => {
            selection.buckets = count;
            for tries in 0..bucket::TRIES {
                let at = bucket::index(hash, tries, count);
                let nexthop = maps.bucket(chunk, at);
                selection.looks.push(Look { bucket: Some(at), nexthop });
                if lives(maps, nexthop) {
                    selection.nexthop = Some(nexthop);
                    break;
                }
            }
        }
    }
    selection
}

/// The way of an IP packet with a valid header in a view.
#[must_use]
pub fn routed(maps: &Maps, view: u16, arrival: &Arrival, flow: &Flow) -> Routed {
    let host = maps.host(view, flow.destination);
    let target = host.or_else(|| maps.by_prefix(view, flow.destination));
    let exact = host.is_some();
    let mut routed =
        Routed { exact, target, selection: None, nexthop: None, reason: Reason::TransitRouteNone };
    routed.reason = match follow(maps, view, arrival, flow, &mut routed) {
        // What the tunnel's stages, which come first, found out says more.
        Err(
            Reason::TransitRouteLocal
            | Reason::TransitInputNotForwarding
            | Reason::UnderlayInputNotVxlan,
        ) if is_tunnel_fragment(arrival, flow) => Reason::UnderlayInputFragment,
        Ok(reason) | Err(reason) => reason,
    };
    routed
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
    let (kind, index) = split_target(routed.target.ok_or(Reason::TransitRouteNone)?);
    let nexthop = match kind {
        KIND_GROUP => {
            let settings = maps.settings.get(0);
            let inner = arrival.inner.filter(|_| flow.is_told_apart_by_inner(&settings));
            let hash = flow.hash_routed(inner.as_ref(), &settings);
            let hash = hash.ok_or(Reason::TransitInputBadHeader)?;
            let selection = select(maps, index, flow_hash::bucket(hash));
            let (chosen, blackhole) = (selection.nexthop, selection.blackhole);
            routed.selection = Some(selection);
            if blackhole {
                return Err(Reason::TransitRouteBlackhole);
            }
            chosen.ok_or(Reason::NexthopSelectEmptyGroup)?
        }
        KIND_NEXTHOP if lives(maps, index) => index,
        KIND_NEXTHOP | KIND_CONNECTED => return Err(Reason::TransitRouteUnresolved),
        KIND_LOCAL => return Err(Reason::TransitRouteLocal),
        KIND_NONE => return Err(Reason::TransitRouteNone),
        KIND_BLACKHOLE => return Err(Reason::TransitRouteBlackhole),
        KIND_UNREACHABLE => return Err(Reason::TransitRouteUnreachable),
        _ => return Err(Reason::TransitRouteNotAccelerated),
    };
    routed.nexthop = Some(nexthop);
    let nexthop = maps.nexthops.get(nexthop);
    // What arrives at a member of a bond counts as the bond's.
    if arrival.port.is_some_and(|port| maps.ports.get(port).as_port == nexthop.port) {
        return Err(Reason::TransitOutputSamePort);
    }
    if arrival.length.is_some_and(|length| length > nexthop.mtu) {
        return Err(Reason::TransitOutputTooBig);
    }
    Ok(Reason::Routed)
}

/// Addresses that routers do not forward, as the packet path has them.
fn is_martian(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            matches!(address.octets()[0], 0 | 127 | 224..=239) || address.is_broadcast()
        }
        IpAddr::V6(address) => {
            address.to_bits() >> 64 == 0
                || address.is_multicast()
                || address.is_unicast_link_local()
        }
    }
}

/// A source that the box itself has, of IPv4 only, as the kernel checks it.
fn is_own(maps: &Maps, view: u16, source: IpAddr) -> bool {
    let IpAddr::V4(address) = source else { return false };
    let (word, bit) = local_addresses::place(u64::from(address.to_bits().to_be()));
    maps.local_addresses.get(0).words[word % local_addresses::WORDS] >> bit & 1 != 0
        && maps.target(view, source).is_some_and(|found| split_target(found).0 == KIND_LOCAL)
}

fn lives(maps: &Maps, nexthop: u32) -> bool {
    nexthop < maps.nexthops.len() && maps.lives(nexthop) && !is_silent(maps, nexthop)
}

/// The neighbour behind the nexthop's port has stopped to send BFD packets.
fn is_silent(maps: &Maps, nexthop: u32) -> bool {
    let watch = Watch(maps.ports.get(maps.nexthops.get(nexthop).port.into()).bfd);
    let hz = maps.settings.get(0).hz;
    watch != Watch::default() && clock::jiffies(hz).is_some_and(|now| watch.is_silent(now, hz))
}

/// Length of an Ethernet header.
const ETHERNET: u32 = 14;

/// The way of a frame to `destination` in a bridge domain. `circuit` is where it came from, if that
/// is known; the length in `arrival` is that of its payload.
#[must_use]
pub fn bridged(
    maps: &Maps,
    domain: u16,
    circuit: Option<u32>,
    arrival: &Arrival,
    destination: Mac,
    payload: &Payload,
) -> Bridged {
    let target = maps.fdb_table().get(fdb::key(domain, fdb::mac_number(destination.0)));
    let mut bridged =
        Bridged { target, source_port: None, selection: None, reason: Reason::BridgeLookupUnknown };
    let Some((kind, index)) = target.map(fdb::split_target) else { return bridged };
    let flag = |circuit: u32, flag: u16| maps.circuits.get(circuit).flags & flag != 0;
    let isolated = |circuit| flag(circuit, circuits::FLAG_ISOLATED);
    let from_isolated = circuit.is_some_and(isolated);
    let longer = |limit: u32| arrival.length.is_some_and(|length| length + ETHERNET > limit);
    bridged.reason = match kind {
        fdb::KIND_LOCAL if Some(index) == circuit && !flag(index, circuits::FLAG_HAIRPIN) => {
            Reason::BridgeLookupSamePort
        }
        fdb::KIND_LOCAL if from_isolated && isolated(index) => Reason::BridgeLookupIsolated,
        fdb::KIND_LOCAL => {
            let to = maps.circuits.get(index);
            if to.max_frame == circuits::NOT_A_TARGET {
                Reason::AccessFitNotATarget
            } else if longer(to.max_frame) {
                Reason::AccessFitTooBig
            } else if maps.ports.get(to.port.into()).down != 0 {
                Reason::AccessFitPortDown
            } else {
                Reason::Bridged
            }
        }
        fdb::KIND_REMOTE => {
            let domain = maps.domains.get(domain.into());
            if from_isolated && domain.flags & FLAG_OVERLAY_ISOLATED != 0 {
                bridged.reason = Reason::BridgeLookupIsolated;
                return bridged;
            }
            let Some(hash) = payload.hash(destination, &maps.settings.get(0)) else {
                return bridged;
            };
            let vtep = maps.vteps.get(index);
            let selection = select(maps, vtep.group, of_tunnel(&maps.settings.get(0), &vtep, hash));
            let reason = match selection.nexthop {
                None => Reason::NexthopSelectEmptyGroup,
                Some(nexthop) => {
                    let carried = carried_by(maps.nexthops.get(nexthop).mtu, &vtep);
                    if longer(taken_by(&domain, &vtep)) {
                        Reason::VxlanOutputTooBig
                    } else if longer(carried) {
                        Reason::VxlanOutputUnderlayTooSmall
                    } else {
                        Reason::Encapsulated
                    }
                }
            };
            bridged.source_port = Some(flow_hash::source_port(hash));
            bridged.selection = Some(selection);
            reason
        }
        _ => Reason::BridgeLookupOwnMac,
    };
    bridged
}

/// The longest frame that a tunnel to this VTEP takes, wherever it leads.
fn taken_by(domain: &Domain, vtep: &Vtep) -> u32 {
    match vtep.is_ipv6() && domain.flags & FLAG_ZERO_CHECKSUM_TX == 0 {
        true => domain.max_frame.min(LONGEST_SUM - UDP_AND_VXLAN),
        false => domain.max_frame,
    }
}

/// The longest frame that a next hop with this IP MTU carries to a VTEP.
fn carried_by(mtu: u32, vtep: &Vtep) -> u32 {
    mtu.saturating_sub(if vtep.is_ipv6() { OUTER_IP6 } else { OUTER_IP4 })
}

/// What chooses a bucket for a frame of a flow with this hash.
fn of_tunnel(settings: &Settings, vtep: &Vtep, flow: u64) -> u32 {
    let policy = if vtep.is_ipv6() { HASH_TUNNEL6 } else { HASH_TUNNEL4 };
    match settings.hash_flags & policy {
        0 => flow_hash::bucket(flow),
        _ => flow_hash::tunnel(settings.seed, vtep.peer()),
    }
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
            assert_eq!([taken_by(&domain, &tunnel4), taken_by(&domain, &tunnel6)], [of4, of6]);
        }
        for (mtu, of4, of6) in [(1_600, 1_564, 1_544), (16_000, 15_964, 15_944), (20, 0, 0)] {
            assert_eq!([carried_by(mtu, &tunnel4), carried_by(mtu, &tunnel6)], [of4, of6]);
        }
    }
}
