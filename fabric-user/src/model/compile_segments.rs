//! Ethernet segments of other leafs (EVPN multihoming): nexthop groups that entries of vxlan devices name, each
//! of whose members is a VTEP.
//!
//! The kernel takes one of the members by weight, whether it can be reached or not (`vxlan_fdb_nh_path_select`
//! of `include/net/vxlan.h`, `nexthop_select_path` of `net/ipv4/nexthop.c`). A part of the members would get all
//! of the flows, so a segment with one that cannot be expressed is the kernel's as a whole.

use std::net::IpAddr;

use super::{Segment, SegmentKey, VtepKey, compile::Compiler};
use crate::observe::{Nexthop, NexthopKind};

impl Compiler<'_> {
    /// Adds the segments that stations of accelerated tunnels are behind. VTEPs are known by now.
    pub(super) fn segments(&mut self) {
        let network = self.network;
        let domains = self.out.domains.values().filter(|domain| domain.vni.is_some());
        let named: Vec<SegmentKey> = domains
            .flat_map(|domain| {
                let local = domain.local;
                network.segments(domain.vxlan).map(move |group| SegmentKey { local, group })
            })
            .collect();
        for key in named {
            if self.out.segments.contains_key(&key) {
                continue;
            }
            let segment = self.segment(key).unwrap_or_else(|why| {
                let id = key.group;
                let text = format!(
                    "nexthop group {id} of VTEPs (Ethernet segment): {why}, left to the kernel"
                );
                self.problem(None, text);
                Segment::default()
            });
            self.out.segments.insert(key, segment);
        }
    }

    fn segment(&self, key: SegmentKey) -> Result<Segment, String> {
        let object = self.network.nexthop(key.group).ok_or("it is not known")?;
        let NexthopKind::Group { members, resilient } = &object.kind else {
            return Err("it is no group".into());
        };
        let mut segment = Segment { members: Vec::new(), resilient: *resilient };
        for member in members {
            // One that is not known has been removed, and its group with it or without it follows.
            let Some(nexthop) = self.network.nexthop(member.id) else { continue };
            let vtep = self.member_vtep(key.local, nexthop)?;
            match segment.members.iter_mut().find(|(same, _)| *same == vtep) {
                Some((_, weight)) => *weight = weight.saturating_add(member.weight),
                None => segment.members.push((vtep, member.weight)),
            }
        }
        Ok(segment)
    }

    fn member_vtep(&self, local: IpAddr, member: &Nexthop) -> Result<VtepKey, String> {
        let id = member.id;
        let remote = vtep_of(member).ok_or_else(|| format!("its member {id} is no VTEP"))?;
        let vtep = self.out.vtep(VtepKey { local, remote });
        let vtep = vtep.filter(|vtep| self.out.vteps.contains_key(vtep));
        // Another family, an address of this box, or one to which the kernel sends from nobody knows where.
        vtep.ok_or_else(|| format!("there is no tunnel to its member {id}, {remote}"))
    }
}

/// The VTEP that a nexthop object for FDB entries stands for.
pub(super) fn vtep_of(nexthop: &Nexthop) -> Option<IpAddr> {
    match nexthop.kind {
        NexthopKind::Single { gateway: Some(address), .. } if nexthop.fdb => {
            (!address.is_multicast() && !address.is_unspecified()).then_some(address)
        }
        _ => None,
    }
}
