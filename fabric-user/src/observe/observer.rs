//! The sockets: one that listens, one that asks.

use std::{collections::VecDeque, io, net::IpAddr};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use tokio::io::{Interest, unix::AsyncFd};

use super::{
    Event, Scope, Snapshot, decode,
    request::{self, Dump, HEADER},
};

/// What happened since the last call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Changes in the order in which they happened; possibly none that matters to Fabric.
    Events(Vec<Event>),
    /// The kernel could not keep up with us and dropped messages: only a new [`Observer::dump`]
    /// tells what is true.
    Lost,
}

/// Why the kernel cannot be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A system call on a netlink socket failed.
    #[error("cannot {what} the kernel's route netlink socket: {error}")]
    Socket {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// The kernel refused a request.
    #[error("the kernel refused to {what}: {error}")]
    Refused {
        /// What was asked.
        what: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// The tables changed during each of several dumps.
    #[error(
        "the kernel's {what} changed during each of {attempts} dumps in a row; try again when it is \
         quieter"
    )]
    Restless {
        /// What was dumped.
        what: String,
        /// How often.
        attempts: u32,
    },
    /// A dump was cut off.
    #[error("the kernel's answer about {what} is longer than {limit} bytes or cut off")]
    CutOff {
        /// What was dumped.
        what: String,
        /// Size of the receive buffer.
        limit: usize,
    },
}

/// Observes the network namespace in which it was opened, also after the thread has left it.
pub struct Observer {
    listener: AsyncFd<Socket>,
    asker: AsyncFd<Socket>,
    sequence: u32,
    buffer: Vec<u8>,
    /// What was read and not handed on yet.
    ahead: VecDeque<Event>,
    /// The kernel has dropped messages that nobody was told about yet.
    lost: bool,
}

/// Multicast groups of `linux/rtnetlink.h` (`RTNLGRP_*`): link, neighbour, IPv4 route, IPv4 rule,
/// IPv6 route, IPv6 rule, IPv4 netconf, IPv6 netconf, nexthop.
const GROUPS: [u32; 9] = [1, 3, 7, 8, 11, 19, 24, 25, 32];
/// Bytes that the kernel may queue for us: about 200,000 FDB changes.
const QUEUE: usize = 64 << 20;
/// The kernel never sends more than 32 KiB at once.
const BUFFER: usize = 64 << 10;
/// Events in a batch, after which the caller gets its turn.
const BATCH: usize = 4_096;
/// Events that are read before the caller asks for them, at most: some tens of megabytes.
const AHEAD: usize = 64 * BATCH;
/// How often an interrupted dump is repeated.
const ATTEMPTS: u32 = 16;

const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;
const NLM_F_DUMP_INTR: u16 = 0x10;

impl Observer {
    /// Opens the sockets and subscribes. What happens from now on is kept for
    /// [`next`](Self::next), so call [`dump`](Self::dump) now.
    ///
    /// Must be called inside a tokio runtime with I/O enabled.
    ///
    /// # Errors
    /// If a socket cannot be made or a multicast group cannot be joined.
    pub fn open() -> Result<Self, ObserveError> {
        let socket = |what| move |error| ObserveError::Socket { what, error };
        let mut listener = Socket::new(NETLINK_ROUTE).map_err(socket("open"))?;
        // Without CAP_NET_ADMIN in the first user namespace the system's limit applies.
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(&listener, QUEUE).is_err() {
            rustix::net::sockopt::set_socket_recv_buffer_size(&listener, QUEUE)
                .map_err(|error| socket("size the buffer of")(error.into()))?;
        }
        listener.bind(&SocketAddr::new(0, 0)).map_err(socket("bind"))?;
        for group in GROUPS {
            listener.add_membership(group).map_err(socket("subscribe to a group of"))?;
        }
        let mut asker = Socket::new(NETLINK_ROUTE).map_err(socket("open"))?;
        asker.bind(&SocketAddr::new(0, 0)).map_err(socket("bind"))?;
        for each in [&listener, &asker] {
            each.set_non_blocking(true).map_err(socket("configure"))?;
        }
        Ok(Self {
            listener: watch(listener).map_err(socket("watch"))?,
            asker: watch(asker).map_err(socket("watch"))?,
            sequence: 0,
            buffer: vec![0; BUFFER],
            ahead: VecDeque::new(),
            lost: false,
        })
    }

