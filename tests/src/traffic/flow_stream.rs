//! Many UDP flows at a steady rate, and for each of their packets whether, when and where it
//! arrived, with every byte of it.
//!
//! A flow is a UDP source port. Its packets take turns with those of all other flows, so a flow
//! of a thousand sends every fiftieth millisecond if all together send 20,000 packets a second. How
//! long an outage lasts is therefore seen best on all flows that share a path together.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::datagram::{Sender, inside};
use crate::precedence;
use fabric_user::lab::{LabError, Netns};

/// After the last packet, stragglers have this long.
const STRAGGLERS: Duration = Duration::from_millis(500);
/// A receiver that a busy machine lets wait for so long loses nothing that the network delivered.
const RECEIVE_BUFFER: usize = 32 << 20;
/// Senders wake up so often and send what is due.
const BEAT: Duration = Duration::from_micros(200);
/// In front of the payload: the packet's number and when it was sent.
const HEADER: usize = 16;
/// So much may be made up for at once. More in one burst would overflow the queue of a veth, and
/// look like a lossy network.
const BACKLOG: u64 = 100;

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct FlowOptions {
    /// Number of flows.
    pub flows: u16,
    /// Packets a second, of all flows together.
    pub rate: u32,
    /// UDP source port of the first flow; the others have the ports behind it.
    pub first_port: u16,
    /// UDP port at the receivers.
    pub port: u16,
    /// Sizes of UDP payloads in bytes, which packets have in turn; at least 16 each.
    pub sizes: &'static [usize],
}

/// A stream of many flows that runs until it is stopped.
#[derive(Debug)]
pub struct FlowStream {
    options: FlowOptions,
    start: Instant,
    stop: Arc<AtomicBool>,
    /// Nothing arrives any more.
    over: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
    sender: JoinHandle<io::Result<Vec<u64>>>,
    receivers: Vec<JoinHandle<Arrivals>>,
}

/// What one receiver got.
#[derive(Debug, Default)]
struct Arrivals {
    intact: Vec<Arrival>,
    /// Packets whose bytes were not those that were sent.
    damaged: u64,
}

/// A packet that arrived.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    number: u64,
    /// Nanoseconds since the start.
    at: u64,
}

/// What became of the packets.
#[derive(Clone, Debug)]
pub struct FlowReport {
    flows: usize,
    start: Instant,
    /// All packets in the order of sending; they belong to the flows in turn.
    packets: Vec<Packet>,
    /// Packets received a second time.
    pub duplicates: u64,
    /// Packets that arrived with other bytes than they were sent with.
    pub damaged: u64,
}

/// One packet. Times are nanoseconds since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Packet {
    sent: u64,
    /// When it arrived and at which receiver.
    arrived: Option<(u64, u8)>,
}

/// A time in which packets got lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When the first lost packet was sent.
    pub began: Instant,
    /// When the first one was sent that arrived again; without any, when the last one was sent.
    pub ended: Instant,
    /// Packets lost in between.
    pub lost: u64,
}

impl Outage {
    /// How long it lasted.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.ended.saturating_duration_since(self.began)
    }
}

impl FlowStream {
    /// Starts to send from one host to an address that all `receivers` have: one host, or the
    /// servers of an anycast service.
    ///
    /// # Errors
    /// If a namespace cannot be entered or gives no socket.
    pub fn start(
        from: &Netns,
        to: IpAddr,
        receivers: &[Netns],
        options: FlowOptions,
    ) -> Result<Self, LabError> {
        let start = Instant::now();
        let stop = Arc::new(AtomicBool::new(false));
        let over = Arc::new(AtomicBool::new(false));
        let received = Arc::new(AtomicU64::new(0));
        let mut threads = Vec::new();
        for netns in receivers {
            let socket = inside(netns, || open_receiver(SocketAddr::new(to, options.port)))?;
            let (over, received) = (over.clone(), received.clone());
            let receive = move || receive(&socket, options.sizes, start, &over, &received);
            threads.push(thread::spawn(receive));
        }
        let socket = inside(from, || Sender::open(to))?;
        let sender = {
            let stop = stop.clone();
            thread::spawn(move || send(&socket, options, start, &stop))
        };
        Ok(Self { options, start, stop, over, received, sender, receivers: threads })
    }

