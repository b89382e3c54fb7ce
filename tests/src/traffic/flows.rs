//! Many UDP flows from one host, as a busy server has them.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
};

use rustix::net::{AddressFamily, SendFlags, SocketType, ipproto, sendto, socket};

use fabric_user::lab::{LabError, Netns};

/// Sends `packets` datagrams in each of `flows` flows, which differ in their UDP source port.
/// The destination port is the discard service's (RFC 863).
///
/// # Errors
/// If the host's namespace gives no raw socket or a datagram cannot be sent.
pub fn send_flows(from: &Netns, to: Ipv4Addr, flows: u16, packets: u32) -> Result<(), LabError> {
    let failed = |source| LabError::Namespace { namespace: from.name().into(), source };
    from.enter(|| {
        let socket = socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::UDP))?;
        let address = SocketAddrV4::new(to, 0);
        for _ in 0..packets {
            for flow in 0..flows {
                send(&socket, &datagram(1024 + flow), &address)?;
            }
        }
        Ok(())
    })?
    .map_err(failed)
}

fn send(socket: &impl std::os::fd::AsFd, datagram: &[u8], to: &SocketAddrV4) -> io::Result<()> {
    loop {
        match sendto(socket, datagram, SendFlags::empty(), to) {
            Ok(_) => return Ok(()),
            // The queue towards the link is full: wait for the link, as any sender has to.
            Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::AGAIN) => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
}

/// UDP header (RFC 768) with checksum 0, "none", and 18 bytes of payload.
fn datagram(source_port: u16) -> [u8; 26] {
    let mut bytes = [0; 26];
    bytes[..2].copy_from_slice(&source_port.to_be_bytes());
    bytes[2..4].copy_from_slice(&9_u16.to_be_bytes());
    bytes[4..6].copy_from_slice(&26_u16.to_be_bytes());
    bytes
}
