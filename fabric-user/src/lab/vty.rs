//! Asking FRR: one command over a daemon's own socket, as vtysh does, without starting vtysh.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::daemons;
use super::error::LabError;
use super::running::Node;

/// A daemon that takes longer is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// Every answer ends with three zero bytes and a status byte (`lib/vty.c`, `vtysh_read`).
const TRAILER: usize = 4;

/// Runs a `show ... json` command. An empty answer, which FRR gives for a feature that is off, is
/// the type's default.
pub(super) fn show_json<T: DeserializeOwned + Default>(
    node: &Node,
    daemon: &'static str,
    command: &str,
) -> Result<T, LabError> {
    let failed = |message: String| LabError::Vty {
        daemon,
        node: node.name().to_owned(),
        command: command.to_owned(),
        message,
    };
    let text = ask(node, daemon, command).map_err(|error| failed(error.to_string()))?;
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}

fn ask(node: &Node, daemon: &str, command: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(daemons::vty_socket(node.netns().name(), daemon))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    exchange(&mut stream, "enable")?;
    exchange(&mut stream, command)
}

fn exchange(stream: &mut UnixStream, command: &str) -> std::io::Result<String> {
    stream.write_all(command.as_bytes())?;
    stream.write_all(&[0])?;
    let mut answer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let length = match stream.read(&mut chunk) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(chunk.get(..length).unwrap_or_default());
        // Text holds no zero bytes, so three of them before the last byte are the trailer.
        let Some(body) = answer.len().checked_sub(TRAILER) else {
            continue;
        };
        let Some([0, 0, 0, status]) = answer.get(body..) else {
            continue;
        };
        if *status != 0 {
            let message = format!("FRR refused the command (status {status})");
            return Err(std::io::Error::other(message));
        }
        answer.truncate(body);
        return Ok(String::from_utf8_lossy(&answer).into_owned());
    }
}
