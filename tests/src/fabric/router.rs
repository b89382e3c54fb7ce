//! A router for one test: a network namespace with four ports, fabric-xdpd in it, and at the other end
//! of each port a neighbour. No FRR: a test writes into the kernel what it wants fabric-xdpd to follow.
//!
//! Port `swp<i>` has 10.1.i.1/24 and 2001:db8:i::1/64; its neighbour has the 2 at the end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fabric_user::{
    daemon::state::State,
    kernel::{interface::mac_address, maps::Maps},
};
use rustix::process::Signal;
use serde_json::Value;

use super::{PATIENCE, until};
use crate::{
    daemon::Daemon,
    space::{Space, unique},
};

/// Ports of a router.
const PORTS: u32 = 4;
/// What the daemon needs for a change on a busy machine.
pub const SOON: Duration = PATIENCE;

/// A router with its neighbours.
#[derive(Debug)]
pub struct Router {
    daemon: Daemon,
    netns: Space,
    peers: Space,
}

impl Router {
    /// A router whose fabric-xdpd is in sync.
    #[must_use]
    pub fn new() -> Self {
        Self::with_settings("")
    }

    /// The same with settings, in their file's syntax.
    #[must_use]
    pub fn with_settings(settings: &str) -> Self {
        let mut this = Self::without_daemon(settings);
        this.start();
        this
    }

    /// A router on which fabric-xdpd does not run yet.
    #[must_use]
    pub fn without_daemon(settings: &str) -> Self {
        let name = unique("router");
        let has_timeout = settings.contains("heartbeat_timeout_ms");
        let flags: &[&str] = if has_timeout { &[] } else { &["--heartbeat-timeout-ms", "2000"] };
        let mut daemon = Daemon::new(&name, flags).auditing();
        daemon.set(settings);
        let peers = Space::new(format!("{name}-peers"));
        let this = Self { daemon, netns: Space::new(name), peers };
        for space in [&this.netns, &this.peers] {
            space.sysctls(&[
                ("ipv6/conf/all/accept_dad", "0"),
                ("ipv6/conf/default/accept_dad", "0"),
                ("ipv4/ip_forward", "1"),
                ("ipv6/conf/all/forwarding", "1"),
                ("ipv4/conf/all/rp_filter", "0"),
                ("ipv4/conf/default/rp_filter", "0"),
                ("ipv4/fib_multipath_hash_policy", "1"),
                ("ipv6/fib_multipath_hash_policy", "1"),
            ]);
        }
        let peers = this.peers.name();
        let mut own = "link set lo up\n".to_owned();
        let mut other = String::new();
        for i in 1..=PORTS {
            own += &format!(
                "link add swp{i} type veth peer name p{i} netns {peers}\nlink set swp{i} up\n\
                 addr add 10.1.{i}.1/24 dev swp{i}\naddr add 2001:db8:{i}::1/64 dev swp{i}\n"
            );
            other += &format!(
                "link set p{i} address 02:00:00:00:00:{i:02x} up\naddr add 10.1.{i}.2/24 dev p{i}\n\
                 addr add 2001:db8:{i}::2/64 dev p{i}\naddr add fe80::2/64 dev p{i}\n"
            );
        }
        this.ip(&own);
        this.peers_ip(&other);
        (1..=PORTS).for_each(|i| this.peers.wirelike(&format!("p{i}")));
        until(SOON, "all links are up", || {
            let up = |link: &Value| link["operstate"] == "UP";
            this.query("link show type veth").iter().all(up)
        });
        this
    }

    /// The interfaces that are there, with their indexes.
    #[must_use]
    pub fn links(&self) -> BTreeMap<String, u32> {
        let link = |link: &Value| {
            Some((link["ifname"].as_str()?.to_owned(), link["ifindex"].as_u64()? as u32))
        };
        self.query("link show").iter().filter_map(link).collect()
    }

    /// The MAC address of an interface of the router.
    #[must_use]
    pub fn mac(&self, name: &str) -> [u8; 6] {
        self.netns.inside(|| mac_address(name)).expect("the interface exists")
    }

