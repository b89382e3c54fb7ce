//! A UDP stream at a fixed interval whose receiver notices every loss, gap and damaged byte.

use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use fabric_user::lab::{LabError, Netns};
use rustix::net::sockopt;

use super::{clock::Clock, datagram::inside};

/// After the last datagram, stragglers have this long.
const STRAGGLERS: Duration = Duration::from_millis(500);
/// With the usual 208 KiB, a receiver that a busy machine lets wait for 50 ms loses datagrams that
/// the network has delivered.
const RECEIVE_BUFFER: usize = 16 << 20;
/// In front of the payload: the datagram's number and when it was sent.
const HEADER: usize = 16;

/// What to send.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// Time between two datagrams.
    pub interval: Duration,
    /// Sizes of UDP payloads in bytes, used in turn; at least 16 each.
    pub sizes: Vec<usize>,
    /// UDP port at the receiver.
    pub port: u16,
}

/// What arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamReport {
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams received, each counted once.
    pub received: u64,
    /// Datagrams received a second time.
    pub duplicates: u64,
    /// Datagrams whose bytes were not those that were sent.
    pub damaged: u64,
    /// Longest time in which everything that was sent got lost: from the last datagram sent before
    /// that arrived to the first one after, less the interval.
    pub outage: Duration,
}

impl StreamReport {
    /// Datagrams that did not arrive.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }
}

/// A stream that runs until it is stopped.
#[derive(Debug)]
pub struct Stream {
    stop: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
    sender: JoinHandle<io::Result<u64>>,
    receiver: JoinHandle<StreamReport>,
}

impl Stream {
    /// Starts to send from one host to another.
    ///
    /// # Errors
    /// If a namespace cannot be entered or gives no socket.
    pub fn start(
        from: &Netns,
        to: &Netns,
        address: Ipv4Addr,
        options: StreamOptions,
    ) -> Result<Self, LabError> {
        let port = options.port;
        let receiver = inside(to, || {
            let socket = UdpSocket::bind((address, port))?;
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
            sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER)?;
            Ok(socket)
        })?;
        let sender = inside(from, || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.connect((address, port))?;
            Ok(socket)
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        let received = Arc::new(AtomicU64::new(0));
        let receiver = {
            let (stop, received, interval) = (stop.clone(), received.clone(), options.interval);
            thread::spawn(move || receive(&receiver, interval, &stop, &received))
        };
        let sender = {
            let stop = stop.clone();
            thread::spawn(move || send(&sender, &options, &stop))
        };
        Ok(Self { stop, received, sender, receiver })
    }

    /// Datagrams that have arrived so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Stops, waits for stragglers and counts.
    ///
    /// # Errors
    /// If a datagram could not be sent for a reason other than a missing route or neighbour.
    pub fn stop(self) -> io::Result<StreamReport> {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        let report = self.receiver.join().map_err(|_| io::ErrorKind::Other)?;
        Ok(StreamReport { sent, ..report })
    }
}

fn payload(number: u64, sent: u64, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size);
    bytes.extend(number.to_be_bytes());
    bytes.extend(sent.to_be_bytes());
    bytes.extend((HEADER..size).map(|i| (number as usize).wrapping_mul(31).wrapping_add(i) as u8));
    bytes
}

fn send(socket: &UdpSocket, options: &StreamOptions, stop: &AtomicBool) -> io::Result<u64> {
    let start = Instant::now();
    let mut clock = Clock::new(options.interval);
    let mut number = 0_u64;
    let mut sizes = options.sizes.iter().cycle();
    while !stop.load(Ordering::Relaxed) {
        clock.tick();
        let size = sizes.next().copied().unwrap_or(HEADER).max(HEADER);
        let sent = start.elapsed().as_nanos() as u64;
        match socket.send(&payload(number, sent, size)) {
            Err(e) if !is_unreachable(&e) => return Err(e),
            _ => number += 1,
        }
    }
    Ok(number)
}

/// Errors of a link that is down or a port whose receiver is not there yet: a loss, not a failure.
fn is_unreachable(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkDown | NetworkUnreachable)
        || error.raw_os_error() == Some(libc::ENOBUFS)
}

fn receive(
    socket: &UdpSocket,
    interval: Duration,
    stop: &AtomicBool,
    received: &AtomicU64,
) -> StreamReport {
    let mut report = StreamReport::default();
    let mut buffer = vec![0_u8; 65_536];
    // When each datagram that arrived was sent, by number.
    let mut arrived: Vec<Option<u64>> = Vec::new();
    let mut ends: Option<Instant> = None;
    loop {
        if stop.load(Ordering::Relaxed)
            && *ends.get_or_insert_with(|| Instant::now() + STRAGGLERS) < Instant::now()
        {
            report.outage = longest_gap(&arrived).saturating_sub(interval);
            return report;
        }
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let Some(([number, sent], _)) = buffer[..length].as_chunks::<8>().0.split_first_chunk()
        else {
            continue;
        };
        let (number, sent) = (u64::from_be_bytes(*number), u64::from_be_bytes(*sent));
        if buffer[..length] != payload(number, sent, length)[..] {
            report.damaged += 1;
            continue;
        }
        if arrived.len() <= number as usize {
            arrived.resize(number as usize + 1, None);
        }
        if arrived[number as usize].replace(sent).is_some() {
            report.duplicates += 1;
            continue;
        }
        report.received += 1;
        received.store(report.received, Ordering::Relaxed);
    }
}

/// The longest time between two datagrams that arrived with a lost one in between.
fn longest_gap(arrived: &[Option<u64>]) -> Duration {
    let mut longest = 0;
    let mut last: Option<(usize, u64)> = None;
    for (number, sent) in arrived.iter().enumerate() {
        let Some(sent) = *sent else { continue };
        if let Some((before, then)) = last
            && number > before + 1
        {
            longest = longest.max(sent - then);
        }
        last = Some((number, sent));
    }
    Duration::from_nanos(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_lasts_from_the_last_arrival_before_it_to_the_first_after_it() {
        let ms = |ms: u64| Some(ms * 1_000_000);
        assert_eq!(longest_gap(&[ms(0), ms(5), ms(10)]), Duration::ZERO);
        assert_eq!(longest_gap(&[ms(0), None, ms(10), ms(15)]), Duration::from_millis(10));
        let stalled_sender = [ms(0), ms(500), None, None, ms(515)];
        assert_eq!(longest_gap(&stalled_sender), Duration::from_millis(15));
    }
}
