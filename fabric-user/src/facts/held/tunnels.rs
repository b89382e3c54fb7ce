//! VTEPs, Ethernet segments and tunnels.

use std::collections::BTreeMap;

use fabric_common::schema::vnis;

use super::{Member, Members, SegmentKey, Share, TunnelKey, VtepKey, Way, bridging, routing};
use crate::{cli::view::View, kernel::maps::Maps};

pub(super) fn vteps(view: &View) -> BTreeMap<VtepKey, Way> {
    let vteps = view.contents.vteps.values();
    let vtep = |vtep: &fabric_common::schema::vteps::Vtep| {
        let key = VtepKey { remote: vtep.remote(), local: vtep.local() };
        (key, routing::group(view, vtep.group))
    };
    vteps.map(vtep).collect()
}

pub(super) fn segments(view: &View) -> BTreeMap<SegmentKey, Members> {
    let segments = view.contents.segments.values();
    let segment = |entry: &crate::cli::contents::SegmentEntry| {
        let local = entry.segment.local();
        let key = SegmentKey {
            group: entry.segment.id,
            local: Some(local).filter(|local| !local.is_unspecified()),
        };
        let shares = &entry.group.shares;
        let of = shares.values().sum();
        let members = shares.iter().filter_map(|(vtep, buckets)| {
            Some(Member { vtep: view.vtep(*vtep)?, share: Share { buckets: *buckets, of } })
        });
        let mut members: Vec<Member> = members.collect();
        members.sort_unstable();
        (key, Members { members, resilient: routing::is_resilient(&entry.group) })
    };
    segments.map(segment).collect()
}

pub(super) fn arriving(view: &View, maps: &Maps) -> BTreeMap<TunnelKey, String> {
    let tunnel = |(key, domain, _): (u64, u32, u32)| {
        let (udp_port_be, vni, ipv6) = vnis::split_key(key);
        let udp_port = u16::from_be(udp_port_be);
        (TunnelKey { udp_port, vni, ipv6, tag: vnis::vlan(key) }, bridging::name(view, domain))
    };
    maps.vnis.table().iter().map(tunnel).collect()
}
