//! What NetBox says, in as few words as the comparison needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::observe::Prefix as Network;

/// Everything that was read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Records {
    /// Where it comes from, for people: `NetBox 4.7 at https://netbox.example`, `the file prefixes.csv`.
    pub source: String,
    /// Version of NetBox, where it is known.
    pub version: Option<String>,
    /// Prefixes.
    pub prefixes: Vec<Prefix>,
    /// VLANs; prefixes and L2VPNs name them by their places here.
    pub vlans: Vec<Vlan>,
    /// VRFs.
    pub vrfs: Vec<VrfRecord>,
    /// L2VPNs; VLANs name them by their places here.
    pub l2vpns: Vec<L2vpn>,
    /// IP addresses that are reserved or deprecated.
    pub addresses: Vec<Address>,
    /// Names of sites by the names of devices, in lower case.
    pub devices: BTreeMap<String, Site>,
    /// Names of devices that there are at several sites.
    pub twins: BTreeSet<String>,
    /// Names of all sites.
    pub sites: BTreeSet<Site>,
    /// Names of sites by their slugs.
    pub slugs: BTreeMap<String, Site>,
    /// What was not read, and why: sentences.
    pub unknown: BTreeMap<Table, String>,
    /// What was read and may be something else than it is taken for: sentences.
    #[serde(default)]
    pub doubts: Vec<String>,
}

/// Name of a site.
pub type Site = Arc<str>;

/// What NetBox has tables of, as far as the comparison needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Table {
    /// Prefixes.
    Prefixes,
    /// VLANs.
    Vlans,
    /// VRFs.
    Vrfs,
    /// L2VPNs and their terminations.
    L2vpns,
    /// IP addresses.
    Addresses,
    /// Devices.
    Devices,
    /// Sites.
    Sites,
    /// Locations, regions and groups of sites, which lead to sites.
    Places,
    /// Groups of VLANs.
    Groups,
}

impl Table {
    /// As people name what is in it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prefixes => "prefixes",
            Self::Vlans => "VLANs",
            Self::Vrfs => "VRFs",
            Self::L2vpns => "L2VPNs",
            Self::Addresses => "IP addresses",
            Self::Devices => "devices",
            Self::Sites => "sites",
            Self::Places => "locations, regions or groups of sites",
            Self::Groups => "groups of VLANs",
        }
    }

    /// What cannot be compared without it.
    #[must_use]
    pub const fn need(self) -> &'static str {
        match self {
            Self::Prefixes => "nothing can be compared",
            Self::Vlans => "VNIs, and hosts in another VLAN's prefix, are not compared",
            Self::Vrfs => "VRFs that NetBox has no prefix of are not compared",
            Self::L2vpns => "VNIs are not compared",
            Self::Addresses => "reserved and deprecated addresses in use are not looked for",
            Self::Devices => "sites of boxes are not known",
            Self::Sites => "what lies in which site is not known",
            Self::Places => "at which sites is not known of what NetBox puts there",
            Self::Groups => "at which sites is not known of VLANs in them",
        }
    }
}

impl Records {
    /// Whether a table was read.
    #[must_use]
    pub fn has(&self, table: Table) -> bool {
        !self.unknown.contains_key(&table)
    }

    /// Notes where a device is.
    pub fn place_device(&mut self, name: &str, site: Site) {
        let name = name.to_lowercase();
        // Names are unique within sites and tenants alone.
        if self.devices.get(&name).is_some_and(|known| *known != site) {
            self.twins.insert(name.clone());
            self.devices.remove(&name);
        }
        if !self.twins.contains(&name) {
            self.devices.insert(name, site);
        }
    }

    /// Notes that a table was not read.
    pub fn lacks(&mut self, table: Table, why: impl fmt::Display) {
        let sentence = format!("{} are not read, so {}: {why}", table.name(), table.need());
        self.unknown.insert(table, sentence);
    }
}

/// A VRF by NetBox's name; none is what NetBox calls the global table.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Vrf(Option<Arc<str>>);

impl Vrf {
    /// The global table: what is in no VRF.
    pub const DEFAULT: Self = Self(None);

    /// The VRF of a name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(Some(name.into()))
    }

    /// Its name; none for the global table.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// As a part of an identifier.
    #[must_use]
    pub fn key(&self) -> &str {
        match self.name() {
            None => "default",
            // One may be called so, and is not the global table.
            Some("default") => "VRF default",
            Some(name) => name,
        }
    }
}