    /// Packets that have arrived so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Stops, waits for stragglers and reports.
    ///
    /// # Errors
    /// If a packet could not be sent for a reason other than a missing route or neighbour.
    pub fn stop(self) -> io::Result<FlowReport> {
        self.stop.store(true, Ordering::Relaxed);
        let failed = |_| io::Error::other("a thread of the stream has panicked");
        let sent = self.sender.join().map_err(failed)?;
        let all = sent.as_ref().map_or(0, Vec::len) as u64;
        let deadline = Instant::now() + STRAGGLERS;
        while self.received.load(Ordering::Relaxed) < all && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        self.over.store(true, Ordering::Relaxed);
        let mut packets: Vec<Packet> =
            sent?.into_iter().map(|sent| Packet { sent, arrived: None }).collect();
        let (mut duplicates, mut damaged) = (0, 0);
        for (receiver, thread) in (0_u8..).zip(self.receivers) {
            let arrivals = thread.join().map_err(failed)?;
            damaged += arrivals.damaged;
            for Arrival { number, at } in arrivals.intact {
                let packet = usize::try_from(number).ok().and_then(|n| packets.get_mut(n));
                if packet.is_some_and(|packet| packet.arrived.replace((at, receiver)).is_some()) {
                    duplicates += 1;
                }
            }
        }
        let (flows, start) = (self.options.flows.into(), self.start);
        Ok(FlowReport { flows, start, packets, duplicates, damaged })
    }
}

