//! Arrives: a frame of a host for a group of stations. Leaves: the answer, if it asks by ARP or neighbour
//! discovery for a host behind the tunnel (RFC 9161) whose bridge port suppresses both (`neigh_suppress`).
//!
//! As the kernel's bridge answers, byte for byte (`br_do_proxy_suppress_arp` and `br_do_suppress_nd` of
//! `net/bridge/br_arp_nd_proxy.c`): from the neighbour that the bridge, or the VLAN device on it, has for the
//! address, while the bridge's FDB has its MAC address behind a port that suppresses. Unlike the kernel, which
//! floods the question to the other hosts as well. Passes probes, gratuitous messages and duplicate address
//! detection, by which hosts say something about themselves, all that is not asked in the plain way, what asks
//! by unicast, and those of whom the kernel has something to learn ([`super::source_check`], `arp_process`).

use core::ptr::addr_of;

use aya_ebpf::{bindings::xdp_md, helpers::bpf_jiffies64};
use fabric_common::{
    checksum,
    reason::Reason,
    schema::{
        circuits::{FLAG_SUPPRESSES, NOT_A_TARGET},
        domains::{self, FLAG_ANSWERS_ARP, FLAG_ANSWERS_ND},
        neighbours::{self, FLAG_ROUTER},
    },
};

use crate::{
    access::source_check::source_check,
    account,
    ending::{OrStop, reason_of},
    fdb::{self, Place},
    journey::{CircuitRef, Frame, Journey},
    maps::{self, limits},
    packet::{
        Packet,
        network::{ether_type, ip_protocol},
    },
    port_input::find_port,
    port_output::port_output,
    table,
};

/// Where the network header starts behind a VLAN tag.
const TAGGED: usize = 18;
/// The bits of a word that a MAC address has.
const MAC: u64 = 0xffff_ffff_ffff;
/// Length of an ARP message between Ethernet and IPv4 addresses (RFC 826).
const ARP: usize = 28;
/// How a request of that kind begins.
const REQUEST: u64 = u64::from_ne_bytes([0, 1, 8, 0, 6, 4, 0, 1]);
/// The operation of its answer.
const REPLY: u16 = 2_u16.to_be();
/// Length of an IPv6 header and a neighbour solicitation with the sender's MAC address as its only option
/// (RFC 4861 §4.3), which is that of the answer.
const ND: usize = 40 + ND_MESSAGE;
const ND_MESSAGE: usize = 32;
/// Types of messages and options (RFC 4861 §4).
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// Type and length of the option with the sender's MAC address, and of that with the target's.
const OF_SOURCE: u64 = u64::from_ne_bytes([1, 1, 0, 0, 0, 0, 0, 0]);
const OF_TARGET: u64 = u64::from_ne_bytes([2, 1, 0, 0, 0, 0, 0, 0]);
/// Flags of an advertisement: asked for, and to override what was known; from a router.
const SOLICITED: u8 = 0x60;
const ROUTER: u8 = 0x80;

/// Answers the frame behind a circuit, whose network header starts at `AT`, or says why not.
#[inline(always)]
pub fn neighbour_answer<const AT: usize>(
    packet: &Packet,
    journey: &Journey,
    circuit: CircuitRef,
) -> Reason {
    if journey.domain.flags & (FLAG_ANSWERS_ARP | FLAG_ANSWERS_ND) == 0 {
        return Reason::FrameGuardMulticast;
    }
    let context = packet.context();
    reason_of(match AT {
        TAGGED => answered_tagged(context, circuit.index, journey.domain_index),
        _ => answered(context, circuit.index, journey.domain_index),
    })
}

/// Declares [`answered_at`] for each place of the network header. Global functions, as those of
/// [`crate::gateway`].
macro_rules! global_functions {
    ($($name:ident: $at:expr;)+) => {$(
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(context: *mut xdp_md, circuit: u32, domain: u32) -> u32 {
            answered_at::<{ $at }>(context, circuit, domain)
        }
    )+};
}

global_functions! {
    answered: 14;
    answered_tagged: TAGGED;
}

