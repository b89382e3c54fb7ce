//! The IPv4 header behind an Ethernet header, as tunnels and routes look at it.

use fabric_common::checksum;

use super::{Packet, flow::FRAGMENT_BE};

/// Length of a header without options.
pub const LENGTH: usize = 20;

/// How a header begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// It has no options.
    Plain,
    /// It has options.
    Options,
    /// It says that it is shorter than any.
    Short,
    /// It is none.
    Other,
}

/// The first five words of a header, as they stand in the packet.
#[derive(Clone, Copy)]
pub struct Header {
    words: [u32; 5],
}

impl Header {
    /// Reads the header at `at`; `None` if the packet ends inside of it. Word by word: an array would be
    /// copied.
    #[inline(always)]
    pub fn read(packet: &Packet, at: usize) -> Option<Self> {
        let words = [
            packet.read(at)?,
            packet.read(at + 4)?,
            packet.read(at + 8)?,
            packet.read(at + 12)?,
            packet.read(at + 16)?,
        ];
        Some(Self { words })
    }

    /// By version and header length.
    #[inline(always)]
    pub fn form(&self) -> Form {
        match self.words[0].to_ne_bytes()[0] {
            0x45 => Form::Plain,
            0x46..=0x4f => Form::Options,
            0x40..=0x44 => Form::Short,
            _ => Form::Other,
        }
    }

    /// Type of service.
    #[inline(always)]
    pub fn tos(&self) -> u8 {
        self.words[0].to_ne_bytes()[1]
    }

    /// Length of the packet in bytes, as the header has it.
    #[inline(always)]
    pub fn total_length(&self) -> u32 {
        let [_, _, high, low] = self.words[0].to_ne_bytes();
        u16::from_be_bytes([high, low]).into()
    }

    /// Fragment offset and the flag that more fragments follow, in network byte order; 0 if the packet is
    /// no fragment.
    #[inline(always)]
    pub fn fragment_be(&self) -> u16 {
        let [_, _, a, b] = self.words[1].to_ne_bytes();
        u16::from_ne_bytes([a, b]) & FRAGMENT_BE
    }

    /// Time to live.
    #[inline(always)]
    pub fn ttl(&self) -> u8 {
        self.words[2].to_ne_bytes()[0]
    }

    /// Protocol number.
    #[inline(always)]
    pub fn protocol(&self) -> u8 {
        self.words[2].to_ne_bytes()[1]
    }

    /// TTL, protocol and header checksum as they stand in the packet.
    #[inline(always)]
    pub fn ttl_and_checksum(&self) -> u32 {
        self.words[2]
    }

    /// Source address.
    #[inline(always)]
    pub fn source_be(&self) -> u32 {
        self.words[3]
    }

    /// Destination address.
    #[inline(always)]
    pub fn destination_be(&self) -> u32 {
        self.words[4]
    }

    /// Whether the checksum is right, of a header without options.
    #[inline(always)]
    pub fn is_intact(&self) -> bool {
        checksum::ipv4_words(&self.words) == 0
    }
}
