//! Being told what happens.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use tokio::io::{Interest, unix::AsyncFd};

use super::socket::{Family, Received, Socket};
use crate::kernel::socket_options;

/// An event is a page at most, a link with all its attributes some pages.
const BUFFER: usize = 64 << 10;

/// Listens to multicast groups of the network namespace in which it was opened, also after the thread has
/// left it.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Listener {
    /// Opens a socket for which the kernel may queue so many bytes; it hears nothing before it has joined a
    /// group.
    ///
    /// # Errors
    /// If there is no socket.
    pub fn open(family: Family, queue: usize) -> io::Result<Self> {
        Self::of(Socket::open(family)?, queue)
    }

    /// As [`Self::open`]; none if the kernel was built without the family.
    ///
    /// # Errors
    /// If there is no socket for another reason.
    pub fn open_if_known(family: Family, queue: usize) -> io::Result<Option<Self>> {
        Socket::open_if_known(family)?.map(|socket| Self::of(socket, queue)).transpose()
    }

    fn of(socket: Socket, queue: usize) -> io::Result<Self> {
        socket.set_queue(queue)?;
        Ok(Self { socket, buffer: vec![0; BUFFER] })
    }

    /// Hears what a group is told from now on.
    ///
    /// # Errors
    /// If there is no such group.
    pub fn join(&self, group: u32) -> io::Result<()> {
        socket_options::join_group(&self.socket, group)
    }

    /// Hears only what a classic BPF program lets through.
    ///
    /// # Errors
    /// If the kernel does not take the program.
    pub fn filter(&self, steps: &[libc::sock_filter]) -> io::Result<()> {
        socket_options::attach_filter(&self.socket, steps)
    }

    /// The socket, by which questions may be asked whose answers come among what happens.
    #[must_use]
    pub const fn socket(&self) -> &Socket {
        &self.socket
    }

    /// What comes next, waiting for it as long as `patience`.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn receive(&mut self, patience: Duration) -> io::Result<Received<'_>> {
        self.socket.receive(&mut self.buffer, patience)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A listener of a tokio task.
#[derive(Debug)]
pub struct AsyncListener {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
}

impl AsyncListener {
    /// Has the runtime watch a listener. Must be called inside one with I/O enabled.
    ///
    /// # Errors
    /// If the runtime cannot.
    pub fn watch(Listener { socket, buffer }: Listener) -> io::Result<Self> {
        // SAFETY: a socket owns its descriptor, returns always the same and closes it when dropped.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
        Ok(Self { socket: socket?, buffer })
    }

    /// The socket, by which questions may be asked whose answers come among what happens.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.socket.get_ref()
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// If the socket fails.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await?.retain_ready();
        Ok(())
    }

    /// What comes next, without waiting for it.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn receive(&mut self) -> io::Result<Received<'_>> {
        let Self { socket, buffer } = self;
        let next = match socket.try_io(Interest::READABLE, |socket| socket.next(buffer)) {
            // The runtime may not have heard yet that there is something.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                socket.get_ref().next(buffer)
            }
            next => next,
        };
        match next {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Nothing),
            next => next.map(|next| next.of(buffer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        netlink::{Request, rtnetlink},
        observe::tests::live::{PATIENCE, in_namespace, sh},
    };

    /// `RTNLGRP_LINK`
    const LINKS: u32 = 1;

    #[test]
    fn what_happens_is_told_to_who_joined_and_answers_come_among_it() {
        in_namespace(|| async {
            let mut listener = Listener::open(Family::Route, 1 << 20).unwrap();
            assert_eq!(listener.receive(Duration::ZERO).unwrap(), Received::Nothing);
            sh("ip link add d0 type bridge");
            assert_eq!(listener.receive(Duration::ZERO).unwrap(), Received::Nothing);
            listener.join(LINKS).unwrap();
            sh("ip link add d1 type bridge");
            listener.socket().send(&rtnetlink::one_link(1).numbered(5)).unwrap();
            let mut told = Vec::new();
            while let Received::Datagram(messages) = listener.receive(Duration::ZERO).unwrap() {
                told.extend(messages.map(|message| (message.sequence == 5, message.kind)));
            }
            let [.., last] = told[..] else { panic!("nothing is told") };
            assert_eq!(last, (true, rtnetlink::RTM_NEWLINK));
            assert!(told.contains(&(false, rtnetlink::RTM_NEWLINK)));
        });
    }

    #[test]
    fn lost_messages_are_told_of_and_the_queue_is_empty_afterwards() {
        in_namespace(|| async {
            let listener = Listener::open(Family::Route, 4_096).unwrap();
            listener.join(LINKS).unwrap();
            let mut listener = AsyncListener::watch(listener).unwrap();
            sh("for i in $(seq 200); do echo link add d$i type bridge; done | ip -batch -");
            tokio::time::timeout(PATIENCE, listener.readable()).await.expect("it is told").unwrap();
            let mut lost = false;
            loop {
                match listener.receive().unwrap() {
                    Received::Nothing => break,
                    received => lost |= received == Received::Lost,
                }
            }
            assert!(lost);
            listener.socket().send(&Request::new(1, 4, &[]).numbered(9)).unwrap();
            tokio::time::timeout(PATIENCE, listener.readable()).await.expect("an answer").unwrap();
            assert!(matches!(listener.receive().unwrap(), Received::Datagram(_)));
        });
    }
}
