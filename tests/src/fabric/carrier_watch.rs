//! The moment at which the kernel tells that a port has lost its carrier: the earliest moment at
//! which a program of the node can know.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fabric_user::{
    kernel::interface,
    lab::Netns,
    netlink::{
        Family, Listener, Messages, Received,
        rtnetlink::{self, LINKS},
    },
};

/// `IFF_LOWER_UP` of linux/if.h.
const LOWER_UP: u32 = 1 << 16;
/// Bytes that the kernel may queue.
const QUEUE: usize = 1 << 20;

/// A watch over one port's carrier.
#[derive(Debug)]
pub(super) struct CarrierWatch {
    watcher: JoinHandle<io::Result<Option<Instant>>>,
}

impl CarrierWatch {
    /// Starts to watch a port that has a carrier, for at most `limit`.
    ///
    /// # Panics
    /// If there is no such port.
    pub(super) fn start(netns: &Netns, port: &str, limit: Duration) -> Self {
        let open = || -> io::Result<(Listener, u32)> {
            let listener = Listener::open(Family::Route, QUEUE)?;
            listener.join(LINKS)?;
            Ok((listener, interface::index(port)?))
        };
        let opened = netns.enter(open).expect("the namespace can be entered");
        let (listener, ifindex) = opened.expect("the port can be watched");
        let deadline = Instant::now() + limit;
        Self { watcher: thread::spawn(move || watch(listener, ifindex, deadline)) }
    }

    /// When the event arrived; nothing if the carrier stayed until the limit.
    ///
    /// # Errors
    /// If events were lost.
    pub(super) fn lost(self) -> io::Result<Option<Instant>> {
        self.watcher.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    }
}

fn watch(mut listener: Listener, ifindex: u32, deadline: Instant) -> io::Result<Option<Instant>> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let received = listener.receive(left)?;
        let now = Instant::now();
        match received {
            Received::Datagram(messages) if lost_carrier(messages, ifindex) => {
                return Ok(Some(now));
            }
            Received::Datagram(_) => {}
            Received::Lost | Received::TooLong => {
                return Err(io::Error::other("the kernel dropped link events"));
            }
            Received::Nothing => return Ok(None),
        }
    }
}

/// Whether one of the messages says that the interface has no carrier.
fn lost_carrier(messages: Messages<'_>, ifindex: u32) -> bool {
    let mut links = messages.filter_map(|message| rtnetlink::link_of(&message));
    links.any(|link| link.ifindex == ifindex && !link.is_gone && link.flags & LOWER_UP == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabric_user::netlink::{
        Request,
        rtnetlink::{RTM_DELLINK, RTM_NEWLINK},
    };

    fn message(kind: u16, ifindex: u32, flags: u32) -> Vec<u8> {
        let mut body = [0; 24];
        body[4..8].copy_from_slice(&ifindex.to_ne_bytes());
        body[8..12].copy_from_slice(&flags.to_ne_bytes());
        Request::new(kind, 0, &body).numbered(0)
    }

    #[test]
    fn only_the_loss_of_the_ports_own_carrier_counts() {
        let lost = |bytes: &[u8]| lost_carrier(Messages::of(bytes), 7);
        assert!(lost(&message(RTM_NEWLINK, 7, 3)));
        assert!(!lost(&message(RTM_NEWLINK, 8, 3)));
        assert!(!lost(&message(RTM_NEWLINK, 7, 3 | LOWER_UP)));
        assert!(!lost(&message(RTM_DELLINK, 7, 3)));
        let second = [message(RTM_NEWLINK, 8, 3), message(RTM_NEWLINK, 7, 3)].concat();
        assert!(lost(&second));
        assert!(!lost(&second[..50]), "the second message is cut off");
    }
}
