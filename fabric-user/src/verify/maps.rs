//! The kernel's tables and the maps, table by table.

use std::{collections::BTreeMap, fmt::Display};

use serde::Serialize;
use serde_json::{Map, Value};

use super::difference::{Difference, Kind, Side};
use crate::facts::{
    Fabric,
    held::{Held, Members, Way},
};

/// Every entry that the maps hold and should not, or should hold and do not, or hold with another content.
pub(super) fn differences(wanted: &Held, fabric: &Fabric) -> Vec<Difference> {
    let held = &fabric.held;
    let mut found = Found { fabric, differences: Vec::new() };
    found.fields(Kind::Port, &wanted.ports, &held.ports, Clone::clone);
    found.fields(Kind::Domain, &wanted.domains, &held.domains, |name| {
        let domain = wanted.domains.get(name).or_else(|| held.domains.get(name));
        match domain.and_then(|domain| domain.vni) {
            Some(vni) => format!("{name} (VNI {vni})"),
            None => name.clone(),
        }
    });
    found.fields(Kind::Circuit, &wanted.circuits, &held.circuits, |key| {
        let tag = key.vlan.map_or_else(|| "untagged".into(), |vlan| format!("VLAN {vlan}"));
        format!("{} {tag} in {}", key.port, key.domain)
    });
    found.values(Kind::Tunnel, &wanted.tunnels, &held.tunnels, PartialEq::eq, |key| {
        let family = if key.ipv6 { "IPv6" } else { "IPv4" };
        let tag = key.tag.map(|tag| format!(" with VLAN {tag}")).unwrap_or_default();
        format!("VNI {} on UDP port {} over {family}{tag}", key.vni, key.udp_port)
    });
    let vni = |domain: &String| {
        let vni = held.domains.get(domain).or_else(|| wanted.domains.get(domain));
        let vni = vni.and_then(|domain| domain.vni);
        vni.map(|vni| format!(" (VNI {vni})")).unwrap_or_default()
    };
    found.values(Kind::Mac, &wanted.macs, &held.macs, PartialEq::eq, |key| {
        format!("{} in {}{}", key.mac, key.domain, vni(&key.domain))
    });
    found.fields(Kind::Answer, &wanted.answers, &held.answers, |key| {
        format!("{} in {}{}", key.address, key.domain, vni(&key.domain))
    });
    found.values(Kind::Vtep, &wanted.vteps, &held.vteps, Way::is_as, |key| {
        format!("{} from {}", key.remote, key.local)
    });
    found.values(Kind::Segment, &wanted.segments, &held.segments, Members::is_as, |key| {
        format!("of nexthop group {}", key.group)
    });
    found.fields(Kind::Nexthop, &wanted.nexthops, &held.nexthops, |key| {
        format!("{} at {}", key.gateway, key.port)
    });
    found.values(Kind::Route, &wanted.routes, &held.routes, Way::is_as, |key| {
        format!("{} in {}", key.addresses, key.view)
    });
    found.differences
}

struct Found<'a> {
    fabric: &'a Fabric,
    differences: Vec<Difference>,
}

/// Said of what is not there.
const NOTHING: &str = "nothing";