/// As [`neighbour_answer`], and returns the reason's number. Begins anew with what it gets from the context.
#[inline(always)]
fn answered_at<const AT: usize>(context: *mut xdp_md, circuit: u32, domain: u32) -> u32 {
    let mut packet = Packet::of(context);
    let Some(entry) = find_port(packet.ingress_ifindex()) else {
        return Reason::PortInputUnknownPort as u32;
    };
    let mut journey = Journey::new(packet.length(), entry);
    journey.domain_index = domain % domains::MAX;
    journey.domain = maps::DOMAINS.get(journey.domain_index);
    // SAFETY: the helper only reads the kernel's clock.
    journey.now = unsafe { bpf_jiffies64() };
    journey.fdb_mask = journey.settings.fdb_mask & limits::fdb_mask();
    match answer::<AT>(&mut packet, &mut journey, CircuitRef { index: circuit }) {
        Ok(reason) | Err(reason) => reason as u32,
    }
}

#[inline(always)]
fn answer<const AT: usize>(
    packet: &mut Packet,
    journey: &mut Journey,
    circuit: CircuitRef,
) -> Result<Reason, Reason> {
    match packet.read(AT - 2).or_stop(Reason::FrameGuardMulticast)? {
        ether_type::ARP if journey.domain.flags & FLAG_ANSWERS_ARP != 0 => {
            arp::<AT>(packet, journey, circuit)
        }
        ether_type::IPV6 if journey.domain.flags & FLAG_ANSWERS_ND != 0 => {
            nd::<AT>(packet, journey, circuit)
        }
        _ => Err(Reason::FrameGuardMulticast),
    }
}

#[inline(always)]
fn arp<const AT: usize>(
    packet: &mut Packet,
    journey: &mut Journey,
    circuit: CircuitRef,
) -> Result<Reason, Reason> {
    const NOT_PLAIN: Reason = Reason::NeighbourAnswerNotPlain;
    if !packet.has(AT + ARP) {
        return Err(Reason::FrameGuardMulticast);
    }
    let frame = frame::<AT>(packet).or_stop(NOT_PLAIN)?;
    // Groups of other kinds mean something else to the bridge (`br_handle_frame`).
    if frame.destination & MAC != MAC {
        return Err(Reason::FrameGuardMulticast);
    }
    let source = frame.source & MAC;
    let sender: u32 = packet.read(AT + 14).or_stop(NOT_PLAIN)?;
    let target: u32 = packet.read(AT + 24).or_stop(NOT_PLAIN)?;
    if packet.read(AT) != Some(REQUEST)
        || packet.read::<u64>(AT + 8).or_stop(NOT_PLAIN)? & MAC != source
        || sender.to_ne_bytes()[0] == 0
        || sender == target
        || matches!(target.to_ne_bytes()[0], 127 | 224..)
        || !is_plain::<AT>(packet, journey, circuit)
    {
        return Err(NOT_PLAIN);
    }
    let network = neighbours::network(journey.domain_index as u16, false);
    let neighbour =
        find(network, neighbours::ipv4(target)).or_stop(Reason::NeighbourAnswerUnknown)?;
    let mac = remote(journey, neighbour)?;
    // Whom the kernel knows by another MAC address, or none, it would learn from (`arp_process`).
    if let Some(known) = find(network, neighbours::ipv4(sender))
        && neighbours::mac(known) != source
    {
        return Err(NOT_PLAIN);
    }
    source_check(journey, circuit, &frame)?;
    // The kernel's answer is as long as it has to be, whatever the network wants (`arp_create`).
    cut_to(packet, journey, AT + ARP).or_stop(NOT_PLAIN)?;
    put_macs(packet, source, mac)
        .and_then(|()| packet.write(AT + 6, REPLY))
        .and_then(|()| packet.write(AT + 8, mac | u64::from(target) << 48))
        .and_then(|()| packet.write(AT + 16, u64::from(target >> 16) | source << 16))
        .and_then(|()| packet.write(AT + 24, sender))
        .or_stop(Reason::OutputTruncated)?;
    send(journey, circuit, AT + ARP)?;
    Ok(Reason::ArpAnswered)
}

