//! The inventory: what cannot be drawn, in TOML. Unknown keys are errors, because a misspelt key
//! would otherwise silently mean the default.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::address::{Announcement, HostAddress, Prefixed};
use super::error::Complaint;
use super::{Bridges, ControlPlane, Fabric, Gateways};
use crate::mac::Mac;

/// The file.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Values for the whole fabric.
    pub fabric: Fabric,
    /// One entry per switch and per server, by name.
    pub nodes: BTreeMap<String, NodeEntry>,
    /// One entry per stretched or local network, by name.
    pub networks: BTreeMap<String, NetworkEntry>,
    /// One entry per tenant, by name.
    pub tenants: BTreeMap<String, TenantEntry>,
    /// One entry per host, by name.
    pub hosts: BTreeMap<String, HostEntry>,
    /// One entry per anycast service, by name.
    pub services: BTreeMap<String, ServiceEntry>,
    /// Where things stand in the file.
    pub lines: Lines,
    /// Tables, as `nodes.leaf01`, and keys, as `nodes.leaf01.as`, that are wrong: a complaint about each is filed, and
    /// what they would have said is not missing.
    pub unread: BTreeSet<String>,
    /// What is wrong.
    pub complaints: Vec<Complaint>,
}

/// The lines of keys in a file, by their paths.
#[derive(Debug, Clone, Default)]
pub struct Lines(BTreeMap<Vec<String>, usize>);

/// `[nodes.NAME]`: a switch, or a server that speaks BGP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeEntry {
    /// The site it stands in.
    pub site: String,
    /// Its AS number: one per rack, one for all spines of a site, one per server; not needed if nobody
    /// speaks BGP.
    #[serde(rename = "as")]
    pub asn: Option<u32>,
    /// Loopback, router id and VTEP address.
    pub loopback: Ipv4Addr,
    /// IPv6 loopback, announced beside the other one; default: none.
    pub loopback6: Option<Ipv6Addr>,
    /// Whether fabric-xdpd runs here; default: on every switch, and on servers where networks live.
    pub fabric_xdpd: Option<bool>,
    /// Which devices its networks are made of; default: `plain`.
    #[serde(default)]
    pub bridges: Bridges,
    /// Which devices have the gateways of its networks; default: `svi`.
    #[serde(default)]
    pub gateways: Gateways,
    /// What a provider announces to borders, as in `["0.0.0.0/0", "::/0"]`; only providers have it.
    #[serde(default)]
    pub announces: Vec<Announcement>,
}

/// `[networks.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkEntry {
    /// VLAN id, 1 to 4094.
    pub vlan: u16,
    /// VXLAN network identifier, 1 to 16777215.
    pub vni: u32,
    /// Anycast gateway address with the length of the prefix, as in `10.20.0.1/24`; default: none, as where
    /// nodes have addresses of their own.
    pub gateway: Option<String>,
    /// The same in IPv6, as in `fd00:20::1/64`; default: none.
    pub gateway6: Option<Prefixed>,
    /// Anycast gateway MAC, the same on every leaf and server; with a gateway.
    pub gateway_mac: Option<Mac>,
    /// Name of its tenant; default: none, and it is routed where the underlay is.
    pub tenant: Option<String>,
    /// Sites where it lives: on all leafs there.
    #[serde(default)]
    pub sites: Vec<String>,
    /// Single leafs where it lives.
    #[serde(default)]
    pub leafs: Vec<String>,
    /// Servers where it lives, for the virtual machines on them.
    #[serde(default)]
    pub servers: Vec<String>,
    /// Addresses of single nodes in it, as in `["10.50.0.1/24", "fd00:50::1/64"]`: of leafs and borders in
    /// place of the gateway, and of the servers that are in it and speak BGP with those; or beside the gateway, of
    /// nodes where that is a virtual router's.
    #[serde(default)]
    pub addresses: BTreeMap<String, Vec<Prefixed>>,
}

impl NetworkEntry {
    /// The first key that it has of those about the gateway.
    pub fn gateway_key(&self) -> Option<&'static str> {
        let keys = [
            ("gateway", self.gateway.is_some()),
            ("gateway6", self.gateway6.is_some()),
            ("gateway_mac", self.gateway_mac.is_some()),
        ];
        keys.into_iter().find(|(_, is_given)| *is_given).map(|(key, _)| key)
    }
}

/// `[tenants.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantEntry {
    /// VLAN of its L3VNI, 1 to 4094.
    pub vlan: u16,
    /// Its L3VNI, 1 to 16777215.
    pub vni: u32,
}

