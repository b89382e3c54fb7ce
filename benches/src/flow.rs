//! The frames that a benchmark offers. The BPF generator includes this file as well, so it uses
//! nothing but `core` and `fabric_common`.

use fabric_common::{checksum, flow_hash};

/// Bytes of a frame: the shortest Ethernet frame, 64 bytes with its checksum.
pub const LENGTH: usize = 60;
/// Bytes of outer headers in front of a tunnelled frame: Ethernet, IPv4, UDP and VXLAN.
pub const OUTER: usize = 50;
/// Stations behind the access port; a power of two.
pub const SOURCES: u32 = 32;

/// Where the two frames of a page start, from the start of the packet that the kernel offers.
///
/// The generator writes one of them while the other, written a round of the page pool earlier, is
/// sent. Otherwise the program under test would read what is still in the processor's store buffer,
/// and pay for loads that span two stores, which frames from a wire never cost. In front of each
/// is room for outer headers; and enough in front of the first that the kernel's own headers leave
/// the 256 bytes that veth wants before an XDP program, or else it copies the packet.
pub const PLACES: [usize; 2] = [64, 192];

/// The generator's state.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Generator {
    /// Counts in steps of an odd constant, so that its hash is a new number each time.
    pub counter: u64,
    /// Number of destinations minus one; destinations are a power of two.
    pub destination_mask: u32,
    /// Zero.
    pub _pad: u32,
}

impl Generator {
    /// The next flow.
    #[inline(always)]
    pub fn next_flow(&mut self) -> Flow {
        self.counter = self.counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
        Flow::from_number(flow_hash::mix(self.counter), self.destination_mask)
    }
}

/// A UDP flow between two stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Which station behind a VTEP it goes to.
    pub destination: u32,
    /// Which station behind the access port it comes from.
    pub source: u32,
    /// UDP source port in host byte order, 32768 to 65535.
    pub port: u16,
}

/// What differs between frames, as it stands in memory.
pub struct Fields {
    /// Destination MAC and the first two bytes of the source MAC.
    pub start: u64,
    /// The rest of the source MAC.
    pub source_end: u32,
    /// IPv4 header checksum.
    pub checksum: u16,
    /// IPv4 source and destination address.
    pub addresses: [u32; 2],
    /// UDP source port.
    pub port_be: u16,
}

/// Offsets of [`Fields`] in a frame.
pub mod offset {
    /// See [`super::Fields::start`].
    pub const START: usize = 0;
    /// See [`super::Fields::source_end`].
    pub const SOURCE_END: usize = 8;
    /// See [`super::Fields::checksum`].
    pub const CHECKSUM: usize = 24;
    /// See [`super::Fields::addresses`].
    pub const ADDRESSES: usize = 26;
    /// See [`super::Fields::port_be`].
    pub const PORT: usize = 34;
}

/// MAC address of a destination: 52:54:00 and its number, as hypervisors count.
#[inline(always)]
#[must_use]
pub const fn destination_mac(destination: u32) -> [u8; 6] {
    let [_, a, b, c] = destination.to_be_bytes();
    [0x52, 0x54, 0, a, b, c]
}

/// MAC address of a source: 52:54:01 and its number.
#[inline(always)]
#[must_use]
pub const fn source_mac(source: u32) -> [u8; 6] {
    let [_, a, b, c] = source.to_be_bytes();
    [0x52, 0x54, 1, a, b, c]
}

/// From the EtherType to the IPv4 header's protocol: 46 bytes of IP, TTL 64, UDP.
const MIDDLE: [u8; 12] = [0x08, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17];
/// UDP destination port 4791, length 26, no checksum.
const END: [u8; 6] = [0x12, 0xb7, 0, 26, 0, 0];

/// Sum of the constant words of the IPv4 header in memory order.
const CONSTANT_SUM: u32 = {
    let mut sum = 0;
    let mut i = 2;
    while i < MIDDLE.len() {
        sum += u16::from_ne_bytes([MIDDLE[i], MIDDLE[i + 1]]) as u32;
        i += 2;
    }
    sum
};

impl Flow {
    /// The flow that a random number stands for.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u64, destination_mask: u32) -> Self {
        Self {
            destination: number as u32 & destination_mask,
            source: (number >> 32) as u32 & (SOURCES - 1),
            port: (number >> 48) as u16 | 0x8000,
        }
    }

    /// What the flow's frames differ in from those of others.
    #[inline(always)]
    #[must_use]
    pub const fn fields(&self) -> Fields {
        let [_, _, a, b, c, d] = source_mac(self.source);
        let [e, f, g, h, i, j] = destination_mac(self.destination);
        let [_, x, y, z] = self.destination.to_be_bytes();
        let source = u32::from_ne_bytes([10, 255, 0, self.source as u8]);
        let destination = u32::from_ne_bytes([10, x, y, z]);
        let sum = CONSTANT_SUM
            + (source & 0xffff)
            + (source >> 16)
            + (destination & 0xffff)
            + (destination >> 16);
        Fields {
            start: u64::from_le_bytes([e, f, g, h, i, j, 0x52, 0x54]),
            source_end: u32::from_ne_bytes([a, b, c, d]),
            checksum: !checksum::fold(sum),
            addresses: [source, destination],
            port_be: self.port.to_be(),
        }
    }

    /// A whole frame of the flow.
    #[must_use]
    pub fn frame(&self) -> [u8; LENGTH] {
        let fields = self.fields();
        let mut frame = [0; LENGTH];
        let mut put = |at: usize, bytes: &[u8]| frame[at..at + bytes.len()].copy_from_slice(bytes);
        put(offset::START, &fields.start.to_ne_bytes());
        put(offset::SOURCE_END, &fields.source_end.to_ne_bytes());
        put(12, &MIDDLE);
        put(offset::CHECKSUM, &fields.checksum.to_ne_bytes());
        put(offset::ADDRESSES, &fields.addresses[0].to_ne_bytes());
        put(offset::ADDRESSES + 4, &fields.addresses[1].to_ne_bytes());
        put(offset::PORT, &fields.port_be.to_ne_bytes());
        put(36, &END);
        frame
    }
}

/// Frames and bytes that arrived.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Number of frames.
    pub frames: u64,
    /// Number of bytes.
    pub bytes: u64,
}

/// Longest packet that is captured whole; not less than outer headers and frame.
pub const CAPTURE: usize = 120;
/// How many packets a capture holds; the later ones overwrite the first.
pub const CAPTURES: usize = 4_096;

/// A captured packet.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Captured {
    /// Bytes on the wire; 0 for a free entry.
    pub length: u64,
    /// The packet.
    pub bytes: [u8; CAPTURE],
}
