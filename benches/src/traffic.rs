//! What a benchmark's traffic consists of.

use crate::{
    arp,
    flow::{
        Draw, Flow, Generator, HEADERS, LENGTH, LENGTHS, LONG_PLACES, LONGEST, OUTER, OUTER6,
        Outer, PLACES, SHORT,
    },
    routed::{self, LENGTH4, LENGTH6},
    underlay::Underlay,
};

const _: () = assert!(LENGTH <= SHORT && LENGTH4 <= SHORT && LENGTH6 <= SHORT);

/// Who frames are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Hosts: what a bridge and its tunnels forward.
    Bridged,
    /// A router: the shortest UDP packets of IPv4.
    Routed4,
    /// A router: the shortest UDP packets of IPv6.
    Routed6,
    /// All stations: ARP requests for one of them.
    Arp,
}

impl Offer {
    /// The program that writes such frames.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Bridged => "offer",
            Self::Routed4 => "offer4",
            Self::Routed6 => "offer6",
            Self::Arp => "offer_arp",
        }
    }

    /// What flow a frame claims to be of.
    #[must_use]
    pub fn flow(self, frame: &[u8]) -> Option<Flow> {
        let (destination, source, port) = match self {
            Self::Bridged => ([3, 4, 5], 11, 34),
            Self::Routed4 => ([31, 32, 33], 29, 34),
            Self::Routed6 => ([44, 45, 53], 37, 54),
            // No port: what is there is 0.
            Self::Arp => ([39, 40, 41], 11, 34),
        };
        let byte = |at: usize| frame.get(at).copied();
        let [a, b, c] = destination;
        Some(Flow {
            destination: u32::from_be_bytes([0, byte(a)?, byte(b)?, byte(c)?]),
            source: byte(source)?.into(),
            port: u16::from_be_bytes([byte(port)?, byte(port + 1)?]),
        })
    }
}

/// The lengths of frames, without checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// All frames have this many bytes on the wire, with checksum: 64 to 1518.
    Fixed(u16),
    /// The classic Internet mix: of twelve frames seven have 64 bytes, four 594 and one 1518.
    Imix,
}

impl Size {
    /// Each as likely as the others, without checksum.
    #[must_use]
    pub const fn lengths(self) -> [u16; LENGTHS] {
        match self {
            Self::Fixed(bytes) => [bytes - 4; LENGTHS],
            Self::Imix => [60, 590, 60, 60, 590, 1_514, 60, 590, 60, 60, 590, 60],
        }
    }

    /// The mean in bytes, with checksum.
    #[must_use]
    pub fn mean(self) -> f64 {
        self.lengths().iter().map(|l| f64::from(*l) + 4.0).sum::<f64>() / LENGTHS as f64
    }
}

/// What is drawn for each frame.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// Who it is for.
    pub offer: Offer,
    /// Length of the frames, of the inner ones if they are tunnelled.
    pub size: Size,
    /// Number of flows, a power of two; `None`: as many as there are destinations, sources and
    /// ports.
    pub flows: Option<u64>,
    /// Number of VTEPs that tunnelled frames come from, a power of two; `None`: they are not
    /// tunnelled.
    pub vteps: Option<u32>,
    /// What tunnels are made over.
    pub underlay: Underlay,
}

impl Default for Traffic {
    fn default() -> Self {
        Self::of(Offer::Bridged)
    }
}

impl Traffic {
    /// The shortest frames, in as many flows as there can be.
    #[must_use]
    pub const fn of(offer: Offer) -> Self {
        let length = match offer {
            Offer::Bridged => LENGTH,
            Offer::Routed4 => LENGTH4,
            Offer::Routed6 => LENGTH6,
            Offer::Arp => arp::REQUEST,
        };
        Self {
            offer,
            size: Size::Fixed(length as u16 + 4),
            flows: None,
            vteps: None,
            underlay: Underlay::Ipv4,
        }
    }

    /// Bytes in front of the frames.
    #[must_use]
    pub const fn outer(&self) -> usize {
        if self.vteps.is_some() { self.underlay.outer() } else { 0 }
    }

    /// What is in front of the frames, for the generator.
    fn headers(&self) -> Outer {
        Outer { bytes: self.outer() as u16, checksum: self.underlay.has_checksum().into() }
    }

    /// Whether a page needs room for more than the shortest frames.
    fn is_long(&self) -> bool {
        self.size.lengths().iter().any(|length| usize::from(*length) > SHORT)
    }

    /// The state with which the generator makes this traffic to `destinations` stations. It goes on
    /// with the `counter` of an earlier one.
    #[must_use]
    pub fn generator(&self, destinations: u32, counter: u64) -> Generator {
        let mut lengths = [LENGTH as u16; 16];
        lengths[..LENGTHS].copy_from_slice(&self.size.lengths());
        Generator {
            counter,
            flow_mask: self.flows.map_or(u64::MAX, |flows| flows - 1),
            offered_bytes: 0,
            offered: 0,
            destination_mask: destinations - 1,
            vtep_mask: self.vteps.map_or(0, |vteps| vteps - 1),
            outer: self.headers(),
            long: self.is_long().into(),
            lengths,
        }
    }

    /// A whole packet.
    #[must_use]
    pub fn packet(&self, draw: &Draw) -> Vec<u8> {
        match self.offer {
            Offer::Bridged => {}
            Offer::Routed4 => return self.routed(draw, &routed::frame4(&draw.flow)),
            Offer::Routed6 => return self.routed(draw, &routed::frame6(&draw.flow)),
            Offer::Arp => return arp::request(&draw.flow).to_vec(),
        }
        let length = self.outer() + usize::from(draw.length);
        let mut packet = vec![0; length.max(OUTER6 + HEADERS)];
        // SAFETY: the packet is as long as is written at most.
        unsafe { draw.write(packet.as_mut_ptr() as usize, self.headers()) };
        packet.truncate(length);
        packet
    }

    /// A packet for a router, in a tunnel over IPv4 if it comes out of one.
    fn routed(&self, draw: &Draw, frame: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; OUTER];
        // SAFETY: the packet has room for outer headers.
        let start = unsafe {
            let at = packet.as_mut_ptr() as usize;
            routed::write_tunnel(at, draw, self.headers(), frame.len()) - at
        };
        packet.truncate(start);
        packet.extend(frame);
        packet
    }

    /// The packet to start the generator with: both places hold `draw`, and the first word says so.
    #[must_use]
    pub fn page(&self, draw: &Draw) -> Vec<u8> {
        let (places, longest) =
            if self.is_long() { (LONG_PLACES, LONGEST) } else { (PLACES, SHORT) };
        let packet = self.packet(draw);
        let mut page = vec![0; places[1] + OUTER6 + longest];
        for place in places {
            page[place..place + packet.len()].copy_from_slice(&packet);
        }
        let length = packet.len() as u64;
        page[..8].copy_from_slice(&(length << 16 | length << 32).to_ne_bytes());
        page
    }

    /// The first frame of a flow.
    #[must_use]
    pub fn first(&self, flow: Flow) -> Draw {
        let vtep = self.vteps.map_or(0, |vteps| flow.source % vteps);
        Draw { flow, length: self.size.lengths()[0], vtep }
    }
}
