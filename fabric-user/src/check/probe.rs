//! What is asked of devices beyond their facts: programs that they run, and what these have said.
//!
//! A probe is what one would type there. What it prints is kept as it is, so that evidence can be read again by another
//! version.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::mac::Mac;

/// How long one packet is waited for, in seconds.
const PATIENCE: u64 = 1;
/// What a program may take beyond what it has to, on a busy machine.
const SLACK: Duration = Duration::from_secs(20);
/// Headers of a ping: IP and ICMP.
const OVER_IPV4: u32 = 20 + 8;
const OVER_IPV6: u32 = 40 + 8;

/// A question for one device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Probe {
    /// Pings of `iputils`.
    Ping {
        /// The device that asks.
        from: String,
        /// Whom.
        to: IpAddr,
        /// Bytes of an IP packet; none for that of `ping`.
        size: Option<u32>,
        /// They may not be fragmented on the way.
        whole: bool,
        /// How many.
        count: u32,
        /// Milliseconds between two.
        interval_ms: u64,
    },
    /// A connection of TCP, or a datagram of UDP.
    Connect {
        /// The device that asks.
        from: String,
        /// Whom.
        to: IpAddr,
        /// By what.
        transport: Transport,
        /// At which port.
        port: u16,
    },
    /// The MAC that a device has for an address on its link, after all pings.
    Neighbour {
        /// The device.
        from: String,
        /// The address.
        of: IpAddr,
    },
    /// A link is broken and mended under a stream of pings, in a lab.
    Failover {
        /// Node and port of links that may be broken: that by which the stream goes is.
        cut: Vec<(String, String)>,
        /// How.
        how: Break,
        /// The host that asks.
        from: String,
        /// Whom.
        to: IpAddr,
        /// Milliseconds between two pings.
        interval_ms: u64,
        /// Milliseconds for which it stays so.
        hold_ms: u64,
    },
    /// A host moves and comes back under a stream of pings, in a lab.
    Migrate {
        /// The host.
        host: String,
        /// The node to which it moves.
        target: String,
        /// The host that asks.
        from: String,
        /// Whom.
        to: IpAddr,
        /// Milliseconds between two pings.
        interval_ms: u64,
        /// Milliseconds for which it stays there.
        hold_ms: u64,
    },
    /// Anything.
    Command {
        /// The device.
        on: String,
        /// The program and its arguments.
        run: Vec<String>,
        /// The longest time that it may take, in milliseconds.
        limit_ms: u64,
    },
}

/// How a link is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Break {
    /// It loses its carrier.
    Cut,
    /// It keeps it, and nothing arrives.
    Silence,
}

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// What a program has left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ran {
    /// Its exit status; none if a signal has ended it.
    pub(crate) status: Option<i32>,
    /// What it has printed.
    pub(crate) output: String,
    /// What it has complained of.
    pub(crate) errors: String,
}

impl Probe {
    /// The device that is asked.
    pub(crate) fn device(&self) -> &str {
        match self {
            Self::Ping { from, .. } | Self::Connect { from, .. } | Self::Neighbour { from, .. } => {
                from
            }
            Self::Failover { from, .. } | Self::Migrate { from, .. } => from,
            Self::Command { on, .. } => on,
        }
    }

    /// Whether it changes something for a while.
    pub(crate) const fn disrupts(&self) -> bool {
        matches!(self, Self::Failover { .. } | Self::Migrate { .. })
    }

    /// Those of a lower number are asked first.
    pub(crate) const fn turn(&self) -> u8 {
        match self {
            Self::Neighbour { .. } => 1,
            _ => 0,
        }
    }

