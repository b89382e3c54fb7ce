//! A leaf with two hosts, each of which is behind a bridge port and behind a routed port. No FRR.
//!
//! ```text
//!   host1 e ── p1 ┐                 ┌ p3 ── e host3      192.168.0.0/24, bridge br100, VNI 100
//!                 │      leaf       │
//!   host1 r ── r1 ┘                 └ r3 ── r host3      10.1.1.0/24, 10.1.3.0/24, routed
//! ```
//!
//! Interfaces of the leaf have the indexes of [`index`], always.

use std::{
    fs,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use aya::maps::{DevMap, MapData};
use fabric_common::reason::Reason;
use fabric_tests::{daemon::Daemon, device};
use fabric_user::{
    daemon::state::State,
    kernel::{maps::Maps, programs::tx_ports},
    lab::netns::Netns,
};
use rustix::process::Signal;
use serde_json::Value;

/// What the daemon needs for a change on a very busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// How a port forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Bridged,
    Routed,
}

impl Way {
    /// The port of host3.
    pub(crate) const fn port(self) -> &'static str {
        match self {
            Self::Bridged => "p3",
            Self::Routed => "r3",
        }
    }

    /// The address of host3 behind it.
    const fn address(self) -> &'static str {
        match self {
            Self::Bridged => "192.168.0.3",
            Self::Routed => "10.1.3.2",
        }
    }

    const fn reason(self) -> Reason {
        match self {
            Self::Bridged => Reason::Bridged,
            Self::Routed => Reason::Routed,
        }
    }

    /// Lines of `ip` that make an interface of the leaf, which lies there, such a port.
    pub(crate) fn set_up(self, name: &str) -> String {
        match self {
            Self::Bridged => format!("link set {name} master br100\nlink set {name} up\n"),
            Self::Routed => format!("link set {name} up\naddr replace 10.1.3.1/24 dev {name}\n"),
        }
    }
}

/// The index of a port of the leaf.
pub(crate) fn index(name: &str) -> u32 {
    match name {
        "p1" => 11,
        "p3" => 13,
        "r1" => 21,
        "r3" => 23,
        other => panic!("{other} has any index"),
    }
}

/// The leaf and what is around it.
pub(crate) struct Leaf {
    pub(crate) netns: Netns,
    /// Where ports go that go away.
    pub(crate) away: Netns,
    pub(crate) hosts: [Netns; 2],
    /// Namespaces of before that live on.
    old: Vec<Netns>,
    daemon: Daemon,
}

pub(crate) fn ip(netns: &Netns, lines: &str) {
    let done = netns.enter(|| device::ip(lines)).expect("the namespace exists");
    done.unwrap_or_else(|error| panic!("{error:#}"));
}

/// What `ip -j` prints.
pub(crate) fn query(netns: &Netns, arguments: &str) -> Vec<Value> {
    let text = device::run("ip", &format!("-n {} -j {arguments}", netns.name()));
    let text = text.unwrap_or_else(|error| panic!("{error:#}"));
    if text.trim().is_empty() {
        return Vec::new();
    }
    serde_json::from_str(&text).expect("ip prints JSON")
}

/// Name and mode (1 is native, 2 generic) of the XDP program on an interface.
pub(crate) fn program(netns: &Netns, interface: &str) -> Option<(String, u64)> {
    let link = query(netns, &format!("-d link show dev {interface}"));
    let xdp = &link[0]["xdp"];
    Some((xdp["prog"]["name"].as_str()?.to_owned(), xdp["mode"].as_u64()?))
}

impl Leaf {
    /// A leaf whose fabric-xdpd is in sync.
    pub(crate) fn new() -> Self {
        Self::with_settings("")
    }

