//! IP headers and what they carry.

use super::protocol;

/// The Internet checksum of `parts`, each of even length but the last (RFC 1071).
#[must_use]
pub fn internet_checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u64;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Makes the checksum of the IPv4 header that starts `packet` right.
pub fn fix_ipv4_checksum(packet: &mut [u8]) {
    let length = usize::from(packet[0] & 0xf) * 4;
    packet[10..12].fill(0);
    let sum = internet_checksum(&[&packet[..length]]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// An IPv4 packet.
#[derive(Clone, Debug)]
pub struct Ipv4 {
    /// Type of service: DSCP and ECN.
    pub tos: u8,
    /// Identification.
    pub id: u16,
    /// Don't fragment.
    pub df: bool,
    /// More fragments.
    pub mf: bool,
    /// Fragment offset in units of eight bytes.
    pub offset: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol number.
    pub protocol: u8,
    /// Source address.
    pub source: [u8; 4],
    /// Destination address.
    pub destination: [u8; 4],
    /// Options, a multiple of four bytes.
    pub options: Vec<u8>,
    /// Ports, for protocols that have them.
    pub ports: [u16; 2],
    /// What follows the transport header.
    pub payload: Vec<u8>,
}

impl Ipv4 {
    /// The packet with valid lengths and checksums.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let header = 20 + self.options.len();
        let pseudo = [&self.source[..], &self.destination].concat();
        let body = transport(self.protocol, &pseudo, self.ports, &self.payload);
        let flags = u16::from(self.df) << 14 | u16::from(self.mf) << 13 | self.offset;
        let mut packet = vec![0x40 | (header / 4) as u8, self.tos];
        packet.extend(((header + body.len()) as u16).to_be_bytes());
        packet.extend(self.id.to_be_bytes());
        packet.extend(flags.to_be_bytes());
        packet.extend([self.ttl, self.protocol, 0, 0]);
        packet.extend(self.source);
        packet.extend(self.destination);
        packet.extend(&self.options);
        fix_ipv4_checksum(&mut packet);
        packet.extend(body);
        packet
    }
}

/// An IPv6 packet without extension headers.
#[derive(Clone, Debug)]
pub struct Ipv6 {
    /// Traffic class: DSCP and ECN.
    pub traffic_class: u8,
    /// Flow label, 20 bits.
    pub flow_label: u32,
    /// Hop limit.
    pub hop_limit: u8,
    /// Next header.
    pub next_header: u8,
    /// Source address.
    pub source: [u8; 16],
    /// Destination address.
    pub destination: [u8; 16],
    /// Ports, for protocols that have them.
    pub ports: [u16; 2],
    /// What follows the transport header.
    pub payload: Vec<u8>,
}

impl Ipv6 {
    /// The packet with valid lengths and checksums.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let pseudo = [&self.source[..], &self.destination].concat();
        let body = transport(self.next_header, &pseudo, self.ports, &self.payload);
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label & 0xf_ffff;
        let mut packet = first.to_be_bytes().to_vec();
        packet.extend((body.len() as u16).to_be_bytes());
        packet.extend([self.next_header, self.hop_limit]);
        packet.extend(self.source);
        packet.extend(self.destination);
        packet.extend(body);
        packet
    }
}

/// Transport header and payload. `pseudo` are the addresses of the pseudo header.
fn transport(number: u8, pseudo: &[u8], ports: [u16; 2], payload: &[u8]) -> Vec<u8> {
    let [source, destination] = ports.map(u16::to_be_bytes);
    let (mut segment, checksum_at) = match number {
        protocol::UDP => {
            let length = ((8 + payload.len()) as u16).to_be_bytes();
            ([&source[..], &destination, &length, &[0, 0], payload].concat(), 6)
        }
        protocol::TCP => {
            // Sequence and acknowledgement 1, header of 20 bytes, ACK, window 512.
            let rest = [0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 2, 0, 0, 0, 0, 0];
            ([&source[..], &destination, &rest, payload].concat(), 16)
        }
        protocol::SCTP => {
            // Verification tag 1; nothing on the way checks the CRC.
            return [&source[..], &destination, &[0, 0, 0, 1, 0, 0, 0, 0], payload].concat();
        }
        // The payload is the whole message, its type first.
        protocol::ICMP | protocol::ICMPV6 => (payload.to_vec(), 2),
        _ => return payload.to_vec(),
    };
    if segment.len() < checksum_at + 2 {
        return segment;
    }
    let number = u16::from(number).to_be_bytes();
    let length = (segment.len() as u16).to_be_bytes();
    segment[checksum_at..checksum_at + 2].fill(0);
    let sum = if number[1] == protocol::ICMP {
        internet_checksum(&[&segment])
    } else {
        internet_checksum(&[pseudo, &number, &length, &segment])
    };
    segment[checksum_at..checksum_at + 2].copy_from_slice(&sum.to_be_bytes());
    segment
}
