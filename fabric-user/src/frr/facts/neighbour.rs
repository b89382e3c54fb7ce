//! Neighbours of bridged networks, as zebra has them: what it answers for others if a bridge suppresses ARP.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::by_vni::{self, Entries};
use super::{Place, loose};
use crate::mac::Mac;

/// The question for all of them.
pub(super) const COMMAND: &str = "show evpn arp-cache vni all json";

/// An address in a VNI with the MAC that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourEntry {
    /// The VNI.
    pub vni: u32,
    /// The address.
    pub address: IpAddr,
    /// The MAC.
    pub mac: Mac,
    /// Where it is; of one here zebra says no port.
    pub place: Place,
    /// Its MAC is known where it is; others hear of it only then.
    pub active: bool,
    /// How often it has moved between VTEPs, as of [`MacEntry`](super::MacEntry).
    pub sequence: u32,
    /// It has moved too often.
    pub duplicate: bool,
    /// It is a gateway, and says so.
    pub gateway: bool,
}

impl Default for NeighbourEntry {
    fn default() -> Self {
        Self {
            vni: 0,
            address: Ipv4Addr::UNSPECIFIED.into(),
            mac: Mac::ZERO,
            place: Place::Unknown,
            active: false,
            sequence: 0,
            duplicate: false,
            gateway: false,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    r#type: String,
    state: String,
    #[serde(deserialize_with = "loose::value")]
    mac: Option<Mac>,
    #[serde(deserialize_with = "loose::value")]
    remote_vtep: Option<IpAddr>,
    remote_es: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    local_sequence: Option<u32>,
    #[serde(deserialize_with = "loose::value")]
    remote_sequence: Option<u32>,
    is_duplicate: bool,
    default_gateway: bool,
}

impl Said {
    fn entry(self, vni: u32, address: IpAddr) -> NeighbourEntry {
        let (place, sequence) = match self.r#type.as_str() {
            "local" => (Place::Local { interface: None, vlan: None }, self.local_sequence),
            "remote" => (Place::remote(self.remote_vtep, self.remote_es), self.remote_sequence),
            _ => (Place::Unknown, None),
        };
        NeighbourEntry {
            vni,
            address,
            mac: self.mac.unwrap_or_default(),
            place,
            active: self.state == "active",
            sequence: sequence.unwrap_or_default(),
            duplicate: self.is_duplicate,
            gateway: self.default_gateway,
        }
    }
}

/// Reads the answer.
pub(super) fn read(text: &str) -> serde_json::Result<Vec<NeighbourEntry>> {
    let all: Entries<IpAddr, Said> = by_vni::read(text)?;
    let all = all.into_iter().map(|(vni, address, said)| said.entry(vni, address));
    let mut all: Vec<NeighbourEntry> = all.collect();
    all.sort_unstable_by_key(|entry| (entry.vni, entry.address));
    Ok(all)
}
