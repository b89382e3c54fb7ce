//! Arrives: a VXLAN packet. Leaves: its bridge domain and the VTEP that sent it.
//!
//! Passes whatever is not plain VXLAN (RFC 7348 §5) between a known VTEP and the local address of a
//! known VNI, or any of this box where there is none, from a port at which the kernel would accept it; the kernel decides on such packets as it
//! would without us. Over IPv6 it passes wrong
//! UDP checksums as well, and missing ones where the vxlan device does not accept them (RFC 6935);
//! the kernel drops and counts them.

use fabric_common::{
    reason::Reason,
    schema::{
        domains::{self, Domain},
        peers, ports, reverse_paths, vnis,
        vteps::Vtep,
    },
};

use super::{
    inner_tag,
    underlay_input::{Outer4, Outer6},
};
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
    let is_local = domain.local_be == outer.destination_be || domain.local_be == 0;
    if !is_local || domain.flags & LOOKED_AT != domains::FLAG_IN_USE {
        return stop(Reason::VxlanInputNotLocal);
    }
    let key = peers::key(outer.destination_be, outer.source_be);
    journey.peer = peer(key, domain.local_be == 0)?;
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
    let is_any = domain6.local == [0; 2];
    if (domain6.local != outer.destination && !is_any) || domain.flags & WANTED != WANTED {
        return stop(Reason::VxlanInputNotLocal);
    }
    journey.peer = peer(peers::key6(outer.destination, outer.source), is_any)?;
    let vtep = maps::VTEPS.get(journey.peer);
    // Whoever finds another address with the fingerprint of one of this box could as well send to that.
    if (vtep.local6 != outer.destination && !is_any) || vtep.remote6 != outer.source {
        return stop(Reason::VxlanInputUnknownVtep);
    }
    may_arrive(journey)?;
    let valid = match outer.checksum {
        0 => domain.flags & domains::FLAG_ZERO_CHECKSUM_RX != 0,
        _ => {
            let seed = match is_any {
                false => pseudo_header(vtep, outer.udp_length),
                // The packet may be for another address of this box than that from which packets are sent.
                true => {
                    let same = Vtep::new6(outer.destination, outer.source, 0);
                    pseudo_header(&same, outer.udp_length)
                }
            };
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
    let index = match table::find(&maps::VNIS, vnis::BUCKETS - 1, key) {
        Some(found) => found.target,
        // The device may carry tags alone.
        None => inner_tag::domain(packet, AT + 8, key).or_stop(Reason::VxlanInputUnknownVni)?,
    };
    Ok((index, maps::DOMAINS.get(index)))
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

/// The index of the VTEP at the other end of a tunnel. Where packets for any address of this box are taken,
/// one that is unknown may as well be for another box.
#[inline(always)]
fn peer(key: u64, is_any: bool) -> Result<u32, Reason> {
    let unknown = match is_any {
        false => Reason::VxlanInputUnknownVtep,
        true => Reason::VxlanInputNotLocal,
    };
    Ok(table::find(&maps::PEERS, peers::BUCKETS - 1, key).or_stop(unknown)?.target)
}