impl FlowReport {
    /// Packets sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.packets.len() as u64
    }

    /// Packets of the flows of a set that did not arrive.
    pub fn lost(&self, of: impl Fn(u16) -> bool) -> u64 {
        self.of(of).filter(|packet| packet.arrived.is_none()).count() as u64
    }

    /// Packets that arrived within each of `count` steps of time from a moment on, which may be
    /// before the start.
    #[must_use]
    pub fn arrivals(&self, from: Instant, step: Duration, count: usize) -> Vec<u64> {
        let mut arrivals = vec![0; count];
        for (at, _) in self.packets.iter().filter_map(|packet| packet.arrived) {
            let since = (self.start + Duration::from_nanos(at)).checked_duration_since(from);
            let index = since.map(|since| since.as_nanos() / step.as_nanos().max(1));
            if let Some(bin) = index.and_then(|at| arrivals.get_mut(usize::try_from(at).ok()?)) {
                *bin += 1;
            }
        }
        arrivals
    }

    /// Packets a second that were really sent.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let span = self.packets.last().map_or(0, |last| last.sent);
        self.packets.len() as f64 / Duration::from_nanos(span.max(1)).as_secs_f64()
    }

    /// The flows that lost packets.
    #[must_use]
    pub fn losers(&self) -> BTreeSet<u16> {
        let numbered = self.packets.iter().enumerate();
        let lost = numbered.filter(|(_, packet)| packet.arrived.is_none());
        lost.map(|(number, _)| (number % self.flows) as u16).collect()
    }

    /// The longest outage of the flows of a set, seen as one stream: from the first of its lost
    /// packets that were sent one after the other.
    pub fn outage(&self, of: impl Fn(u16) -> bool) -> Option<Outage> {
        let mut longest: Option<(u64, u64, u64)> = None;
        let mut open: Option<(u64, u64, u64)> = None;
        let mut close = |run: Option<(u64, u64, u64)>| {
            if let Some(run) = run
                && longest.is_none_or(|(began, ended, _)| run.1 - run.0 > ended - began)
            {
                longest = Some(run);
            }
        };
        for packet in self.of(of) {
            match (&mut open, packet.arrived) {
                (None, None) => open = Some((packet.sent, packet.sent, 1)),
                (Some((_, ended, lost)), None) => (*ended, *lost) = (packet.sent, *lost + 1),
                (Some((began, _, lost)), Some(_)) => {
                    close(Some((*began, packet.sent, *lost)));
                    open = None;
                }
                (None, Some(_)) => {}
            }
        }
        close(open);
        longest.map(|(began, ended, lost)| self.outage_of(began, ended, lost))
    }

    /// From the first lost packet of a set of flows to the first packet that arrived after the last
    /// lost one, whatever arrived in between.
    pub fn span(&self, of: impl Fn(u16) -> bool) -> Option<Outage> {
        let (mut first, mut ended, mut lost, mut last) = (None, None, 0, 0);
        for packet in self.of(of) {
            last = packet.sent;
            if packet.arrived.is_none() {
                first.get_or_insert(packet.sent);
                (ended, lost) = (None, lost + 1);
            } else {
                ended.get_or_insert(packet.sent);
            }
        }
        first.map(|began| self.outage_of(began, ended.unwrap_or(last), lost))
    }

    /// The receivers at which packets of a flow arrived.
    #[must_use]
    pub fn receivers(&self, flow: u16) -> BTreeSet<usize> {
        let arrived = self.of(|it| it == flow).filter_map(|packet| packet.arrived);
        arrived.map(|(_, receiver)| receiver.into()).collect()
    }

    /// The receivers at which packets of a flow arrived that were sent within a time.
    #[must_use]
    pub fn receivers_within(&self, flow: u16, from: Instant, to: Instant) -> BTreeSet<usize> {
        let within = |packet: &&Packet| {
            let sent = self.start + Duration::from_nanos(packet.sent);
            from <= sent && sent <= to
        };
        let arrived = self.of(|it| it == flow).filter(within).filter_map(|packet| packet.arrived);
        arrived.map(|(_, receiver)| receiver.into()).collect()
    }

    /// The longest time that a packet was on its way: how much a busy machine disturbs.
    #[must_use]
    pub fn slowest(&self) -> Duration {
        let times =
            self.packets.iter().filter_map(|it| Some(it.arrived?.0.saturating_sub(it.sent)));
        Duration::from_nanos(times.max().unwrap_or(0))
    }

    fn of(&self, of: impl Fn(u16) -> bool) -> impl Iterator<Item = &Packet> {
        let numbered = self.packets.iter().enumerate();
        numbered.filter(move |(n, _)| of((n % self.flows) as u16)).map(|(_, packet)| packet)
    }

    fn outage_of(&self, began: u64, ended: u64, lost: u64) -> Outage {
        let [began, ended] = [began, ended].map(|at| self.start + Duration::from_nanos(at));
        Outage { began, ended, lost }
    }
}

pub(super) fn open_receiver(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER)?;
    Ok(socket)
}

fn nanos_since(start: Instant) -> u64 {
    start.elapsed().as_nanos() as u64
}

/// The payload of a packet.
fn payload(number: u64, sent: u64, sizes: &[usize]) -> Vec<u8> {
    let size = sizes[number as usize % sizes.len()];
    let header = [number, sent].into_iter().flat_map(u64::to_be_bytes);
    let filling =
        (HEADER..size).map(|at| (number as usize).wrapping_mul(31).wrapping_add(at) as u8);
    header.chain(filling).collect()
}

fn send(
    sender: &Sender,
    options: FlowOptions,
    start: Instant,
    stop: &AtomicBool,
) -> io::Result<Vec<u64>> {
    // Hosts are machines of their own in reality, and what the lab's switches do does not slow them down. Without
    // the right to it, a busy machine sends fewer packets.
    let _refused = precedence::take();
    let mut sent = Vec::new();
    // Packets that would have been sent by now but were left out.
    let mut skipped = 0;
    let began = Instant::now();
    let beat = BEAT.max(Duration::from_secs(1) / options.rate);
    while !stop.load(Ordering::Relaxed) {
        let due = (began.elapsed().as_nanos() * u128::from(options.rate) / 1_000_000_000) as u64;
        let waiting = due.saturating_sub(skipped + sent.len() as u64);
        skipped += waiting.saturating_sub(BACKLOG);
        for _ in 0..waiting.min(BACKLOG) {
            let number = sent.len() as u64;
            let now = nanos_since(start);
            let flow = (number % u64::from(options.flows)) as u16;
            let ports = [options.first_port + flow, options.port];
            // What cannot be delivered is lost.
            sender.send(ports, &payload(number, now, options.sizes))?;
            sent.push(now);
        }
        thread::sleep(beat);
    }
    Ok(sent)
}