impl Found<'_> {
    /// Entries that are said as a whole. `is_as` says whether one that is held is as good as one that is wanted.
    fn values<K: Ord, V: Display>(
        &mut self,
        kind: Kind,
        wanted: &BTreeMap<K, V>,
        held: &BTreeMap<K, V>,
        is_as: impl Fn(&V, &V) -> bool,
        what: impl Fn(&K) -> String,
    ) {
        for (key, wanted, held) in unequal(wanted, held, is_as) {
            let said = |value: Option<&V>| value.map_or_else(|| NOTHING.into(), V::to_string);
            self.add(kind, what(key), said(wanted), said(held));
        }
    }

    /// Entries of several fields, of which those are said that differ.
    fn fields<K: Ord, V: PartialEq + Serialize>(
        &mut self,
        kind: Kind,
        wanted: &BTreeMap<K, V>,
        held: &BTreeMap<K, V>,
        what: impl Fn(&K) -> String,
    ) {
        for (key, wanted, held) in unequal(wanted, held, PartialEq::eq) {
            let [kernel, maps] = match (wanted, held) {
                (Some(wanted), Some(held)) => unlike(wanted, held),
                (Some(_), None) => ["is to be accelerated".into(), NOTHING.into()],
                _ => [NOTHING.into(), "has it".into()],
            };
            self.add(kind, what(key), kernel, maps);
        }
    }

    fn add(&mut self, kind: Kind, what: String, kernel: String, maps: String) {
        let (likely, next) = self.why();
        self.differences.push(Difference {
            kind,
            what,
            differs: Side::Maps,
            frr: None,
            kernel: Some(kernel),
            maps: Some(maps),
            likely,
            next,
        });
    }

    /// Why maps are not what they should be, and what to do.
    fn why(&self) -> (String, String) {
        let state = self.fabric.state.as_ref();
        let said = |likely: &str, next: &str| (likely.to_owned(), next.to_owned());
        if self.fabric.daemon.is_none() {
            return said(
                "fabric-xdpd does not run, so the maps are as it has left them",
                "systemctl start fabric-xdp",
            );
        }
        if self.fabric.suspended {
            let likely =
                "somebody has stopped fabric-xdpd (SIGSTOP), so the maps are as they were then";
            let process = self.fabric.daemon.unwrap_or_default();
            return (likely.into(), format!("kill -CONT {process}"));
        }
        if let Some(trouble) = state.and_then(|state| state.trouble.as_ref()) {
            return (format!("fabric-xdpd cannot write: {trouble}"), "fabricctl status".into());
        }
        if state.is_some_and(|state| !state.synced) {
            return said("fabric-xdpd is reading everything anew", "fabricctl verify --wait 30");
        }
        said("an entry was lost, or somebody else has written it", "fabricctl verify --repair")
    }
}

/// The keys under which two tables have something else, with what they have.
fn unequal<'a, K: Ord, V>(
    wanted: &'a BTreeMap<K, V>,
    held: &'a BTreeMap<K, V>,
    is_as: impl Fn(&V, &V) -> bool,
) -> impl Iterator<Item = (&'a K, Option<&'a V>, Option<&'a V>)> {
    let of_wanted = wanted.iter().map(|(key, value)| (key, Some(value), held.get(key)));
    let of_held = held.iter().map(|(key, value)| (key, wanted.get(key), Some(value)));
    let alone = of_held.filter(|(_, wanted, _)| wanted.is_none());
    of_wanted.chain(alone).filter(move |(_, wanted, held)| match (wanted, held) {
        (Some(wanted), Some(held)) => !is_as(held, wanted),
        _ => true,
    })
}

/// The fields in which two entries differ, as each has them.
fn unlike<V: Serialize>(wanted: &V, held: &V) -> [String; 2] {
    let fields = |value: &V| match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (wanted, held) = (fields(wanted), fields(held));
    let names = wanted.keys().filter(|name| wanted.get(*name) != held.get(*name));
    let names: Vec<&String> = names.collect();
    [&wanted, &held].map(|fields| {
        let said = |name: &&String| {
            let value = fields.get(*name).unwrap_or(&Value::Null);
            format!("{} {}", name.replace('_', " "), plain(value))
        };
        names.iter().map(said).collect::<Vec<_>>().join(", ")
    })
}

/// A value as people write it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        Value::Bool(set) => if *set { "yes" } else { "no" }.into(),
        Value::Array(all) if all.is_empty() => "none".into(),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(" and "),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{name} {}", plain(value));
            fields.iter().map(field).collect::<Vec<_>>().join(" ")
        }
        Value::Number(number) => number.to_string(),
    }
}
