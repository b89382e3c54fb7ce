//! A router for one test: a network namespace with four ports, fabric-xdpd in it, and at the other end
//! of each port a neighbour. No FRR: a test writes into the kernel what it wants fabric-xdpd to follow.
//!
//! Port `swp<i>` has 10.1.i.1/24 and 2001:db8:i::1/64; its neighbour has the 2 at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
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
    kernel::{maps::Maps, pins::Instance},
    lab::netns::Netns,
};
use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::{PATIENCE, fabric_xdpd, fabricctl, until};

const PREFIX: &str = "router";
/// Ports of a router.
const PORTS: u32 = 4;
/// What the daemon needs for a change on a busy machine.
pub const SOON: Duration = PATIENCE;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A router with its neighbours.
#[derive(Debug)]
pub struct Router {
    netns: Netns,
    peers: Netns,
    instance: Instance,
    folder: PathBuf,
    daemon: Option<Child>,
    settings: String,
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
        remove_leftovers();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        fs::create_dir_all(&folder).expect("a folder can be made");
        let this = Self {
            netns: Netns::named(&name),
            peers: Netns::named(format!("{name}-peers")),
            instance: Instance::new(&name).expect("the name can name an instance"),
            folder,
            daemon: None,
            settings: settings.into(),
        };
        for netns in [&this.netns, &this.peers] {
            run("ip", &format!("netns add {}", netns.name()));
            let sysctls = [
                ("net.ipv6.conf.all.accept_dad", "0"),
                ("net.ipv6.conf.default.accept_dad", "0"),
                ("net.ipv4.ip_forward", "1"),
                ("net.ipv6.conf.all.forwarding", "1"),
                ("net.ipv4.conf.all.rp_filter", "0"),
                ("net.ipv4.conf.default.rp_filter", "0"),
                ("net.ipv4.fib_multipath_hash_policy", "1"),
                ("net.ipv6.fib_multipath_hash_policy", "1"),
            ];
            netns.enter(|| sysctls.map(|(key, value)| sysctl(key, value))).expect("it exists");
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
        let wirelike = || {
            (1..=PORTS)
                .try_for_each(|i| fabric_user::kernel::interface::make_wirelike(&format!("p{i}")))
        };
        this.peers.enter(wirelike).expect("it exists").expect("veths take all frames");
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
        let found = self.netns.enter(|| fabric_user::kernel::interface::mac_address(name));
        found.expect("the namespace exists").expect("the interface exists")
    }

    /// Sets a sysctl of the router, by its dotted name.
    ///
    /// # Panics
    /// If the kernel does not have it or refuses the value.
    pub fn sysctl(&self, key: &str, value: &str) {
        self.netns.enter(|| sysctl(key, value)).expect("the namespace exists");
    }

    /// Runs `ethtool` where the neighbours are. With GRO, a neighbour takes what XDP programs send.
    ///
    /// # Panics
    /// If it fails.
    pub fn peers_ethtool(&self, arguments: &str) {
        run("ip", &format!("netns exec {} ethtool {arguments}", self.peers.name()));
    }

    /// Starts fabric-xdpd and waits until it is in sync.
    ///
    /// # Panics
    /// If it does not come into sync.
    pub fn start(&mut self) {
        self.start_by(&[]);
    }

    /// As [`Self::start`] by a command that runs what follows it, and becomes it.
    ///
    /// # Panics
    /// If fabric-xdpd does not come into sync.
    pub fn start_by(&mut self, by: &[String]) {
        self.write_settings(&self.settings);
        let log = fs::File::create(self.folder.join("log")).expect("the folder can be written");
        let fabric_xdpd = fabric_xdpd().display().to_string();
        let words: Vec<&str> =
            by.iter().map(String::as_str).chain([fabric_xdpd.as_str()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command.args(["--instance", self.netns.name()]);
        if !self.settings.contains("heartbeat_timeout_ms") {
            command.args(["--heartbeat-timeout-ms", "2000"]);
        }
        command.arg("--settings").arg(self.folder.join("fabric-xdpd.toml"));
        command.arg("--run-folder").arg(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = self.netns.enter(|| command.spawn()).expect("the namespace exists");
        let child = self.daemon.insert(child.expect("fabric-xdpd can be started"));
        let pid = child.id();
        until(PATIENCE, "fabric-xdpd is in sync", || {
            let ended = self.daemon.as_mut().and_then(|child| child.try_wait().ok()).flatten();
            assert_eq!(ended, None, "fabric-xdpd ended: {}", self.log());
            let state = self.state();
            state.pid == pid && state.synced
        });
    }

    /// Ends fabric-xdpd at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.daemon.take() {
            // One that has ended is what is wanted.
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }

    /// Whether fabric-xdpd still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.daemon.as_ref().is_some_and(|child| {
            let path = format!("/proc/{}/stat", child.id());
            // A zombie has ended.
            fs::read_to_string(path).is_ok_and(|stat| !stat.contains(") Z "))
        })
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
    ///
    /// # Panics
    /// If it does not.
    pub fn assert_runs(&mut self) {
        let child = self.daemon.as_mut().expect("fabric-xdpd was started");
        let ended = child.try_wait().expect("it is our child");
        assert_eq!(ended, None, "fabric-xdpd ended: {}", self.log());
    }