/// `[hosts.NAME]`: a virtual machine in a network, or a host with a subnet of its own on a routed
/// port; the picture says at which port.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// Name of its network; without one, its port is routed.
    pub network: Option<String>,
    /// Its address. In a network, the gateway says how long the prefix is; on a routed port it is
    /// written here, as in `10.1.11.10/24`.
    pub address: HostAddress<Ipv4Addr>,
    /// On a routed port: the leaf's address there.
    pub gateway: Option<Ipv4Addr>,
    /// Its IPv6 address, as in `fd00:20::11`, or on a routed port with its prefix, as in `fd00:1:11::10/64`;
    /// default: none.
    pub address6: Option<HostAddress<Ipv6Addr>>,
    /// On a routed port: the leaf's IPv6 address there.
    pub gateway6: Option<Ipv6Addr>,
    /// Its MAC; default: `right_mac` or `left_mac` of its cable, else one derived from its name.
    pub mac: Option<Mac>,
}

/// `[services.NAME]`: addresses that several servers have and announce.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    /// The addresses, each a `/32` or a `/128`.
    pub addresses: Vec<Prefixed>,
    /// Names of the servers.
    pub servers: Vec<String>,
}

/// Keys that an entry must have, by its table.
const REQUIRED: [(&str, &[&str]); 6] = [
    ("fabric", &[]),
    ("nodes", &["site", "as", "loopback"]),
    ("networks", &["vlan", "vni"]),
    ("tenants", &["vlan", "vni"]),
    ("hosts", &["address"]),
    ("services", &["addresses", "servers"]),
];

/// Reads an inventory; `file` is the name used in messages. A wrong entry costs itself only.
pub fn parse(text: &str, file: &str) -> Inventory {
    read(text, file, true)
}

/// The same of one without a picture: without cables nobody asks for AS numbers.
pub fn parse_undrawn(text: &str, file: &str) -> Inventory {
    read(text, file, false)
}

fn read(text: &str, file: &str, is_drawn: bool) -> Inventory {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, file, is_drawn, inventory: Inventory::default() };
    for error in &errors {
        reader.complain(error.span(), error.message().lines().collect::<Vec<_>>().join("; "));
    }
    if errors.is_empty() {
        reader.index(&mut Vec::new(), table.get_ref());
        reader.tables(table.into_inner());
    } else {
        // What seems to be missing need not be.
        reader.inventory.unread.extend(REQUIRED.iter().map(|(table, _)| (*table).to_owned()));
    }
    reader.inventory.complaints.sort();
    reader.inventory
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    is_drawn: bool,
    inventory: Inventory,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
    }

    fn complain(&mut self, span: Option<Range<usize>>, message: String) {
        let line = span.map(|span| self.line(span.start));
        self.inventory.complaints.push(Complaint::at(self.file, line, message));
    }

    fn index(&mut self, path: &mut Vec<String>, table: &DeTable<'_>) {
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            let line = self.line(key.span().start);
            self.inventory.lines.0.insert(path.clone(), line);
            if let DeValue::Table(inner) = value.get_ref() {
                self.index(path, inner);
            }
            path.pop();
        }
    }

    fn tables(&mut self, tables: DeTable<'_>) {
        let mut tables: Vec<_> = tables.into_iter().collect();
        // It says what the others need.
        tables.sort_by_key(|(key, _)| key.get_ref() != "fabric");
        for (key, value) in tables {
            let name = key.get_ref().to_string();
            let value = match value.get_ref() {
                DeValue::Table(_) if REQUIRED.iter().any(|(known, _)| *known == name) => value,
                _ => {
                    let known = REQUIRED.map(|(known, _)| format!("[{known}]")).join(", ");
                    self.complain(
                        Some(key.span()),
                        format!("unknown key {name}; an inventory has the tables {known}"),
                    );
                    continue;
                }
            };
            match name.as_str() {
                "fabric" => {
                    self.inventory.fabric = self.entry(&name, &[], value).unwrap_or_default();
                }
                "nodes" => self.inventory.nodes = self.entries(&name, value),
                "networks" => self.inventory.networks = self.entries(&name, value),
                "tenants" => self.inventory.tenants = self.entries(&name, value),
                "hosts" => self.inventory.hosts = self.entries(&name, value),
                _ => self.inventory.services = self.entries(&name, value),
            }
        }
    }

    fn entries<T: DeserializeOwned>(
        &mut self,
        table: &str,
        value: Spanned<DeValue<'_>>,
    ) -> BTreeMap<String, T> {
        let required = REQUIRED.iter().find(|(name, _)| *name == table).map_or(&[][..], |it| it.1);
        let is_static = self.inventory.fabric.control_plane == ControlPlane::Static;
        let speaks = self.is_drawn && !is_static;
        let is_needed = |key: &&str| speaks || *key != "as";
        let required: Vec<&str> = required.iter().copied().filter(is_needed).collect();
        let DeValue::Table(entries) = value.into_inner() else {
            return BTreeMap::new();
        };
        let mut read = BTreeMap::new();
        for (key, value) in entries {
            let name = key.get_ref().to_string();
            let path = format!("{table}.{name}");
            match self.entry(&path, &required, value) {
                Some(entry) => drop(read.insert(name, entry)),
                None => drop(self.inventory.unread.insert(path)),
            }
        }
        read
    }

    /// Reads an entry without the keys that are wrong, with a complaint about each; none if it needs one of
    /// them.
    fn entry<T: DeserializeOwned>(
        &mut self,
        path: &str,
        required: &[&str],
        mut value: Spanned<DeValue<'_>>,
    ) -> Option<T> {
        let keys: Vec<&str> = path.split('.').collect();
        if let DeValue::Table(table) = value.get_ref() {
            let lacks = |key: &&&str| table.keys().all(|it| it.get_ref() != **key);
            let missing: Vec<&str> = required.iter().filter(lacks).copied().collect();
            if !missing.is_empty() {
                let line = self.inventory.lines.of(&keys);
                let message = format!("[{path}] lacks {}; add it", missing.join(" and "));
                self.inventory.complaints.push(Complaint::at(self.file, line, message));
            }
        }
        loop {
            let error = match T::deserialize(ValueDeserializer::from(value.clone())) {
                Ok(entry) => return Some(entry),
                Err(error) => error,
            };
            // Said above, or the consequence of what is said below.
            if error.message().starts_with("missing field") {
                return None;
            }
            let what = error.message().lines().collect::<Vec<_>>().join("; ");
            self.complain(error.span(), format!("{what}, in [{path}]"));
            // Without the key that is wrong, the next one shows.
            let (Some(span), DeValue::Table(table)) = (error.span(), value.get_mut()) else {
                return None;
            };
            let holds = |at: Range<usize>| at.contains(&span.start);
            let wrong = table
                .iter()
                .find(|(key, value)| holds(key.span()) || holds(value.span()))
                .map(|(key, _)| key.clone())?;
            table.remove(&wrong);
            self.inventory.unread.insert(format!("{path}.{}", wrong.get_ref()));
        }
    }
}

