//! Frames put onto and taken from an interface, below all protocols.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use fabric_user::lab::{Mac, Netns};
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, netdevice::name_to_index, recv, socket_with,
    sockopt,
};

/// Room for bursts: the receiver shares two processors with everything else.
const BUFFER: usize = 64 << 20;
const ETH_P_ALL: u16 = 3;

fn open(netns: &Netns, interface: &str, receives: bool) -> OwnedFd {
    let open = || -> io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
        // SAFETY: sockaddr_ll is plain data for which all zero bytes are a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as libc::c_ushort;
        address.sll_ifindex = name_to_index(&socket, interface)?.cast_signed();
        address.sll_protocol = if receives { ETH_P_ALL.to_be() } else { 0 };
        if receives {
            sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER)?;
        }
        // SAFETY: the address is valid for the length given and only read.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(socket) }
    };
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
pub struct Wire(OwnedFd);

impl Wire {
    /// Opens an interface of a namespace.
    #[must_use]
    pub fn open(netns: &Netns, interface: &str) -> Self {
        Self(open(netns, interface, false))
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) {
        match rustix::net::send(&self.0, frame, rustix::net::SendFlags::empty()) {
            // The other end of a veth does not take a frame of this length: lost on the wire.
            Ok(_) | Err(rustix::io::Errno::NOBUFS) => {}
            Err(error) => panic!("a frame of {} bytes is not sent: {error}", frame.len()),
        }
    }
}

/// Sees every frame that an interface receives.
#[derive(Debug)]
pub struct Sniffer(OwnedFd);

impl Sniffer {
    /// Opens an interface of a namespace; frames from now on are seen.
    #[must_use]
    pub fn open(netns: &Netns, interface: &str) -> Self {
        let socket = open(netns, interface, true);
        let one: libc::c_int = 1;
        // SAFETY: the option's value is valid for the length given and only read.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_IGNORE_OUTGOING,
                (&raw const one).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        assert_eq!(set, 0, "outgoing frames can be left out: {}", io::Error::last_os_error());
        Self(socket)
    }

    /// The next frame, if one comes before `deadline`.
    #[must_use]
    pub fn next(&self, deadline: Instant) -> Option<Vec<u8>> {
        let mut frame = vec![0; 65_536];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Zero would mean to wait without limit.
            let wait = left.max(Duration::from_millis(1));
            sockopt::set_socket_timeout(&self.0, sockopt::Timeout::Recv, Some(wait))
                .expect("a packet socket has a timeout");
            match recv(&self.0, &mut frame, RecvFlags::empty()) {
                Ok((length, _)) => {
                    frame.truncate(length);
                    return Some(frame);
                }
                Err(rustix::io::Errno::AGAIN) if left.is_zero() => return None,
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(error) => panic!("the packet socket fails: {error}"),
            }
        }
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
