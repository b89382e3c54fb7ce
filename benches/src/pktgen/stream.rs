//! What the packet generator sends: the stations of a benchmark's leaf, by their MAC addresses.

use anyhow::{Context as _, Result, ensure};

use crate::{
    flow::{LENGTH, SOURCES, destination_mac, source_mac},
    leaf::mac_text,
    outer::is_valid_ipv4,
};

/// UDP source ports; the last one is not used.
const PORTS: std::ops::Range<u16> = 0x8000..0xffff;
/// UDP destination port.
const PORT: u16 = 4_791;
/// Where the generator's own header begins in a frame, behind Ethernet, IPv4 and UDP.
const OWN_HEADER: usize = 42;
/// What it begins with.
const MAGIC: [u8; 4] = 0xbe9b_e955_u32.to_be_bytes();

/// How frames follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Station by station, the same each time, to compare what becomes of them.
    Sequence,
    /// Both stations and the UDP source port are drawn for each frame.
    Random,
}

/// The shortest UDP frames from [`SOURCES`] stations to others.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Number of frames.
    pub frames: u64,
    /// Number of stations that they go to.
    pub destinations: u32,
    /// Who is next.
    pub order: Order,
}

impl Stream {
    /// The settings, a line each.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        let Self { frames, destinations, order } = *self;
        let last = |count: u32| {
            let [_, _, a, b] = (count - 1).to_be_bytes();
            format!("{a}.{b}")
        };
        let mut lines = vec![
            format!("count {frames}"),
            format!("pkt_size {LENGTH}"),
            "delay 0".to_owned(),
            // A frame of its own each time: what is sent twice could not be changed on its way.
            "clone_skb 0".to_owned(),
            format!("dst_mac {}", mac_text(destination_mac(0))),
            format!("dst_mac_count {destinations}"),
            format!("src_mac {}", mac_text(source_mac(0))),
            format!("src_mac_count {SOURCES}"),
            "src_min 10.255.0.0".to_owned(),
            format!("src_max 10.255.{}", last(SOURCES)),
            "dst_min 10.0.0.0".to_owned(),
            format!("dst_max 10.0.{}", last(destinations)),
            format!("udp_src_min {}", PORTS.start),
            format!("udp_src_max {}", PORTS.end),
            format!("udp_dst_min {PORT}"),
            format!("udp_dst_max {PORT}"),
            // No clock is read for what nobody looks at.
            "flag NO_TIMESTAMP".to_owned(),
        ];
        let not = if order == Order::Random { "" } else { "!" };
        lines.extend(
            ["MACDST_RND", "MACSRC_RND", "UDPSRC_RND"].map(|flag| format!("flag {not}{flag}")),
        );
        lines
    }

    /// Looks at a frame as it left the generator, and returns its number, counted from 1, and the
    /// number of the station that it goes to.
    ///
    /// # Errors
    /// If it is not what was asked for.
    pub fn check(&self, frame: &[u8]) -> Result<(u64, u32)> {
        ensure!(frame.len() == LENGTH, "a frame has {} bytes instead of {LENGTH}", frame.len());
        let number = |at: usize| u32::from_be_bytes([0, frame[at], frame[at + 1], frame[at + 2]]);
        let (destination, source) = (number(3), number(9));
        let is_from_to = frame[..6] == destination_mac(destination)
            && frame[6..12] == source_mac(source)
            && destination < self.destinations
            && source < SOURCES;
        ensure!(is_from_to, "a frame has other stations' addresses: {:02x?}", &frame[..12]);
        let is_udp = frame[12..14] == [0x08, 0]
            && is_valid_ipv4(&frame[14..34])
            && frame[16..18] == (LENGTH as u16 - 14).to_be_bytes()
            && frame[23] == 17
            && frame[38..40] == (LENGTH as u16 - 34).to_be_bytes();
        ensure!(is_udp, "a frame holds no valid UDP packet: {:02x?}", &frame[12..OWN_HEADER]);
        let [from, to] = [34, 36].map(|at| u16::from_be_bytes([frame[at], frame[at + 1]]));
        let is_flow = PORTS.contains(&from) && to == PORT;
        ensure!(is_flow, "a frame has the UDP ports {from} and {to}");
        Ok((sequence(frame)?, destination))
    }
}

