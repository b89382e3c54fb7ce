//! Asking FRR: one command over a daemon's own socket, as vtysh does, without starting vtysh.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};
use serde::de::DeserializeOwned;

use super::daemons;
use super::error::LabError;
use super::running::Lab;

/// A daemon that takes longer is stuck; on a busy machine it takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// When to stop asking, for somebody who has no time limit of their own.
pub(super) fn patience() -> Instant {
    Instant::now() + PATIENCE
}

/// How often somebody who waits for an answer looks whether to stop.
const POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
/// Every answer ends with three zero bytes and a status byte (`lib/vty.c`, `vtysh_read`).
const TRAILER: usize = 4;

impl Lab {
    /// Runs a `show ... json` command. An empty answer, which FRR gives for a feature that is off, is
    /// the type's default. A daemon that cannot answer is not asked, and none later than `deadline`.
    pub(super) fn ask<T: DeserializeOwned + Default>(
        &self,
        node: &str,
        daemon: &'static str,
        command: &str,
        deadline: Instant,
    ) -> Result<T, LabError> {
        let netns = self.node(node)?.netns().clone();
        let failed = |message: String| LabError::Vty {
            daemon,
            node: node.to_owned(),
            command: command.to_owned(),
            message,
        };
        match daemons::frr_process(netns.name(), daemon) {
            None => return Err(failed("it does not run".to_owned())),
            Some(process) if process.is_suspended() => {
                return Err(failed("it is suspended".to_owned()));
            }
            Some(_) => {}
        }
        let path = daemons::vty_socket(netns.name(), daemon);
        let text = match ask(&path, command, deadline.min(patience()), self.cancel()) {
            Err(_) if self.cancel().load(Ordering::Relaxed) => return Err(LabError::Interrupted),
            text => text.map_err(|error| failed(error.to_string()))?,
        };
        if text.trim().is_empty() {
            return Ok(T::default());
        }
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
    }
}

fn ask(path: &Path, command: &str, deadline: Instant, stop: &AtomicBool) -> io::Result<String> {
    let mut conversation = Conversation::begin(path, deadline, stop)?;
    conversation.exchange("enable")?;
    conversation.exchange(command)
}

/// A connection on which nothing waits longer than it should.
struct Conversation<'a> {
    socket: OwnedFd,
    began: Instant,
    deadline: Instant,
    stop: &'a AtomicBool,
}

impl<'a> Conversation<'a> {
    fn begin(path: &Path, deadline: Instant, stop: &'a AtomicBool) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let this = Self { socket, began: Instant::now(), deadline, stop };
        let address = SocketAddrUnix::new(path)?;
        loop {
            match connect(&this.socket, &address) {
                // The daemon has too many callers that it has not taken yet.
                Err(Errno::AGAIN | Errno::INTR) => {
                    this.check()?;
                    std::thread::sleep(Duration::from_millis(10));
                }
                result => return result.map(|()| this).map_err(io::Error::from),
            }
        }
    }

    /// An error when it is time to stop.
    fn check(&self) -> io::Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if Instant::now() > self.deadline {
            return Err(io::Error::other(format!(
                "no answer within {} s",
                self.began.elapsed().as_secs()
            )));
        }
        Ok(())
    }

    /// Waits a moment until the daemon is ready.
    fn pause(&self, wanted: PollFlags) -> io::Result<()> {
        self.check()?;
        match poll(&mut [PollFd::new(&self.socket, wanted)], Some(&POLL)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn exchange(&mut self, command: &str) -> io::Result<String> {
        let question = [command.as_bytes(), &[0]].concat();
        let mut rest = question.as_slice();
        while !rest.is_empty() {
            match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                Err(Errno::AGAIN | Errno::INTR) => self.pause(PollFlags::OUT)?,
                Err(error) => return Err(error.into()),
            }
        }
        let mut answer = Vec::new();
        let mut chunk = [0_u8; 16 * 1024];
        loop {
            match recv(&self.socket, &mut chunk, RecvFlags::empty()) {
                Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((length, _)) => {
                    answer.extend_from_slice(chunk.get(..length).unwrap_or_default());
                }
                Err(Errno::AGAIN | Errno::INTR) => {
                    self.pause(PollFlags::IN)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            // Text holds no zero bytes, so three of them before the last byte are the trailer.
            let Some(body) = answer.len().checked_sub(TRAILER) else {
                continue;
            };
            let Some([0, 0, 0, status]) = answer.get(body..) else {
                continue;
            };
            if *status != 0 {
                let message = format!("FRR refused the command (status {status})");
                return Err(io::Error::other(message));
            }
            answer.truncate(body);
            return Ok(String::from_utf8_lossy(&answer).into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_daemon_that_takes_no_calls_does_not_keep_one_who_wants_to_stop() {
        let path = std::env::temp_dir().join(format!("fabric-vty-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket can be made");
        // It is never accepted, and neither is any of the others.
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| ask(&path, "show bgp summary json", patience(), &stop));
            stop.store(true, Ordering::Relaxed);
            let error = asked.join().expect("no panic").expect_err("nobody answers");
            assert_eq!(error.kind(), io::ErrorKind::Interrupted);
        });
        let (never, limit) = (AtomicBool::new(false), Duration::from_millis(50));
        let error = ask(&path, "show bgp summary json", Instant::now() + limit, &never);
        assert_eq!(error.expect_err("nobody answers").to_string(), "no answer within 0 s");
        drop(listener);
        let _ = std::fs::remove_file(&path);
    }
}