#[inline(always)]
fn nd<const AT: usize>(
    packet: &mut Packet,
    journey: &mut Journey,
    circuit: CircuitRef,
) -> Result<Reason, Reason> {
    const NOT_PLAIN: Reason = Reason::NeighbourAnswerNotPlain;
    const OTHER: Reason = Reason::FrameGuardMulticast;
    let protocol: u8 = packet.read(AT + 6).or_stop(OTHER)?;
    let message: u16 = packet.read(AT + 40).or_stop(OTHER)?;
    if protocol != ip_protocol::ICMPV6 || message.to_ne_bytes()[0] != SOLICITATION {
        return Err(OTHER);
    }
    // What was found in the fixed header: version and priority, what is one, and lengths.
    if !packet.has(AT + ND) {
        return Err(NOT_PLAIN);
    }
    let frame = frame::<AT>(packet).or_stop(NOT_PLAIN)?;
    let source = frame.source & MAC;
    let [version, ..]: [u8; 4] = packet.read(AT).or_stop(NOT_PLAIN)?;
    let [length_high, length_low, _, hop_limit]: [u8; 4] =
        packet.read(AT + 4).or_stop(NOT_PLAIN)?;
    let option: u64 = packet.read(AT + 64).or_stop(NOT_PLAIN)?;
    let asking = address(packet, AT + 8).or_stop(NOT_PLAIN)?;
    let asked = address(packet, AT + 24).or_stop(NOT_PLAIN)?;
    let target = address(packet, AT + 48).or_stop(NOT_PLAIN)?;
    if frame.destination & 0xffff != 0x3333
        || version >> 4 != 6
        || hop_limit != 255
        || length_high != 0
        || usize::from(length_low) != ND_MESSAGE
        || journey.length != (AT + ND) as u32
        || message.to_ne_bytes()[1] != 0
        || option != OF_SOURCE | source << 16
        || asking == [0; 2]
        || asking[0] & 0xff == 0xff
        || asking == asked
        || !is_plain::<AT>(packet, journey, circuit)
    {
        return Err(NOT_PLAIN);
    }
    let network = neighbours::network(journey.domain_index as u16, true);
    let neighbour = find(network, target).or_stop(Reason::NeighbourAnswerUnknown)?;
    let mac = remote(journey, neighbour)?;
    source_check(journey, circuit, &frame)?;
    let option = OF_TARGET | mac << 16;
    let router = if neighbour & FLAG_ROUTER != 0 { ROUTER } else { 0 };
    let flags = u32::from_ne_bytes([SOLICITED | router, 0, 0, 0]);
    let start = u32::from_ne_bytes([ADVERTISEMENT, 0, 0, 0]);
    // Of the pseudo header too (RFC 8200 §8.1), in which the target is the source.
    let sum = checksum::fold_words([
        start,
        flags,
        low(target[0]),
        high(target[0]),
        low(target[1]),
        high(target[1]),
        low(target[0]),
        high(target[0]),
        low(target[1]),
        high(target[1]),
        low(asking[0]),
        high(asking[0]),
        low(asking[1]),
        high(asking[1]),
        low(option),
        high(option),
        (ND_MESSAGE as u32).to_be(),
        u32::from(ip_protocol::ICMPV6).to_be(),
    ]);
    let start = start | u32::from(!sum) << 16;
    // Of the traffic class the kernel keeps the upper half, and no flow label.
    put_macs(packet, source, mac)
        .and_then(|()| packet.write(AT, u32::from_ne_bytes([version, 0, 0, 0])))
        .and_then(|()| packet.write(AT + 8, target[0]))
        .and_then(|()| packet.write(AT + 16, target[1]))
        .and_then(|()| packet.write(AT + 24, asking[0]))
        .and_then(|()| packet.write(AT + 32, asking[1]))
        .and_then(|()| packet.write(AT + 40, start))
        .and_then(|()| packet.write(AT + 44, flags))
        .and_then(|()| packet.write(AT + 64, option))
        .or_stop(Reason::OutputTruncated)?;
    send(journey, circuit, AT + ND)?;
    Ok(Reason::NdAnswered)
}

