//! The moment at which the kernel tells that a port has lost its carrier: the earliest moment at
//! which a program of the node can know.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::kernel::interface;
use crate::lab::error::LabError;
use crate::lab::netns::Netns;

/// `RTMGRP_LINK`, `RTM_NEWLINK`, and `IFF_LOWER_UP` of linux/if.h.
const GROUP_LINK: u32 = 1;
const NEW_LINK: u16 = 16;
const LOWER_UP: u32 = 1 << 16;
/// `struct nlmsghdr` and `struct ifinfomsg`.
const HEADER: usize = 16;
const MESSAGE: usize = 32;
/// How often the watcher looks whether its time is over.
const POLL: Duration = Duration::from_millis(50);

/// A watch over one port's carrier.
#[derive(Debug)]
pub struct CarrierWatch {
    watcher: JoinHandle<io::Result<Option<Instant>>>,
}

impl CarrierWatch {
    /// Starts to watch a port that has a carrier, for at most `limit`.
    ///
    /// # Errors
    /// If there is no such port.
    pub fn start(netns: &Netns, port: &str, limit: Duration) -> Result<Self, LabError> {
        let open = || -> io::Result<(Socket, u32)> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind(&SocketAddr::new(0, GROUP_LINK))?;
            rustix::net::sockopt::set_socket_timeout(
                borrow(&socket),
                rustix::net::sockopt::Timeout::Recv,
                Some(POLL),
            )?;
            Ok((socket, interface::index(port)?))
        };
        let (socket, ifindex) =
            netns.enter(open)?.map_err(LabError::file("watch interface", port))?;
        let deadline = Instant::now() + limit;
        Ok(Self { watcher: thread::spawn(move || watch(&socket, ifindex, deadline)) })
    }

    /// When the event arrived; nothing if the carrier stayed until the limit.
    ///
    /// # Errors
    /// If events were lost.
    pub fn lost(self) -> io::Result<Option<Instant>> {
        self.watcher.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    }
}

fn borrow(socket: &Socket) -> std::os::fd::BorrowedFd<'_> {
    // SAFETY: the socket is open for as long as the borrow lasts.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(std::os::fd::AsRawFd::as_raw_fd(socket)) }
}

fn watch(socket: &Socket, ifindex: u32, deadline: Instant) -> io::Result<Option<Instant>> {
    while Instant::now() < deadline {
        let (bytes, _) = match socket.recv_from_full() {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                continue;
            }
            result => result?,
        };
        let now = Instant::now();
        if lost_carrier(&bytes, ifindex) {
            return Ok(Some(now));
        }
    }
    Ok(None)
}

/// Whether one of the messages says that the interface has no carrier.
fn lost_carrier(mut bytes: &[u8], ifindex: u32) -> bool {
    while let Some(message) = bytes.get(..MESSAGE) {
        let word = |at: usize| {
            let bytes = message.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            u32::from_ne_bytes(bytes.unwrap_or_default())
        };
        let (length, kind) = (word(0) as usize, word(4) as u16);
        if kind == NEW_LINK && word(HEADER + 4) == ifindex && word(HEADER + 8) & LOWER_UP == 0 {
            return true;
        }
        // Messages begin at multiples of four bytes.
        let next = length.max(HEADER).next_multiple_of(4);
        bytes = bytes.get(next..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, ifindex: u32, flags: u32) -> Vec<u8> {
        let mut bytes = vec![0; 40];
        bytes[0..4].copy_from_slice(&40_u32.to_ne_bytes());
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[20..24].copy_from_slice(&ifindex.to_ne_bytes());
        bytes[24..28].copy_from_slice(&flags.to_ne_bytes());
        bytes
    }

    #[test]
    fn only_the_loss_of_the_ports_own_carrier_counts() {
        assert!(lost_carrier(&message(NEW_LINK, 7, 3), 7));
        assert!(!lost_carrier(&message(NEW_LINK, 8, 3), 7));
        assert!(!lost_carrier(&message(NEW_LINK, 7, 3 | LOWER_UP), 7));
        assert!(!lost_carrier(&message(NEW_LINK + 1, 7, 3), 7));
        let second = [message(NEW_LINK, 8, 3), message(NEW_LINK, 7, 3)].concat();
        assert!(lost_carrier(&second, 7));
        assert!(!lost_carrier(&second[..50], 7), "the second message is cut off");
    }
}
