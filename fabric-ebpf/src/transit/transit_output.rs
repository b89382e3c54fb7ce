//! Arrives: a packet and its nexthop. Leaves: the packet as a router sends it on, and its length in
//! bytes.
//!
//! Passes what would leave where it came from (the kernel may send a redirect) and what does not
//! fit (the kernel fragments or answers). Then, as the kernel does: nothing behind the IP packet is
//! kept, TTL or hop limit are one less, and the header checksum is corrected (`ip_decrease_ttl`).

use fabric_common::{checksum, reason::Reason};

use super::transit_input::{Ipv4, Ipv6, NETWORK};
use crate::{
    ending::{OrStop, stop},
    journey::{Journey, NexthopRef},
    nexthop::put_macs,
    packet::{Packet, Start},
};

#[inline(always)]
pub fn ipv4(
    packet: &mut Packet,
    journey: &Journey,
    header: &Ipv4,
    nexthop: NexthopRef,
) -> Result<u32, Reason> {
    let mut start = open::<34>(packet, journey, header.length, nexthop)?;
    put_macs(&mut start, nexthop);
    let [ttl, protocol, a, b] = header.ttl_and_checksum.to_ne_bytes();
    let [a, b] = checksum::decrement_ttl(u16::from_ne_bytes([a, b])).to_ne_bytes();
    start.put::<{ NETWORK + 8 }, _>(u32::from_ne_bytes([ttl.wrapping_sub(1), protocol, a, b]));
    Ok(NETWORK as u32 + header.length)
}

#[inline(always)]
pub fn ipv6(
    packet: &mut Packet,
    journey: &Journey,
    header: &Ipv6,
    nexthop: NexthopRef,
) -> Result<u32, Reason> {
    let mut start = open::<54>(packet, journey, header.length, nexthop)?;
    put_macs(&mut start, nexthop);
    start.put::<{ NETWORK + 7 }, _>(header.hop_limit.wrapping_sub(1));
    Ok(NETWORK as u32 + header.length)
}

/// The headers, to be written, when nothing can fail any more.
#[inline(always)]
fn open<const HEADERS: usize>(
    packet: &mut Packet,
    journey: &Journey,
    length: u32,
    nexthop: NexthopRef,
) -> Result<Start<HEADERS>, Reason> {
    if nexthop.port == journey.entry.as_port {
        return stop(Reason::TransitOutputSamePort);
    }
    if length > nexthop.mtu {
        return stop(Reason::TransitOutputTooBig);
    }
    let padding = journey.length - NETWORK as u32 - length;
    if padding != 0 {
        packet.cut_end(padding).or_stop(Reason::TransitInputBadHeader)?;
    }
    // The headers were read before, so they are still there.
    packet.start_of().or_stop(Reason::OutputTruncated)
}
