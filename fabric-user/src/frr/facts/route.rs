//! Routes that zebra has chosen, of both families and all VRFs.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{loose, prefix};
use crate::observe::Prefix;

/// The questions, one a family.
pub(super) const COMMANDS: [&str; 2] =
    ["show ip route vrf all json", "show ipv6 route vrf all json"];

/// A route that is the best of its prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteEntry {
    /// Name of the VRF; none is the default one.
    pub vrf: Option<String>,
    /// The destination.
    #[serde(with = "prefix")]
    pub prefix: Prefix,
    /// Who gave it: `bgp`, `connected`, `kernel`, `static`, …
    pub protocol: String,
    /// Administrative distance: the lowest of a prefix is chosen.
    pub distance: u8,
    /// Metric among routes of the same protocol.
    pub metric: u32,
    /// Zebra says that the kernel has it. It does not look again.
    pub installed: bool,
    /// Zebra says that the kernel has refused it.
    #[serde(default)]
    pub failed: bool,
    /// Where it leads.
    pub hops: Vec<HopEntry>,
}

impl Default for RouteEntry {
    fn default() -> Self {
        Self {
            vrf: None,
            prefix: Prefix { address: Ipv4Addr::UNSPECIFIED.into(), length: 0 },
            protocol: String::new(),
            distance: 0,
            metric: 0,
            installed: false,
            failed: false,
            hops: Vec::new(),
        }
    }
}

/// What a next hop does with packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopKind {
    /// Sends them on.
    #[default]
    Forward,
    /// Discards them silently.
    Blackhole,
    /// Discards them and tells the sender that the destination is unreachable.
    Unreachable,
    /// Discards them and tells the sender that it is not allowed.
    Prohibit,
}

/// A next hop of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopEntry {
    /// What it does.
    pub kind: HopKind,
    /// The router; none for what is connected.
    pub gateway: Option<IpAddr>,
    /// The interface.
    pub interface: Option<String>,
    /// The VRF of that interface, if it is another one than the route's; `default` has this name here.
    pub vrf: Option<String>,
    /// Its share among hops.
    pub weight: u32,
    /// Zebra can use it.
    pub active: bool,
    /// The kernel has it.
    pub fib: bool,
    /// The gateway is taken for a neighbour although no subnet of the interface has it.
    pub onlink: bool,
    /// It is reached by another route, whose own hops follow it in this list and are what the kernel has.
    pub recursive: bool,
    /// The VNI in which it is sent, where that is not the VRF's own (downstream VNIs, since FRR 9).
    pub vni: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    prefix: String,
    protocol: String,
    vrf_name: String,
    selected: bool,
    distance: u8,
    metric: u32,
    installed: bool,
    failed: bool,
    nexthops: Vec<SaidHop>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SaidHop {
    #[serde(deserialize_with = "loose::value")]
    ip: Option<IpAddr>,
    interface_name: Option<String>,
    vrf: Option<String>,
    weight: u32,
    active: bool,
    fib: bool,
    on_link: bool,
    recursive: bool,
    unreachable: bool,
    reject: bool,
    blackhole: bool,
    #[serde(alias = "admin-prohibited")]
    admin_prohibited: bool,
    labels: Vec<u32>,
}

impl SaidHop {
    fn hop(self, vrf: &str) -> HopEntry {
        // `unreachable` stands in all that do not forward.
        let kind = match (self.admin_prohibited, self.reject, self.blackhole || self.unreachable) {
            (true, ..) => HopKind::Prohibit,
            (_, true, _) => HopKind::Unreachable,
            (.., true) => HopKind::Blackhole,
            _ => HopKind::Forward,
        };
        HopEntry {
            kind,
            gateway: self.ip,
            interface: self.interface_name,
            // What leads nowhere is in no VRF, but FRR 8.4 names one in IPv6.
            vrf: self.vrf.filter(|name| name != vrf && kind == HopKind::Forward),
            // FRR up to 9 says none of what is connected.
            weight: self.weight.max(1),
            active: self.active,
            fib: self.fib,
            onlink: self.on_link,
            recursive: self.recursive,
            vni: self.labels.first().copied(),
        }
    }
}

impl Said {
    fn entry(self) -> Option<RouteEntry> {
        let hops = self.nexthops.into_iter().map(|hop| hop.hop(&self.vrf_name)).collect();
        self.selected.then_some(RouteEntry {
            prefix: prefix::parse(&self.prefix)?,
            protocol: self.protocol,
            distance: self.distance,
            metric: self.metric,
            installed: self.installed,
            failed: self.failed,
            hops,
            vrf: (self.vrf_name != "default").then_some(self.vrf_name),
        })
    }
}

/// Reads the answer for one family. FRR up to 10.0 gives a document for each VRF, one after the other; newer ones give
/// one document with the VRFs' tables in it. Routes say themselves of which VRF they are.
pub(super) fn read(text: &str) -> serde_json::Result<Vec<RouteEntry>> {
    let mut routes = Vec::new();
    for document in serde_json::Deserializer::from_str(text).into_iter::<Table>() {
        routes.extend(document?.0);
    }
    Ok(routes)
}

/// Chosen routes of a table by prefix, or of tables by VRF.
#[derive(Default)]
struct Table(Vec<RouteEntry>);

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Tables)
    }
}

struct Tables;

impl<'de> Visitor<'de> for Tables {
    type Value = Table;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("routes by prefix")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Table, A::Error> {
        let mut routes = Vec::new();
        while let Some((_, Table(below))) = all.next_entry::<String, Table>()? {
            routes.extend(below);
        }
        Ok(Table(routes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Table, A::Error> {
        let mut routes = Vec::new();
        while let Some(said) = all.next_element::<Said>()? {
            routes.extend(said.entry());
        }
        Ok(Table(routes))
    }
}
