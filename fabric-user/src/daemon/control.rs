//! The control socket: one JSON request per connection, one JSON answer.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixListener,
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use crate::settings::Settings;

/// What can be asked of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Use these interfaces again, or all with an empty list.
    Attach(Vec<String>),
    /// Leave these interfaces to the kernel, or all with an empty list.
    Detach(Vec<String>),
}

/// What the daemon answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Done: one sentence.
    Done(String),
    /// Not done: one sentence.
    Failed(String),
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) request: Request,
    pub(super) reply: oneshot::Sender<Response>,
}

/// The listening end.
#[derive(Debug)]
pub(super) struct Control {
    requests: mpsc::Receiver<Pending>,
}

impl Control {
    /// Listens on the instance's socket, for root only.
    pub(super) fn listen(settings: &Settings) -> anyhow::Result<Self> {
        let path = settings.run_file("sock");
        // We hold the instance's lock, so a socket that is there has no owner.
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot replace {}", path.display()));
            }
            _ => {}
        }
        let listener = UnixListener::bind(&path)
            .with_context(|| format!("cannot listen on {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let (sender, requests) = mpsc::channel(8);
        tokio::spawn(serve(listener, sender));
        Ok(Self { requests })
    }

    pub(super) async fn next(&mut self) -> Option<Pending> {
        self.requests.recv().await
    }
}

/// A client that has not said its request by then, or does not take its answer, is left alone.
const PATIENCE: Duration = Duration::from_secs(10);
/// Before the next client after one that could not be let in: there may be no descriptor free.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest request in bytes.
const LONGEST: u64 = 1 << 20;

async fn serve(listener: UnixListener, sender: mpsc::Sender<Pending>) {
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                failing = false;
                let sender = sender.clone();
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, sender).await {
                        tracing::debug!(%error, "a control connection failed");
                    }
                });
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "fabricctl cannot be let in, trying again");
                }
                sleep(PAUSE).await;
            }
        }
    }
}

async fn answer(
    mut stream: tokio::net::UnixStream,
    sender: mpsc::Sender<Pending>,
) -> anyhow::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    timeout(PATIENCE, BufReader::new(reader.take(LONGEST)).read_line(&mut line)).await??;
    let response = match serde_json::from_str(&line) {
        Ok(request) => {
            let (reply, answer) = oneshot::channel();
            sender.send(Pending { request, reply }).await?;
            answer.await?
        }
        Err(error) => Response::Failed(format!("the request is not understood: {error}")),
    };
    let mut text = serde_json::to_string(&response)?;
    text.push('\n');
    Ok(timeout(PATIENCE, writer.write_all(text.as_bytes())).await??)
}

/// How often a daemon is asked that breaks connections, as one does that is ending: it takes them until the
/// last of its threads is gone.
const ATTEMPTS: u32 = 3;

/// Asks the daemon whose socket is at `path`; `None` if no daemon listens there, or none any more.
///
/// # Errors
/// If the daemon does not answer.
pub fn ask(path: &Path, request: &Request) -> anyhow::Result<Option<Response>> {
    let mut text = serde_json::to_string(request)?;
    text.push('\n');
    for _ in 0..ATTEMPTS {
        let Ok(stream) = UnixStream::connect(path) else {
            return Ok(None);
        };
        let line = exchange(stream, &text)
            .with_context(|| format!("fabric-xdpd does not answer on {}", path.display()))?;
        if let Some(line) = line {
            let response = serde_json::from_str(&line);
            return Ok(Some(response.context("fabric-xdpd's answer is not understood")?));
        }
    }
    bail!("fabric-xdpd ends every connection to {} without an answer", path.display())
}

/// Says one line, and reads one; `None` if the other end is closed without one.
fn exchange(mut stream: UnixStream, text: &str) -> io::Result<Option<String>> {
    use std::io::{BufRead as _, ErrorKind, Write as _};
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut line = String::new();
    let said = stream.write_all(text.as_bytes());
    match said.and_then(|()| io::BufReader::new(stream).read_line(&mut line)) {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(line)),
        Err(error)
            if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader},
        os::unix::net::UnixListener,
        path::PathBuf,
        thread,
    };

    use super::*;

    /// A socket at which somebody asks something while `daemon` has it; what comes of it.
    fn asked(
        name: &str,
        daemon: impl FnOnce(UnixListener) + Send + 'static,
    ) -> anyhow::Result<Option<Response>> {
        let folder = std::env::temp_dir().join(format!("fabric-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let path: PathBuf = folder.join("sock");
        let listener = UnixListener::bind(&path)?;
        let daemon = thread::spawn(move || daemon(listener));
        let asked = ask(&path, &Request::Detach(Vec::new()));
        daemon.join().expect("it does what it should");
        fs::remove_dir_all(&folder)?;
        asked
    }

    /// Lets one in and leaves it without an answer when it has asked.
    fn leave_one(listener: &UnixListener) {
        let (stream, _) = listener.accept().expect("somebody asks");
        BufReader::new(stream).read_line(&mut String::new()).expect("it is a line");
    }

    #[test]
    fn a_daemon_that_ends_before_it_answers_or_lets_anybody_in_is_none() {
        let answer = asked("ends-asked", |listener| leave_one(&listener));
        assert_eq!(answer.expect("it is no failure"), None);
        let answer = asked("ends-waiting", |listener| {
            use rustix::event::{PollFd, PollFlags, poll};
            let somebody = poll(&mut [PollFd::new(&listener, PollFlags::IN)], None);
            assert_eq!(somebody, Ok(1));
        });
        assert_eq!(answer.expect("it is no failure"), None);
    }

    #[test]
    fn a_daemon_that_answers_nobody_is_no_daemon_that_has_ended() {
        let answer = asked("mute", |listener| (0..ATTEMPTS).for_each(|_| leave_one(&listener)));
        let error = answer.expect_err("it is there");
        assert!(error.to_string().contains("without an answer"), "{error}");
    }
}
