//! Which flow a packet belongs to.

use fabric_common::{
    flow_hash as hash,
    schema::{
        fdb,
        settings::{
            HASH_ADDRESSES, HASH_ENCAPSULATED4, HASH_ENCAPSULATED6, HASH_FLOW_LABEL, HASH_INNER,
            HASH_OF_FRAMES, HASH_OMIT4, HASH_OMIT6, HASH_ROUTED_LABEL, HASH_SYMMETRIC,
            OMIT_DESTINATION, OMIT_DESTINATION_PORT, OMIT_PROTOCOL, OMIT_SOURCE, OMIT_SOURCE_PORT,
            Settings, VXLAN_PORT,
        },
    },
};

use super::word;
use crate::packet::{ether_type, protocol};

/// The hash of the flow that an untagged frame belongs to, without options.
///
/// # Panics
/// If the frame is shorter than its IP header.
#[must_use]
pub fn flow_hash(frame: &[u8], seed: u32) -> u64 {
    flow_hash_by(frame, &Settings { seed, ..Settings::default() }, false)
}

/// The hash of the flow that an untagged frame belongs to, with the options of `settings`; inner
/// headers may count if the frame is on its way through.
///
/// # Panics
/// If the frame is shorter than its IP header.
#[must_use]
pub fn flow_hash_by(frame: &[u8], settings: &Settings, transit: bool) -> u64 {
    if transit
        && settings.hash_flags & HASH_INNER != 0
        && let Some(inner) = inner(frame, settings)
    {
        // Inside a tunnel anything may be cut off.
        let headers = match word(inner, 12) {
            Some(ether_type::IPV4) => 14 + 20,
            Some(ether_type::IPV6) => 14 + 40,
            _ => 14,
        };
        return if inner.len() < headers { 0 } else { one(inner, &of_frames(settings)) };
    }
    if !transit {
        return one(frame, &of_frames(settings));
    }
    if let Some(inner) = encapsulated(frame, settings.hash_flags) {
        let headers = if word(&inner, 12) == Some(ether_type::IPV4) { 14 + 20 } else { 14 + 40 };
        let hash_flags = HASH_ADDRESSES | settings.hash_flags & HASH_OF_FRAMES;
        let by_addresses = Settings { hash_flags, ..*settings };
        return if inner.len() < headers { 0 } else { one(&inner, &by_addresses) };
    }
    let label = if settings.hash_flags & HASH_ROUTED_LABEL == 0 { 0 } else { HASH_FLOW_LABEL };
    one(frame, &Settings { hash_flags: settings.hash_flags | label, ..*settings })
}

/// Frames of hosts are told apart without regard to the kernel's policy.
fn of_frames(settings: &Settings) -> Settings {
    Settings { hash_flags: settings.hash_flags & HASH_OF_FRAMES, ..*settings }
}

/// The IP packet inside an IP packet, as a frame.
fn encapsulated(frame: &[u8], hash_flags: u32) -> Option<Vec<u8>> {
    let (policy, at, number) = match word(frame, 12)? {
        ether_type::IPV4 => {
            let whole = word(frame, 20)? & 0x3fff == 0 && frame[14] == 0x45;
            (HASH_ENCAPSULATED4, 34, whole.then_some(*frame.get(23)?)?)
        }
        ether_type::IPV6 => (HASH_ENCAPSULATED6, 54, *frame.get(20)?),
        _ => return None,
    };
    let payload = frame.get(at..).filter(|_| hash_flags & policy != 0)?;
    let (kind, packet) = match number {
        4 => (ether_type::IPV4, payload),
        41 => (ether_type::IPV6, payload),
        47 => {
            let (flags, kind) = (word(payload, 0)?, word(payload, 2)?);
            // Routing, strict source route, recursion and version are 0 in what RFC 2784 calls GRE.
            (flags & 0x4f07 == 0).then_some(())?;
            let fields = [0x8000, 0x2000, 0x1000].iter().filter(|bit| flags & **bit != 0).count();
            let is_ip = [ether_type::IPV4, ether_type::IPV6].contains(&kind);
            (is_ip.then_some(kind)?, payload.get(4 + 4 * fields..).unwrap_or_default())
        }
        _ => return None,
    };
    Some([&[0; 12], &kind.to_be_bytes()[..], packet].concat())
}

