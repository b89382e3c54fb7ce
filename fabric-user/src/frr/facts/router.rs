//! Routers of other leafs, by L3VNI: zebra makes a neighbour of each VTEP, and a MAC behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::by_vni::{self, Entries};
use super::loose;
use crate::mac::Mac;

/// The questions: for what stands in the FDB, and for the neighbours.
pub(super) const MACS: &str = "show evpn rmac vni all json";
pub(super) const HOPS: &str = "show evpn next-hops vni all json";

/// A VTEP as router in a VRF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterEntry {
    /// The VNI of the VRF.
    pub l3vni: u32,
    /// The VTEP.
    pub vtep: IpAddr,
    /// Its router's MAC.
    pub mac: Mac,
    /// The neighbours that have this MAC: the VTEP as it is for routes of IPv4, and for those of IPv6 its mapped address
    /// (`::ffff:10.0.1.12`). Where two VRFs tell of different MACs, as with leaked routes, one can have either.
    pub hops: BTreeSet<IpAddr>,
    /// Frames to this MAC go to this VTEP. Of a MAC that several VTEPs have, zebra names one alone.
    pub in_fdb: bool,
}

impl Default for RouterEntry {
    fn default() -> Self {
        let vtep = Ipv4Addr::UNSPECIFIED.into();
        Self { l3vni: 0, vtep, mac: Mac::ZERO, hops: BTreeSet::new(), in_fdb: false }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    #[serde(deserialize_with = "loose::value")]
    router_mac: Option<Mac>,
    #[serde(deserialize_with = "loose::value")]
    vtep_ip: Option<IpAddr>,
}

/// Pairs of VTEP and MAC in an L3VNI.
pub(super) type Pairs = Vec<(u32, IpAddr, Mac)>;

/// Reads the answer for MACs.
pub(super) fn macs(text: &str) -> serde_json::Result<Pairs> {
    let all: Entries<Mac, Said> = by_vni::read(text)?;
    Ok(all.into_iter().filter_map(|(vni, mac, said)| Some((vni, said.vtep_ip?, mac))).collect())
}

/// Reads the answer for neighbours.
pub(super) fn hops(text: &str) -> serde_json::Result<Pairs> {
    let all: Entries<IpAddr, Said> = by_vni::read(text)?;
    let pairs = all.into_iter();
    Ok(pairs.filter_map(|(vni, vtep, said)| Some((vni, vtep, said.router_mac?))).collect())
}

/// Both answers as one table. Below VNI 0 newer versions list again what a single vxlan device has.
pub(super) fn joined(macs: Pairs, hops: Pairs) -> Vec<RouterEntry> {
    let mut all: BTreeMap<(u32, IpAddr, Mac), RouterEntry> = BTreeMap::new();
    let macs = macs.into_iter().map(|pair| (pair, false));
    let hops = hops.into_iter().map(|pair| (pair, true));
    for ((l3vni, hop, mac), is_hop) in macs.chain(hops).filter(|((vni, ..), _)| *vni != 0) {
        let vtep = hop.to_canonical();
        let new = || RouterEntry { l3vni, vtep, mac, ..RouterEntry::default() };
        let entry = all.entry((l3vni, vtep, mac)).or_insert_with(new);
        if is_hop {
            entry.hops.insert(hop);
        } else {
            entry.in_fdb = true;
        }
    }
    all.into_values().collect()
}