    /// The program and its arguments.
    pub(crate) fn command(&self) -> Vec<String> {
        match self {
            Self::Ping { to, size, whole, count, interval_ms, .. } => {
                let seconds = format!("{}.{:03}", interval_ms / 1000, interval_ms % 1000);
                let mut words = vec!["ping", "-n", "-W"];
                let (patience, count) = (PATIENCE.to_string(), count.to_string());
                words.extend([&patience, "-c", &count, "-i", &seconds]);
                let headers = if to.is_ipv4() { OVER_IPV4 } else { OVER_IPV6 };
                let payload = size.map(|size| size.saturating_sub(headers).to_string());
                words.extend(payload.iter().flat_map(|it| ["-s", it]));
                if *whole {
                    words.extend(["-M", "do"]);
                }
                let to = to.to_string();
                words.push(&to);
                words.into_iter().map(str::to_owned).collect()
            }
            Self::Connect { to, transport, port, .. } => {
                // What comes back, or that it is refused, is known from the read of UDP alone.
                let (name, then) = match transport {
                    Transport::Tcp => ("tcp", String::new()),
                    Transport::Udp => {
                        ("udp", format!(" && printf fabric >&3 && read -r -t {PATIENCE} -N 1 -u 3"))
                    }
                };
                let script = format!("exec 3<>/dev/{name}/{to}/{port}{then}");
                let patience = (PATIENCE + 1).to_string();
                ["timeout", &patience, "bash", "-c", &script].map(str::to_owned).to_vec()
            }
            Self::Neighbour { of, .. } => {
                ["ip", "-j", "neigh", "show", "to", &of.to_string()].map(str::to_owned).to_vec()
            }
            Self::Failover { cut, how, .. } => {
                let what = match how {
                    Break::Cut => "cut",
                    Break::Silence => "silence",
                };
                let ports = cut.iter().flat_map(|(node, port)| [node.clone(), port.clone()]);
                ["fabricctl", "lab", what].map(str::to_owned).into_iter().chain(ports).collect()
            }
            Self::Migrate { host, target, .. } => {
                ["fabricctl", "lab", "migrate", host, target].map(str::to_owned).to_vec()
            }
            Self::Command { run, .. } => run.clone(),
        }
    }

    /// The longest time that it may take.
    pub(crate) fn limit(&self) -> Duration {
        match self {
            Self::Ping { count, interval_ms, .. } => {
                Duration::from_millis(u64::from(*count) * interval_ms.max(&1)) + SLACK
            }
            Self::Command { limit_ms, .. } => Duration::from_millis(*limit_ms),
            _ => SLACK,
        }
    }
}

/// What `ping` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pinged {
    /// Sent.
    pub(crate) sent: u32,
    /// Answered.
    pub(crate) received: u32,
    /// The longest round trip.
    pub(crate) slowest: Option<Duration>,
    /// That a packet was too long, as it was told.
    pub(crate) too_long: Option<String>,
    /// Another error that was told.
    pub(crate) error: Option<String>,
}

impl Pinged {
    /// Reads its output; none if it is something else.
    pub(crate) fn of(ran: &Ran) -> Option<Self> {
        let numbers = ran.output.lines().find(|line| line.contains(" packets transmitted"))?;
        let number = |what: &str| {
            let part = numbers.split(", ").find(|part| part.contains(what))?;
            part.split_whitespace().next()?.parse().ok()
        };
        let slowest = ran.output.lines().find_map(|line| {
            // rtt min/avg/max/mdev = 0.028/0.031/0.036/0.003 ms
            let (_, values) = line.split_once("min/avg/max/mdev = ")?;
            let milliseconds: f64 = values.split('/').nth(2)?.parse().ok()?;
            Some(Duration::from_secs_f64(milliseconds / 1e3))
        });
        let said = || ran.output.lines().chain(ran.errors.lines());
        let is_length = |line: &&str| {
            let line = line.to_lowercase();
            ["message too long", "frag needed", "packet too big"].iter().any(|it| line.contains(it))
        };
        let is_error = |line: &&str| {
            let line = line.to_lowercase();
            line.starts_with("ping:")
                || line.contains("unreachable")
                || line.contains("time to live")
        };
        let of =
            |is_it: &dyn Fn(&&str) -> bool| said().find(is_it).map(|line| line.trim().to_owned());
        Some(Self {
            sent: number("packets transmitted")?,
            received: number(" received")?,
            slowest,
            too_long: of(&is_length),
            error: of(&|line| !is_length(line) && is_error(line)),
        })
    }

