//! A router for one test: a network namespace with four ports, fabric-xdpd in it, and at the other end
//! of each port a neighbour. No FRR: a test writes into the kernel what it wants fabric-xdpd to follow.
//!
//! Port `swp<i>` has 10.1.i.1/24 and 2001:db8:i::1/64; its neighbour has the 2 at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use fabric_common::{
    schema::{
        groups::Choice,
        hosts, hosts6, ports,
        routes::{
            KIND_BLACKHOLE, KIND_CONNECTED, KIND_GROUP, KIND_KERNEL, KIND_LOCAL, KIND_NEXTHOP,
            KIND_UNREACHABLE, split_target,
        },
    },
    trie,
};
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
    ///
    /// # Panics
    /// If this is not root, or fabric-xdpd does not start.
    #[must_use]
    pub fn with_settings(settings: &str) -> Self {
        let mut this = Self::without_daemon(settings);
        this.start();
        this
    }

    /// A router on which fabric-xdpd does not run yet.
    ///
    /// # Panics
    /// If this is not root.
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
    ///
    /// # Panics
    /// If there is none of that name.
    #[must_use]
    pub fn mac(&self, name: &str) -> [u8; 6] {
        self.netns.inside(|| mac_address(name)).expect("the interface exists")
    }

    /// Sets a sysctl of the router, by its dotted name.
    ///
    /// # Panics
    /// If the kernel does not have it or refuses the value.
    pub fn sysctl(&self, key: &str, value: &str) {
        self.netns.sysctl(&key.replace('.', "/"), value);
    }

    /// Runs `ethtool` where the neighbours are. With GRO, a neighbour takes what XDP programs send.
    ///
    /// # Panics
    /// If it fails.
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
    ///
    /// # Panics
    /// If that does not happen.
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
    ///
    /// # Panics
    /// If they are not there.
    #[must_use]
    pub fn maps(&self) -> Maps {
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
    ///
    /// # Panics
    /// If it refuses one.
    pub fn ip(&self, lines: &str) {
        self.netns.ip(lines);
    }

    /// Runs lines of `bridge`.
    ///
    /// # Panics
    /// If it refuses one.
    pub fn bridge(&self, lines: &str) {
        self.netns.bridge(lines);
    }

    /// Runs lines of `ip`, of which the kernel may refuse some.
    ///
    /// # Panics
    /// If `ip` cannot be run.
    pub fn force_ip(&self, lines: &str) {
        drop(self.ask_ip(lines));
    }

    /// What `ip -j` prints for some lines, of which the kernel may refuse some.
    ///
    /// # Panics
    /// If `ip` cannot be run.
    #[must_use]
    pub fn ask_ip(&self, lines: &str) -> String {
        self.netns.force("ip", &["-j"], lines)
    }

    /// Runs lines of `ip` where the neighbours are.
    ///
    /// # Panics
    /// If it refuses one.
    pub fn peers_ip(&self, lines: &str) {
        self.peers.ip(lines);
    }

    /// What `ip -j` prints.
    ///
    /// # Panics
    /// If it fails.
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
    ///
    /// # Panics
    /// If there is none of this name.
    #[must_use]
    pub fn ifindex(&self, name: &str) -> u32 {
        self.netns.index(name)
    }

    /// Slot of a port.
    ///
    /// # Panics
    /// If it is no port.
    #[must_use]
    pub fn slot(&self, maps: &Maps, name: &str) -> u32 {
        let ifindex = self.ifindex(name);
        let mut slots = maps.ports.iter().filter(|(_, port)| port.ifindex == ifindex);
        slots.next().unwrap_or_else(|| panic!("{name} is no port")).0
    }

    /// The target of a packet to `address` that arrives on swp1, found as the packet path finds it.
    #[must_use]
    pub fn target(&self, maps: &Maps, address: &str) -> Option<u32> {
        let view = ports::view(maps.ports.get(self.slot(maps, "swp1")).mac_and_view);
        Self::target_in(maps, view, address)
    }

    fn target_in(maps: &Maps, view: u16, address: &str) -> Option<u32> {
        let roots = maps.views.get(view.into());
        match address.parse().expect("an address") {
            IpAddr::V4(v4) => {
                let key = hosts::key(view, u32::from_ne_bytes(v4.octets()));
                let host = maps.hosts_table().get(key);
                host.or_else(|| trie::lookup4(&maps.trie, roots.root4, v4.to_bits()))
            }
            IpAddr::V6(v6) => {
                let octets = v6.octets();
                let half = |at: usize| u64::from_ne_bytes(octets.as_chunks::<8>().0[at]);
                let halves = [half(0), half(1)];
                let index = maps.hosts6_table().get(hosts6::key(view, halves));
                let host = index
                    .map(|index| maps.addresses6.get(index))
                    .filter(|entry| entry.address == halves && entry.view == u32::from(view));
                let bits = v6.to_bits();
                host.map(|entry| entry.target).or_else(|| {
                    trie::lookup6(&maps.trie, roots.root6, [(bits >> 64) as u64, bits as u64])
                })
            }
        }
    }

    /// Where packets to `address` go: what kind of thing, or the members of a group with their
    /// weights, such as `10.1.1.2 and 10.1.2.2*3`, or the neighbour after `host`.
    #[must_use]
    pub fn way(&self, address: &str) -> String {
        self.ways([address]).concat()
    }

    /// As [`Self::way`] for many addresses.
    #[must_use]
    pub fn ways<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let maps = self.maps();
        let view = ports::view(maps.ports.get(self.slot(&maps, "swp1")).mac_and_view);
        let way = |address| match Self::target_in(&maps, view, address).map(split_target) {
            None => "none".into(),
            Some((KIND_GROUP, index)) => members(&maps, index),
            Some((KIND_NEXTHOP, index)) => format!("host {}", gateway(&maps, index)),
            Some((KIND_LOCAL, _)) => "local".into(),
            Some((KIND_KERNEL, _)) => "kernel".into(),
            Some((KIND_BLACKHOLE, _)) => "blackhole".into(),
            Some((KIND_UNREACHABLE, _)) => "unreachable".into(),
            Some((KIND_CONNECTED, _)) => "connected".into(),
            Some(other) => format!("{other:?}"),
        };
        addresses.into_iter().map(way).collect()
    }

    /// Index of the group that packets to `address` go to.
    ///
    /// # Panics
    /// If they go to none.
    #[must_use]
    pub fn group(&self, address: &str) -> u32 {
        let target = self.target(&self.maps(), address).expect("there is a way");
        let (kind, index) = split_target(target);
        assert_eq!(kind, KIND_GROUP, "{address} goes {}", self.way(address));
        index
    }

    /// Waits until packets to `address` go a way.
    ///
    /// # Panics
    /// If that does not happen.
    pub fn wait_way(&self, address: &str, way: &str) {
        let start = std::time::Instant::now();
        loop {
            let now = self.way(address);
            if now == way {
                return;
            }
            assert!(start.elapsed() < SOON, "{address} goes {now:?} and not {way:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The buckets of the group that packets to `address` go to.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn buckets(&self, address: &str) -> Vec<u32> {
        let maps = self.maps();
        match maps.groups.get(self.group(address)).choice() {
            Choice::Spread { chunk, count, .. } => {
                (0..count).map(|at| maps.bucket(chunk, at)).collect()
            }
            other => panic!("the group of {address} is {other:?}"),
        }
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}

fn gateway(maps: &Maps, nexthop: u32) -> String {
    let entry = maps.nexthops.get(nexthop);
    let [a, b, c, d, ..] = entry.gateway;
    let address = match entry.family {
        4 => IpAddr::from([a, b, c, d]),
        _ => IpAddr::from(entry.gateway),
    };
    // Link-local addresses need their link.
    let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let slot = if link_local { format!("%{}", entry.port) } else { String::new() };
    format!("{address}{slot}")
}

/// What a group does, and the weights of its members by their shares of the buckets.
fn members(maps: &Maps, group: u32) -> String {
    let group = maps.groups.get(group);
    match group.choice() {
        Choice::Nothing => return "nothing".into(),
        Choice::Blackhole => return "blackhole".into(),
        Choice::Single { .. } | Choice::Spread { .. } => {}
    }
    let shares = maps.shares(group);
    let weights = weights(&shares.values().copied().collect::<Vec<_>>());
    let text = |(nexthop, weight): (&u32, u32)| match weight {
        1 => gateway(maps, *nexthop),
        weight => format!("{}*{weight}", gateway(maps, *nexthop)),
    };
    let all: BTreeSet<String> = shares.keys().zip(weights).map(text).collect();
    all.into_iter().collect::<Vec<_>>().join(" and ")
}

/// The smallest numbers that stand to each other as these shares do, to within what rounding to
/// whole buckets makes of them.
fn weights(shares: &[u32]) -> Vec<u32> {
    let least = f64::from(shares.iter().copied().min().unwrap_or(1).max(1));
    let scaled = |n: u32| shares.iter().map(move |s| f64::from(*s) * f64::from(n) / least);
    let is_whole = |n: &u32| scaled(*n).all(|w| (w - w.round()).abs() < 0.1);
    let n = (1..12).find(is_whole).unwrap_or(12);
    scaled(n).map(|weight| weight.round() as u32).collect()
}