    /// The same with settings, in their file's syntax.
    pub(crate) fn with_settings(settings: &str) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |what: &str| format!("ports-{}-{number}{what}", std::process::id());
        let netns = |what| Netns::named(name(what));
        let mut this = Self {
            netns: netns(""),
            away: netns("-away"),
            hosts: [netns("-host1"), netns("-host3")],
            old: Vec::new(),
            daemon: Daemon::new(&name(""), &["--heartbeat-timeout-ms", "4000"]),
        };
        this.set(settings);
        this.make();
        this.start();
        this
    }

    fn namespaces(&self) -> impl Iterator<Item = &Netns> {
        [&self.netns, &self.away].into_iter().chain(&self.hosts)
    }

    /// Makes namespaces and devices.
    pub(crate) fn make(&self) {
        for netns in self.namespaces() {
            device::run("ip", &format!("netns add {}", netns.name())).expect("this is root");
            let settings = [
                ("ipv6/conf/all/disable_ipv6", "1"),
                ("ipv6/conf/default/disable_ipv6", "1"),
                ("ipv4/conf/all/rp_filter", "0"),
                ("ipv4/conf/default/rp_filter", "0"),
                ("ipv4/ip_forward", "1"),
            ];
            let set =
                || settings.map(|(key, value)| fs::write(format!("/proc/sys/net/{key}"), value));
            for done in netns.enter(set).expect("the namespace exists") {
                done.expect("the kernel has this setting");
            }
        }
        let mut lines = "link set lo up\naddr add 10.0.0.1/32 dev lo\n\
             link add br100 index 5 type bridge mcast_snooping 0\nlink set br100 up\n\
             link add vx100 index 6 type vxlan id 100 local 10.0.0.1 dstport 4789 nolearning\n\
             link set vx100 master br100 up\n"
            .to_owned();
        for (host, number) in self.hosts.iter().zip([1, 3]) {
            let host = host.name();
            let (bridged, routed) = (index(&format!("p{number}")), index(&format!("r{number}")));
            lines += &format!(
                "link add p{number} index {bridged} type veth peer name e netns {host}\n\
                 link set p{number} master br100 up\n\
                 link add r{number} index {routed} type veth peer name r netns {host}\n\
                 link set r{number} up\naddr add 10.1.{number}.1/24 dev r{number}\n"
            );
        }
        ip(&self.netns, &lines);
        for (host, number) in self.hosts.iter().zip([1, 3]) {
            ip(
                host,
                &format!(
                    "link set e up\naddr add 192.168.0.{number}/24 dev e\n\
                     link set r up\naddr add 10.1.{number}.2/24 dev r\n\
                     route add 10.1.0.0/16 via 10.1.{number}.1\n"
                ),
            );
            for port in ["e", "r"] {
                wirelike(host, port);
            }
        }
    }

    /// Takes all namespaces away, with all interfaces in them.
    pub(crate) fn take_away(&self) {
        for netns in self.namespaces().chain(&self.old) {
            // One that is gone is what is wanted.
            let mut command = Command::new("ip");
            command.args(["netns", "del", netns.name()]).stderr(Stdio::null());
            let _gone = command.status();
        }
    }

    /// Leaves all namespaces as they are, and goes on with others that [`Self::make`] has to make; the
    /// leaf's of before.
    pub(crate) fn leave(&mut self) -> Netns {
        let again = |netns: &Netns| Netns::named(format!("{}b", netns.name()));
        let old: Vec<Netns> = self.namespaces().cloned().collect();
        let [netns, away, host1, host3] = &old[..] else { unreachable!("there are four") };
        self.netns = again(netns);
        self.away = again(away);
        self.hosts = [again(host1), again(host3)];
        let leaf = netns.clone();
        self.old.extend(old);
        leaf
    }

    /// Changes the settings of the next start.
    pub(crate) fn set(&mut self, settings: &str) {
        self.daemon.set(settings);
    }

    /// Starts fabric-xdpd and waits until it is in sync.
    pub(crate) fn start(&mut self) {
        self.daemon.start(&self.netns);
    }

    /// Ends fabric-xdpd at once.
    pub(crate) fn kill(&mut self) {
        self.daemon.end(Signal::KILL);
    }

    /// Changes something while fabric-xdpd sees nothing of it until all is done.
    pub(crate) fn while_stopped(&self, change: impl FnOnce()) {
        self.daemon.signal(Signal::STOP);
        change();
        self.daemon.signal(Signal::CONT);
    }

    /// Asserts that the fabric-xdpd that was started still runs.
    pub(crate) fn assert_runs(&mut self) {
        self.daemon.assert_runs();
    }

    /// What fabric-xdpd wrote to standard error since it was started.
    pub(crate) fn log(&self) -> String {
        self.daemon.log()
    }

    pub(crate) fn state(&self) -> State {
        self.daemon.state()
    }

    /// The maps, to look at.
    pub(crate) fn maps(&self) -> Maps {
        self.daemon.maps()
    }

    /// The redirect targets by port slot.
    pub(crate) fn targets(&self) -> DevMap<MapData> {
        tx_ports(self.daemon.instance()).expect("fabric-xdpd has pinned its maps")
    }

    /// How many of `count` pings from host1 to host3 are answered.
    fn ping(&self, way: Way, count: u32) -> u32 {
        let address = way.address();
        let mut command = Command::new("ping");
        command.args(["-c", &count.to_string(), "-i", "0.02", "-W", "1", "-q", address]);
        let output = self.hosts[0].enter(|| command.output()).expect("the namespace exists");
        let output = output.expect("ping can be run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words: Vec<&str> = text.split_whitespace().collect();
        let at = words.iter().position(|word| word.starts_with("received"));
        at.and_then(|at| words[at - 1].parse().ok()).unwrap_or_else(|| panic!("ping says {text:?}"))
    }

    /// Waits until every ping is answered, and most of both directions goes by XDP.
    pub(crate) fn forwards(&mut self, way: Way) {
        const PINGS: u32 = 20;
        let mut seen = (0, 0);
        let start = std::time::Instant::now();
        loop {
            let before = self.maps().ended_anywhere(way.reason());
            let answered = self.ping(way, PINGS);
            // A port that comes back counts from zero.
            let fast = self.maps().ended_anywhere(way.reason()).saturating_sub(before);
            self.assert_runs();
            if answered == PINGS && fast + 6 >= u64::from(2 * PINGS) {
                return;
            }
            seen = (answered, fast).max(seen);
            assert!(
                start.elapsed() < SOON,
                "{way:?}: at best {seen:?} of {PINGS} answered and packets by XDP\n{}",
                self.log()
            );
        }
    }

    /// The same for the bridge and the router.
    pub(crate) fn forwards_all(&mut self) {
        for way in [Way::Bridged, Way::Routed] {
            self.forwards(way);
        }
    }
}

/// What programs redirect to a veth device is received by NAPI at its peer, which needs GRO, and nobody
/// completes checksums there.
pub(crate) fn wirelike(netns: &Netns, interface: &str) {
    let off = || device::run("ethtool", &format!("-K {interface} tx off gro on"));
    netns.enter(off).expect("the namespace exists").expect("veth devices can do that");
}

impl Drop for Leaf {
    fn drop(&mut self) {
        self.kill();
        self.take_away();
    }
}
