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

use super::clock::Clock;
use crate::lab::{LabError, Netns};

/// After the last datagram, stragglers have this long.
const STRAGGLERS: Duration = Duration::from_millis(500);
/// Number in front of the payload.
const HEADER: usize = 8;

/// What to send.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// Time between two datagrams.
    pub interval: Duration,
    /// Sizes of UDP payloads in bytes, used in turn; at least 8 each.
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
    /// Longest time between two datagrams, less the interval.
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
        let failed = |ns: &Netns| {
            let namespace = ns.name().to_owned();
            move |source| LabError::Namespace { namespace, source }
        };
        let port = options.port;
        let receiver = to
            .enter(|| UdpSocket::bind((address, port)))?
            .map_err(failed(to))?;
        receiver
            .set_read_timeout(Some(Duration::from_millis(50)))
            .map_err(failed(to))?;
        let sender = from
            .enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))?
            .map_err(failed(from))?;
        sender.connect((address, port)).map_err(failed(from))?;
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
        Ok(Self {
            stop,
            received,
            sender,
            receiver,
        })
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
        let sent = self
            .sender
            .join()
            .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        let report = self.receiver.join().map_err(|_| io::ErrorKind::Other)?;
        Ok(StreamReport { sent, ..report })
    }
}

fn payload(number: u64, size: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = number.to_be_bytes().to_vec();
    bytes.extend((HEADER..size).map(|i| (number as usize).wrapping_mul(31).wrapping_add(i) as u8));
    bytes
}

fn send(socket: &UdpSocket, options: &StreamOptions, stop: &AtomicBool) -> io::Result<u64> {
    let mut clock = Clock::new(options.interval);
    let mut number = 0_u64;
    let mut sizes = options.sizes.iter().cycle();
    while !stop.load(Ordering::Relaxed) {
        clock.tick();
        let size = sizes.next().copied().unwrap_or(HEADER).max(HEADER);
        match socket.send(&payload(number, size)) {
            Err(e) if !is_unreachable(&e) => return Err(e),
            _ => number += 1,
        }
    }
    Ok(number)
}

/// Errors of a link that is down or a port whose receiver is not there yet: a loss, not a failure.
fn is_unreachable(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable};
    matches!(
        error.kind(),
        ConnectionRefused | HostUnreachable | NetworkDown | NetworkUnreachable
    ) || error.raw_os_error() == Some(libc::ENOBUFS)
}

fn receive(
    socket: &UdpSocket,
    interval: Duration,
    stop: &AtomicBool,
    received: &AtomicU64,
) -> StreamReport {
    let mut report = StreamReport::default();
    let mut buffer = vec![0_u8; 65_536];
    let mut seen: Vec<bool> = Vec::new();
    let mut last: Option<Instant> = None;
    let mut ends: Option<Instant> = None;
    loop {
        if stop.load(Ordering::Relaxed)
            && *ends.get_or_insert_with(|| Instant::now() + STRAGGLERS) < Instant::now()
        {
            return report;
        }
        let Ok(length) = socket.recv(&mut buffer) else {
            continue;
        };
        let now = Instant::now();
        let Some(number) = buffer.first_chunk().map(|n| u64::from_be_bytes(*n)) else {
            continue;
        };
        if buffer[..length] != payload(number, length)[..] {
            report.damaged += 1;
            continue;
        }
        if seen.len() <= number as usize {
            seen.resize(number as usize + 1, false);
        }
        if std::mem::replace(&mut seen[number as usize], true) {
            report.duplicates += 1;
            continue;
        }
        report.received += 1;
        received.store(report.received, Ordering::Relaxed);
        if let Some(last) = last.replace(now) {
            report.outage = report.outage.max((now - last).saturating_sub(interval));
        }
    }
}
