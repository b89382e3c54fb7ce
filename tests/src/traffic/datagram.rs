//! Single UDP datagrams (RFC 768) of any source port, through a raw socket.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
};

use fabric_user::{
    kernel::socket_options,
    lab::{LabError, Netns},
};
use rustix::{
    io::Errno,
    net::{AddressFamily, SendFlags, SocketType, ipproto, sendto, socket},
};

const HEADER: usize = 8;
/// Where the checksum is in the header.
const CHECKSUM_OFFSET: u8 = 6;

/// Runs `work` in the namespace of a host, whose name is in the error.
pub(super) fn inside<T: Send>(
    host: &Netns,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> Result<T, LabError> {
    let failed = |source| LabError::Namespace { namespace: host.name().to_owned(), source };
    host.enter(work)?.map_err(failed)
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is under way.
    Yes,
    /// The queue towards the link is full.
    NoRoom,
    /// There is no way to where it should go.
    NoWay,
}

/// Sends to one address.
#[derive(Debug)]
pub(super) struct Sender {
    socket: OwnedFd,
    to: IpAddr,
}

impl Sender {
    /// Opens a socket in this thread's namespace.
    pub(super) fn open(to: IpAddr) -> io::Result<Self> {
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket(family, SocketType::RAW, Some(ipproto::UDP))?;
        if to.is_ipv6() {
            socket_options::compute_checksum(&socket, CHECKSUM_OFFSET)?;
        }
        Ok(Self { socket, to })
    }

    /// Sends a datagram, over IPv4 with checksum 0, "none".
    pub(super) fn send(&self, [source, destination]: [u16; 2], payload: &[u8]) -> io::Result<Sent> {
        let length = (HEADER + payload.len()) as u16;
        let header = [source, destination, length, 0].map(u16::to_be_bytes);
        let bytes = [header.as_flattened(), payload].concat();
        // A raw socket takes no port.
        match sendto(&self.socket, &bytes, SendFlags::empty(), &SocketAddr::new(self.to, 0)) {
            Ok(_) => Ok(Sent::Yes),
            Err(Errno::NOBUFS | Errno::AGAIN) => Ok(Sent::NoRoom),
            Err(Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::NETDOWN | Errno::CONNREFUSED) => {
                Ok(Sent::NoWay)
            }
            Err(error) => Err(error.into()),
        }
    }
}
