//! VNIs, as zebra has them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{answer, loose};
use crate::mac::Mac;

/// The question for all of them.
pub(super) const COMMAND: &str = "show evpn vni detail json";
/// The same in words. FRR up to 8.5 says only so to which VTEPs a VNI floods.
pub(super) const IN_WORDS: &str = "show evpn vni detail";

/// What a VNI is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VniKind {
    /// A bridged network.
    #[default]
    L2,
    /// What is routed in a VRF.
    L3,
}

/// A VNI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vni {
    /// What it is for.
    pub kind: VniKind,
    /// Its VRF: that of its SVI, or of its routes. None is the default VRF.
    pub vrf: Option<String>,
    /// Its vxlan device.
    pub vxlan: Option<String>,
    /// The interface by which its bridge is routed: the bridge, or a VLAN device on it.
    pub svi: Option<String>,
    /// The VTEP's own address.
    pub local: Option<IpAddr>,
    /// The VTEPs that its broadcasts are sent to, each a copy. None in one of layer 3.
    pub flood: BTreeSet<IpAddr>,
    /// All VTEPs that it is known to be at: also those that have told of MACs and ask for no broadcasts.
    pub vteps: BTreeSet<IpAddr>,
    /// Whether it works. Of one of layer 2 zebra knows no more than that it has a vxlan device.
    pub up: bool,
    /// The MAC to which other leafs send what this one is to route; of layer 3 alone.
    pub router_mac: Option<Mac>,
    /// The MAC of this box in the VRF, which is not the router's where that is a virtual one; of layer 3 alone.
    pub system_mac: Option<Mac>,
    /// VNIs of layer 2 in its VRF; of layer 3 alone.
    pub networks: BTreeSet<u32>,
    /// Whether it tells others of its gateway's MAC and address (`advertise-default-gw`).
    pub advertises_gateway: bool,
    /// Whether it tells others of its SVI's MAC and address (`advertise-svi-ip`).
    pub advertises_svi: bool,
}

/// One VNI of the answer; keys of layer 3, of FRR up to 8.5, and of newer ones.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    #[serde(deserialize_with = "loose::value")]
    vni: Option<u32>,
    r#type: String,
    #[serde(deserialize_with = "loose::value")]
    vrf: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    tenant_vrf: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    vxlan_interface: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    vxlan_intf: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    svi_interface: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    svi_intf: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    vtep_ip: Option<IpAddr>,
    #[serde(deserialize_with = "loose::value")]
    local_vtep_ip: Option<IpAddr>,
    /// A number since 9.0, and the VTEPs themselves before.
    num_remote_vteps: serde_json::Value,
    remote_vteps: Vec<Vtep>,
    #[serde(deserialize_with = "loose::value")]
    state: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    router_mac: Option<Mac>,
    #[serde(deserialize_with = "loose::value")]
    sys_mac: Option<Mac>,
    l2_vnis: Vec<u32>,
    #[serde(deserialize_with = "loose::flag")]
    advertise_gateway_macip: bool,
    #[serde(deserialize_with = "loose::flag")]
    advertise_svi_macip: bool,
}

/// A VTEP of a VNI, since FRR 9.0.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Vtep {
    #[serde(deserialize_with = "loose::value")]
    ip: Option<IpAddr>,
    /// `HER`, or `-`.
    flood: String,
}

/// What ends a VTEP's line that is flooded to, and stands in its JSON: head-end replication.
const FLOODED: &str = "HER";

impl Said {
    fn vni(self) -> Option<(u32, Vni)> {
        let is_l3 = self.r#type == "L3";
        let named = self.tenant_vrf.or(self.vrf);
        let vxlan = self.vxlan_interface.or(self.vxlan_intf);
        let listed = self.num_remote_vteps.as_array().into_iter().flatten();
        let listed = listed.filter_map(|vtep| vtep.as_str()?.parse().ok());
        let flooded = self.remote_vteps.iter().filter(|vtep| vtep.flood == FLOODED);
        let vni = Vni {
            kind: if is_l3 { VniKind::L3 } else { VniKind::L2 },
            vrf: named.filter(|name| name != "default"),
            up: match is_l3 {
                true => self.state.is_some_and(|state| state == "Up"),
                false => vxlan.is_some(),
            },
            vxlan,
            svi: self.svi_interface.or(self.svi_intf),
            local: self.vtep_ip.or(self.local_vtep_ip),
            flood: flooded.filter_map(|vtep| vtep.ip).collect(),
            vteps: listed.chain(self.remote_vteps.iter().filter_map(|vtep| vtep.ip)).collect(),
            router_mac: self.router_mac,
            system_mac: self.sys_mac,
            networks: self.l2_vnis.into_iter().collect(),
            advertises_gateway: self.advertise_gateway_macip,
            advertises_svi: self.advertise_svi_macip,
        };
        Some((self.vni?, vni))
    }
}

/// Reads the answer.
pub(super) fn read(text: &str) -> serde_json::Result<BTreeMap<u32, Vni>> {
    let all: Vec<Said> = answer::read(text)?;
    Ok(all.into_iter().filter_map(Said::vni).collect())
}

/// Whether an answer has left out to which VTEPs broadcasts go.
pub(super) fn lacks_flood(vnis: &BTreeMap<u32, Vni>) -> bool {
    vnis.values().any(|vni| vni.flood.is_empty() && !vni.vteps.is_empty())
}

/// Takes over from the answer in words to which VTEPs broadcasts go.
pub(super) fn flood(words: &str, vnis: &mut BTreeMap<u32, Vni>) {
    let mut current = None;
    for line in words.lines() {
        if let Some(number) = line.strip_prefix("VNI: ") {
            current = number.trim().parse::<u32>().ok();
        } else if let Some((vtep, FLOODED)) = line.trim().split_once(" flood: ")
            && let Some(vni) = current.and_then(|number| vnis.get_mut(&number))
        {
            vni.flood.extend(vtep.trim().parse::<IpAddr>());
        }
    }
}
