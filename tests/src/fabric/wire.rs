//! Frames put onto and taken from an interface, below all protocols.

use std::{
    io,
    time::{Duration, Instant},
};

use fabric_user::{
    kernel::packet_socket::{ALL, PacketSocket},
    lab::{Mac, Netns},
};

/// Room for bursts: the receiver shares two processors with everything else.
const BUFFER: usize = 64 << 20;

fn inside(
    netns: &Netns,
    interface: &str,
    open: impl FnOnce() -> io::Result<PacketSocket> + Send,
) -> PacketSocket {
    netns
        .enter(open)
        .expect("the namespace exists")
        .unwrap_or_else(|error| panic!("no packet socket on {interface}: {error}"))
}

/// A broadcast frame of a protocol that nobody speaks (EtherType 0x88b5, for local experiments).
#[must_use]
pub fn broadcast(source: Mac) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend(source.0);
    frame.extend(crate::packet::ether_type::EXPERIMENTAL.to_be_bytes());
    frame.resize(60, 0);
    frame
}

/// Sends whole frames out of an interface.
#[derive(Debug)]
pub struct Wire(PacketSocket);

impl Wire {
    /// Opens an interface of a namespace.
    #[must_use]
    pub fn open(netns: &Netns, interface: &str) -> Self {
        Self(inside(netns, interface, || PacketSocket::sender(interface)))
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) {
        match self.0.send(frame) {
            // The other end of a veth does not take a frame of this length: lost on the wire.
            Err(error) if error.raw_os_error() != Some(libc::ENOBUFS) => {
                panic!("a frame of {} bytes is not sent: {error}", frame.len())
            }
            _ => {}
        }
    }
}

/// Sees every frame that an interface receives.
#[derive(Debug)]
pub struct Sniffer(PacketSocket);

impl Sniffer {
    /// Opens an interface of a namespace; frames from now on are seen.
    #[must_use]
    pub fn open(netns: &Netns, interface: &str) -> Self {
        Self(inside(netns, interface, || {
            PacketSocket::open(interface, ALL)?.with_queue(BUFFER)?.ignore_outgoing()
        }))
    }

    /// The next frame, if one comes before `deadline`.
    #[must_use]
    pub fn next(&self, deadline: Instant) -> Option<Vec<u8>> {
        self.0.receive(deadline).expect("the packet socket works")
    }

    /// The first frame that `wanted` accepts, if one comes within `limit`.
    #[must_use]
    pub fn find(&self, limit: Duration, wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let deadline = Instant::now() + limit;
        loop {
            let frame = self.next(deadline)?;
            if wanted(&frame) {
                return Some(frame);
            }
        }
    }
}
