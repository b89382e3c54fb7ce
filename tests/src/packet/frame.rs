//! A frame of a host.

use super::{Ipv4, Ipv6, ether_type, protocol};
use crate::addresses::{Mac, Station};

/// What an Ethernet frame carries.
#[derive(Clone, Debug)]
enum Content {
    Ipv4(Ipv4),
    Ipv6(Ipv6),
    Other { ether_type: u16, payload: Vec<u8> },
}

/// An Ethernet frame without its checksum sequence.
#[derive(Clone, Debug)]
pub struct Frame {
    destination: Mac,
    source: Mac,
    tags: Vec<(u16, u16)>,
    content: Content,
}

/// Enough that no frame of the tests is shorter than Ethernet allows (60 bytes).
const PAYLOAD: usize = 64;

fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|i| i as u8).collect()
}

impl Frame {
    /// A UDP datagram over IPv4.
    #[must_use]
    pub fn ipv4(source: &Station, destination: &Station) -> Self {
        let content = Content::Ipv4(Ipv4 {
            tos: 0,
            id: 0x1234,
            df: false,
            mf: false,
            offset: 0,
            ttl: 63,
            protocol: protocol::UDP,
            source: source.ipv4,
            destination: destination.ipv4,
            options: Vec::new(),
            ports: [40_000, 53],
            payload: payload(PAYLOAD),
        });
        Self { destination: destination.mac, source: source.mac, tags: Vec::new(), content }
    }

    /// A UDP datagram over IPv6.
    #[must_use]
    pub fn ipv6(source: &Station, destination: &Station) -> Self {
        let content = Content::Ipv6(Ipv6 {
            traffic_class: 0,
            flow_label: 0x12345,
            hop_limit: 62,
            next_header: protocol::UDP,
            source: source.ipv6,
            destination: destination.ipv6,
            ports: [40_000, 53],
            payload: payload(PAYLOAD),
        });
        Self { destination: destination.mac, source: source.mac, tags: Vec::new(), content }
    }

    /// A frame of another protocol.
    #[must_use]
    pub fn other(source: &Station, destination: &Station, ether_type: u16) -> Self {
        let content = Content::Other { ether_type, payload: payload(PAYLOAD) };
        Self { destination: destination.mac, source: source.mac, tags: Vec::new(), content }
    }

    /// An ARP request (RFC 826) as a host sends it to check a neighbour that it knows: by unicast.
    #[must_use]
    pub fn arp(source: &Station, destination: &Station) -> Self {
        let mut message = vec![0, 1, 8, 0, 6, 4, 0, 1];
        message.extend(source.mac);
        message.extend(source.ipv4);
        message.extend(destination.mac);
        message.extend(destination.ipv4);
        message.resize(46, 0);
        let content = Content::Other { ether_type: ether_type::ARP, payload: message };
        Self { destination: destination.mac, source: source.mac, tags: Vec::new(), content }
    }

    /// An ICMPv6 message of a type, with 20 bytes behind its header.
    #[must_use]
    pub fn icmpv6(source: &Station, destination: &Station, message_type: u8) -> Self {
        let mut message = vec![message_type, 0, 0, 0];
        message.resize(24, 0);
        Self::ipv6(source, destination).change_ipv6(|ip| {
            ip.next_header = protocol::ICMPV6;
            ip.hop_limit = 255;
            ip.payload = message;
        })
    }

    /// The destination MAC address.
    #[must_use]
    pub const fn destination(&self) -> Mac {
        self.destination
    }

    /// The source MAC address.
    #[must_use]
    pub const fn source(&self) -> Mac {
        self.source
    }

    /// To another MAC address.
    #[must_use]
    pub fn to(mut self, destination: Mac) -> Self {
        self.destination = destination;
        self
    }

    /// From another MAC address.
    #[must_use]
    pub fn from(mut self, source: Mac) -> Self {
        self.source = source;
        self
    }

    /// With an 802.1Q tag, inside those that it has: VLAN ID and, in the upper bits, priority.
    #[must_use]
    pub fn tag(self, tci: u16) -> Self {
        self.tag_of(ether_type::VLAN, tci)
    }

    /// With a tag of another protocol.
    #[must_use]
    pub fn tag_of(mut self, protocol: u16, tci: u16) -> Self {
        self.tags.push((protocol, tci));
        self
    }

    /// With another IPv4 packet.
    #[must_use]
    pub fn change_ipv4(mut self, change: impl FnOnce(&mut Ipv4)) -> Self {
        let Content::Ipv4(ip) = &mut self.content else { panic!("the frame is not IPv4") };
        change(ip);
        self
    }

    /// With another IPv6 packet.
    #[must_use]
    pub fn change_ipv6(mut self, change: impl FnOnce(&mut Ipv6)) -> Self {
        let Content::Ipv6(ip) = &mut self.content else { panic!("the frame is not IPv6") };
        change(ip);
        self
    }

    /// With this TOS byte or traffic class.
    #[must_use]
    pub fn tos(mut self, tos: u8) -> Self {
        match &mut self.content {
            Content::Ipv4(ip) => ip.tos = tos,
            Content::Ipv6(ip) => ip.traffic_class = tos,
            Content::Other { .. } => {}
        }
        self
    }

    /// With this TTL or hop limit.
    #[must_use]
    pub fn ttl(mut self, ttl: u8) -> Self {
        match &mut self.content {
            Content::Ipv4(ip) => ip.ttl = ttl,
            Content::Ipv6(ip) => ip.hop_limit = ttl,
            Content::Other { .. } => {}
        }
        self
    }

    /// With these transport ports: source, destination.
    #[must_use]
    pub fn ports(mut self, ports: [u16; 2]) -> Self {
        match &mut self.content {
            Content::Ipv4(ip) => ip.ports = ports,
            Content::Ipv6(ip) => ip.ports = ports,
            Content::Other { .. } => {}
        }
        self
    }

    /// With a payload that makes the whole frame `length` bytes long.
    #[must_use]
    pub fn length(mut self, length: usize) -> Self {
        let now = self.bytes().len();
        let content = match &mut self.content {
            Content::Ipv4(ip) => &mut ip.payload,
            Content::Ipv6(ip) => &mut ip.payload,
            Content::Other { payload, .. } => payload,
        };
        let headers = now - content.len();
        assert!(length >= headers, "the headers alone have {headers} bytes");
        *content = payload(length - headers);
        self
    }

    /// Without its tags.
    #[must_use]
    pub fn untagged(mut self) -> Self {
        self.tags.clear();
        self
    }

    /// The frame's bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut frame = [self.destination, self.source].concat();
        for (protocol, tci) in &self.tags {
            frame.extend(protocol.to_be_bytes());
            frame.extend(tci.to_be_bytes());
        }
        let (ether_type, content) = match &self.content {
            Content::Ipv4(ip) => (ether_type::IPV4, ip.bytes()),
            Content::Ipv6(ip) => (ether_type::IPV6, ip.bytes()),
            Content::Other { ether_type, payload } => (*ether_type, payload.clone()),
        };
        frame.extend(ether_type.to_be_bytes());
        frame.extend(content);
        frame
    }
}