fn receive(
    socket: &UdpSocket,
    sizes: &[usize],
    start: Instant,
    over: &AtomicBool,
    received: &AtomicU64,
) -> Arrivals {
    let _refused = precedence::take();
    let mut arrivals = Arrivals::default();
    let mut buffer = [0; 1 << 16];
    while !over.load(Ordering::Relaxed) {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let (at, packet) = (nanos_since(start), &buffer[..length]);
        let header = packet.as_chunks().0.first_chunk().map(|it| it.map(u64::from_be_bytes));
        match header {
            Some([number, sent]) if payload(number, sent, sizes) == packet => {
                arrivals.intact.push(Arrival { number, at });
                received.fetch_add(1, Ordering::Relaxed);
            }
            _ => arrivals.damaged += 1,
        }
    }
    arrivals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of two flows that send in turn every millisecond; `.` is a packet that got lost, a
    /// digit the receiver of one that arrived.
    fn report(fates: &str) -> FlowReport {
        let packets = (0..).zip(fates.chars()).map(|(number, fate)| {
            let sent = number * 1_000_000;
            Packet { sent, arrived: fate.to_digit(10).map(|it| (sent + 500, it as u8)) }
        });
        let (start, packets) = (Instant::now(), packets.collect());
        FlowReport { flows: 2, start, packets, duplicates: 0, damaged: 0 }
    }

    fn millis(outage: Option<Outage>) -> Option<(u128, u64)> {
        outage.map(|outage| (outage.length().as_millis(), outage.lost))
    }

    #[test]
    fn an_outage_is_measured_on_the_flows_that_share_a_path() {
        let report = report("0000.0.00000");
        assert_eq!(millis(report.outage(|flow| flow == 0)), Some((4, 2)));
        assert_eq!(report.outage(|flow| flow == 1), None);
        assert_eq!(millis(report.outage(|_| true)), Some((1, 1)), "the other flow arrives between");
        assert_eq!(millis(report.span(|_| true)), Some((3, 2)));
        assert_eq!((report.lost(|_| true), report.losers()), (2, BTreeSet::from([0])));
    }

    #[test]
    fn the_longest_of_several_outages_counts_and_one_may_last_to_the_end() {
        let report = report("0..00....");
        assert_eq!(millis(report.outage(|_| true)), Some((3, 4)));
        assert_eq!(millis(report.span(|_| true)), Some((7, 6)));
    }

    #[test]
    fn arrivals_are_counted_by_when_they_arrived() {
        let report = report("00.00");
        let from = |offset: i64| {
            let by = Duration::from_micros(offset.unsigned_abs());
            if offset < 0 { report.start - by } else { report.start + by }
        };
        let step = Duration::from_millis(2);
        assert_eq!(report.arrivals(from(-2_000), step, 4), [0, 2, 1, 1]);
        assert_eq!(report.arrivals(from(1_000), step, 1), [1]);
    }

    #[test]
    fn the_receivers_of_a_flow_are_told_apart_by_the_time_of_sending() {
        let report = report("01010111");
        let at = |number: u64| report.start + Duration::from_millis(number);
        assert_eq!(report.receivers_within(0, at(0), at(5)), BTreeSet::from([0]));
        assert_eq!(report.receivers_within(0, at(0), at(7)), BTreeSet::from([0, 1]));
        assert_eq!(report.receivers(1), BTreeSet::from([1]));
    }
}
