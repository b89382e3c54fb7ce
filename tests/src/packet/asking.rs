//! ARP (RFC 826) and neighbour discovery (RFC 4861): who asks for whom, and what is answered.

use super::{ether_type, internet_checksum, protocol};
use crate::addresses::{BROADCAST, Mac, Station};

/// An ARP message in its frame, without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Destination of the frame.
    pub to: Mac,
    /// Source of the frame.
    pub from: Mac,
    /// 1 asks, 2 answers.
    pub operation: u16,
    /// Addresses of who speaks.
    pub sender: (Mac, [u8; 4]),
    /// Addresses of who is spoken of.
    pub target: (Mac, [u8; 4]),
}

impl Arp {
    /// A host asks all others for one of them.
    #[must_use]
    pub const fn request(asking: &Station, asked: &Station) -> Self {
        Self {
            to: BROADCAST,
            from: asking.mac,
            operation: 1,
            sender: (asking.mac, asking.ipv4),
            target: ([0; 6], asked.ipv4),
        }
    }

    /// The answer for a host.
    #[must_use]
    pub const fn reply(asking: &Station, asked: &Station) -> Self {
        Self {
            to: asking.mac,
            from: asked.mac,
            operation: 2,
            sender: (asked.mac, asked.ipv4),
            target: (asking.mac, asking.ipv4),
        }
    }

    /// The frame, with these tags.
    #[must_use]
    pub fn tagged(&self, tags: &[u16]) -> Vec<u8> {
        let mut frame = ethernet(self.to, self.from, tags, ether_type::ARP);
        frame.extend([0, 1, 8, 0, 6, 4]);
        frame.extend(self.operation.to_be_bytes());
        for (mac, ipv4) in [self.sender, self.target] {
            frame.extend(mac);
            frame.extend(ipv4);
        }
        frame
    }

    /// The frame.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.tagged(&[])
    }

    /// The frame as it is on a wire: 60 bytes.
    #[must_use]
    pub fn padded(&self) -> Vec<u8> {
        let mut frame = self.bytes();
        frame.resize(60, 0);
        frame
    }
}

/// A message of neighbour discovery about a target, in its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Destination of the frame.
    pub to: Mac,
    /// Source of the frame.
    pub from: Mac,
    /// Version, traffic class and flow label of the IPv6 header.
    pub start: [u8; 4],
    /// Hop limit.
    pub hop_limit: u8,
    /// Source of the packet.
    pub source: [u8; 16],
    /// Destination of the packet.
    pub destination: [u8; 16],
    /// 135 solicits, 136 advertises.
    pub kind: u8,
    /// The first byte behind the checksum.
    pub flags: u8,
    /// Who is spoken of.
    pub target: [u8; 16],
    /// What stands behind that.
    pub options: Vec<u8>,
}

impl Discovery {
    /// A host solicits another one by its group of solicited nodes (RFC 4291 §2.7.1).
    #[must_use]
    pub fn solicitation(asking: &Station, asked: &Station) -> Self {
        let [.., a, b, c] = asked.ipv6;
        let mut group = [0; 16];
        group[..2].copy_from_slice(&[0xff, 2]);
        group[11..].copy_from_slice(&[1, 0xff, a, b, c]);
        Self {
            to: [0x33, 0x33, 0xff, a, b, c],
            from: asking.mac,
            start: [0x60, 0, 0, 0],
            hop_limit: 255,
            source: asking.ipv6,
            destination: group,
            kind: 135,
            flags: 0,
            target: asked.ipv6,
            options: option(1, asking.mac),
        }
    }

    /// What the kernel's bridge answers for a host.
    #[must_use]
    pub fn advertisement(asking: &Station, asked: &Station) -> Self {
        Self {
            to: asking.mac,
            from: asked.mac,
            start: [0x60, 0, 0, 0],
            hop_limit: 255,
            source: asked.ipv6,
            destination: asking.ipv6,
            kind: 136,
            flags: 0x60,
            target: asked.ipv6,
            options: option(2, asked.mac),
        }
    }

    /// The frame, with these tags.
    #[must_use]
    pub fn tagged(&self, tags: &[u16]) -> Vec<u8> {
        let mut message = vec![self.kind, 0, 0, 0, self.flags, 0, 0, 0];
        message.extend(self.target);
        message.extend(&self.options);
        let length = message.len() as u16;
        let pseudo = [0, 0, 0, protocol::ICMPV6];
        let length_be = u32::from(length).to_be_bytes();
        let sum =
            internet_checksum(&[&self.source, &self.destination, &length_be, &pseudo, &message]);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut frame = ethernet(self.to, self.from, tags, ether_type::IPV6);
        frame.extend(self.start);
        frame.extend(length.to_be_bytes());
        frame.extend([protocol::ICMPV6, self.hop_limit]);
        frame.extend(self.source);
        frame.extend(self.destination);
        frame.extend(message);
        frame
    }

    /// The frame.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.tagged(&[])
    }
}

/// An option with a MAC address.
fn option(kind: u8, mac: Mac) -> Vec<u8> {
    [&[kind, 1][..], &mac].concat()
}

fn ethernet(to: Mac, from: Mac, tags: &[u16], of: u16) -> Vec<u8> {
    let mut frame = [to, from].concat();
    for tci in tags {
        frame.extend(ether_type::VLAN.to_be_bytes());
        frame.extend(tci.to_be_bytes());
    }
    frame.extend(of.to_be_bytes());
    frame
}
