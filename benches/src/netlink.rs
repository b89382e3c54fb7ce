//! Requests through netlink, as zebra writes them, but many in one system call.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use fabric_user::netlink::{Client, End, Family, NLMSG_ERROR, Received, Request, Socket};

/// Bytes that are sent at once; the kernel takes twice as many without asking for more.
const BATCH: usize = 64 << 10;
/// The kernel has answered when it has taken a request.
const PATIENCE: Duration = Duration::from_secs(30);

/// A socket and what is to be sent.
#[derive(Debug)]
pub struct Requests {
    socket: Socket,
    batch: Vec<u8>,
    last: Option<Request>,
    sequence: u32,
    what: &'static str,
}

impl Requests {
    /// Opens a socket in the present network namespace for requests about `what`.
    ///
    /// # Errors
    /// If the system has none.
    pub fn open(what: &'static str) -> Result<Self> {
        let socket = Socket::open(Family::Route).context("cannot open a netlink socket")?;
        let batch = Vec::with_capacity(BATCH);
        Ok(Self { socket, batch, last: None, sequence: 0, what })
    }

    /// Adds a request, and hands everything to the kernel if it is enough for once.
    ///
    /// # Errors
    /// With what the kernel refused first.
    pub fn add(&mut self, request: Request) -> Result<()> {
        if let Some(before) = self.last.replace(request) {
            self.queue(before);
        }
        if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn queue(&mut self, request: Request) {
        self.sequence = self.sequence.wrapping_add(1);
        self.batch.extend(request.numbered(self.sequence));
    }

    /// Hands everything to the kernel and makes sure that it took it.
    ///
    /// # Errors
    /// With what the kernel refused first.
    pub fn flush(&mut self) -> Result<()> {
        if self.last.is_none() {
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
        if let Some(last) = self.last.take() {
            self.queue(last.acknowledged());
        }
        let taken = || format!("the kernel takes no {}", self.what);
        self.socket.send(&self.batch).with_context(taken)?;
        self.batch.clear();
        Ok(())
    }

    /// Reads what the kernel says about everything that was sent.
    ///
    /// # Errors
    /// With what the kernel refused first.
    pub fn acknowledged(&self) -> Result<()> {
        let mut buffer = vec![0; BATCH];
        loop {
            let received = self.socket.receive(&mut buffer, PATIENCE);
            let Received::Datagram(messages) = received.context("a netlink socket fails")? else {
                bail!("the kernel does not answer about {}", self.what);
            };
            for message in messages {
                let is_last = message.sequence == self.sequence && message.kind == NLMSG_ERROR;
                match message.end() {
                    Some(End::Done) if is_last => return Ok(()),
                    Some(End::Refused(refusal)) => {
                        return Err(refusal)
                            .with_context(|| format!("the kernel refuses one of {}", self.what));
                    }
                    Some(End::CutOff) => bail!("an answer of the kernel is cut off"),
                    Some(End::Done) | None => {}
                }
            }
        }
    }
}

/// Asks for everything of a kind, as fabric-xdpd does, and throws it away: how many messages of the kind
/// `counted` there are.
///
/// # Errors
/// If the socket fails, or the kernel refuses.
pub fn count(request: Request, counted: u16) -> Result<usize> {
    let mut found = 0;
    let mut client = Client::open(Family::Route)?;
    client.ask(request, |message| found += usize::from(message.kind == counted))?;
    Ok(found)
}