impl fmt::Display for Vrf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(formatter, "VRF {name}"),
            None => formatter.write_str("the default VRF"),
        }
    }
}

/// Where something lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sites {
    /// NetBox names no place.
    #[default]
    Anywhere,
    /// In these.
    At(BTreeSet<Site>),
    /// NetBox names a place whose site is not known: a rack, a cluster, a location in a file.
    Unknown,
}

impl Sites {
    /// One site.
    #[must_use]
    pub fn one(site: &Site) -> Self {
        Self::At([site.clone()].into())
    }

    /// The sites that are named.
    pub fn named(&self) -> impl Iterator<Item = &Site> {
        let sites = match self {
            Self::At(sites) => Some(sites),
            _ => None,
        };
        sites.into_iter().flatten()
    }
}

/// A status as NetBox stores it, in lower case: `active`, or one of a site's own.
pub type Status = String;

/// In use.
pub const ACTIVE: &str = "active";
/// A prefix that only holds others.
pub const CONTAINER: &str = "container";
/// Set aside.
pub const RESERVED: &str = "reserved";
/// Not to be used any more.
pub const DEPRECATED: &str = "deprecated";

/// Whether what has this status is not to be in use.
#[must_use]
pub fn is_out_of_use(status: &str) -> bool {
    matches!(status, RESERVED | DEPRECATED)
}

/// A prefix.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Prefix {
    /// The addresses.
    pub network: Network,
    /// Its VRF.
    pub vrf: Vrf,
    /// Which one of several VRFs of this name, by its number, or by its label in a file.
    #[serde(default)]
    pub table: String,
    /// Its status.
    pub status: Status,
    /// Place of its VLAN.
    pub vlan: Option<usize>,
    /// Where it lies.
    pub sites: Sites,
}

/// A VLAN.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vlan {
    /// VLAN ID.
    pub vid: u16,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: Status,
    /// Where it lies: its site, or what its group is scoped to.
    pub sites: Sites,
    /// Place of the L2VPN that it is in.
    pub l2vpn: Option<usize>,
}

impl fmt::Display for Vlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VLAN {} ({})", self.name, self.vid)
    }
}

/// A VRF.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrfRecord {
    /// Its name, which several may have.
    pub name: String,
    /// Its route distinguisher.
    pub rd: Option<String>,
}

/// An L2VPN.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct L2vpn {
    /// Its name.
    pub name: String,
    /// Its VNI, if NetBox says one.
    pub identifier: Option<u32>,
    /// It is a VXLAN.
    pub is_vxlan: bool,
    /// Its status; NetBox has one since 4.3.
    pub status: Option<Status>,
    /// Places of the VLANs in it.
    pub vlans: Vec<usize>,
    /// Number of interfaces in it.
    pub interfaces: usize,
    /// Sites of these interfaces, as far as they are known.
    pub sites: BTreeSet<Site>,
}

impl fmt::Display for L2vpn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.identifier {
            Some(identifier) => write!(formatter, "L2VPN {} ({identifier})", self.name),
            None => write!(formatter, "L2VPN {}", self.name),
        }
    }
}

/// An IP address that is not to be in use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Its VRF.
    pub vrf: Vrf,
    /// Its status.
    pub status: Status,
}

/// Characters of a name that are kept.
const LONGEST: usize = 200;

/// A text of NetBox as it may stand on a terminal: on one line, without control characters, not without end.
#[must_use]
pub fn clean(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() || is_direction(c) { ' ' } else { c });
    let mut clean: String = printable.take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        clean.push('…');
    }
    clean.trim().to_owned()
}

/// Whether a character turns the direction of what follows, so that something else is read than what is there.
const fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_escapes_no_line_feeds_and_an_end() {
        assert_eq!(clean(" app\u{1b}[2J\r\nx "), "app [2J  x");
        assert_eq!(clean("a\u{202e}b"), "a b");
        let long = clean(&"x".repeat(5000));
        assert_eq!(long.chars().count(), LONGEST + 1);
    }

    #[test]
    fn what_is_not_read_is_a_sentence_with_what_it_is_needed_for() {
        let mut records = Records::default();
        assert!(records.has(Table::L2vpns));
        records.lacks(Table::L2vpns, "the token may not view them");
        assert!(!records.has(Table::L2vpns));
        let said = &records.unknown[&Table::L2vpns];
        assert_eq!(
            said,
            "L2VPNs are not read, so VNIs are not compared: the token may not view them"
        );
    }
}
