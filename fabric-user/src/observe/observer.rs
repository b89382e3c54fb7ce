//! The sockets that listen.

use std::{collections::VecDeque, io, time::Instant};

use super::{
    Event, ObserveError, devices::Devices, generations, protocol::Protocol, request, xdp_features,
};
use crate::netlink::{self, AsyncListener, NLMSG_ERROR, Received};

/// What happened since the last call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Changes in the order in which they happened; possibly none that matters to Fabric.
    Events(Vec<Event>),
    /// The kernel could not keep up with us and dropped messages: only a new
    /// [`Asker::dump`](super::Asker::dump) tells what is true.
    Lost,
}

/// Observes the network namespace in which it was opened, also after the thread has left it.
pub struct Observer {
    route: Listener,
    /// None if the kernel was built without IPsec.
    xfrm: Option<Listener>,
    /// None if the kernel was built without netfilter.
    netfilter: Option<Listener>,
    devices: Devices,
    /// None if the kernel does not announce what XDP programs may do.
    features: Option<xdp_features::Listener>,
    /// What was read and not handed on yet.
    ahead: VecDeque<Event>,
    /// When it was read, and how many of it then, in the order of reading.
    read: VecDeque<(Instant, usize)>,
    /// When the oldest of the last batch was read.
    heard: Instant,
    /// Events in the next batch, at most.
    room: usize,
    /// The kernel has dropped messages that nobody was told about yet.
    lost: bool,
}

/// A place among what happens.
enum Mark {
    /// Not reached yet.
    Asked,
    /// Behind so many of the events that were read and not handed on yet.
    Behind(usize),
}

/// Bytes that the kernel may queue for us: about 200,000 FDB changes.
const QUEUE: usize = 64 << 20;
/// Events in a batch, after which the caller gets its turn, as long as more wait.
const BATCH: usize = 4_096;
/// Events in the first batch of a burst; each further one may have twice as many. Where routes share an object,
/// the kernel tells of the object first and then of ten thousands of routes, of which nothing has changed.
const FIRST: usize = 64;
/// Messages that are read before a batch is handed on, or four times as many as it has: reading so few takes a
/// millisecond or two.
const READ: usize = 1_024;
/// Events that are read before the caller asks for them, at most: 90 MB, in a storm that lasts for
/// seconds.
const AHEAD: usize = 128 * BATCH;

impl Observer {
    /// Opens the sockets and subscribes. What happens from now on is kept for [`next`](Self::next), so
    /// dump now ([`Asker::dump`](super::Asker::dump)).
    ///
    /// Must be called inside a tokio runtime with I/O enabled.
    ///
    /// # Errors
    /// If a socket cannot be made or a multicast group cannot be joined.
    pub fn open() -> Result<Self, ObserveError> {
        let missing =
            || ObserveError::socket("open")(io::Error::from_raw_os_error(libc::EPROTONOSUPPORT));
        let devices = Devices::open()?;
        Ok(Self {
            route: Listener::open(Protocol::Route)?.ok_or_else(missing)?,
            xfrm: Listener::open(Protocol::Xfrm)?,
            netfilter: Listener::open(Protocol::Netfilter)?,
            features: devices.listen()?,
            devices,
            ahead: VecDeque::new(),
            read: VecDeque::new(),
            heard: Instant::now(),
            room: FIRST,
            lost: false,
        })
    }

    /// Waits for changes and takes some of those that are there, soon thousands if there are so many. Cancel-safe:
    /// nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// If a socket fails. Lost messages are no error but [`Batch::Lost`].
    pub async fn next(&mut self) -> Result<Batch, ObserveError> {
        if self.ahead.is_empty() && !self.lost {
            self.readable().await?;
        } else {
            // The runtime's other tasks would not get their turn before everything is handed on.
            tokio::task::yield_now().await;
        }
        self.read_ahead((4 * self.room).max(READ))?;
        Ok(self.flush())
    }

