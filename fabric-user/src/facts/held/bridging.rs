//! Bridge domains, and what is in them.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use fabric_common::{
    halves,
    schema::{
        circuits::{FLAG_HAIRPIN, FLAG_ISOLATED},
        domains,
        domains6::Domain6,
        fdb::{KIND_LOCAL, KIND_OWN, KIND_REMOTE, KIND_SEGMENT},
        neighbours::{FLAG_ROUTER, Neighbour, mac as mac_of, split_network},
        ports::is_tunnel,
    },
};

use super::{Answer, AnswerKey, Circuit, CircuitKey, Domain, MacKey, Place, mac};
use crate::{cli::view::View, kernel::maps::Maps};

/// The flags of a domain that are settings, by name.
const FLAGS: [(u16, &str); 15] = [
    (domains::FLAG_TTL_INHERIT, "ttl_inherit"),
    (domains::FLAG_TOS_INHERIT, "tos_inherit"),
    (domains::FLAG_DF, "df"),
    (domains::FLAG_DF_INHERIT, "df_inherit"),
    (domains::FLAG_OVERLAY_LEARNING, "overlay_learning"),
    (domains::FLAG_OVERLAY_ISOLATED, "overlay_isolated"),
    (domains::FLAG_IPV6, "ipv6"),
    (domains::FLAG_LABEL_INHERIT, "label_inherit"),
    (domains::FLAG_ZERO_CHECKSUM_TX, "zero_checksum_tx"),
    (domains::FLAG_ZERO_CHECKSUM_RX, "zero_checksum_rx"),
    (domains::FLAG_OVERLAY_LOCKED, "overlay_locked"),
    (domains::FLAG_OVERLAY_HAIRPIN, "overlay_hairpin"),
    (domains::FLAG_OVERLAY_SNOOPS, "overlay_snoops"),
    (domains::FLAG_ANSWERS_ARP, "answers_arp"),
    (domains::FLAG_ANSWERS_ND, "answers_nd"),
];

/// The name of a domain by its index.
pub(super) fn name(view: &View, index: u32) -> String {
    match view.contents.domains.get(&index) {
        Some(domain) if is_tunnel(domain.bridge) => {
            format!("{} VNI {}", view.interfaces.name(view.vxlan(index)), domain.vni)
        }
        Some(domain) => view.bridge_name(index, domain),
        None => format!("domain {index}"),
    }
}

pub(super) fn domains(view: &View) -> BTreeMap<String, Domain> {
    let domain = |(index, domain): (&u32, &domains::Domain)| {
        let beside: Domain6 = view.contents.domains6.get(index).copied().unwrap_or_default();
        let set = FLAGS.iter().filter(|(flag, _)| domain.flags & flag != 0);
        let held = Domain {
            vni: view.vni(*index),
            vxlan: (domain.vni != 0).then(|| view.interfaces.name(beside.vxlan)),
            local: view.local(*index),
            udp_port: u16::from_be(domain.udp_port_be),
            ttl: domain.ttl,
            tos: domain.tos,
            label: u32::from_be(beside.label_be),
            max_frame: domain.max_frame,
            max_tagged: beside.max_tagged,
            refresh: domain.refresh_jiffies,
            flags: set.map(|(_, name)| (*name).to_owned()).collect(),
        };
        (name(view, *index), held)
    };
    view.contents.domains.iter().map(domain).collect()
}

pub(super) fn circuits(view: &View) -> BTreeMap<CircuitKey, Circuit> {
    let circuits = view.contents.circuits.values();
    let circuit = |circuit: &fabric_common::schema::circuits::Circuit| {
        let key = CircuitKey {
            port: view.port(circuit.port.into()),
            vlan: tag(circuit.vlan),
            domain: name(view, circuit.domain.into()),
        };
        let held = Circuit {
            bridge_port: view.interfaces.name(circuit.bridge_port),
            max_frame: circuit.max_frame,
            isolated: circuit.flags & FLAG_ISOLATED != 0,
            hairpin: circuit.flags & FLAG_HAIRPIN != 0,
        };
        (key, held)
    };
    circuits.map(circuit).collect()
}

pub(super) fn macs(view: &View) -> BTreeMap<MacKey, Place> {
    let entries = view.contents.fdb.iter();
    let entry = |entry: &crate::cli::contents::FdbEntry| {
        let key = MacKey { domain: name(view, entry.domain), mac: entry.mac };
        (key, place(view, entry.kind, entry.index))
    };
    entries.map(entry).collect()
}

/// Where a target of the FDB leads.
pub(super) fn place(view: &View, kind: u32, index: u32) -> Place {
    let contents = &view.contents;
    let place = match kind {
        KIND_LOCAL => contents.circuits.get(&index).map(|circuit| Place::Port {
            port: view.port(circuit.port.into()),
            vlan: tag(circuit.vlan),
        }),
        KIND_REMOTE => view.vtep(index).map(Place::Vtep),
        KIND_SEGMENT => contents.segments.get(&index).map(|entry| Place::Segment(entry.segment.id)),
        KIND_OWN if index != 0 => Some(Place::Gateway(view.port(index))),
        KIND_OWN => Some(Place::Own),
        _ => None,
    };
    place.unwrap_or(Place::Nowhere)
}

/// A VLAN ID on the wire, where there is a tag.
fn tag(vlan: u16) -> Option<u16> {
    Some(vlan).filter(|vlan| *vlan != 0)
}

pub(super) fn answers(view: &View, maps: &Maps) -> BTreeMap<AnswerKey, Answer> {
    let table = maps.answers.table();
    let entries = table.iter().map(|(_, index, _)| maps.neighbours.get(index));
    let answer = |entry: Neighbour| {
        let (domain, is_v6) = split_network(entry.network);
        let address: IpAddr = match is_v6 {
            true => halves::address(entry.address).into(),
            false => Ipv4Addr::from((entry.address[0] as u32).to_ne_bytes()).into(),
        };
        let held = Answer {
            mac: Some(mac_of(entry.mac_and_flags)).filter(|mac| *mac != 0).map(mac),
            router: entry.mac_and_flags & FLAG_ROUTER != 0,
        };
        (AnswerKey { domain: name(view, domain.into()), address }, held)
    };
    entries.map(answer).collect()
}