    /// Packets that were not answered.
    pub(crate) const fn lost(&self) -> u32 {
        self.sent.saturating_sub(self.received)
    }
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connected {
    /// It was accepted, or answered.
    Open,
    /// The other end says that nobody is at this port.
    Refused,
    /// Nobody says anything, or a router that there is no way.
    Silent,
}

impl Connected {
    /// By how the shell has ended.
    pub(crate) fn of(ran: &Ran) -> Self {
        match ran.status {
            Some(0) => Self::Open,
            _ if ran.errors.contains("Connection refused") => Self::Refused,
            _ => Self::Silent,
        }
    }
}

/// The MAC in what `ip -j neigh` says; none if there is none.
///
/// # Errors
/// If it says something else.
pub(crate) fn neighbour(ran: &Ran) -> Result<Option<Mac>, String> {
    #[derive(Deserialize)]
    struct Entry {
        lladdr: Option<Mac>,
    }
    if ran.output.trim().is_empty() {
        return Ok(None);
    }
    let entries: Vec<Entry> =
        serde_json::from_str(&ran.output).map_err(|error| error.to_string())?;
    Ok(entries.into_iter().find_map(|entry| entry.lladdr))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(output: &str, errors: &str) -> Ran {
        Ran { status: Some(1), output: output.into(), errors: errors.into() }
    }

    #[test]
    fn what_ping_says_is_read_also_when_packets_were_too_long() {
        let all = "4 packets transmitted, 3 received, 25% packet loss, time 604ms\n\
                   rtt min/avg/max/mdev = 0.028/0.031/0.536/0.003 ms\n";
        let pinged = Pinged::of(&ran(all, "")).unwrap();
        assert_eq!((pinged.sent, pinged.received, pinged.lost()), (4, 3, 1));
        assert_eq!(pinged.slowest, Some(Duration::from_micros(536)));

        let none = "1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms\n";
        let local =
            Pinged::of(&ran(none, "ping: local error: message too long, mtu=1500\n")).unwrap();
        assert_eq!(
            local.too_long.as_deref(),
            Some("ping: local error: message too long, mtu=1500")
        );
        assert_eq!(local.error, None);
        let remote =
            format!("From 10.0.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1500)\n{none}");
        assert!(Pinged::of(&ran(&remote, "")).unwrap().too_long.is_some());
        let unreachable = format!("From 10.0.0.1 icmp_seq=1 Destination Host Unreachable\n{none}");
        assert!(Pinged::of(&ran(&unreachable, "")).unwrap().error.is_some());
        assert_eq!(Pinged::of(&ran("", "ping: connect: Network is unreachable")), None);
    }

    #[test]
    fn the_size_of_a_ping_is_that_of_its_ip_packet() {
        let ping = |to: &str| Probe::Ping {
            from: "app01".into(),
            to: to.parse().unwrap(),
            size: Some(1500),
            whole: true,
            count: 1,
            interval_ms: 200,
        };
        let words = ping("10.0.0.1").command().join(" ");
        assert_eq!(words, "ping -n -W 1 -c 1 -i 0.200 -s 1472 -M do 10.0.0.1");
        assert!(ping("fd00::1").command().contains(&"1452".to_owned()));
    }

    #[test]
    fn a_refused_connection_has_reached_the_other_end() {
        let refused = "bash: connect: Connection refused\nbash: line 1: /dev/tcp/10.0.0.1/9: Connection refused\n";
        assert_eq!(Connected::of(&ran("", refused)), Connected::Refused);
        assert_eq!(Connected::of(&ran("", "")), Connected::Silent);
    }

    #[test]
    fn a_neighbour_without_a_mac_is_none() {
        let text = r#"[{"dst":"10.0.0.1","dev":"eth0","lladdr":"02:00:5e:00:01:c8","state":["REACHABLE"]}]"#;
        let mac = neighbour(&ran(text, "")).unwrap().unwrap();
        assert_eq!(mac.to_string(), "02:00:5e:00:01:c8");
        let failed = r#"[{"dst":"10.0.0.1","dev":"eth0","state":["FAILED"]}]"#;
        assert_eq!(neighbour(&ran(failed, "")).unwrap(), None);
        assert_eq!(neighbour(&ran("", "")).unwrap(), None);
        assert!(neighbour(&ran("nonsense", "")).is_err());
    }
}