    /// When the oldest of what the last batch tells was read.
    #[must_use]
    pub const fn heard(&self) -> Instant {
        self.heard
    }

    /// Puts a mark behind everything that has happened up to now, in place of the last one.
    ///
    /// # Errors
    /// If a socket fails.
    pub fn mark(&mut self) -> Result<(), ObserveError> {
        self.listeners().try_for_each(Listener::mark)
    }

    /// Whether everything was handed on that happened before the last mark. After lost messages that is
    /// not known, and true.
    #[must_use]
    pub fn is_past_mark(&self) -> bool {
        let all = [Some(&self.route), self.xfrm.as_ref(), self.netfilter.as_ref()];
        let mut listeners = all.into_iter().flatten();
        listeners.all(|listener| matches!(listener.mark, Mark::Behind(0)))
    }

    /// Waits for changes and keeps them for [`next`](Self::next): for who cannot apply them yet, because
    /// the kernel's queue has less room. Returns only if a socket fails; cancel-safe.
    pub async fn buffer(&mut self) -> ObserveError {
        loop {
            if self.ahead.len() >= AHEAD {
                std::future::pending::<()>().await;
            }
            let read = match self.readable().await {
                Ok(()) => self.read_ahead(4 * BATCH),
                failed => failed,
            };
            if let Err(error) = read {
                return error;
            }
        }
    }

    /// Leaves room for only a few messages.
    #[cfg(test)]
    pub(super) fn shrink_queues_for_test(&mut self) {
        for listener in self.listeners() {
            rustix::net::sockopt::set_socket_recv_buffer_size(listener.socket.socket(), 4_096)
                .unwrap();
        }
    }

    fn listeners(&mut self) -> impl Iterator<Item = &mut Listener> {
        let Self { route, xfrm, netfilter, .. } = self;
        [Some(route), xfrm.as_mut(), netfilter.as_mut()].into_iter().flatten()
    }

    async fn readable(&self) -> Result<(), ObserveError> {
        let features = async {
            match &self.features {
                Some(listener) => listener.readable().await,
                None => std::future::pending().await,
            }
        };
        let one = async |listener: &Option<Listener>| match listener {
            Some(listener) => listener.readable().await,
            None => std::future::pending().await,
        };
        tokio::select! {
            ready = self.route.readable() => ready,
            ready = one(&self.xfrm) => ready,
            ready = one(&self.netfilter) => ready,
            ready = features => ready,
        }
    }

    fn flush(&mut self) -> Batch {
        if std::mem::take(&mut self.lost) {
            self.ahead.clear();
            self.read.clear();
            self.room = FIRST;
            self.pass_marks(usize::MAX);
            return Batch::Lost;
        }
        let count = self.ahead.len().min(self.room);
        let events = self.ahead.drain(..count).collect();
        self.pass_marks(count);
        self.hand_on(count);
        if self.ahead.is_empty() {
            self.room = FIRST;
            // After a storm nothing keeps its memory.
            self.ahead.shrink_to(4 * BATCH);
        } else {
            self.room = (2 * self.room).min(BATCH);
        }
        Batch::Events(events)
    }

    /// Notes when the oldest of so many events was read, which are handed on.
    fn hand_on(&mut self, mut count: usize) {
        self.heard = self.read.front().map_or_else(Instant::now, |(at, _)| *at);
        while let Some((_, read)) = self.read.front_mut() {
            if *read > count {
                *read -= count;
                break;
            }
            count -= *read;
            self.read.pop_front();
        }
    }

    /// So many events were handed on. After lost ones no mark comes any more.
    fn pass_marks(&mut self, count: usize) {
        for listener in self.listeners() {
            listener.mark = match listener.mark {
                Mark::Behind(left) => Mark::Behind(left.saturating_sub(count)),
                Mark::Asked if count == usize::MAX => Mark::Behind(0),
                Mark::Asked => Mark::Asked,
            };
        }
    }