    /// Waits for changes and takes some thousands of those that are there. Cancel-safe: nothing is lost
    /// when the future is dropped.
    ///
    /// # Errors
    /// If the socket fails. Lost messages are no error but [`Batch::Lost`].
    pub async fn next(&mut self) -> Result<Batch, ObserveError> {
        let socket = |error| ObserveError::Socket { what: "wait for", error };
        if self.ahead.is_empty() && !self.lost {
            self.listener.readable().await.map_err(socket)?.retain_ready();
        } else {
            // The runtime's other tasks would not get their turn before everything is handed on.
            tokio::task::yield_now().await;
        }
        self.read_ahead()?;
        if std::mem::take(&mut self.lost) {
            self.ahead.clear();
            return Ok(Batch::Lost);
        }
        let count = self.ahead.len().min(BATCH);
        Ok(Batch::Events(self.ahead.drain(..count).collect()))
    }

    /// Takes more off the kernel's queue than the caller gets at once: there a change takes eight times
    /// the memory that it takes here, and a queue that is full drops the next one. If the kernel dropped
    /// any, the queue is empty afterwards.
    fn read_ahead(&mut self) -> Result<(), ObserveError> {
        let most = (AHEAD - self.ahead.len().min(AHEAD)).min(4 * BATCH);
        let mut read = 0;
        while self.lost || read < most {
            let buffer = &mut self.buffer;
            let received = self.listener.try_io(Interest::READABLE, |socket| {
                socket.recv(&mut &mut buffer[..], libc::MSG_TRUNC)
            });
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // From here to an empty queue the kernel drops everything without another word
                // (`NETLINK_S_CONGESTED` of af_netlink.c), so a dump must not begin before.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => self.lost = true,
                Err(error) => return Err(ObserveError::Socket { what: "read", error }),
                Ok(_) if self.lost => {}
                Ok(length) => match self.buffer.get(..length) {
                    None => self.lost = true,
                    Some(datagram) => {
                        read += 1;
                        for message in Messages(datagram) {
                            self.lost |= message.kind == NLMSG_OVERRUN;
                            self.ahead.extend(message.decode());
                        }
                    }
                },
            }
        }
        Ok(())
    }

    /// Reads everything. Changes that are still queued are told by [`next`](Self::next) afterwards,
    /// in their order, so that the last word about each object is the true one.
    ///
    /// # Errors
    /// If the kernel refuses, or changes faster than it can be read.
    pub async fn dump(&mut self) -> Result<Snapshot, ObserveError> {
        self.dump_scope(Scope::All, Dump::ALL).await
    }

    /// Reads what the kernel removes silently when a link goes down: nexthops and routes, and
    /// neighbours with them.
    ///
    /// # Errors
    /// As [`dump`](Self::dump).
    pub async fn dump_routing(&mut self) -> Result<Snapshot, ObserveError> {
        self.dump_scope(Scope::Routing, Dump::ROUTING).await
    }

    /// Makes the kernel resolve a neighbour, or confirm a stale one, as a packet to it would.
    /// The answer comes as an event.
    ///
    /// # Errors
    /// If the kernel refuses, for instance because the interface is gone or down.
    pub async fn trigger_resolution(
        &mut self,
        ifindex: u32,
        address: IpAddr,
    ) -> Result<(), ObserveError> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request::resolve(self.sequence, ifindex, address);
        let what = || format!("resolve {address} on interface {ifindex}");
        self.ask(&request, &what, |_| {}).await.map(drop)
    }

    /// Leaves room for only a few messages.
    #[cfg(test)]
    pub(super) fn shrink_queue_for_test(&self) {
        rustix::net::sockopt::set_socket_recv_buffer_size(self.listener.get_ref(), 4_096).unwrap();
    }

    async fn dump_scope(&mut self, scope: Scope, dumps: &[Dump]) -> Result<Snapshot, ObserveError> {
        let mut events = Vec::new();
        for dump in dumps {
            events.extend(self.dump_one(*dump).await?);
        }
        Ok(Snapshot { scope, events })
    }

    async fn dump_one(&mut self, dump: Dump) -> Result<Vec<Event>, ObserveError> {
        for _ in 0..ATTEMPTS {
            self.sequence = self.sequence.wrapping_add(1);
            let request = dump.request(self.sequence);
            let mut events = Vec::new();
            let what = || format!("list {dump:?}");
            let asked = self.ask(&request, &what, |message| events.extend(message.decode())).await;
            match asked {
                Ok(true) => return Ok(events),
                Ok(false) => {}
                Err(ObserveError::Refused { error, .. }) if dump.is_missing(&error) => {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(error),
            }
        }
        Err(ObserveError::Restless { what: format!("{dump:?}"), attempts: ATTEMPTS })
    }

    /// Sends a request and reads its answer to the end. Returns whether the answer is consistent.
    async fn ask(
        &mut self,
        request: &[u8],
        what: &(dyn Fn() -> String + Sync),
        mut take: impl FnMut(&Message<'_>),
    ) -> Result<bool, ObserveError> {
        let socket = |action| move |error| ObserveError::Socket { what: action, error };
        self.asker
            .get_ref()
            .send_to(request, &SocketAddr::new(0, 0), 0)
            .map_err(socket("write to"))?;
        let mut consistent = true;
        loop {
            let mut guard = self.asker.readable().await.map_err(socket("wait for"))?;
            let buffer = &mut self.buffer;
            let received =
                guard.try_io(|socket| socket.get_ref().recv(&mut &mut buffer[..], libc::MSG_TRUNC));
            let length = match received {
                Err(_would_block) => continue,
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(received) => received.map_err(socket("read"))?,
            };
            let cut_off = || ObserveError::CutOff { what: what(), limit: BUFFER };
            let datagram = self.buffer.get(..length).ok_or_else(cut_off)?;
            for message in Messages(datagram) {
                // An answer to a request whose future was dropped half-way.
                if message.sequence != self.sequence {
                    continue;
                }
                consistent &= message.flags & NLM_F_DUMP_INTR == 0;
                match message.kind {
                    NLMSG_DONE | NLMSG_ERROR => match message.errno().ok_or_else(cut_off)? {
                        0 => return Ok(consistent),
                        code => {
                            let error = io::Error::from_raw_os_error(code);
                            return Err(ObserveError::Refused { what: what(), error });
                        }
                    },
                    NLMSG_NOOP => {}
                    _ => take(&message),
                }
            }
            // The answer may be long, and changes go on meanwhile.
            self.read_ahead()?;
        }
    }
}

/// Hands a socket to the tokio runtime.
fn watch(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a Socket owns its descriptor, returns always the same and closes it when dropped.
    unsafe { AsyncFd::register(socket) }.map_err(io::Error::from)
}

/// A message of a datagram.
struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

impl Message<'_> {
    /// The event, if it is one. What cannot be decoded is logged and skipped: asking again would
    /// bring the same bytes.
    fn decode(&self) -> Option<Event> {
        match decode(self.kind, self.flags, self.body) {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "skipped a netlink message");
                None
            }
        }
    }

    /// Error number of `NLMSG_ERROR` and `NLMSG_DONE`, positive.
    fn errno(&self) -> Option<i32> {
        let bytes = self.body.first_chunk::<4>()?;
        Some(i32::from_ne_bytes(*bytes).saturating_neg())
    }
}

/// The messages of a datagram.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let header = self.0.first_chunk::<HEADER>()?;
        let &[a, b, c, d, kind_low, kind_high, flags_low, flags_high, e, f, g, h, ..] = header;
        let length = u32::from_ne_bytes([a, b, c, d]) as usize;
        let body = self.0.get(HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([kind_low, kind_high]),
            flags: u16::from_ne_bytes([flags_low, flags_high]),
            sequence: u32::from_ne_bytes([e, f, g, h]),
            body,
        })
    }
}
