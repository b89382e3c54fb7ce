//! Many UDP flows from one host, as a busy server has them.

use std::{io, net::Ipv4Addr, thread};

use fabric_user::lab::{LabError, Netns};
use rustix::io::Errno;

use super::datagram::{Sender, Sent, inside};

/// The discard service (RFC 863).
const DISCARD: u16 = 9;

/// Sends `packets` datagrams in each of `flows` flows, which differ in their UDP source port, as fast as the
/// link takes them.
///
/// # Errors
/// If the host's namespace gives no raw socket or a datagram cannot be sent.
pub fn send_flows(from: &Netns, to: Ipv4Addr, flows: u16, packets: u32) -> Result<(), LabError> {
    inside(from, || {
        let sender = Sender::open(to.into())?;
        for flow in (0..packets).flat_map(|_| 0..flows) {
            loop {
                match sender.send([1024 + flow, DISCARD], &[0; 16])? {
                    Sent::Yes => break,
                    // Wait for the link, as any sender has to.
                    Sent::NoRoom => thread::yield_now(),
                    Sent::NoWay => return Err(io::Error::from(Errno::HOSTUNREACH)),
                }
            }
        }
        Ok(())
    })
}
