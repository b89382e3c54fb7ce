//! VRFs that have an L3VNI.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{answer, loose};
use crate::mac::Mac;

/// The question for all of them.
pub(super) const COMMAND: &str = "show vrf vni json";

/// A VRF with the VNI in which others send what it is to route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrfEntry {
    /// The VNI.
    pub l3vni: u32,
    /// This box's router MAC in it.
    pub router_mac: Option<Mac>,
    /// The interface by which the VNI's bridge is in the VRF.
    pub svi: Option<String>,
    /// The vxlan device.
    pub vxlan: Option<String>,
    /// All of that is there and up.
    pub up: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    vrfs: Vec<Said>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    vrf: String,
    vni: u32,
    #[serde(deserialize_with = "loose::value")]
    vxlan_intf: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    svi_intf: Option<String>,
    state: String,
    #[serde(deserialize_with = "loose::value")]
    router_mac: Option<Mac>,
}

/// Reads the answer; VRFs by name.
pub(super) fn read(text: &str) -> serde_json::Result<BTreeMap<String, VrfEntry>> {
    let Answer { vrfs } = answer::read(text)?;
    let entry = |said: Said| {
        let up = said.state == "Up";
        let entry = VrfEntry {
            l3vni: said.vni,
            router_mac: said.router_mac,
            svi: said.svi_intf,
            vxlan: said.vxlan_intf,
            up,
        };
        (said.vrf, entry)
    };
    Ok(vrfs.into_iter().map(entry).collect())
}