#[inline(always)]
fn low(word: u64) -> u32 {
    word as u32
}

#[inline(always)]
fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

#[inline(always)]
fn address(packet: &Packet, at: usize) -> Option<[u64; 2]> {
    Some([packet.read(at)?, packet.read(at + 8)?])
}

#[inline(always)]
fn frame<const AT: usize>(packet: &Packet) -> Option<Frame> {
    let (destination, source) = (packet.read(0)?, packet.read(6)?);
    Some(Frame { destination, source, ether_type_be: packet.read(AT - 2)?, network: AT })
}

/// Whether the answer leaves by the circuit that the question came from, as that came: the kernel answers at no
/// port that suppresses itself, sends without a tag in the port's PVID, and keeps priorities in a VLAN-aware
/// bridge alone. And a port that takes no frames from programs has none to answer with.
#[inline(always)]
fn is_plain<const AT: usize>(packet: &Packet, journey: &Journey, from: CircuitRef) -> bool {
    /// Priority and drop eligibility, in the first byte of the tag's control information.
    const PRIORITY: u8 = 0xf0;
    let circuit = from.circuit();
    let is_same = AT != TAGGED
        || u32::from(journey.entry.untagged_circuit) != from.index
            && packet.read::<u8>(14).is_some_and(|first| first & PRIORITY == 0);
    is_same && circuit.flags & FLAG_SUPPRESSES == 0 && circuit.max_frame != NOT_A_TARGET
}

/// What the kernel's neighbour table has of an address: [`neighbours::Neighbour::mac_and_flags`].
#[inline(always)]
fn find(network: u64, address: [u64; 2]) -> Option<u64> {
    let key = neighbours::key(network, address);
    let found = table::find(&maps::ANSWERS, neighbours::BUCKETS - 1, key)?;
    let entry = maps::NEIGHBOURS.get(found.target);
    // Another address may have the same fingerprint.
    if entry.network != network || entry.address != address {
        return None;
    }
    // SAFETY: an aligned word of the map, which the daemon may store to at this moment.
    Some(unsafe { addr_of!(entry.mac_and_flags).read_volatile() })
}

/// The MAC address of a neighbour, if the bridge's FDB has it behind the tunnel.
#[inline(always)]
fn remote(journey: &Journey, neighbour: u64) -> Result<u64, Reason> {
    let destination = neighbours::mac(neighbour);
    let frame = Frame { destination, source: 0, ether_type_be: 0, network: 0 };
    // No address is 0, and the FDB has no such entry.
    match fdb::destination(journey, &frame) {
        Some(Place::Vtep(_) | Place::Segment(_)) => Ok(destination),
        _ => Err(Reason::NeighbourAnswerUnknown),
    }
}

/// Cuts what stands behind the first `length` bytes.
#[inline(always)]
fn cut_to(packet: &mut Packet, journey: &Journey, length: usize) -> Option<()> {
    match journey.length - length as u32 {
        0 => Some(()),
        padding => packet.cut_end(padding),
    }
}

/// Writes the addresses of the frame.
#[inline(always)]
fn put_macs(packet: &mut Packet, destination: u64, source: u64) -> Option<()> {
    packet.write(0, destination | source << 48)?;
    packet.write(8, (source >> 16) as u32)
}

/// Sends the answer, of `length` bytes, by the port that the question came from. Not by `XDP_TX`: a veth wakes
/// the other end for that only if a program runs there (`veth_xdp_flush` of `drivers/net/veth.c`).
#[inline(always)]
fn send(journey: &mut Journey, circuit: CircuitRef, length: usize) -> Result<(), Reason> {
    journey.cpu = account::cpu();
    let slot = circuit.circuit().port.into();
    port_output(journey, slot, length as u32).or_stop(Reason::AccessOutputNoPort)
}
