//! The socket below requests and listeners.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{
        AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind,
        netlink::{self, SocketAddrNetlink},
        recv, sendto, socket_with,
    },
};

use super::message::{Messages, NLMSG_OVERRUN};
use crate::kernel::socket_options;

/// Who is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Links, addresses, neighbours, routes, rules.
    Route,
    /// IPsec policies.
    Xfrm,
    /// Tables and chains of nftables.
    Netfilter,
    /// Families that have names.
    Generic,
}

/// A netlink socket of the network namespace in which it was opened, also after the thread has left it.
#[derive(Debug)]
pub struct Socket(OwnedFd);

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// Messages.
    Datagram(Messages<'a>),
    /// Messages that the buffer is too short for, so that they are gone.
    TooLong,
    /// Word that the kernel has dropped messages for which the queue had no room. From here to an empty
    /// queue it drops others without another word (`NETLINK_S_CONGESTED` of `af_netlink.c`): who wants to
    /// know what is true reads until [`Self::Nothing`] before asking.
    Lost,
    /// Nothing.
    Nothing,
}

/// What a buffer got.
pub(super) enum Next {
    Bytes(usize),
    TooLong,
    Lost,
}

impl Next {
    pub(super) fn of(self, buffer: &[u8]) -> Received<'_> {
        match self {
            Self::TooLong => Received::TooLong,
            Self::Lost => Received::Lost,
            Self::Bytes(length) => {
                let messages = Messages::of(buffer.get(..length).unwrap_or_default());
                match messages.clone().next() {
                    Some(first) if first.kind == NLMSG_OVERRUN => Received::Lost,
                    _ => Received::Datagram(messages),
                }
            }
        }
    }
}

impl Socket {
    /// Opens one.
    ///
    /// # Errors
    /// `EPROTONOSUPPORT` if the kernel was built without the family.
    pub fn open(family: Family) -> io::Result<Self> {
        let protocol: Option<Protocol> = match family {
            // Number 0, which stands for no protocol.
            Family::Route => None,
            Family::Xfrm => Some(netlink::XFRM),
            Family::Netfilter => Some(netlink::NETFILTER),
            Family::Generic => Some(netlink::GENERIC),
        };
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self(socket))
    }

    /// As [`Self::open`]; none if the kernel was built without the family.
    ///
    /// # Errors
    /// If there is no socket for another reason.
    pub fn open_if_known(family: Family) -> io::Result<Option<Self>> {
        match Self::open(family) {
            Err(error) if error.raw_os_error() == Some(libc::EPROTONOSUPPORT) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Lets the kernel queue so many bytes, with the right to it (`CAP_NET_ADMIN` in the first user
    /// namespace) also more than the system's limit.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_queue(&self, bytes: usize) -> io::Result<()> {
        use rustix::net::sockopt;
        if sockopt::set_socket_recv_buffer_size_force(&self.0, bytes).is_err() {
            sockopt::set_socket_recv_buffer_size(&self.0, bytes)?;
        }
        Ok(())
    }

    /// Has errors say why, if the kernel can.
    pub(super) fn explain_errors(&self) {
        let _older_kernel = socket_options::explain_errors(&self.0);
    }

    /// Hands requests to the kernel, which has done what they ask for when this returns, up to the first
    /// part of a list.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn send(&self, requests: &[u8]) -> io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        // A datagram, which is sent as a whole or not at all.
        sendto(&self.0, requests, SendFlags::empty(), &kernel)?;
        Ok(())
    }

    /// What comes next, waiting for it as long as `patience`.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn receive<'b>(
        &self,
        buffer: &'b mut [u8],
        patience: Duration,
    ) -> io::Result<Received<'b>> {
        let mut deadline = None;
        loop {
            match self.next(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let deadline = *deadline.get_or_insert_with(|| Instant::now() + patience);
                    if !self.wait(deadline)? {
                        return Ok(Received::Nothing);
                    }
                }
                next => return next.map(|next| next.of(buffer)),
            }
        }
    }

    /// What comes next; `WouldBlock` if there is nothing.
    pub(super) fn next(&self, buffer: &mut [u8]) -> io::Result<Next> {
        loop {
            match recv(&self.0, &mut *buffer, RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
                Ok((length, whole)) if whole > length => return Ok(Next::TooLong),
                Ok((length, _)) => return Ok(Next::Bytes(length)),
                Err(Errno::INTR) => {}
                Err(Errno::NOBUFS) => return Ok(Next::Lost),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until there may be something to read; false after the deadline.
    fn wait(&self, deadline: Instant) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let timeout = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
