//! Requests through netlink, as zebra writes them, but many in one system call.

use std::io;

use anyhow::{Context as _, Result, bail, ensure};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
/// Answer with everything that there is.
const NLM_F_DUMP: u16 = 0x300;
/// Take the place of what has the same key.
pub const NLM_F_REPLACE: u16 = 0x100;
/// Make it if it is not there.
pub const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// Bytes of a message's own header.
const HEADER: usize = 16;
/// Bytes that are sent at once; the kernel takes twice as many without asking for more.
const BATCH: usize = 64 << 10;
/// No request is longer.
const LONGEST: usize = 256;

/// A socket and what is to be sent.
#[derive(Debug)]
pub struct Requests {
    socket: Socket,
    batch: Vec<u8>,
    last: usize,
    sequence: u32,
    what: &'static str,
}

impl Requests {
    /// Opens a socket in the present network namespace for requests about `what`.
    ///
    /// # Errors
    /// If the system has none.
    pub fn open(what: &'static str) -> Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE).context("cannot open a netlink socket")?;
        socket.bind(&SocketAddr::new(0, 0)).context("cannot bind a netlink socket")?;
        let batch = Vec::with_capacity(BATCH + LONGEST);
        Ok(Self { socket, batch, last: 0, sequence: 0, what })
    }

    /// Begins a request with the fixed part of its body.
    pub fn begin(&mut self, kind: u16, flags: u16, body: &[u8]) {
        self.last = self.batch.len();
        self.sequence = self.sequence.wrapping_add(1);
        let out = &mut self.batch;
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&kind.to_ne_bytes());
        out.extend_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
        out.extend_from_slice(&self.sequence.to_ne_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(body);
    }

    /// Adds an attribute to the request.
    pub fn attribute(&mut self, kind: u16, payload: &[u8]) {
        let out = &mut self.batch;
        out.extend_from_slice(&(4 + payload.len() as u16).to_ne_bytes());
        out.extend_from_slice(&kind.to_ne_bytes());
        out.extend_from_slice(payload);
        out.resize(out.len().next_multiple_of(4), 0);
    }

    /// Ends the request, and hands everything to the kernel if it is enough for once.
    ///
    /// # Errors
    /// With what the kernel refused first.
    pub fn end(&mut self) -> Result<()> {
        let length = (self.batch.len() - self.last) as u32;
        self.batch[self.last..self.last + 4].copy_from_slice(&length.to_ne_bytes());
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
        // One acknowledgement, for the last request; the kernel reports others only if they fail.
        let flags = &mut self.batch[self.last + 6..self.last + 8];
        let with_ack = u16::from_ne_bytes([flags[0], flags[1]]) | NLM_F_ACK;
        flags.copy_from_slice(&with_ack.to_ne_bytes());
        let sent = self
            .socket
            .send(&self.batch, 0)
            .with_context(|| format!("the kernel takes no {}", self.what))?;
        ensure!(
            sent == self.batch.len(),
            "the kernel took {sent} of {} bytes of {}",
            self.batch.len(),
            self.what
        );
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
            // The error, and then the request's header.
            let code = message.get(HEADER..20)?.try_into().ok().map(i32::from_ne_bytes)?;
            if kind != NLMSG_ERROR {
                None
            } else if code != 0 {
                let error = io::Error::from_raw_os_error(-code);
                Some(Err(error).with_context(|| format!("the kernel refuses one of {}", self.what)))
            } else {
                (message.get(8..12)? == sequence).then_some(Ok(()))
            }
        })
    }

    /// Asks for everything of a kind, as fabric-xdpd does, and throws it away: how many messages of the
    /// kind `counted` there are.
    ///
    /// # Errors
    /// If the socket fails, or the kernel refuses.
    pub fn count(&mut self, asked: u16, body: &[u8], counted: u16) -> Result<usize> {
        self.begin(asked, NLM_F_DUMP, body);
        let length = (HEADER + body.len()) as u32;
        self.batch[..4].copy_from_slice(&length.to_ne_bytes());
        let request = std::mem::take(&mut self.batch);
        ensure!(request.len() == length as usize, "there are unsent {}", self.what);
        let refused = || format!("the kernel does not list its {}", self.what);
        self.socket.send(&request, 0).with_context(refused)?;
        let mut found = 0;
        self.answers(|kind, _| {
            found += usize::from(kind == counted);
            match kind {
                NLMSG_DONE => Some(Ok(())),
                NLMSG_ERROR => Some(Err(anyhow::anyhow!(refused()))),
                _ => None,
            }
        })?;
        Ok(found)
    }

    /// Reads messages, of which `until` sees the kind and all bytes, until it says something.
    fn answers(&self, mut until: impl FnMut(u16, &[u8]) -> Option<Result<()>>) -> Result<()> {
        let mut buffer = vec![0; BATCH];
        loop {
            let length = self
                .socket
                .recv(&mut &mut buffer[..], 0)
                .with_context(|| format!("the kernel does not answer about {}", self.what))?;
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some(&[a, b, c, d, low, high, ..]) = rest.first_chunk::<HEADER>() {
                let length = u32::from_ne_bytes([a, b, c, d]) as usize;
                let Some(message) = rest.get(..length) else {
                    bail!("an answer of the kernel is cut off");
                };
                if let Some(end) = until(u16::from_ne_bytes([low, high]), message) {
                    return end;
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }
}
