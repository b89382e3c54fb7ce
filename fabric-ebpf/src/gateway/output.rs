//! Arrives: a packet and its nexthop. Leaves: through a port, a circuit or a tunnel, as a router sends it on.

use core::hint::cold_path;

use fabric_common::{
    reason::Reason,
    schema::ports::{Port, ROLE_GATEWAY},
};

use super::station_lookup::station_lookup;
use crate::{
    access::{
        access_fit::access_fit, nexthop_select::nexthop_select, segment_select::segment_select,
        underlay_output::underlay_output, vxlan_output,
    },
    account,
    ending::OrStop,
    journey::{CircuitRef, Destination, Frame, Journey, NexthopRef},
    maps,
    packet::{Packet, halves, network::ether_type},
    port_output::port_output,
    transit::{
        transit_input::{Ipv4, Ipv6},
        transit_output::{cut_padding, fits},
    },
};

/// Length of the Ethernet header that packets leave with.
const ETHERNET: usize = 14;

/// What routing changes of an IP header, and needs to know.
#[derive(Clone, Copy)]
pub struct Header {
    /// EtherType, in network byte order.
    ether_type_be: u16,
    /// Length of the IP packet in bytes.
    length: u32,
    /// What is written: TTL, protocol and checksum over IPv4, the hop limit over IPv6.
    forwarded: u32,
}

impl From<Ipv4> for Header {
    #[inline(always)]
    fn from(header: Ipv4) -> Self {
        Self {
            ether_type_be: ether_type::IPV4,
            length: header.length,
            forwarded: header.forwarded(),
        }
    }
}

impl From<Ipv6> for Header {
    #[inline(always)]
    fn from(header: Ipv6) -> Self {
        Self {
            ether_type_be: ether_type::IPV6,
            length: header.length,
            forwarded: header.forwarded().into(),
        }
    }
}

/// Length of a VLAN tag in bytes.
const TAG: usize = 4;

/// A routed packet whose IP header starts at `AT` as long as nothing is cut, and that has a tag of so many bytes in a
/// tunnel.
struct Routed<const AT: usize, const TAG: usize> {
    header: Header,
    nexthop: NexthopRef,
    /// Bytes behind the IP packet.
    padding: u32,
    /// The VLAN ID of that tag.
    vlan: u16,
}

impl<const AT: usize, const TAG: usize> Routed<AT, TAG> {
    /// Cuts what stands behind the IP packet, which nothing may do before the last look at the packet: the kernel
    /// takes one that is shorter than its outer headers say for damaged. Writes the addresses, which start at
    /// `addresses` by now, and the IP header, which starts at `network`. The EtherType stands where it belongs: in
    /// front of the IP header.
    #[inline(always)]
    fn write_at(&self, packet: &mut Packet, addresses: usize, network: usize) -> Option<()> {
        cut_padding(packet, self.padding).ok()?;
        let macs = self.nexthop.macs.as_ptr();
        // SAFETY: the bytes 0 to 7 and 8 to 11 of the 12 of both addresses.
        let (first, last) = unsafe {
            (macs.cast::<u64>().read_unaligned(), macs.add(8).cast::<u32>().read_unaligned())
        };
        packet.write(addresses, first)?;
        packet.write(addresses + 8, last)?;
        match self.header.ether_type_be {
            ether_type::IPV4 => packet.write(network + 8, self.header.forwarded),
            _ => packet.write(network + 7, self.header.forwarded as u8),
        }
    }
}

impl<const AT: usize> Routed<AT, 0> {
    /// The same packet, with the tag of this VLAN in a tunnel.
    #[inline(always)]
    fn with_tag(&self, vlan: u16) -> Routed<AT, TAG> {
        cold_path();
        let Self { header, nexthop, padding, .. } = *self;
        Routed { header, nexthop, padding, vlan }
    }
}

impl<const AT: usize, const TAG: usize> vxlan_output::Inner for Routed<AT, TAG> {
    const TAG: usize = TAG;

    #[inline(always)]
    fn cut(&self) -> usize {
        AT - ETHERNET
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        (ETHERNET + TAG) as u32 + self.header.length
    }

    #[inline(always)]
    fn ether_type_be(&self) -> u16 {
        self.header.ether_type_be
    }

    #[inline(always)]
    fn write<const FIRST: usize, const SECOND: usize, const END: usize>(
        &self,
        packet: &mut Packet,
    ) -> Option<()> {
        self.write_at(packet, FIRST, FIRST + ETHERNET + TAG)?;
        match TAG {
            0 => Some(()),
            _ => packet.write(END, halves(ether_type::VLAN, self.vlan.to_be())),
        }
    }
}