    /// Sets a sysctl of the router, by its dotted name.
    pub fn sysctl(&self, key: &str, value: &str) {
        let key = key.strip_prefix("net.").expect("a name that begins with net.");
        self.netns.sysctl(&key.replace('.', "/"), value);
    }

    /// Runs `ethtool` where the neighbours are. With GRO, a neighbour takes what XDP programs send.
    pub fn peers_ethtool(&self, arguments: &str) {
        self.peers.run("ethtool", arguments);
    }

    /// Starts fabric-xdpd and waits until it is in sync.
    pub fn start(&mut self) {
        self.daemon.start(&self.netns);
    }

    /// As [`Self::start`] by a command that runs what follows it, and becomes it.
    pub fn start_by(&mut self, by: &[String]) {
        self.daemon.start_by(&self.netns, by);
    }

    /// Ends fabric-xdpd at once.
    pub fn kill(&mut self) {
        self.daemon.end(Signal::KILL);
    }

    /// fabric-xdpd, and what belongs to it.
    #[must_use]
    pub const fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// Waits until a link has lost its carrier, or has it.
    pub fn wait_link(&self, name: &str, up: bool) {
        until(SOON, "the link is as it was set", || {
            let link = self.query(&format!("link show dev {name}"));
            (link[0]["operstate"] == "UP") == up
        });
    }

    /// Asserts that fabric-xdpd still runs.
    pub fn assert_runs(&mut self) {
        self.daemon.assert_runs();
    }

    /// fabric-xdpd's state file.
    #[must_use]
    pub fn state(&self) -> State {
        self.daemon.state()
    }

    /// The maps, to look at.
    #[must_use]
    pub fn maps(&self) -> Arc<Maps> {
        self.daemon.maps()
    }

    /// Its network namespace.
    #[must_use]
    pub const fn netns(&self) -> &Space {
        &self.netns
    }

    /// The network namespace of its neighbours, where port `swp<i>` ends as `p<i>`.
    #[must_use]
    pub const fn peers(&self) -> &Space {
        &self.peers
    }

    /// Runs lines of `ip`.
    pub fn ip(&self, lines: &str) {
        self.netns.ip(lines);
    }

    /// Runs lines of `bridge`.
    pub fn bridge(&self, lines: &str) {
        self.netns.bridge(lines);
    }

    /// Runs lines of `ip`, of which the kernel may refuse some.
    pub fn force_ip(&self, lines: &str) {
        drop(self.ask_ip(lines));
    }

    /// What `ip -j` prints for some lines, of which the kernel may refuse some.
    #[must_use]
    pub fn ask_ip(&self, lines: &str) -> String {
        self.netns.force("ip", &["-j"], lines)
    }

    /// Runs lines of `ip` where the neighbours are.
    pub fn peers_ip(&self, lines: &str) {
        self.peers.ip(lines);
    }

    /// What `ip -j` prints.
    #[must_use]
    pub fn query(&self, arguments: &str) -> Vec<Value> {
        self.netns.query(arguments)
    }

    /// Makes the neighbours of all ports known to the kernel for good.
    pub fn know_neighbours(&self) {
        let known = |i: u32| {
            let (dev, mac) = (format!("dev swp{i}"), format!("lladdr 02:00:00:00:00:{i:02x}"));
            ["10.1.I.2", "2001:db8:I::2", "fe80::2"].map(|address| {
                let address = address.replace('I', &i.to_string());
                format!("neigh replace {address} {mac} {dev} nud permanent\n")
            })
        };
        self.ip(&(1..=PORTS).flat_map(known).collect::<String>());
    }

    /// Index of an interface.
    #[must_use]
    pub fn ifindex(&self, name: &str) -> u32 {
        self.netns.index(name)
    }

    /// Slot of a port.
    #[must_use]
    pub fn slot(&self, maps: &Maps, name: &str) -> u32 {
        let ifindex = self.ifindex(name);
        let mut slots = maps.ports.iter().filter(|(_, port)| port.ifindex == ifindex);
        slots.next().unwrap_or_else(|| panic!("{name} is no port")).0
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}
