//! The way of a packet through the maps, found by the code that the packet path uses.

use std::net::IpAddr;

use fabric_common::{
    bucket, flow_hash,
    reason::Reason,
    schema::{
        circuits,
        domains::FLAG_OVERLAY_ISOLATED,
        fdb,
        groups::Choice,
        hosts, hosts6,
        ports::{FLAG_ROUTE4, FLAG_ROUTE6},
        routes::{
            KIND_BLACKHOLE, KIND_CONNECTED, KIND_GROUP, KIND_KERNEL, KIND_LOCAL, KIND_NEXTHOP,
            KIND_UNREACHABLE, split_target,
        },
    },
    trie,
};

use super::flow::{Flow, Payload, halves};
use crate::{cli::routes::Memory, kernel::maps::Maps, mac::Mac};

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
            selection.nexthop = Some(nexthop).filter(|nexthop| maps.lives(*nexthop));
        }
        Choice::Spread { chunk, count, .. } => {
            selection.buckets = count;
            for tries in 0..bucket::TRIES {
                let at = bucket::index(hash, tries, count);
                let nexthop = maps.bucket(chunk, at);
                selection.looks.push(Look { bucket: Some(at), nexthop });
                if maps.lives(nexthop) {
                    selection.nexthop = Some(nexthop);
                    break;
                }
            }
        }
    }
    selection
}

/// The target of an address in a view, and whether it stands among the hosts.
#[must_use]
pub fn target(maps: &Maps, view: u16, address: IpAddr) -> (Option<u32>, bool) {
    let roots = if u32::from(view) < maps.views.len() {
        maps.views.get(view.into())
    } else {
        return (None, false);
    };
    match address {
        IpAddr::V4(address) => {
            let bits = address.to_bits();
            match maps.hosts.table().get(hosts::key(view, bits.to_be())) {
                Some(target) => (Some(target), true),
                None => (trie::lookup4(&Memory(&maps.trie), roots.root4, bits), false),
            }
        }
        IpAddr::V6(address) => {
            let bits = halves(address.to_bits());
            let in_packet = bits.map(u64::to_be);
            let host = maps
                .hosts6
                .table()
                .get(hosts6::key(view, in_packet))
                .filter(|index| *index < maps.addresses6.len())
                .map(|index| maps.addresses6.get(index))
                .filter(|host| host.view == u32::from(view) && host.address == in_packet);
            match host {
                Some(host) => (Some(host.target), true),
                None => (trie::lookup6(&Memory(&maps.trie), roots.root6, bits), false),
            }
        }
    }
}

/// The way of an IP packet in a view. `port` is the slot of the port on which it arrived, if that
/// is known.
#[must_use]
pub fn routed(maps: &Maps, view: u16, port: Option<u32>, flow: &Flow) -> Routed {
    let (target, exact) = target(maps, view, flow.destination);
    let mut routed =
        Routed { exact, target, selection: None, nexthop: None, reason: Reason::TransitRouteNone };
    routed.reason = match follow(maps, port, flow, &mut routed) {
        Ok(reason) | Err(reason) => reason,
    };
    routed
}

fn follow(
    maps: &Maps,
    port: Option<u32>,
    flow: &Flow,
    routed: &mut Routed,
) -> Result<Reason, Reason> {
    if let Some(port) = port {
        let flag = if flow.destination.is_ipv4() { FLAG_ROUTE4 } else { FLAG_ROUTE6 };
        if maps.ports.get(port).flags & flag == 0 {
            return Err(Reason::TransitInputNotForwarding);
        }
    }
    let (kind, index) = split_target(routed.target.ok_or(Reason::TransitRouteNone)?);
    let nexthop = match kind {
        KIND_GROUP => {
            let hash = flow.hash(&maps.settings.get(0)).ok_or(Reason::TransitInputBadHeader)?;
            let selection = select(maps, index, flow_hash::bucket(hash));
            let (chosen, blackhole) = (selection.nexthop, selection.blackhole);
            routed.selection = Some(selection);
            if blackhole {
                return Err(Reason::TransitRouteBlackhole);
            }
            chosen.ok_or(Reason::NexthopSelectEmptyGroup)?
        }
        KIND_NEXTHOP if maps.lives(index) => index,
        KIND_NEXTHOP | KIND_CONNECTED => return Err(Reason::TransitRouteUnresolved),
        KIND_LOCAL => return Err(Reason::TransitRouteLocal),
        KIND_KERNEL => return Err(Reason::TransitRouteNotAccelerated),
        KIND_BLACKHOLE => return Err(Reason::TransitRouteBlackhole),
        KIND_UNREACHABLE => return Err(Reason::TransitRouteUnreachable),
        _ => return Err(Reason::TransitRouteNone),
    };
    routed.nexthop = Some(nexthop);
    if Some(u32::from(maps.nexthops.get(nexthop).port)) == port {
        return Err(Reason::TransitOutputSamePort);
    }
    Ok(Reason::Routed)
}

/// The way of a frame to `destination` in a bridge domain. `circuit` is where it came from, if that
/// is known.
#[must_use]
pub fn bridged(
    maps: &Maps,
    domain: u16,
    circuit: Option<u32>,
    destination: Mac,
    payload: &Payload,
) -> Bridged {
    let target = maps.fdb.table().get(fdb::key(domain, fdb::mac_number(destination.0)));
    let mut bridged =
        Bridged { target, source_port: None, selection: None, reason: Reason::BridgeLookupUnknown };
    let Some((kind, index)) = target.map(fdb::split_target) else { return bridged };
    let isolated = |circuit: u32| maps.circuits.get(circuit).flags & circuits::FLAG_ISOLATED != 0;
    let from_isolated = circuit.is_some_and(isolated);
    bridged.reason = match kind {
        fdb::KIND_LOCAL if Some(index) == circuit => Reason::BridgeLookupSamePort,
        fdb::KIND_LOCAL if from_isolated && isolated(index) => Reason::BridgeLookupIsolated,
        fdb::KIND_LOCAL => Reason::Bridged,
        fdb::KIND_REMOTE => {
            let flags = maps.domains.get(domain.into()).flags;
            if from_isolated && flags & FLAG_OVERLAY_ISOLATED != 0 {
                Reason::BridgeLookupIsolated
            } else if let Some(hash) = payload.hash(destination, &maps.settings.get(0)) {
                let group = maps.vteps.get(index).group;
                let selection = select(maps, group, flow_hash::bucket(hash));
                let lives = selection.nexthop.is_some();
                bridged.source_port = Some(flow_hash::source_port(hash));
                bridged.selection = Some(selection);
                if lives { Reason::Encapsulated } else { Reason::NexthopSelectEmptyGroup }
            } else {
                Reason::BridgeLookupUnknown
            }
        }
        _ => Reason::BridgeLookupOwnMac,
    };
    bridged
}
