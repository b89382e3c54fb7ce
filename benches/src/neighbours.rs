//! FDB entries through netlink, as zebra writes them, but many in one system call.

use std::{io, net::Ipv4Addr};

use anyhow::{Context as _, Result, bail};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;
const RTM_GETNEIGH: u16 = 30;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// The device's own table, and the bridge's that it is a port of.
const NTF_SELF: u8 = 2;
const NTF_MASTER: u8 = 4;
const NTF_EXT_LEARNED: u8 = 0x10;
const NUD_REACHABLE: u16 = 2;
const NUD_NOARP: u16 = 0x40;
const AF_BRIDGE: u8 = 7;

/// Bytes that are sent at once; the kernel takes twice as many without asking for more.
const BATCH: usize = 64 << 10;

/// Where a MAC address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind a bridge port.
    Port(u32),
    /// Behind a VTEP, through a vxlan device that is a bridge port.
    Vtep {
        /// The vxlan device.
        vxlan: u32,
        /// The VTEP's address.
        address: Ipv4Addr,
    },
}

/// A writer of FDB entries.
#[derive(Debug)]
pub struct Neighbours {
    socket: Socket,
    batch: Vec<u8>,
    last: usize,
    sequence: u32,
}

impl Neighbours {
    /// Opens a socket in the present network namespace.
    ///
    /// # Errors
    /// If the system has none.
    pub fn open() -> Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE).context("cannot open a netlink socket")?;
        socket.bind(&SocketAddr::new(0, 0)).context("cannot bind a netlink socket")?;
        Ok(Self { socket, batch: Vec::with_capacity(BATCH + 128), last: 0, sequence: 0 })
    }

    /// Adds a MAC address that does not age, or moves it.
    ///
    /// # Errors
    /// If the kernel does not take what was written so far.
    pub fn replace(&mut self, mac: [u8; 6], place: Place) -> Result<()> {
        self.queue(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, mac, place)
    }

    /// Removes a MAC address.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub fn remove(&mut self, mac: [u8; 6], place: Place) -> Result<()> {
        self.queue(RTM_DELNEIGH, 0, mac, place)
    }

    /// Reads all FDB entries as fabricd does, and throws them away: how many there are.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn count(&mut self) -> Result<usize> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = Vec::new();
        request.extend_from_slice(&28_u32.to_ne_bytes());
        request.extend_from_slice(&RTM_GETNEIGH.to_ne_bytes());
        request.extend_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
        request.extend_from_slice(&self.sequence.to_ne_bytes());
        request.extend_from_slice(&[0; 4]);
        request.extend_from_slice(&[AF_BRIDGE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        self.socket.send(&request, 0).context("the kernel takes no request for FDB entries")?;
        let mut entries = 0;
        self.answers(|kind, _| {
            entries += usize::from(kind == RTM_NEWNEIGH);
            (kind == NLMSG_DONE).then_some(Ok(()))
        })?;
        Ok(entries)
    }

    fn queue(&mut self, kind: u16, flags: u16, mac: [u8; 6], place: Place) -> Result<()> {
        // As FRR 8.4 does for remote MACs, and as `bridge fdb add … master static` for local ones.
        let (ifindex, state, entry_flags, vtep) = match place {
            Place::Port(port) => (port, NUD_NOARP, NTF_MASTER, None),
            Place::Vtep { vxlan, address } => {
                let flags = NTF_SELF | NTF_MASTER | NTF_EXT_LEARNED;
                (vxlan, NUD_REACHABLE, flags, Some(address))
            }
        };
        self.last = self.batch.len();
        self.sequence = self.sequence.wrapping_add(1);
        let length = 16 + 12 + 12 + if vtep.is_some() { 8 } else { 0 };
        let out = &mut self.batch;
        out.extend_from_slice(&u32::to_ne_bytes(length));
        out.extend_from_slice(&kind.to_ne_bytes());
        out.extend_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
        out.extend_from_slice(&self.sequence.to_ne_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&[AF_BRIDGE, 0, 0, 0]);
        out.extend_from_slice(&ifindex.to_ne_bytes());
        out.extend_from_slice(&state.to_ne_bytes());
        out.extend_from_slice(&[entry_flags, 0]);
        out.extend_from_slice(&10_u16.to_ne_bytes());
        out.extend_from_slice(&NDA_LLADDR.to_ne_bytes());
        out.extend_from_slice(&mac);
        out.extend_from_slice(&[0; 2]);
        if let Some(address) = vtep {
            out.extend_from_slice(&8_u16.to_ne_bytes());
            out.extend_from_slice(&NDA_DST.to_ne_bytes());
            out.extend_from_slice(&address.octets());
        }
        if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    /// Hands everything to the kernel and makes sure that it took it.
    ///
    /// # Errors
    /// With what the kernel refused first.
    pub fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.send()?;
        self.acknowledged()
    }

    /// Hands everything to the kernel, which has done it when this returns. [`Self::acknowledged`]
    /// has to follow.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn send(&mut self) -> Result<()> {
        // One acknowledgement, for the last entry; the kernel reports others only if they fail.
        let flags = &mut self.batch[self.last + 6..self.last + 8];
        let with_ack = u16::from_ne_bytes([flags[0], flags[1]]) | NLM_F_ACK;
        flags.copy_from_slice(&with_ack.to_ne_bytes());
        let sent = self.socket.send(&self.batch, 0).context("the kernel takes no FDB entries")?;
        if sent != self.batch.len() {
            bail!("the kernel took {sent} of {} bytes of FDB entries", self.batch.len());
        }
        self.batch.clear();
        Ok(())
    }

    /// Reads what the kernel says about everything that was sent.
    ///
    /// # Errors
    /// With what the kernel refused first.
    pub fn acknowledged(&self) -> Result<()> {
        let sequence = self.sequence.to_ne_bytes();
        self.answers(|kind, message| {
            // Length, kind, flags, sequence, port; then the error and the request's header.
            let code = message.get(16..20)?.try_into().ok().map(i32::from_ne_bytes)?;
            if kind != NLMSG_ERROR {
                None
            } else if code != 0 {
                let error = io::Error::from_raw_os_error(-code);
                Some(Err(error).context("the kernel refuses an FDB entry"))
            } else {
                (message.get(8..12)? == sequence).then_some(Ok(()))
            }
        })
    }

    /// Reads messages, of which `until` sees the kind and all bytes, until it says something.
    fn answers(&self, mut until: impl FnMut(u16, &[u8]) -> Option<Result<()>>) -> Result<()> {
        let mut buffer = vec![0; BATCH];
        loop {
            let length = self
                .socket
                .recv(&mut &mut buffer[..], 0)
                .context("the kernel does not answer about FDB entries")?;
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some(&[a, b, c, d, low, high, ..]) = rest.first_chunk::<16>() {
                let length = u32::from_ne_bytes([a, b, c, d]) as usize;
                let message = rest.get(..length).context("an answer of the kernel is cut off")?;
                if let Some(end) = until(u16::from_ne_bytes([low, high]), message) {
                    return end;
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }
}
