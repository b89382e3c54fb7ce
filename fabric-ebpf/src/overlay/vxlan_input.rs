//! Arrives: a VXLAN packet. Leaves: its bridge domain and the VTEP that sent it.
//!
//! Passes whatever is not plain VXLAN (RFC 7348 §5) between a known VTEP and the local address of a
//! known VNI, from a port at which the kernel would accept it; the kernel decides on such packets as it
//! would without us. Over IPv6 it passes wrong
//! UDP checksums as well, and missing ones where the vxlan device does not accept them (RFC 6935);
//! the kernel drops and counts them.

use fabric_common::{
    reason::Reason,
    schema::{
        domains::{self, Domain},
        peers, ports, reverse_paths, vnis,
    },
};

use super::underlay_input::{Outer4, Outer6};
use crate::{
    ending::{OrStop, stop},
    journey::Journey,
    maps,
    packet::{
        Packet,
        sum::{self, pseudo_header},
        vxlan::FLAGS_BE,
    },
    table,
};

#[inline(always)]
pub fn ipv4(packet: &Packet, journey: &mut Journey, outer: &Outer4) -> Result<(), Reason> {
    const LOOKED_AT: u16 = domains::FLAG_IN_USE | domains::FLAG_IPV6;
    let (index, domain) = domain::<42>(packet, outer.udp_port_be, false)?;
    if domain.local_be != outer.destination_be || domain.flags & LOOKED_AT != domains::FLAG_IN_USE {
        return stop(Reason::VxlanInputNotLocal);
    }
    journey.peer = peer(peers::key(outer.destination_be, outer.source_be))?;
    may_arrive(journey)?;
    journey.domain_index = index;
    journey.domain = domain;
    Ok(())
}

#[inline(always)]
pub fn ipv6(packet: &Packet, journey: &mut Journey, outer: &Outer6) -> Result<(), Reason> {
    const WANTED: u16 = domains::FLAG_IN_USE | domains::FLAG_IPV6;
    let (index, domain) = domain::<62>(packet, outer.udp_port_be, true)?;
    let domain6 = maps::DOMAINS6.get(index);
    if domain6.local != outer.destination || domain.flags & WANTED != WANTED {
        return stop(Reason::VxlanInputNotLocal);
    }
    journey.peer = peer(peers::key6(outer.destination, outer.source))?;
    let vtep = maps::VTEPS.get(journey.peer);
    if vtep.local6 != outer.destination || vtep.remote6 != outer.source {
        return stop(Reason::VxlanInputUnknownVtep);
    }
    may_arrive(journey)?;
    let valid = match outer.checksum {
        0 => domain.flags & domains::FLAG_ZERO_CHECKSUM_RX != 0,
        _ => {
            let seed = pseudo_header(vtep, outer.udp_length);
            sum::udp6(packet, outer.udp_length, seed) == Some(0xffff)
        }
    };
    if !valid {
        return stop(Reason::VxlanInputBadChecksum);
    }
    journey.domain_index = index;
    journey.domain = domain;
    Ok(())
}

/// The domain of the VXLAN header that starts at `AT`.
#[inline(always)]
fn domain<const AT: usize>(
    packet: &Packet,
    udp_port_be: u16,
    ipv6: bool,
) -> Result<(u32, &'static Domain), Reason> {
    let flags: u32 = packet.read(AT).or_stop(Reason::UnderlayInputTruncated)?;
    let vni = u32::from_be(packet.read(AT + 4).or_stop(Reason::UnderlayInputTruncated)?);
    if flags != FLAGS_BE || vni & 0xff != 0 {
        return stop(Reason::VxlanInputInvalidHeader);
    }
    let key = vnis::key(udp_port_be, vni >> 8, ipv6);
    let found =
        table::find(&maps::VNIS, vnis::BUCKETS - 1, key).or_stop(Reason::VxlanInputUnknownVni)?;
    Ok((found.target, maps::DOMAINS.get(found.target)))
}

/// Whether packets of the VTEP are accepted from the port that they came from. The packet may be for
/// somebody else from there, and routed on.
#[inline(always)]
fn may_arrive(journey: &Journey) -> Result<(), Reason> {
    let number = journey.entry.decapsulates;
    if number == ports::DECAPSULATES_ALL {
        return Ok(());
    }
    if number == ports::DECAPSULATES_NONE {
        return stop(Reason::VxlanInputNotUnderlay);
    }
    if maps::REVERSE_PATHS.get(journey.peer).ports & reverse_paths::bit(number) == 0 {
        return stop(Reason::VxlanInputReversePath);
    }
    Ok(())
}

/// The index of the VTEP at the other end of a tunnel.
#[inline(always)]
fn peer(key: u64) -> Result<u32, Reason> {
    let found = table::find(&maps::PEERS, peers::BUCKETS - 1, key)
        .or_stop(Reason::VxlanInputUnknownVtep)?;
    Ok(found.target)
}
