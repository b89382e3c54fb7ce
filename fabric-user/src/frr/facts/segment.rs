//! Ethernet segments (RFC 7432, section 5): ports that several VTEPs have together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{answer, loose};

/// The questions: for segments, and for the VNIs of those that are here.
pub(super) const COMMAND: &str = "show evpn es detail json";
pub(super) const NETWORKS: &str = "show evpn es-evi json";

/// A segment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its identifier as FRR writes it: ten bytes with colons.
    pub esi: String,
    /// This box is at it.
    pub local: bool,
    /// Others are at it.
    pub remote: bool,
    /// The port by which this box is at it.
    pub interface: Option<String>,
    /// This box sends broadcasts into it (the designated forwarder, RFC 7432, section 8.5). None where it has no port.
    pub forwards: Option<bool>,
    /// The port is up; none where there is no port.
    pub up: Option<bool>,
    /// The port is one of a bridge; none where there is no port.
    pub bridged: Option<bool>,
    /// LACP has found no partner, so that the port goes on alone.
    pub bypass: bool,
    /// This box's preference to be the designated forwarder.
    pub preference: Option<u32>,
    /// The kernel's next hop group of the other VTEPs; none where there is none.
    pub group: Option<u32>,
    /// The other VTEPs at it.
    pub vteps: Vec<SegmentVtep>,
    /// VNIs that it carries here.
    pub vnis: BTreeSet<u32>,
}

/// Another VTEP at a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentVtep {
    /// The VTEP.
    pub vtep: IpAddr,
    /// How it wants the designated forwarder to be chosen; none before it has said so (a route of type 4).
    pub algorithm: Option<String>,
    /// Its preference.
    pub preference: Option<u32>,
    /// The kernel's next hop for it.
    pub hop: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    esi: String,
    flags: BTreeSet<String>,
    access_port: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    df_preference: Option<u32>,
    #[serde(deserialize_with = "loose::value")]
    nexthop_group: Option<u32>,
    vteps: Vec<SaidVtep>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SaidVtep {
    #[serde(deserialize_with = "loose::value")]
    vtep: Option<IpAddr>,
    df_algorithm: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    df_preference: Option<u32>,
    #[serde(deserialize_with = "loose::value")]
    nexthop_id: Option<u32>,
}

/// A segment in a VNI.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Part {
    esi: String,
    vni: u32,
}

impl Said {
    fn segment(self) -> Segment {
        let has = |flag: &str| self.flags.contains(flag);
        let local = has("local");
        Segment {
            local,
            remote: has("remote"),
            forwards: local.then(|| !has("nonDF")),
            up: local.then(|| has("operUp")),
            bridged: local.then(|| has("bridgePort")),
            bypass: has("bypass"),
            preference: self.df_preference.filter(|_| local),
            group: self.nexthop_group.filter(|&group| group != 0),
            interface: self.access_port,
            vteps: self.vteps.into_iter().filter_map(SaidVtep::vtep).collect(),
            vnis: BTreeSet::new(),
            esi: self.esi,
        }
    }
}

impl SaidVtep {
    fn vtep(self) -> Option<SegmentVtep> {
        Some(SegmentVtep {
            vtep: self.vtep?,
            algorithm: self.df_algorithm,
            preference: self.df_preference,
            hop: self.nexthop_id,
        })
    }
}

/// Reads the answer for segments.
pub(super) fn read(text: &str) -> serde_json::Result<Vec<Segment>> {
    let all: Vec<Said> = answer::read(text)?;
    Ok(all.into_iter().map(Said::segment).collect())
}

/// Reads the answer for their VNIs.
pub(super) fn networks(text: &str) -> serde_json::Result<Vec<Part>> {
    answer::read(text)
}

/// Adds the VNIs to the segments.
pub(super) fn joined(mut segments: Vec<Segment>, parts: Vec<Part>) -> Vec<Segment> {
    let mut vnis: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for Part { esi, vni } in parts {
        vnis.entry(esi).or_default().insert(vni);
    }
    for segment in &mut segments {
        segment.vnis = vnis.remove(&segment.esi).unwrap_or_default();
    }
    segments
}
