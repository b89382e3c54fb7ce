//! Asking FRR: commands over a daemon's own socket, as vtysh does, without starting vtysh.

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

/// How often somebody who waits for an answer looks whether to stop.
const POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
/// Every answer ends with three zero bytes and a status byte (`lib/vty.c`, `vtysh_read`).
const TRAILER: usize = 4;
/// An answer is read in pieces of so many bytes: those of large tables have tens of millions.
const PIECE: usize = 64 * 1024;

/// Why a daemon gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum VtyError {
    /// Nobody takes calls at the socket, or the daemon ended meanwhile.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// It takes too long.
    #[error("no answer within {0} s")]
    Late(u64),
    /// Who asked wants to stop.
    #[error("interrupted")]
    Stopped,
    /// It does not know the command, or cannot do it.
    #[error("FRR refused the command (status {status}){}", after_colon(.said))]
    Refused {
        /// `CMD_…` of `lib/command.h`; 2 for a command that this version does not know.
        status: u8,
        /// The text that came with it.
        said: String,
    },
}

impl From<Errno> for VtyError {
    fn from(error: Errno) -> Self {
        Self::Socket(error.into())
    }
}

fn after_colon(said: &str) -> String {
    match said.lines().map(str::trim).find(|line| !line.is_empty()) {
        Some(line) => format!(": {line}"),
        None => String::new(),
    }
}

/// For how long somebody waits.
#[derive(Debug, Clone, Copy)]
pub struct Wait<'a> {
    began: Instant,
    deadline: Instant,
    stop: &'a AtomicBool,
}

impl<'a> Wait<'a> {
    /// Until `deadline`, or until `stop` is set.
    pub fn until(deadline: Instant, stop: &'a AtomicBool) -> Self {
        Self { began: Instant::now(), deadline, stop }
    }

    /// An error when it is time to stop.
    fn check(&self) -> Result<(), VtyError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(VtyError::Stopped);
        }
        if Instant::now() > self.deadline {
            return Err(VtyError::Late(self.began.elapsed().as_secs()));
        }
        Ok(())
    }
}

/// A connection to a daemon, on which nothing waits longer than it should.
#[derive(Debug)]
pub struct Vty(OwnedFd);

impl Vty {
    /// Calls the daemon that listens at `path`, such as `/run/frr/zebra.vty`.
    ///
    /// # Errors
    /// If nobody listens there, or it takes no calls in time.
    pub fn connect(path: &Path, wait: Wait<'_>) -> Result<Self, VtyError> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let address = SocketAddrUnix::new(path)?;
        loop {
            match connect(&socket, &address) {
                // The daemon has too many callers that it has not taken yet.
                Err(Errno::AGAIN | Errno::INTR) => {
                    wait.check()?;
                    std::thread::sleep(Duration::from_millis(10));
                }
                result => break result?,
            }
        }
        let mut this = Self(socket);
        this.ask("enable", wait)?;
        Ok(this)
    }

    /// The answer to one command.
    ///
    /// # Errors
    /// If there is none in time, the daemon refuses the command, or it ends.
    pub fn ask(&mut self, command: &str, wait: Wait<'_>) -> Result<String, VtyError> {
        let question = [command.as_bytes(), &[0]].concat();
        let mut rest = question.as_slice();
        while !rest.is_empty() {
            match send(&self.0, rest, SendFlags::NOSIGNAL) {
                Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                Err(Errno::AGAIN | Errno::INTR) => self.pause(PollFlags::OUT, wait)?,
                Err(error) => return Err(error.into()),
            }
        }
        let mut answer = Vec::new();
        let mut piece = vec![0_u8; PIECE];
        loop {
            match recv(&self.0, &mut piece[..], RecvFlags::empty()) {
                Ok((0, _)) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok((length, _)) => {
                    answer.extend_from_slice(piece.get(..length).unwrap_or_default());
                }
                Err(Errno::AGAIN | Errno::INTR) => {
                    self.pause(PollFlags::IN, wait)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            // Text holds no zero bytes, so three of them before the last byte are the trailer.
            let Some(body) = answer.len().checked_sub(TRAILER) else {
                continue;
            };
            let Some(&[0, 0, 0, status]) = answer.get(body..) else {
                continue;
            };
            answer.truncate(body);
            let text = String::from_utf8(answer)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
            return match status {
                0 => Ok(text),
                _ => Err(VtyError::Refused { status, said: text }),
            };
        }
    }

    /// Waits a moment until the daemon is ready.
    fn pause(&self, wanted: PollFlags, wait: Wait<'_>) -> Result<(), VtyError> {
        wait.check()?;
        match poll(&mut [PollFd::new(&self.0, wanted)], Some(&POLL)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use super::*;

    /// A socket that goes with its value.
    struct Socket(PathBuf, UnixListener);

    impl Socket {
        fn new(name: &str) -> Self {
            let file = format!("fabric-vty-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(file);
            let listener = UnixListener::bind(&path).expect("a socket can be made");
            Self(path, listener)
        }
    }

    impl Drop for Socket {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn ask(socket: &Socket, limit: Duration, stop: &AtomicBool) -> Result<String, VtyError> {
        let wait = Wait::until(Instant::now() + limit, stop);
        Vty::connect(&socket.0, wait)?.ask("show bgp summary json", wait)
    }

    #[test]
    fn a_daemon_that_takes_no_calls_does_not_keep_one_who_wants_to_stop() {
        // It is never accepted, and neither is any of the others.
        let socket = Socket::new("deaf");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| ask(&socket, Duration::from_secs(60), &stop));
            stop.store(true, Ordering::Relaxed);
            let error = asked.join().expect("no panic").expect_err("nobody answers");
            assert!(matches!(error, VtyError::Stopped), "{error}");
        });
        let never = AtomicBool::new(false);
        let error = ask(&socket, Duration::from_millis(50), &never).expect_err("nobody answers");
        assert_eq!(error.to_string(), "no answer within 0 s");
    }

    #[test]
    fn an_answer_in_pieces_is_read_to_its_end_and_a_refusal_says_what_frr_said() {
        let socket = Socket::new("pieces");
        let never = AtomicBool::new(false);
        // Not a multiple of what is read at once: the trailer is cut as well.
        let long = "x".repeat(3 * PIECE - 2);
        for (answer, status) in [(long.as_str(), 0_u8), ("\n% Unknown command: show\n", 2)] {
            let said = std::thread::scope(|scope| {
                scope.spawn(|| {
                    let (mut caller, _) = socket.1.accept().expect("somebody calls");
                    let mut question = [0; 64];
                    let _ = caller.read(&mut question).expect("`enable`");
                    caller.write_all(&[0; TRAILER]).expect("it listens");
                    let _ = caller.read(&mut question).expect("the command");
                    caller.write_all(answer.as_bytes()).expect("it listens");
                    caller.write_all(&[0, 0, 0, status]).expect("it listens");
                });
                ask(&socket, Duration::from_secs(60), &never)
            });
            match status {
                0 => assert_eq!(said.expect("an answer"), answer),
                _ => assert_eq!(
                    said.expect_err("a refusal").to_string(),
                    "FRR refused the command (status 2): % Unknown command: show"
                ),
            }
        }
    }
}
