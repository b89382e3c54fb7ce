//! ICMP echo (RFC 792) at a fixed interval, as `ping -i` does it.

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketType, ipproto, recv, sendto, socket, sockopt};

use super::{clock::Clock, datagram::inside};
use fabric_user::lab::{LabError, Netns};

/// A reply that comes later than this counts as lost.
const REPLY_TIME: Duration = Duration::from_secs(1);
const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;

/// What became of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingReport {
    /// Requests sent.
    pub sent: u64,
    /// Requests without a reply within a second.
    pub lost: u64,
}

/// A ping that runs until it is stopped.
#[derive(Debug)]
pub struct Ping {
    stop: Arc<AtomicBool>,
    sender: JoinHandle<io::Result<u16>>,
    receiver: JoinHandle<()>,
    replies: Arc<Mutex<BTreeSet<u16>>>,
}

impl Ping {
    /// Starts to ping `target` from a host.
    ///
    /// # Errors
    /// If the host's namespace cannot be entered or gives no raw socket.
    pub fn start(host: &Netns, target: Ipv4Addr, interval: Duration) -> Result<Self, LabError> {
        let socket = Arc::new(inside(host, open)?);
        // The namespace has no other pinger of ours with the same number: it is the socket's own.
        let identifier = std::os::fd::AsRawFd::as_raw_fd(&*socket) as u16 ^ 0xfab0;
        let stop = Arc::new(AtomicBool::new(false));
        let replies = Arc::new(Mutex::new(BTreeSet::new()));
        let receiver = {
            let (socket, stop, replies) = (socket.clone(), stop.clone(), replies.clone());
            thread::spawn(move || receive(&socket, identifier, &stop, &replies))
        };
        let sender = {
            let stop = stop.clone();
            thread::spawn(move || send(&socket, identifier, target, interval, &stop))
        };
        Ok(Self { stop, sender, receiver, replies })
    }

    /// Stops sending, waits for the last replies and counts.
    ///
    /// # Errors
    /// If a request could not be sent for a reason other than a missing route or neighbour.
    pub fn stop(self) -> io::Result<PingReport> {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        let deadline = Instant::now() + REPLY_TIME;
        let count = || self.replies.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
        while count() < u64::from(sent) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        let replies = count();
        drop(self.receiver);
        Ok(PingReport { sent: sent.into(), lost: u64::from(sent) - replies.min(sent.into()) })
    }
}

fn open() -> io::Result<OwnedFd> {
    let socket = socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(Duration::from_millis(100)))?;
    Ok(socket)
}

fn send(
    socket: &OwnedFd,
    identifier: u16,
    target: Ipv4Addr,
    interval: Duration,
    stop: &AtomicBool,
) -> io::Result<u16> {
    let mut clock = Clock::new(interval);
    let mut sequence = 0_u16;
    while !stop.load(Ordering::Relaxed) {
        clock.tick();
        let address = SocketAddrV4::new(target, 0);
        match sendto(
            socket,
            &request(identifier, sequence),
            rustix::net::SendFlags::empty(),
            &address,
        ) {
            // While a VM moves, its link is down; such a request counts as lost.
            Ok(_)
            | Err(
                rustix::io::Errno::NETUNREACH
                | rustix::io::Errno::HOSTUNREACH
                | rustix::io::Errno::NETDOWN
                | rustix::io::Errno::NODEV
                | rustix::io::Errno::NOBUFS,
            ) => {}
            Err(error) => return Err(error.into()),
        }
        sequence += 1;
    }
    Ok(sequence)
}

fn request(identifier: u16, sequence: u16) -> [u8; 16] {
    let mut packet = [0_u8; 16];
    packet[0] = ECHO_REQUEST;
    packet[4..6].copy_from_slice(&identifier.to_be_bytes());
    packet[6..8].copy_from_slice(&sequence.to_be_bytes());
    let words = packet.chunks_exact(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
    let checksum = !fabric_common::checksum::fold(words.sum());
    packet[2..4].copy_from_slice(&checksum.to_be_bytes());
    packet
}

fn receive(socket: &OwnedFd, identifier: u16, stop: &AtomicBool, replies: &Mutex<BTreeSet<u16>>) {
    let mut buffer = [0_u8; 256];
    let mut ends: Option<Instant> = None;
    loop {
        if stop.load(Ordering::Relaxed)
            && *ends.get_or_insert_with(|| Instant::now() + REPLY_TIME) < Instant::now()
        {
            return;
        }
        let Ok((length, _)) = recv(socket, &mut buffer, rustix::net::RecvFlags::empty()) else {
            continue;
        };
        // A raw socket gets the IP header too.
        let header = usize::from(buffer[0] & 0x0f) * 4;
        let Some(icmp) = buffer.get(header..length) else {
            continue;
        };
        if let [ECHO_REPLY, _, _, _, i0, i1, s0, s1, ..] = *icmp
            && u16::from_be_bytes([i0, i1]) == identifier
        {
            let sequence = u16::from_be_bytes([s0, s1]);
            replies.lock().unwrap_or_else(PoisonError::into_inner).insert(sequence);
        }
    }
}
