//! Asks over HTTP, from inside a network namespace: fabric-xdpd for its metrics, Prometheus for what it made of them.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use fabric_user::{lab::netns::Netns, metrics::exposition::Exposition};

use crate::fabric::PATIENCE;

/// What Prometheus 2.42 asks for.
pub const OPEN: &str =
    "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
/// What asks for Prometheus' own text format.
pub const TEXT: &str = "text/plain;version=0.0.4";

/// What is answered to a GET at a port of 127.0.0.1 of the present network namespace, if that is 200.
///
/// # Errors
/// If nobody listens, or the status is another one.
pub fn get_here(port: u16, path: &str, accept: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // The answer of 1.0 comes in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nAccept: {accept}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("there is no answer")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(status == "200", "the answer is {status}: {body}");
    Ok(body.to_owned())
}

/// The same in another network namespace.
///
/// # Errors
/// As [`get_here`].
pub fn get(netns: &Netns, port: u16, path: &str, accept: &str) -> Result<String> {
    netns.enter(|| get_here(port, path, accept))?
}

/// The metrics that fabric-xdpd serves.
///
/// # Errors
/// As [`get`], or if they are none.
pub fn metrics(netns: &Netns, port: u16) -> Result<Exposition> {
    Exposition::read(&get(netns, port, "/metrics", OPEN)?)
}

/// The metrics as soon as something holds for them; what was read a second ago is answered again.
///
/// # Panics
/// If it does not hold in time.
pub fn metrics_once(
    netns: &Netns,
    port: u16,
    what: &str,
    holds: impl Fn(&Exposition) -> bool,
) -> Exposition {
    let mut last = None;
    crate::fabric::until(PATIENCE, what, || {
        let page = metrics(netns, port).expect("metrics are served");
        let done = holds(&page);
        last = Some(page);
        if !done {
            std::thread::sleep(Duration::from_millis(100));
        }
        done
    });
    last.expect("it was asked for")
}