/// Passes what would leave where it came from, what does not fit, and what a bridge floods.
#[inline(always)]
pub fn output<const AT: usize>(
    packet: &mut Packet,
    journey: &mut Journey,
    header: Header,
    nexthop: NexthopRef,
) -> Result<Reason, Reason> {
    fits(journey, header.length, nexthop)?;
    let port: &'static Port = maps::port(nexthop.port.into());
    let padding = journey.length - AT as u32 - header.length;
    let routed = Routed::<AT, 0> { header, nexthop, padding, vlan: 0 };
    if port.role != ROLE_GATEWAY {
        return to_port(packet, journey, &routed);
    }
    match station_lookup(journey, port, nexthop)? {
        Destination::Local(circuit) => {
            access_fit(journey, circuit, ETHERNET as u32 + header.length)?;
            to_circuit(packet, journey, &routed, circuit)
        }
        Destination::Gateway(_) => Err(Reason::StationLookupUnknown),
        remote => to_vtep(packet, journey, &routed, remote),
    }
}

/// Out of a routed port.
#[inline(always)]
fn to_port<const AT: usize>(
    packet: &mut Packet,
    journey: &mut Journey,
    routed: &Routed<AT, 0>,
) -> Result<Reason, Reason> {
    if AT != ETHERNET {
        packet.move_start((AT - ETHERNET) as i32).or_stop(Reason::TransitInputBadHeader)?;
    }
    routed.write_at(packet, 0, ETHERNET).or_stop(Reason::OutputTruncated)?;
    journey.cpu = account::cpu();
    let length = ETHERNET as u32 + routed.header.length;
    underlay_output(journey, routed.nexthop, length, Reason::Routed)
}

/// To a host, with the tag that it has.
#[inline(always)]
fn to_circuit<const AT: usize>(
    packet: &mut Packet,
    journey: &mut Journey,
    routed: &Routed<AT, 0>,
    to: CircuitRef,
) -> Result<Reason, Reason> {
    let circuit = to.circuit();
    let mut length = ETHERNET as u32 + routed.header.length;
    if circuit.vlan == 0 {
        packet.move_start((AT - ETHERNET) as i32).or_stop(Reason::AccessOutputNoHeadroom)?;
        routed.write_at(packet, 0, ETHERNET).or_stop(Reason::OutputTruncated)?;
    } else {
        let delta = AT as i32 - (ETHERNET + TAG) as i32;
        packet.move_start(delta).or_stop(Reason::AccessOutputNoHeadroom)?;
        let tag = u32::from(ether_type::VLAN.to_be()) << 16 | u32::from(circuit.vlan);
        routed
            .write_at(packet, 0, ETHERNET + TAG)
            .and_then(|()| packet.write(ETHERNET - 2, tag.to_be()))
            .or_stop(Reason::OutputTruncated)?;
        length += TAG as u32;
    }
    journey.cpu = account::cpu();
    port_output(journey, circuit.port.into(), length).or_stop(Reason::AccessOutputNoPort)?;
    Ok(Reason::Routed)
}

/// Into a tunnel, to a VTEP or to one of a segment's.
#[inline(always)]
fn to_vtep<const AT: usize>(
    packet: &mut Packet,
    journey: &mut Journey,
    routed: &Routed<AT, 0>,
    to: Destination,
) -> Result<Reason, Reason> {
    let frame = Frame {
        destination: 0,
        source: 0,
        ether_type_be: routed.header.ether_type_be,
        network: AT,
    };
    let to = match to {
        Destination::Vtep(vtep) => vtep,
        Destination::Segment(segment) => segment_select(packet, journey, segment, &frame),
        _ => return Err(Reason::StationLookupUnknown),
    };
    let selection = nexthop_select(packet, journey, to, &frame)?;
    // All packets are too big, where the VLAN's tag goes along. Asked in each family, so that what fits never becomes a
    // result of both that is asked again.
    let length = if to.vtep.is_ipv6() {
        match vxlan_output::ipv6(packet, journey, to, &selection, routed) {
            Err(Reason::VxlanOutputTooBig) => {
                let tagged = routed.with_tag(journey.domain.vlan);
                vxlan_output::ipv6(packet, journey, to, &selection, &tagged)?
            }
            sent => sent?,
        }
    } else {
        match vxlan_output::ipv4(packet, journey, to, &selection, routed) {
            Err(Reason::VxlanOutputTooBig) => {
                let tagged = routed.with_tag(journey.domain.vlan);
                vxlan_output::ipv4(packet, journey, to, &selection, &tagged)?
            }
            sent => sent?,
        }
    };
    underlay_output(journey, selection.nexthop, length, Reason::Routed)
}
