//! The control socket: one JSON request per connection, one JSON answer.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
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

/// Asks the daemon whose socket is at `path`; `None` if no daemon listens there.
///
/// # Errors
/// If the daemon does not answer.
pub fn ask(path: &Path, request: &Request) -> anyhow::Result<Option<Response>> {
    use std::io::{BufRead as _, Write as _};
    let Ok(mut stream) = UnixStream::connect(path) else {
        return Ok(None);
    };
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut text = serde_json::to_string(request)?;
    text.push('\n');
    stream.write_all(text.as_bytes())?;
    let mut line = String::new();
    io::BufReader::new(stream)
        .read_line(&mut line)
        .with_context(|| format!("fabric-xdpd does not answer on {}", path.display()))?;
    Ok(Some(serde_json::from_str(&line).context("fabric-xdpd's answer is not understood")?))
}