impl Inventory {
    /// Whether the entry of that name could be there and not be read.
    pub fn is_unread(&self, table: &str, name: &str) -> bool {
        self.unread.contains(table) || self.unread.contains(&format!("{table}.{name}"))
    }

    /// The same of a key of that entry.
    pub fn is_key_unread(&self, table: &str, name: &str, key: &str) -> bool {
        self.is_unread(table, name) || self.unread.contains(&format!("{table}.{name}.{key}"))
    }
}

impl Lines {
    /// The line of a key, or of the innermost table around it that the file has.
    pub fn of(&self, path: &[&str]) -> Option<usize> {
        (1..=path.len()).rev().find_map(|length| {
            let path: Vec<String> = path[..length].iter().map(|key| (*key).to_owned()).collect();
            self.0.get(&path).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        parse(text, "lab.toml").complaints.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let text =
            "[nodes.leaf01]\nsite = \"a\"\nas = 1\nloopback = \"10.0.0.1\"\nloopbak = \"x\"\n";
        let said = complaints(text);
        assert!(said[0].starts_with("lab.toml line 5: unknown field `loopbak`"), "{said:?}");
        assert!(complaints("[node.leaf01]\n")[0].starts_with("lab.toml line 1: unknown key node;"));
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let said = complaints("[nodes.leaf01\nsite=1");
        assert!(said[0].starts_with("lab.toml line 1"), "{said:?}");
    }

    #[test]
    fn missing_keys_are_named_together() {
        let said = complaints("\n[nodes.leaf01]\nsite = \"a\"\n");
        assert_eq!(said, ["lab.toml line 2: [nodes.leaf01] lacks as and loopback; add it"]);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let said = complaints(
            "[fabric]\nmtu = 1\nhost_mtu = \"x\"\n[nodes.leaf01]\nsite = 1\nas = \"x\"\nloopback = \"10.0.0.1\"\ncolour = 1\n[hosts.vm1]\naddress = \"10.1\"\n",
        );
        let lines: Vec<&str> = said.iter().filter_map(|it| it.split(':').next()).collect();
        let wanted = [2, 3, 5, 6, 8, 10].map(|line| format!("lab.toml line {line}"));
        assert_eq!(lines, wanted, "{said:#?}");
        assert!(said.iter().all(|it| it.contains("in [")), "{said:#?}");
    }
}
