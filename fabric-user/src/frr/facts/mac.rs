//! MACs of bridged networks, as zebra has them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::by_vni::{self, Entries};
use super::{Place, loose};
use crate::mac::Mac;

/// The question for all of them, in detail: only so FRR tells of gateways, of SVIs, and FRR 8.4 of segments.
pub(super) const COMMAND: &str = "show evpn mac vni all detail json";

/// A MAC in a VNI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacEntry {
    /// The VNI.
    pub vni: u32,
    /// The MAC.
    pub mac: Mac,
    /// Where it is.
    pub place: Place,
    /// The Ethernet segment that it belongs to, also where it is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// How often it has moved between VTEPs (RFC 7432, section 7.7): of one here what this VTEP says, of one elsewhere
    /// what that one says.
    pub sequence: u32,
    /// It has moved too often, and is frozen if the settings say so.
    pub duplicate: bool,
    /// It must not move.
    pub sticky: bool,
    /// It is a gateway's: this box's own, or that of another one which has said so.
    pub gateway: bool,
    /// It is that of this box's SVI.
    pub own_svi: bool,
    /// It is here, and has been silent; of segments alone.
    pub inactive: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    r#type: String,
    #[serde(deserialize_with = "loose::value")]
    intf: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    vlan: Option<u16>,
    #[serde(deserialize_with = "loose::value")]
    remote_vtep: Option<IpAddr>,
    remote_es: Option<String>,
    esi: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    local_sequence: Option<u32>,
    #[serde(deserialize_with = "loose::value")]
    remote_sequence: Option<u32>,
    is_duplicate: bool,
    sticky_mac: bool,
    svi_mac: bool,
    default_gateway: bool,
    remote_gateway_mac: bool,
    local_inactive: bool,
}

impl Said {
    fn entry(self, vni: u32, mac: Mac) -> MacEntry {
        let segment = self.remote_es.or(self.esi);
        let (place, sequence) = match self.r#type.as_str() {
            "local" => {
                (Place::Local { interface: self.intf, vlan: self.vlan }, self.local_sequence)
            }
            "remote" => (Place::remote(self.remote_vtep, segment.clone()), self.remote_sequence),
            _ => (Place::Unknown, None),
        };
        MacEntry {
            vni,
            mac,
            place,
            segment,
            sequence: sequence.unwrap_or_default(),
            duplicate: self.is_duplicate,
            sticky: self.sticky_mac,
            gateway: self.default_gateway || self.remote_gateway_mac,
            own_svi: self.svi_mac,
            inactive: self.local_inactive,
        }
    }
}

/// Reads the answer.
pub(super) fn read(text: &str) -> serde_json::Result<Vec<MacEntry>> {
    let all: Entries<Mac, Said> = by_vni::read(text)?;
    let all = all.into_iter().map(|(vni, mac, said)| said.entry(vni, mac));
    let mut all: Vec<MacEntry> = all.collect();
    // FRR has them in the order of its hash table.
    all.sort_unstable_by_key(|entry| (entry.vni, entry.mac));
    Ok(all)
}
