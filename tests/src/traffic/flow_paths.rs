//! Which port of a node each flow leaves by.
//!
//! A program or a socket that listens at the node would not see what XDP redirects. The interfaces'
//! own counters see everything: each flow sends a few packets while nothing else does, and the port
//! whose counter moves is its port.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use super::datagram::{Sender, inside};
use super::flow_stream::{self, FlowOptions};
use fabric_user::lab::{LabError, Netns};

/// Packets of a flow. Protocols send one now and then as well, and single packets of a flow may go
/// another way: the kernel's own, which hashes differently.
const PACKETS: u64 = 12;
/// So many by one port, and at most so many by any other.
const ENOUGH: u64 = 10;
const STRAY: u64 = 5;
/// How often a flow is tried whose packets went several ways.
const ATTEMPTS: usize = 10;
/// Packets are through within this, also on a busy machine.
const PATIENCE: Duration = Duration::from_millis(500);

/// Finds out which of `ports` of the node `at` the flows from one host to another leave by: an index
/// of `ports` for each flow, or nothing for a flow that leaves by none or by several. Its packets
/// are those of a stream with the same options; no other traffic may cross the node meanwhile.
///
/// # Errors
/// If a namespace cannot be entered or gives no socket, or a counter cannot be read.
pub fn flow_paths(
    from: &Netns,
    to: (&Netns, IpAddr),
    at: &Netns,
    ports: &[&str],
    options: FlowOptions,
) -> Result<Vec<Option<usize>>, LabError> {
    let (receiver, address) = to;
    // It takes what arrives: nobody answers that the port is closed.
    let _sink =
        inside(receiver, || flow_stream::open_receiver(SocketAddr::new(address, options.port)))?;
    let sender = inside(from, || Sender::open(address))?;
    inside(at, || {
        let send = |flow: u16| {
            let ports = [options.first_port + flow, options.port];
            (0..PACKETS).try_for_each(|_| sender.send(ports, &[0; 16]).map(drop))
        };
        (0..options.flows)
            .map(|flow| {
                for _ in 0..ATTEMPTS {
                    if let Some(port) = port_of(ports, || send(flow))? {
                        return Ok(Some(port));
                    }
                }
                Ok(None)
            })
            .collect()
    })
}

/// The port by which the packets of `send` leave.
fn port_of(ports: &[&str], send: impl Fn() -> io::Result<()>) -> io::Result<Option<usize>> {
    let before = sent_by(ports)?;
    send()?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let sent: Vec<u64> = sent_by(ports)?
            .into_iter()
            .zip(&before)
            .map(|(after, before)| after.saturating_sub(*before))
            .collect();
        let total: u64 = sent.iter().sum();
        if total >= PACKETS || Instant::now() > deadline {
            let others = |port: usize| sent.iter().enumerate().filter(move |(it, _)| *it != port);
            let only = |port: &usize| {
                sent[*port] >= ENOUGH && others(*port).all(|(_, &count)| count <= STRAY)
            };
            return Ok((0..ports.len()).find(only));
        }
        thread::yield_now();
    }
}

/// Packets that interfaces of this thread's namespace have sent, those of XDP included.
fn sent_by(ports: &[&str]) -> io::Result<Vec<u64>> {
    let text = fs::read_to_string("/proc/thread-self/net/dev")?;
    let counters = parse(&text);
    ports
        .iter()
        .map(|port| {
            let missing =
                || io::Error::new(io::ErrorKind::NotFound, format!("no interface {port}"));
            counters.get(port).copied().ok_or_else(missing)
        })
        .collect()
}

/// Packets sent by interface; the tenth number of a line.
fn parse(text: &str) -> BTreeMap<&str, u64> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter_map(|(name, numbers)| {
            Some((name.trim(), numbers.split_ascii_whitespace().nth(9)?.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_sent_are_the_tenth_number() {
        let text = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       1       2    0    0    0     0          0         0        3       4    0    0    0     0       0          0
  swp1: 18312931   71093    0    0    0     0          0         0 18312932   71094    0    0    0     0       0          0
";
        assert_eq!(parse(text), BTreeMap::from([("lo", 4), ("swp1", 71094)]));
    }
}
