//! Arrives: a packet and its nexthop. Leaves: the packet as a router sends it on, and its length in
//! bytes.
//!
//! Passes what would leave where it came from (the kernel may send a redirect) and what does not
//! fit (the kernel fragments or answers). Then, as the kernel does: nothing behind the IP packet is
//! kept, TTL or hop limit are one less, and the header checksum is corrected (`ip_decrease_ttl`).

use fabric_common::reason::Reason;

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
    start.put::<{ NETWORK + 8 }, _>(header.forwarded());
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
    start.put::<{ NETWORK + 7 }, _>(header.forwarded());
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
    fits(journey, length, nexthop)?;
    cut_padding(packet, journey.length - NETWORK as u32 - length)?;
    // The headers were read before, so they are still there.
    packet.start_of().or_stop(Reason::OutputTruncated)
}

/// Whether an IP packet of `length` bytes may be sent to a nexthop.
#[inline(always)]
pub fn fits(journey: &Journey, length: u32, nexthop: NexthopRef) -> Result<(), Reason> {
    if nexthop.port == journey.router.as_port {
        return stop(Reason::TransitOutputSamePort);
    }
    if length > nexthop.mtu.into() {
        return stop(Reason::TransitOutputTooBig);
    }
    Ok(())
}

/// Takes away what stands behind the IP packet, as the kernel does before it looks at one (`ip_rcv_core`).
#[inline(always)]
pub fn cut_padding(packet: &mut Packet, bytes: u32) -> Result<(), Reason> {
    if bytes != 0 {
        packet.cut_end(bytes).or_stop(Reason::TransitInputBadHeader)?;
    }
    Ok(())
}
