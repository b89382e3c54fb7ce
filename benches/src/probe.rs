//! A steady stream of numbered frames through a box, sent and looked at one by one: how soon does a
//! change reach the traffic?
//!
//! One thread sends, receives and looks, because what it sends has mostly crossed the box when the
//! call returns: interfaces of a pair hand frames over on the same processor. The times are
//! therefore those of one clock, and as fine as the stream.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use fabric_user::kernel::packet_socket::PacketSocket;

/// Time between two frames: 100,000 a second.
pub const PACE: Duration = Duration::from_micros(10);
/// A change that takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(2);
/// A frame that takes longer is lost.
const STRAGGLERS: Duration = Duration::from_millis(50);
/// Where the number of a frame is: behind Ethernet, IPv4 and UDP.
const NUMBER: usize = 42;

/// Whether a frame went a certain way.
pub type Way<'a> = &'a dyn Fn(&[u8]) -> bool;

/// A stream from one interface to another one.
#[derive(Debug)]
pub struct Probe {
    sender: PacketSocket,
    sink: PacketSocket,
    frame: Vec<u8>,
    /// Bytes of headers that the box puts in front.
    outer: usize,
    /// Frames sent so far; the number of the next one.
    pub sent: u64,
    received: u64,
    /// Frames that did not arrive, as far as is known.
    pub lost: u64,
    next: Instant,
}

/// What a change did to the stream.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// From before the request until the maps had it, if they were looked at.
    pub map: Option<Duration>,
    /// From before the request until the kernel answered it.
    pub answer: Duration,
    /// From before the request until the first frame arrived the new way.
    pub packet: Duration,
    /// Frames that were sent after the kernel had answered and still went the old way.
    pub late: u64,
}

impl Probe {
    /// Sends `frame` with a number in it from the interface `from`, and receives at the interface
    /// `to` what the box makes of it, with `outer` bytes in front.
    ///
    /// # Errors
    /// If the system gives no such sockets.
    pub fn open(from: u32, to: u32, frame: &[u8], outer: usize) -> Result<Self> {
        ensure!(frame.len() >= NUMBER + 8, "a frame of {} bytes has no room", frame.len());
        let socket = |interface, protocol| {
            PacketSocket::of_index(interface, protocol).context("cannot open a packet socket")
        };
        let sink = socket(to, libc::ETH_P_IP as u16)?.with_queue(4 << 20)?;
        Ok(Self {
            // It receives nothing.
            sender: socket(from, 0)?,
            sink,
            frame: frame.to_vec(),
            outer,
            sent: 0,
            received: 0,
            lost: 0,
            next: Instant::now(),
        })
    }

    /// Sends frames for a while and waits for what has not arrived yet. `is_right` of each frame that
    /// is sent here has to be true.
    ///
    /// # Errors
    /// If it is not.
    pub fn run(&mut self, time: Duration, is_right: impl Fn(&[u8]) -> bool) -> Result<()> {
        self.next = Instant::now();
        let end = self.next + time;
        let first = self.sent;
        let mut wrong = 0_u64;
        loop {
            let now = Instant::now();
            if now < end {
                self.tick()?;
            } else if self.received + self.lost >= self.sent {
                break;
            } else if now > end + STRAGGLERS {
                self.lost = self.sent - self.received;
            }
            self.receive(|number, frame| wrong += u64::from(number >= first && !is_right(frame)))?;
        }
        ensure!(wrong == 0, "{wrong} frames are not as they should be, between changes");
        Ok(())
    }

    /// Makes a change while frames are sent, and goes on until one arrives the new way and `in_map`
    /// says that the maps have it, if that is asked for.
    ///
    /// # Errors
    /// If the change does not come, or a frame goes neither way.
    pub fn change(
        &mut self,
        request: impl FnOnce() -> Result<()>,
        in_map: Option<&dyn Fn() -> bool>,
        [is_old, is_new]: [Way<'_>; 2],
    ) -> Result<Change> {
        let begin = Instant::now();
        self.next = begin;
        request()?;
        let answer = begin.elapsed();
        let first = self.sent;
        let (mut map, mut packet, mut late, mut stray) = (None, None, 0, 0);
        loop {
            if map.is_none() && in_map.is_some_and(|in_map| in_map()) {
                map = Some(begin.elapsed());
            }
            self.tick()?;
            self.receive(|number, frame| {
                if is_new(frame) {
                    packet.get_or_insert_with(|| begin.elapsed());
                } else if is_old(frame) {
                    late += u64::from(number >= first);
                } else {
                    stray += 1;
                }
            })?;
            ensure!(stray == 0, "a frame arrives that goes neither way");
            if let Some(packet) = packet
                && (map.is_some() || in_map.is_none())
            {
                return Ok(Change { map, answer, packet, late });
            }
            let waited = begin.elapsed();
            ensure!(waited < PATIENCE, "the change does not come: {packet:?}, {map:?}");
        }
    }

    /// Sends a frame if one is due.
    fn tick(&mut self) -> Result<()> {
        let now = Instant::now();
        if now < self.next {
            return Ok(());
        }
        // Frames that were due while the thread did not run are left out.
        self.next = (self.next + PACE).max(now);
        self.frame[NUMBER..NUMBER + 8].copy_from_slice(&self.sent.to_be_bytes());
        self.sender.send(&self.frame).context("a frame cannot be sent")?;
        self.sent += 1;
        Ok(())
    }

    /// Takes in what has arrived.
    fn receive(&mut self, mut look: impl FnMut(u64, &[u8])) -> Result<()> {
        let mut buffer = [0; 256];
        loop {
            let received = self.sink.receive_now(&mut buffer);
            let Some((length, _)) = received.context("frames cannot be received")? else {
                return Ok(());
            };
            let at = self.outer + NUMBER;
            // What else arrives, IGMP for instance, is shorter or longer.
            let Some(frame) = buffer.get(..length) else { continue };
            let number = frame.get(at..).and_then(<[u8]>::first_chunk).copied();
            if length == self.outer + self.frame.len()
                && let Some(number) = number
            {
                self.received += 1;
                look(u64::from_be_bytes(number), frame);
            }
        }
    }
}
