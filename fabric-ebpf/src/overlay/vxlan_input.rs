//! Arrives: a VXLAN packet. Leaves: its bridge domain and the VTEP that sent it.
//!
//! Passes whatever is not plain VXLAN (RFC 7348 §5) between a known VTEP and the local address of a
//! known VNI; the kernel decides on such packets as it would without us.

use fabric_common::{
    reason::Reason,
    schema::{domains, fdb::split_target, peers, vnis},
};

use super::underlay_input::Outer;
use crate::{access::vxlan_output::VXLAN_FLAGS_BE, journey::Journey, maps, packet::Packet, table};

#[inline(always)]
pub fn vxlan_input(packet: &Packet, journey: &mut Journey, outer: &Outer) -> Result<(), Reason> {
    let flags: u32 = packet.read(42).ok_or(Reason::UnderlayInputTruncated)?;
    let vni = u32::from_be(packet.read(46).ok_or(Reason::UnderlayInputTruncated)?);
    if flags != VXLAN_FLAGS_BE || vni & 0xff != 0 {
        return Err(Reason::VxlanInputInvalidHeader);
    }
    let key = vnis::key(outer.udp_port_be, vni >> 8);
    let (_, target) =
        table::find(&maps::VNIS, vnis::BUCKETS - 1, key).ok_or(Reason::VxlanInputUnknownVni)?;
    let (_, index) = split_target(target);
    let domain = maps::DOMAINS.get(index).ok_or(Reason::VxlanInputUnknownVni)?;
    if domain.local_be != outer.destination_be || domain.flags & domains::FLAG_IN_USE == 0 {
        return Err(Reason::VxlanInputNotLocal);
    }
    let key = peers::key(outer.destination_be, outer.source_be);
    let (_, target) =
        table::find(&maps::PEERS, peers::BUCKETS - 1, key).ok_or(Reason::VxlanInputUnknownVtep)?;
    journey.peer = split_target(target).1;
    journey.domain_index = index;
    journey.domain = domain;
    Ok(())
}
