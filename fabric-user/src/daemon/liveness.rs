//! Dead ports, known to the packet path at once.
//!
//! A thread of its own listens to the kernel's link events and does nothing else: a link that loses
//! its carrier or is switched off is one store into `ports`, whatever hangs on it and whatever the
//! rest of the daemon is busy with. It is the only writer of that word once a port is there. For a port
//! with hosts of bridges it is two: the packet path looks at these only if `settings` say so. What stands
//! for tunnels lives as their vxlan device does: one store for each.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering, fence},
        mpsc::{self, Receiver, Sender},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use aya::maps::{DevMap, MapData};
use fabric_common::schema::{
    ports::{Port, ROLE_ACCESS, ROLE_GATEWAY, find},
    settings::Settings,
};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    fd::OwnedFd,
};
use serde::{Deserialize, Serialize};

use crate::{
    kernel::{maps::mapped, memory::MappedArray, pins::Instance, programs::tx_ports},
    metrics::{Board, Happening},
    netlink::{
        Family, Listener, Messages, Received, Request,
        rtnetlink::{self, LINKS},
    },
};

/// Bytes that the kernel may queue: thousands of link events.
const QUEUE: usize = 8 << 20;
const IFF_UP: u32 = 1;
const IFF_RUNNING: u32 = 1 << 6;
const IFF_LOWER_UP: u32 = 1 << 16;

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Liveness {
    /// Ports that went from alive to dead.
    pub losses: u64,
    /// Stores into the maps.
    pub stores: u64,
    /// Interface index of the port that died last; of what stands for a tunnel, that of the vxlan device.
    pub last_ifindex: u32,
    /// Stores that its death took.
    pub last_stores: u64,
    /// Time from the reading of its event to the store, in nanoseconds.
    pub last_latency_ns: u64,
}

#[derive(Debug, Default)]
struct Shared {
    losses: AtomicU64,
    stores: AtomicU64,
    last_ifindex: AtomicU64,
    last_stores: AtomicU64,
    last_latency_ns: AtomicU64,
}

/// A port of which the thread is told.
#[derive(Clone, Copy, Debug)]
struct Added {
    port: u32,
    /// The interface that says whether it lives.
    interface: u32,
}

/// The thread.
#[derive(Debug)]
pub(super) struct Watcher {
    added: Option<Sender<Added>>,
    bell: Arc<OwnedFd>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts to watch the links of this network namespace for the ports of an instance, whose maps
    /// are there.
    pub(super) fn start(instance: &Instance, board: &Arc<Board>) -> anyhow::Result<Self> {
        let ports: MappedArray<Port> = mapped(instance, "ports", true)?;
        let listener = Listener::open(Family::Route, QUEUE)
            .and_then(|listener| listener.join(LINKS).map(|()| listener))
            .context("cannot listen to the kernel's link events")?;
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let bell = Arc::new(eventfd(0, flags).context("cannot make an event descriptor")?);
        let (added, new_ports) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let mut links = Links {
            listener,
            sequence: 0,
            bell: Arc::clone(&bell),
            new_ports,
            watched: Watched {
                ports,
                settings: mapped(instance, "settings", true)?,
                targets: tx_ports(instance)?,
                shared: Arc::clone(&shared),
                board: Arc::clone(board),
                tunnels: BTreeMap::new(),
                dump: None,
            },
        };
        // What happens from now on is queued, so that nothing falls between the two.
        links.ask_all().context("cannot list the kernel's links")?;
        let run = move || {
            urgent();
            if let Err(error) = links.run() {
                tracing::error!(%error, "link events cannot be read any more");
            }
        };
        let thread = std::thread::Builder::new().name("liveness".into()).spawn(run)?;
        Ok(Self { added: Some(added), bell, shared, thread: Some(thread) })
    }

    /// Has the state of an interface looked up that has become a port or is a redirect target again. What
    /// stands for a tunnel has another interface, its vxlan device, and lives from now on as that does.
    pub(super) fn added(&self, port: u32, interface: u32) {
        if let Some(added) = &self.added {
            // If the thread is gone, [`Self::is_alive`] says so.
            let _gone = added.send(Added { port, interface });
            self.ring();
        }
    }

    /// False if the thread has ended, which it does only on errors.
    pub(super) fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// What was done so far.
    pub(super) fn report(&self) -> Liveness {
        let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
        Liveness {
            losses: load(&self.shared.losses),
            stores: load(&self.shared.stores),
            last_ifindex: load(&self.shared.last_ifindex) as u32,
            last_stores: load(&self.shared.last_stores),
            last_latency_ns: load(&self.shared.last_latency_ns),
        }
    }

