//! What is asked of devices beyond their facts: programs that they run, and what these have said.
//!
//! A probe is what one would type there. What it prints is kept as it is, so that evidence can be read again by another
//! version.

use std::{fmt, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::kinds::NetboxSource;
use crate::mac::Mac;

/// What answers in place of a device if NetBox is asked.
pub(crate) const NETBOX: &str = "NetBox";
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
        /// From where there.
        #[serde(default)]
        within: Within,
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
        /// From where there.
        #[serde(default)]
        within: Within,
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
    /// A link or a node is broken and mended under a stream of pings, in a lab.
    Failover {
        /// What may be broken: that by which the stream goes is.
        cut: Vec<Part>,
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
    /// What NetBox says, which is asked from where the suite runs.
    Netbox {
        /// Where it is.
        source: NetboxSource,
        /// The devices whose sites are wanted.
        devices: Vec<String>,
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

/// From where a device asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Within {
    /// The VRF; none is the default one.
    pub(crate) vrf: Option<String>,
    /// The address; none for that which the route says.
    pub(crate) address: Option<IpAddr>,
}

impl Within {
    /// What `ping -I` takes.
    fn source(&self) -> Option<String> {
        self.vrf.clone().or_else(|| Some(self.address?.to_string()))
    }
}

/// A link by one of its ends, or a node with all its links.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The node.
    pub(crate) node: String,
    /// Its port; none for the whole node.
    pub(crate) port: Option<String>,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.port {
            Some(port) => write!(f, "{}:{port}", self.node),
            None => f.write_str(&self.node),
        }
    }
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
            Self::Netbox { .. } => NETBOX,
            Self::Command { on, .. } => on,
        }
    }

    /// Whether a device of the topology answers it.
    pub(crate) const fn is_for_device(&self) -> bool {
        !matches!(self, Self::Netbox { .. })
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
            Self::Ping { within, to, size, whole, count, interval_ms, .. } => {
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
                // It needs no cgroups, which `ip vrf exec` does.
                let source = within.source();
                words.extend(source.iter().flat_map(|it| ["-I", it]));
                let to = to.to_string();
                words.push(&to);
                words.into_iter().map(str::to_owned).collect()
            }
            Self::Connect { within, to, transport, port, .. } => {
                // What comes back, or that it is refused, is known from the read of UDP alone.
                let (name, then) = match transport {
                    Transport::Tcp => ("tcp", String::new()),
                    Transport::Udp => {
                        ("udp", format!(" && printf fabric >&3 && read -r -t {PATIENCE} -N 1 -u 3"))
                    }
                };
                let script = format!("exec 3<>/dev/{name}/{to}/{port}{then}");
                let patience = (PATIENCE + 1).to_string();
                let vrf = within.vrf.iter().flat_map(|vrf| ["ip", "vrf", "exec", vrf.as_str()]);
                let words = ["timeout", &patience, "bash", "-c", &script];
                vrf.chain(words).map(str::to_owned).collect()
            }
            Self::Neighbour { of, .. } => {
                ["ip", "-j", "neigh", "show", "to", &of.to_string()].map(str::to_owned).to_vec()
            }
            Self::Failover { cut, how, .. } => {
                let what = match how {
                    Break::Cut => "cut",
                    Break::Silence => "silence",
                };
                let parts = cut.iter().map(Part::to_string);
                ["fabricctl", "lab", what].map(str::to_owned).into_iter().chain(parts).collect()
            }
            Self::Migrate { host, target, .. } => {
                ["fabricctl", "lab", "migrate", host, target].map(str::to_owned).to_vec()
            }
            Self::Netbox { .. } => Vec::new(),
            Self::Command { run, .. } => run.clone(),
        }
    }

    /// The longest time that it may take.
    pub(crate) fn limit(&self) -> Duration {
        match self {
            Self::Ping { count, interval_ms, .. } => {
                let time = u64::from(*count).saturating_mul(*interval_ms.max(&1));
                Duration::from_millis(time).saturating_add(SLACK)
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
    /// Answers that came once more.
    pub(crate) duplicates: u32,
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
            // It warns that a VRF's own device has no address.
            (line.starts_with("ping:") && !line.starts_with("ping: warning:"))
                || line.contains("unreachable")
                || line.contains("time to live")
        };
        let of =
            |is_it: &dyn Fn(&&str) -> bool| said().find(is_it).map(|line| line.trim().to_owned());
        Some(Self {
            sent: number("packets transmitted")?,
            received: number(" received")?,
            // 3 packets transmitted, 3 received, +2 duplicates, 0% packet loss, time 404ms
            duplicates: number(" duplicates").unwrap_or_default(),
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

/// What `timeout` ends with if it was over.
const TIMED_OUT: i32 = 124;
/// What bash ends with if `read` has waited in vain: 128, and the number of SIGALRM.
const READ_IN_VAIN: i32 = 142;
/// What bash says of silence, and of a router that knows no way.
const SILENCE: [&str; 4] =
    ["timed out", "No route to host", "Network is unreachable", "Host is down"];

impl Connected {
    /// By how the shell has ended; none if it has not got so far as to ask.
    pub(crate) fn of(ran: &Ran) -> Option<Self> {
        match ran.status {
            Some(0) => Some(Self::Open),
            _ if ran.errors.contains("Connection refused") => Some(Self::Refused),
            Some(TIMED_OUT | READ_IN_VAIN) => Some(Self::Silent),
            _ if SILENCE.iter().any(|it| ran.errors.contains(it)) => Some(Self::Silent),
            _ => None,
        }
    }
}

/// The MAC in what `ip -j neigh` says; none if there is none.
///
/// # Errors
/// If it has failed or says something else.
pub(crate) fn neighbour(ran: &Ran) -> Result<Option<Mac>, String> {
    #[derive(Deserialize)]
    struct Entry {
        lladdr: Option<Mac>,
    }
    if ran.status != Some(0) {
        return Err(ran.errors.trim().replace('\n', "; "));
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
            within: Within::default(),
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
    fn a_node_asks_from_an_address_or_inside_a_vrf() {
        let ping = |vrf: Option<&str>, address: Option<&str>| Probe::Ping {
            from: "leaf01".into(),
            within: Within {
                vrf: vrf.map(str::to_owned),
                address: address.map(|it| it.parse().unwrap()),
            },
            to: "10.0.0.1".parse().unwrap(),
            size: None,
            whole: false,
            count: 1,
            interval_ms: 200,
        };
        let own = ping(None, Some("10.0.1.11")).command().join(" ");
        assert_eq!(own, "ping -n -W 1 -c 1 -i 0.200 -I 10.0.1.11 10.0.0.1");
        let inside = ping(Some("red"), None).command().join(" ");
        assert_eq!(inside, "ping -n -W 1 -c 1 -i 0.200 -I red 10.0.0.1");
    }

    #[test]
    fn a_refused_connection_has_reached_the_other_end() {
        let refused = "bash: connect: Connection refused\nbash: line 1: /dev/tcp/10.0.0.1/9: Connection refused\n";
        assert_eq!(Connected::of(&ran("", refused)), Some(Connected::Refused));
    }

    #[test]
    fn silence_is_what_was_waited_for_in_vain_and_not_what_could_not_be_asked() {
        for status in [TIMED_OUT, READ_IN_VAIN] {
            let silent = Ran { status: Some(status), ..Ran::default() };
            assert_eq!(Connected::of(&silent), Some(Connected::Silent));
        }
        let no_way = "bash: connect: No route to host\nbash: line 1: /dev/tcp/10.0.0.1/9: No route to host\n";
        assert_eq!(Connected::of(&ran("", no_way)), Some(Connected::Silent));
        for errors in [
            "",
            "sudo: a password is required\n",
            "bash: line 1: /dev/tcp/10.0.0.1/9: No such file or directory\n",
            "bash: connect: Verbindungsaufbau abgelehnt\n",
        ] {
            assert_eq!(Connected::of(&ran("", errors)), None, "{errors}");
        }
    }

    #[test]
    fn answers_that_come_twice_are_counted_beside_those_that_came() {
        let all = "3 packets transmitted, 3 received, +2 duplicates, 0% packet loss, time 404ms\n";
        let pinged = Pinged::of(&ran(all, "")).unwrap();
        assert_eq!((pinged.received, pinged.duplicates), (3, 2));
    }

    #[test]
    fn a_neighbour_without_a_mac_is_none() {
        let text = r#"[{"dst":"10.0.0.1","dev":"eth0","lladdr":"02:00:5e:00:01:c8","state":["REACHABLE"]}]"#;
        let said = |output: &str| {
            neighbour(&Ran { status: Some(0), output: output.into(), ..Ran::default() })
        };
        let mac = said(text).unwrap().unwrap();
        assert_eq!(mac.to_string(), "02:00:5e:00:01:c8");
        let failed = r#"[{"dst":"10.0.0.1","dev":"eth0","state":["FAILED"]}]"#;
        assert_eq!(said(failed).unwrap(), None);
        assert_eq!(said("").unwrap(), None);
        assert!(said("nonsense").is_err());
        let refused = neighbour(&ran("", "sudo: a password is required\n"));
        assert_eq!(refused.unwrap_err(), "sudo: a password is required");
    }
}