/// Protocol and ports without what the options leave out, and whether the addresses count.
fn kept(omitted: u32, number: u8, ports: [PortBytes; 2]) -> (u8, [PortBytes; 2], [bool; 2]) {
    let counts = |field: u32| omitted & field == 0;
    let number = if counts(OMIT_PROTOCOL) { number } else { 0 };
    let from = if counts(OMIT_SOURCE_PORT) { ports[0] } else { [0; 2] };
    let to = if counts(OMIT_DESTINATION_PORT) { ports[1] } else { [0; 2] };
    (number, [from, to], [counts(OMIT_SOURCE), counts(OMIT_DESTINATION)])
}

/// The frame inside a VXLAN packet, as far as it goes behind its EtherType.
fn inner<'a>(frame: &'a [u8], settings: &Settings) -> Option<&'a [u8]> {
    let udp = match word(frame, 12)? {
        ether_type::IPV4 => {
            let whole = word(frame, 20)? & 0x3fff == 0 && frame[14] == 0x45;
            (whole && frame[23] == protocol::UDP).then_some(34)?
        }
        ether_type::IPV6 => (frame[20] == protocol::UDP).then_some(54)?,
        _ => return None,
    };
    let port = word(frame, udp + 2)?;
    let known =
        port == VXLAN_PORT || (port != 0 && settings.vxlan_ports_be.contains(&port.to_be()));
    frame.get(udp + 16..).filter(|inner| known && inner.len() >= 14)
}

fn one(frame: &[u8], settings: &Settings) -> u64 {
    let has = |option: u32| settings.hash_flags & option != 0;
    let payload = &frame[14..];
    let has_ports = |number: u8| matches!(number, protocol::TCP | protocol::UDP | protocol::SCTP);
    let mut seed = settings.seed;
    match word(frame, 12) {
        Some(ether_type::IPV4) => {
            let whole = word(payload, 6).unwrap_or(0) & 0x3fff == 0 && payload[0] == 0x45;
            let ports = ports(payload, 20, whole && has_ports(payload[9]));
            let omitted = settings.hash_flags >> HASH_OMIT4;
            let (number, ports, counts) = kept(omitted, payload[9], ports);
            let address = |at, counts| if counts { ne_u32(payload, at) } else { 0 };
            let mut ends = [(address(12, counts[0]), ports[0]), (address(16, counts[1]), ports[1])];
            if has(HASH_SYMMETRIC) {
                ends.sort_by_key(|(address, port)| (*address, port_number(*port)));
            }
            let [(source, from), (destination, to)] = ends;
            hash::ipv4(seed, source, destination, number, joined(from, to))
        }
        Some(ether_type::IPV6) => {
            let ports = ports(payload, 40, has_ports(payload[6]));
            let omitted = settings.hash_flags >> HASH_OMIT6;
            let (number, ports, counts) = kept(omitted, payload[6], ports);
            let halves = |at: usize| [ne_u64(payload, at), ne_u64(payload, at + 8)];
            let address = |at, counts| if counts { halves(at) } else { [0; 2] };
            let mut ends = [(address(8, counts[0]), ports[0]), (address(24, counts[1]), ports[1])];
            if has(HASH_SYMMETRIC) {
                ends.sort_by_key(|(address, port)| (*address, port_number(*port)));
            }
            if has(HASH_FLOW_LABEL) {
                seed ^= u32::from_be_bytes([0, payload[1] & 0xf, payload[2], payload[3]]);
            }
            let [(source, from), (destination, to)] = ends;
            hash::ipv6(seed, source, destination, number, joined(from, to))
        }
        _ => {
            let mac = |at: usize| fdb::mac_number(frame[at..at + 6].try_into().expect("six bytes"));
            let mut ends = [mac(6), mac(0)];
            if has(HASH_SYMMETRIC) {
                ends.sort_unstable();
            }
            hash::ethernet(seed, ends[0], ends[1], u16::from_ne_bytes([frame[12], frame[13]]))
        }
    }
}

type PortBytes = [u8; 2];

/// Source and destination port; zeros if there are none, or not both.
fn ports(payload: &[u8], at: usize, has: bool) -> [PortBytes; 2] {
    match payload.get(at..at + 4) {
        Some(&[a, b, c, d]) if has => [[a, b], [c, d]],
        _ => [[0; 2]; 2],
    }
}

/// What the order of two ports of one address goes by: the later byte counts more on the machines
/// that the program runs on, as it stands in memory.
fn port_number(port: PortBytes) -> u16 {
    u16::from_ne_bytes(port)
}

fn joined(from: PortBytes, to: PortBytes) -> u32 {
    u32::from_ne_bytes([from[0], from[1], to[0], to[1]])
}

fn ne_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn ne_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