    /// Takes so many messages off each of the kernel's queues, if there are, more than the caller gets at once: there
    /// a change takes eight times the memory that it takes here, and a queue that is full drops the next one. If the
    /// kernel dropped any, that queue is empty afterwards.
    fn read_ahead(&mut self, most: usize) -> Result<(), ObserveError> {
        let Self { route, xfrm, netfilter, devices, features, ahead, read, lost, .. } = self;
        let fresh = ahead.len();
        for listener in [Some(route), xfrm.as_mut(), netfilter.as_mut()].into_iter().flatten() {
            let dropped = listener.read(ahead, most)?;
            if dropped && listener.protocol == Protocol::Netfilter {
                // Its messages only ever say that there is something to ask for.
                ahead.push_back(Event::NetfilterChanged);
                listener.pass_lost_mark(ahead.len());
            } else {
                *lost |= dropped;
            }
        }
        if let Some(listener) = features {
            *lost |= listener.read(ahead)?;
        }
        // Behind all others, so that no mark is where it was not.
        let mut found = Vec::new();
        for event in ahead.range(fresh..) {
            devices.look(event, &mut |more| found.push(more));
        }
        ahead.extend(found);
        if ahead.len() > fresh {
            read.push_back((Instant::now(), ahead.len() - fresh));
        }
        Ok(())
    }
}

/// A socket that listens.
struct Listener {
    protocol: Protocol,
    socket: AsyncListener,
    mark: Mark,
    /// Number of the last mark.
    sequence: u32,
}

impl Listener {
    /// Subscribes; none if the kernel was built without the family.
    fn open(protocol: Protocol) -> Result<Option<Self>, ObserveError> {
        let socket = netlink::Listener::open_if_known(protocol.family(), QUEUE);
        let Some(socket) = socket.map_err(ObserveError::socket("open"))? else {
            return Ok(None);
        };
        if protocol == Protocol::Netfilter {
            socket.filter(&generations::FILTER).map_err(ObserveError::socket("filter"))?;
        }
        for group in protocol.groups() {
            socket.join(*group).map_err(ObserveError::socket("subscribe to a group of"))?;
        }
        let socket = AsyncListener::watch(socket).map_err(ObserveError::socket("watch"))?;
        Ok(Some(Self { protocol, socket, mark: Mark::Behind(0), sequence: 0 }))
    }

    async fn readable(&self) -> Result<(), ObserveError> {
        self.socket.readable().await.map_err(ObserveError::socket("wait for"))
    }

    fn mark(&mut self) -> Result<(), ObserveError> {
        self.sequence = self.sequence.wrapping_add(1);
        self.socket
            .socket()
            .send(&request::mark().numbered(self.sequence))
            .map_err(ObserveError::socket("write to"))?;
        self.mark = Mark::Asked;
        Ok(())
    }

    /// The answer that the mark waits for may be among what the kernel dropped; all that there is has been
    /// read up to here.
    const fn pass_lost_mark(&mut self, read: usize) {
        if matches!(self.mark, Mark::Asked) {
            self.mark = Mark::Behind(read);
        }
    }

    /// Appends so many messages to `ahead`, if there are; true if the kernel dropped any, and then nothing is left.
    fn read(&mut self, ahead: &mut VecDeque<Event>, most: usize) -> Result<bool, ObserveError> {
        let most = most.min(AHEAD - ahead.len().min(AHEAD));
        let (mut read, mut lost) = (0, false);
        while lost || read < most {
            match self.socket.receive().map_err(ObserveError::socket("read"))? {
                Received::Nothing => break,
                Received::Lost | Received::TooLong => lost = true,
                Received::Datagram(_) if lost => {}
                Received::Datagram(messages) => {
                    read += 1;
                    for message in messages {
                        if message.kind == NLMSG_ERROR && message.sequence == self.sequence {
                            self.mark = Mark::Behind(ahead.len());
                        }
                        ahead.extend(self.protocol.event(&message));
                    }
                }
            }
        }
        Ok(lost)
    }
}
