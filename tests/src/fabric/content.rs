//! What the maps hold, in the words of [`super::kernel`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aya::maps::{DevMap, Map, MapData};
use fabric_common::schema::{
    domains,
    fdb::{self, KIND_LOCAL, KIND_OWN, KIND_REMOTE, mac_number, split_key, split_target},
    peers,
    ports::{ROLE_ACCESS, ROLE_GATEWAY, ROLE_ROUTED, ROLE_UNDERLAY},
    vnis,
};
use fabric_user::{kernel::maps::Maps, lab::Mac};

use super::{Fabric, kernel};

/// What the maps of a leaf say.
#[must_use]
pub fn facts(fabric: &Fabric, leaf: &str) -> BTreeSet<String> {
    let names =
        kernel::links(fabric, leaf).iter().map(|l| (l.index(), l.name().to_owned())).collect();
    let pin = fabric.instance(leaf).map("tx_ports");
    let tx_ports = MapData::from_pin(pin).expect("the device map is pinned");
    let content = Content {
        maps: fabric.maps(leaf),
        tx_ports: DevMap::try_from(Map::DevMap(tx_ports)).expect("it is a device map"),
        programs: kernel::xdp_programs(fabric, leaf),
        names,
    };
    let mut facts = BTreeSet::new();
    content.ports(&mut facts);
    content.tunnels(&mut facts);
    content.macs(&mut facts);
    facts
}

struct Content {
    maps: Arc<Maps>,
    tx_ports: DevMap<MapData>,
    programs: BTreeMap<String, (String, u32)>,
    names: BTreeMap<u32, String>,
}

impl Content {
    fn name(&self, ifindex: u32) -> String {
        self.names.get(&ifindex).cloned().unwrap_or_else(|| format!("gone interface {ifindex}"))
    }

    fn port(&self, slot: u32) -> String {
        self.name(self.maps.ports.get(slot).ifindex)
    }

    fn ports(&self, facts: &mut BTreeSet<String>) {
        for (slot, port) in self.maps.ports.iter().filter(|(_, port)| port.ifindex != 0) {
            let name = self.name(port.ifindex);
            let role = match port.role {
                ROLE_ACCESS => "access",
                ROLE_ROUTED => "routed",
                ROLE_UNDERLAY => "underlay",
                _ => "of no role",
            };
            // No program runs there, and what is routed the kernel judges packet by packet (`crate::gateway`).
            if port.role == ROLE_GATEWAY {
                continue;
            }
            let program = self.programs.get(&name).map_or("nothing", |(name, _)| name);
            facts.insert(format!("port {name} is {role}, MTU {}, runs {program}", port.mtu));
            let target = self.tx_ports.get(slot, 0).map(|target| target.if_index);
            if target.as_ref().ok() != Some(&port.ifindex) {
                facts.insert(format!("the redirect target of port {name} is {target:?}"));
            }
        }
        let known: BTreeSet<String> =
            self.maps.ports.iter().map(|(_, port)| self.name(port.ifindex)).collect();
        for name in self.programs.keys().filter(|name| !known.contains(*name)) {
            facts.insert(format!("a program runs on {name}, which is no port"));
        }
    }

    fn tunnels(&self, facts: &mut BTreeSet<String>) {
        for (key, target, _) in self.maps.vnis.table().iter() {
            let (port_be, vni, _) = vnis::split_key(key);
            let port = u16::from_be(port_be);
            let domain = self.maps.domains.get(target);
            let local = self.maps.domains6.get(target).local(&domain);
            let bridge = self.name(domain.bridge);
            facts.insert(format!("VNI {vni} port {port} is {bridge} at {local}"));
            if domain.vni != vni || domain.flags & domains::FLAG_IN_USE == 0 {
                facts.insert(format!("VNI {vni} leads to the domain {domain:?}"));
            }
        }
        for (key, target, _) in self.maps.peers.table().iter() {
            let vtep = self.maps.vteps.get(target);
            if key != vtep.peer() {
                let to = peers::addresses(key).map_or_else(|| "?".into(), |(to, _)| to.to_string());
                facts.insert(format!("VTEP {} may send to {to} as well", vtep.remote()));
                continue;
            }
            let group = self.maps.groups.get(vtep.group);
            let hops: BTreeSet<u32> = self.maps.shares(group).into_keys().collect();
            let ways: BTreeSet<String> = hops
                .iter()
                .map(|hop| {
                    let hop = self.maps.nexthops.get(*hop);
                    let [a, b, c, d, e, f, ..] = hop.macs;
                    format!("{} to {}", self.port(hop.port.into()), Mac([a, b, c, d, e, f]))
                })
                .collect();
            let ways: Vec<String> = ways.into_iter().collect();
            let (remote, local) = (vtep.remote(), vtep.local());
            facts.insert(format!("VTEP {remote} from {local} over {}", ways.join(" and ")));
        }
    }

    fn macs(&self, facts: &mut BTreeSet<String>) {
        for (key, target, _) in self.maps.fdb_table().iter() {
            let (domain, mac) = split_key(key);
            let bridge = self.name(self.maps.domains.get(domain.into()).bridge);
            let place = match split_target(target) {
                (KIND_OWN, _) => "this box".to_owned(),
                (KIND_LOCAL, index) => {
                    let circuit = self.maps.circuits.get(index);
                    let (port, member) =
                        (self.port(circuit.port.into()), self.name(circuit.bridge_port));
                    match port == member && circuit.domain == domain {
                        true => format!("port {port}"),
                        false => format!("port {port}, circuit {circuit:?} of {member}"),
                    }
                }
                (KIND_REMOTE, index) => {
                    format!("VTEP {}", self.maps.vteps.get(index).remote())
                }
                other => format!("{other:?}"),
            };
            facts.insert(format!("{} in {bridge} is at {place}", Mac(mac)));
        }
        for (index, hop) in self.maps.nexthops.iter().filter(|(_, hop)| hop.port != 0) {
            let gateway = self.maps.ports.get(hop.port.into());
            let [a, b, c, d, e, f, ..] = hop.macs;
            let key = fdb::key(gateway.untagged_domain, mac_number([a, b, c, d, e, f]));
            let place = self.maps.fdb_table().get(key).unwrap_or(0);
            if gateway.role == ROLE_GATEWAY && place != u32::from(hop.place) {
                let address = self.maps.gateway(index);
                facts
                    .insert(format!("{address} is at {place} by the FDB, by itself {}", hop.place));
            }
        }
    }
}