    fn ring(&self) {
        // It is full only if the thread has been told already.
        let _told = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }
}

impl Drop for Watcher {
    /// Ends the thread: nobody may write into maps that are given up.
    fn drop(&mut self) {
        self.added = None;
        self.ring();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// What the thread has.
struct Links {
    listener: Listener,
    /// Number of the last question.
    sequence: u32,
    bell: Arc<OwnedFd>,
    new_ports: Receiver<Added>,
    watched: Watched,
}

/// What events are about.
struct Watched {
    ports: MappedArray<Port>,
    settings: MappedArray<Settings>,
    /// Redirect targets by port slot.
    targets: DevMap<MapData>,
    shared: Arc<Shared>,
    board: Arc<Board>,
    /// What stands for tunnels, by the interface index of the vxlan device; some of it may have gone.
    tunnels: BTreeMap<u32, BTreeSet<u32>>,
    dump: Option<RunningDump>,
}

/// What was said of a port.
#[derive(Clone, Copy)]
struct Stored {
    alive: bool,
    /// 0 if it was known.
    stores: u64,
}

/// A dump whose answer has not come to its end.
struct RunningDump {
    sequence: u32,
    /// Interfaces of which events have told meanwhile: what the dump says may be older.
    told: HashSet<u32>,
    /// Another one is needed afterwards.
    again: bool,
}

impl Links {
    /// Until the daemon ends.
    fn run(&mut self) -> io::Result<()> {
        loop {
            let mut waiting = [
                PollFd::new(&self.listener, PollFlags::IN),
                PollFd::new(&self.bell, PollFlags::IN),
            ];
            match poll(&mut waiting, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let [events, bell] = waiting.map(|each| !each.revents().is_empty());
            if events {
                self.receive()?;
            }
            if bell {
                let _count = rustix::io::read(&self.bell, &mut [0; 8]);
                // Thousands of tunnels may have one device.
                let mut interfaces = BTreeSet::new();
                loop {
                    match self.new_ports.try_recv() {
                        Ok(added) => {
                            self.watched.add(added);
                            interfaces.insert(added.interface);
                        }
                        Err(mpsc::TryRecvError::Empty) => break,
                        Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
                    }
                }
                interfaces.into_iter().try_for_each(|interface| self.ask(interface))?;
            }
        }
    }

    /// Takes in what is queued.
    fn receive(&mut self) -> io::Result<()> {
        let (mut lost, mut again) = (false, false);
        loop {
            let received = self.listener.receive(Duration::ZERO)?;
            let at = Instant::now();
            match received {
                Received::Datagram(messages) => again |= self.watched.datagram(messages, at),
                Received::Lost | Received::TooLong => lost = true,
                Received::Nothing => break,
            }
        }
        if lost {
            tracing::warn!("the kernel dropped link events, reading all links anew");
        }
        if lost || again { self.ask_all() } else { Ok(()) }
    }

    /// Asks for all links.
    fn ask_all(&mut self) -> io::Result<()> {
        if let Some(dump) = &mut self.watched.dump {
            // Messages were lost: events of the running one may be among them.
            dump.again = true;
            return Ok(());
        }
        self.send(rtnetlink::all_links())?;
        let told = HashSet::new();
        self.watched.dump = Some(RunningDump { sequence: self.sequence, told, again: false });
        Ok(())
    }

    /// Asks for one link. Its answer is as good as an event: the kernel reads the link and queues
    /// the answer under the lock under which links change.
    fn ask(&mut self, ifindex: u32) -> io::Result<()> {
        self.send(rtnetlink::one_link(ifindex))
    }

    fn send(&mut self, request: Request) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.listener.socket().send(&request.numbered(self.sequence))
    }
}

impl Watched {
    /// Takes in all messages of a datagram, which was read at a time. True if all links have to be asked for
    /// anew.
    fn datagram(&mut self, messages: Messages<'_>, at: Instant) -> bool {
        let mut again = false;
        for message in messages {
            let of_dump = self.dump.as_ref().is_some_and(|d| d.sequence == message.sequence);
            if let Some(link) = rtnetlink::link_of(&message) {
                let outdated = match &mut self.dump {
                    Some(dump) if of_dump => dump.told.contains(&link.ifindex),
                    Some(dump) => {
                        dump.told.insert(link.ifindex);
                        false
                    }
                    None => false,
                };
                if !outdated {
                    self.set(link.ifindex, !link.is_gone && is_alive(link.flags), at);
                }
            } else if of_dump && message.end().is_some() {
                again |= self.dump.take().is_some_and(|dump| dump.again);
            }
        }
        again
    }

    /// Takes in whose interface says whether it lives, if it is not its own.
    fn add(&mut self, Added { port, interface }: Added) {
        if port != interface {
            self.tunnels.entry(interface).or_default().insert(port);
        }
    }

    /// Says whether an interface lives, if it is a port, and tunnels with it, before it is counted and logged.
    fn set(&mut self, ifindex: u32, alive: bool, at: Instant) {
        let mut stored: Vec<Stored> = self.set_port(ifindex, ifindex, alive).into_iter().collect();
        if let Some(mut tunnels) = self.tunnels.remove(&ifindex) {
            tunnels.retain(|tunnel| {
                let port = self.set_port(*tunnel, ifindex, alive);
                stored.extend(port);
                port.is_some()
            });
            self.tunnels.insert(ifindex, tunnels);
        }
        let elapsed = at.elapsed();
        stored.retain(|port| port.stores > 0);
        let stores = stored.iter().map(|port| port.stores).sum();
        self.shared.stores.fetch_add(stores, Ordering::Relaxed);
        let losses = stored.iter().filter(|port| !port.alive).count() as u64;
        if losses > 0 {
            self.shared.losses.fetch_add(losses, Ordering::Relaxed);
            self.board.happened(Happening::CarrierLoss);
            self.board.failover.observe(elapsed);
            self.shared.last_ifindex.store(ifindex.into(), Ordering::Relaxed);
            self.shared.last_stores.store(stores, Ordering::Relaxed);
            let latency = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
            self.shared.last_latency_ns.store(latency, Ordering::Relaxed);
            tracing::info!(ifindex, latency_ns = latency, "the link is down");
        } else if !stored.is_empty() {
            tracing::info!(ifindex, "the link is up");
        }
    }

    /// Says whether a port lives, as its interface does; nothing if it is none.
    fn set_port(&self, port: u32, ifindex: u32, alive: bool) -> Option<Stored> {
        // As the packet path finds it.
        let mask = self.ports.len() - 1;
        let slot = find(port, mask, |slot| self.ports.get(slot).ifindex)?;
        // The kernel empties the slot in the device map when the interface leaves the namespace, also
        // if it is back by now. Until the main loop has filled it again, and has told, whatever is sent
        // there is lost.
        let role = self.ports.get(slot).role;
        let alive = alive && (role == ROLE_GATEWAY || self.is_target(slot, ifindex));
        let before = self.ports.stores();
        let changed = self.ports.update(slot, |port| port.down = u64::from(!alive));
        let mut stores = self.ports.stores() - before;
        if changed && !alive && role == ROLE_ACCESS {
            // Against `Reconciler::look_for_lost_ports`, which clears this word and then reads the other.
            fence(Ordering::SeqCst);
            stores += u64::from(self.settings.update(0, |settings| settings.lost_ports = 1));
        }
        Some(Stored { alive, stores })
    }

    /// Whether what is redirected to a slot gets to an interface.
    fn is_target(&self, slot: u32, ifindex: u32) -> bool {
        self.targets.get(slot, 0).is_ok_and(|target| target.if_index == ifindex)
    }
}

const fn is_alive(flags: u32) -> bool {
    const ALL: u32 = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;
    flags & ALL == ALL
}

/// Puts this thread before all of the daemon's and most of the machine's others. Without it a busy
/// machine is slower to notice, nothing else.
fn urgent() {
    const HIGHEST: i32 = -20;
    if let Err(error) =
        rustix::process::setpriority_process(Some(rustix::thread::gettid()), HIGHEST)
    {
        tracing::warn!(
            "the thread for link events keeps its usual priority ({error}), so a busy machine notices \
             later that a link is dead; start fabric-xdpd with LimitNICE=-20, as its systemd unit does, or \
             CAP_SYS_NICE"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_lives_if_it_is_up_with_a_carrier() {
        assert!(is_alive(IFF_UP | IFF_RUNNING | IFF_LOWER_UP | 2));
        for missing in [IFF_UP, IFF_RUNNING, IFF_LOWER_UP] {
            assert!(!is_alive((IFF_UP | IFF_RUNNING | IFF_LOWER_UP) & !missing));
        }
    }
}