    /// Has the neighbours' devices take frames that a program redirects to them: veths do with GRO.
    ///
    /// # Panics
    /// If `ethtool` cannot be run.
    pub fn peers_take_frames(&self) {
        for i in 1..=PORTS {
            let set =
                || Command::new("ethtool").args(["-K", &format!("p{i}"), "gro", "on"]).status();
            let set = self.peers.enter(set).expect("the namespace exists");
            assert!(set.is_ok_and(|status| status.success()), "GRO of p{i} cannot be switched on");
        }
    }

    /// Sends fabric-xdpd a signal.
    ///
    /// # Panics
    /// If it does not run.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("fabric-xdpd runs");
    }

    /// The process of fabric-xdpd.
    ///
    /// # Panics
    /// If it was not started.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(self.daemon.as_ref().expect("fabric-xdpd was started"))
    }

    /// Writes other settings into the file that fabric-xdpd has read.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn write_settings(&self, settings: &str) {
        fs::write(self.folder.join("fabric-xdpd.toml"), settings)
            .expect("the folder can be written");
    }

    /// A file of fabric-xdpd in its run folder.
    #[must_use]
    pub fn run_file(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.netns.name()))
    }

    /// Its pins.
    #[must_use]
    pub const fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Runs fabricctl for this router; its exit status, and what it prints.
    ///
    /// # Panics
    /// If it cannot be run.
    #[must_use]
    pub fn fabricctl(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(fabricctl());
        command.args(arguments).args(["--instance", self.netns.name(), "--run-folder"]);
        let output = command.arg(&self.folder).output().expect("fabricctl can be run");
        let text = [output.stdout, output.stderr].concat();
        let code = output.status.code().expect("fabricctl ends by itself");
        (code, String::from_utf8_lossy(&text).into_owned())
    }

    /// What fabric-xdpd wrote to standard error since it was started.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// fabric-xdpd's state file.
    #[must_use]
    pub fn state(&self) -> State {
        State::read(&self.run_file("json")).expect("the state file can be read").unwrap_or_default()
    }

    /// The maps, to look at.
    ///
    /// # Panics
    /// If they are not there.
    #[must_use]
    pub fn maps(&self) -> Maps {
        Maps::open(&self.instance, true).expect("fabric-xdpd has pinned its maps")
    }

    /// Its network namespace.
    #[must_use]
    pub const fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The network namespace of its neighbours, where port `swp<i>` ends as `p<i>`.
    #[must_use]
    pub const fn peers(&self) -> &Netns {
        &self.peers
    }

    /// Runs lines of `ip`.
    ///
    /// # Panics
    /// If it refuses one.
    pub fn ip(&self, lines: &str) {
        batch(&self.netns, lines);
    }

    /// Runs lines of `bridge`.
    ///
    /// # Panics
    /// If it refuses one.
    pub fn bridge(&self, lines: &str) {
        self.netns
            .enter(|| crate::device::bridge(lines))
            .expect("the namespace exists")
            .unwrap_or_else(|error| panic!("{error:#}"));
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
        let file = self.folder.join("lines");
        fs::write(&file, lines).expect("the folder can be written");
        let mut command = Command::new("ip");
        command.args(["-n", self.netns.name(), "-j", "-force", "-batch"]).arg(file);
        let output = command.stderr(Stdio::null()).output().expect("ip can be run");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs lines of `ip` where the neighbours are.
    ///
    /// # Panics
    /// If it refuses one.
    pub fn peers_ip(&self, lines: &str) {
        batch(&self.peers, lines);
    }

    /// What `ip -j` prints.
    ///
    /// # Panics
    /// If it fails.
    #[must_use]
    pub fn query(&self, arguments: &str) -> Vec<Value> {
        let text = run("ip", &format!("-n {} -j {arguments}", self.netns.name()));
        if text.trim().is_empty() {
            return Vec::new();
        }
        serde_json::from_str(&text).expect("ip prints JSON")
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
        let link = self.query(&format!("link show dev {name}"));
        link[0]["ifindex"].as_u64().and_then(|n| u32::try_from(n).ok()).expect("it has an index")
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

impl Drop for Router {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
        remove(self.netns.name());
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

fn sysctl(key: &str, value: &str) {
    let path = Path::new("/proc/sys").join(key.replace('.', "/"));
    fs::write(&path, value).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn batch(netns: &Netns, lines: &str) {
    netns
        .enter(|| crate::device::ip(lines))
        .expect("the namespace exists")
        .unwrap_or_else(|error| panic!("{error:#}"));
}

fn run(program: &str, arguments: &str) -> String {
    crate::device::run(program, arguments).unwrap_or_else(|error| panic!("{error:#}"))
}

/// Removes what a router of this name has left.
fn remove(name: &str) {
    if let Ok(instance) = Instance::new(name) {
        let _gone = instance.remove();
    }
    for netns in [name.to_owned(), format!("{name}-peers")] {
        let _gone =
            Command::new("ip").args(["netns", "del", &netns]).stderr(Stdio::null()).status();
    }
    let _gone = fs::remove_dir_all(std::env::temp_dir().join(name));
}

/// Removes routers of test runs that were killed.
fn remove_leftovers() {
    let Ok(names) = fs::read_dir("/run/netns") else { return };
    for name in names.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let mut parts = name.split('-');
        if parts.next() != Some(PREFIX) || name.ends_with("-peers") {
            continue;
        }
        let process = parts.next().unwrap_or_default();
        if process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists() {
            remove(&name);
        }
    }
}