/// The number that the generator gave to a frame, counted from 1.
///
/// # Errors
/// If the generator did not make it.
pub fn sequence(frame: &[u8]) -> Result<u64> {
    let own = frame.get(OWN_HEADER..OWN_HEADER + 8).context("the frame is too short")?;
    ensure!(own[..4] == MAGIC, "a frame is not of the packet generator");
    Ok(u32::from_be_bytes([own[4], own[5], own[6], own[7]]).into())
}

#[cfg(test)]
mod tests {
    use fabric_common::checksum;

    use super::*;

    const STREAM: Stream = Stream { frames: 500, destinations: 1_024, order: Order::Random };

    /// As Linux makes it, with so many of its settings at work as this stream uses.
    fn frame(number: u32, destination: u32, source: u32) -> Vec<u8> {
        let mut frame = vec![0; LENGTH];
        frame[..6].copy_from_slice(&destination_mac(destination));
        frame[6..12].copy_from_slice(&source_mac(source));
        frame[12..18].copy_from_slice(&[0x08, 0, 0x45, 0, 0, 46]);
        frame[22..24].copy_from_slice(&[32, 17]);
        frame[26..34].copy_from_slice(&[10, 255, 0, 1, 10, 0, 0, 1]);
        let mut words = [0; 10];
        for (word, pair) in words.iter_mut().zip(frame[14..34].chunks_exact(2)) {
            *word = u16::from_ne_bytes([pair[0], pair[1]]);
        }
        frame[24..26].copy_from_slice(&checksum::ipv4_header(&words).to_ne_bytes());
        frame[34..40].copy_from_slice(&[0x80, 1, 0x12, 0xb7, 0, 26]);
        frame[42..46].copy_from_slice(&MAGIC);
        frame[46..50].copy_from_slice(&number.to_be_bytes());
        frame
    }

    #[test]
    fn the_settings_name_every_station_of_the_leaf() {
        let commands = STREAM.commands();
        for line in [
            "count 500",
            "pkt_size 60",
            "dst_mac 52:54:00:00:00:00",
            "dst_mac_count 1024",
            "src_mac 52:54:01:00:00:00",
            "src_mac_count 32",
            "src_max 10.255.0.31",
            "dst_max 10.0.3.255",
            "flag MACDST_RND",
        ] {
            assert!(commands.iter().any(|command| command == line), "no `{line}` in {commands:?}");
        }
    }

    #[test]
    fn a_sequence_takes_back_every_flag_of_random_order() {
        let sequence = Stream { order: Order::Sequence, ..STREAM }.commands();
        for flag in STREAM.commands().iter().filter(|line| line.ends_with("_RND")) {
            assert!(sequence.contains(&flag.replace("flag ", "flag !")), "{flag}");
        }
    }

    #[test]
    fn a_frame_of_the_stream_is_known_by_its_number() {
        assert_eq!(STREAM.check(&frame(77, 1_023, 31)).unwrap(), (77, 1_023));
        assert!(STREAM.check(&frame(77, 1_024, 31)).is_err(), "no such destination");
        assert!(STREAM.check(&frame(77, 1_023, 32)).is_err(), "no such source");
    }

    #[test]
    fn no_byte_of_the_headers_can_be_wrong() {
        // Another station or port is as good; nobody reads the UDP checksum.
        let right = frame(1, 0, 0);
        for at in (0..46).filter(|at| ![5, 34, 35, 40, 41].contains(at)) {
            let mut wrong = right.clone();
            wrong[at] ^= 0x40;
            assert!(STREAM.check(&wrong).is_err(), "byte {at} was not noticed");
        }
    }
}
