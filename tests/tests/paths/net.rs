//! A few namespaces, wired together by a test, with fabric-xdpd in one of them.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use fabric_common::reason::Reason;
use fabric_tests::{
    daemon::Daemon,
    device,
    fabric::{PATIENCE, until},
};
use fabric_user::{daemon::state::State, lab::netns::Netns};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Namespaces by short names. fabric-xdpd runs in `leaf`.
pub(crate) struct Net {
    spaces: BTreeMap<&'static str, Netns>,
    daemon: Daemon,
}

impl Net {
    pub(crate) fn new(names: &[&'static str]) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("paths-{}-{number}", std::process::id());
        let spaces = names.iter().map(|name| (*name, Netns::named(format!("{prefix}-{name}"))));
        let net = Self {
            spaces: spaces.collect(),
            daemon: Daemon::new(&prefix, &["--heartbeat-timeout-ms", "20000"]),
        };
        for (name, netns) in &net.spaces {
            device::run("ip", &format!("netns add {}", netns.name())).expect("this is root");
            net.ip(name, "link set lo up\n");
            for family in ["ipv4", "ipv6"] {
                for conf in ["all", "default"] {
                    let (key, value) = match family {
                        "ipv4" => ("rp_filter", "0"),
                        _ => ("accept_dad", "0"),
                    };
                    net.sysctl(name, &format!("{family}/conf/{conf}/{key}"), value);
                }
            }
        }
        net
    }

    /// Runs `work` inside one of the namespaces.
    pub(crate) fn inside<T: Send>(&self, name: &str, work: impl FnOnce() -> T + Send) -> T {
        self.spaces[name].enter(work).expect("the namespace exists")
    }

    /// Runs lines of `ip`.
    pub(crate) fn ip(&self, name: &str, lines: &str) {
        self.inside(name, || device::ip(lines)).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    }

    /// Runs lines of `bridge`.
    pub(crate) fn bridge(&self, name: &str, lines: &str) {
        let done = self.inside(name, || device::bridge(lines));
        done.unwrap_or_else(|error| panic!("{name}: {error:#}"));
    }

    /// Runs lines of `nft` in `leaf`.
    pub(crate) fn nft(&self, lines: &str) {
        self.inside("leaf", || device::nft(lines)).unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Runs a program in `leaf`.
    pub(crate) fn run(&self, program: &str, arguments: &str) {
        let done = self.inside("leaf", || device::run(program, arguments));
        done.unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Writes a file below `/proc/sys/net`.
    pub(crate) fn sysctl(&self, name: &str, key: &str, value: &str) {
        let path = format!("/proc/sys/net/{key}");
        self.inside(name, || fs::write(&path, value)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// A wire between two ports, both up.
    pub(crate) fn wire(&self, one: (&str, &str), other: (&str, &str), mtu: u32) {
        let peer = self.spaces[other.0].name();
        self.ip(
            one.0,
            &format!(
                "link add {0} mtu {mtu} type veth peer name {1} mtu {mtu} netns {peer}\n\
                 link set {0} up\n",
                one.1, other.1
            ),
        );
        self.ip(other.0, &format!("link set {} up\n", other.1));
        for (name, port) in [one, other] {
            // Nobody computes what a veth device leaves to its peer, and what programs redirect is
            // received by NAPI, which needs GRO.
            let off = || device::run("ethtool", &format!("-K {port} tx off gro on"));
            self.inside(name, off).expect("veth devices can do that");
        }
    }

    /// Starts fabric-xdpd and waits until it is in sync.
    pub(crate) fn start(&mut self) {
        self.daemon.start(&self.spaces["leaf"]);
    }

    /// fabric-xdpd's state file.
    pub(crate) fn state(&self) -> State {
        self.daemon.state()
    }

    /// Waits until a sentence of `fabricctl status` says all of this.
    pub(crate) fn until_named(&self, words: &[&str]) {
        until(PATIENCE, &format!("status says {words:?}"), || self.names(words));
    }

    /// Waits until none does.
    pub(crate) fn until_unnamed(&self, words: &[&str]) {
        until(PATIENCE, &format!("status does not say {words:?} any more"), || !self.names(words));
    }

    /// Whether a sentence of `fabricctl status` says all of this.
    pub(crate) fn names(&self, words: &[&str]) -> bool {
        let problems = self.daemon.state().problems;
        problems.iter().any(|problem| words.iter().all(|word| problem.contains(word)))
    }

    /// How many packets met a reason.
    pub(crate) fn met(&self, reason: Reason) -> u64 {
        self.daemon.maps().ended_anywhere(reason)
    }

    /// Hands all traffic to the kernel while `work` runs.
    pub(crate) fn kernel_alone<T>(&self, work: impl FnOnce() -> T) -> T {
        self.daemon.bypass(true);
        let result = work();
        self.daemon.bypass(false);
        result
    }

    /// How many of ten pings are answered. Options of `ping` may stand before the address.
    pub(crate) fn ping(&self, from: &str, to: &str) -> u32 {
        let mut command = Command::new("ping");
        command.args(["-c", "10", "-i", "0.02", "-W", "1", "-q"]).args(to.split(' '));
        let output = self.inside(from, || command.output()).expect("ping can be run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (before, _) = text.split_once(" received").expect("ping counts");
        let count = before.rsplit(' ').next().and_then(|count| count.parse().ok());
        count.unwrap_or_else(|| panic!("no count in {text}"))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:#?}", self.daemon.state().problems);
        }
        for netns in self.spaces.values() {
            let mut command = Command::new("ip");
            command.args(["netns", "del", netns.name()]).stderr(Stdio::null());
            let _gone = command.status();
        }
    }
}

/// Pings until Fabric forwards them.
pub(crate) fn until_fast(net: &Net, from: &str, to: &str, reasons: &[Reason]) {
    until(PATIENCE, &format!("Fabric forwards from {from} to {to}"), || {
        let before: Vec<u64> = reasons.iter().map(|reason| net.met(*reason)).collect();
        let answered = net.ping(from, to);
        let grown = |(reason, before): (&Reason, &u64)| net.met(*reason) >= before + 8;
        answered == 10 && reasons.iter().zip(&before).all(grown)
    });
}

/// The MAC address of a host.
fn mac(side: usize) -> String {
    format!("02:00:00:00:00:{:02x}", side + 1)
}

/// ```text
///   host1 ---- leaf ---- router ---- far ---- host2      one network, VNI 100
///        1500      1600        1600      1500
/// ```
///
/// `far` is a leaf by the kernel alone. The hosts are 192.168.0.1 and 192.168.0.2; `options` are those of
/// the vxlan devices in the words of `ip link`. fabric-xdpd does not run yet.
pub(crate) fn tunnel(v6: bool, options: &str) -> Net {
    let net = Net::new(&["host1", "leaf", "router", "far", "host2"]);
    net.sysctl("router", "ipv4/ip_forward", "1");
    net.sysctl("router", "ipv6/conf/all/forwarding", "1");
    net.wire(("leaf", "up0"), ("router", "d1"), 1600);
    net.wire(("far", "up0"), ("router", "d2"), 1600);
    net.wire(("leaf", "p1"), ("host1", "eth0"), 1500);
    net.wire(("far", "p1"), ("host2", "eth0"), 1500);
    for (side, (leaf, host)) in [("leaf", "host1"), ("far", "host2")].into_iter().enumerate() {
        let (own, other) = (side + 1, 2 - side);
        let (vtep, link, length) = match v6 {
            true => (format!("2001:db8:ff::{own}"), format!("2001:db8:{own}:"), (128, 64)),
            false => (format!("10.0.0.{own}"), format!("10.{own}.0"), (32, 30)),
        };
        let (remote, colon) = match v6 {
            true => (format!("2001:db8:ff::{other}"), ":"),
            false => (format!("10.0.0.{other}"), "."),
        };
        let (whole, short) = length;
        net.ip(
            leaf,
            &format!(
                "addr add {vtep}/{whole} dev lo\naddr add {link}{colon}1/{short} dev up0\n\
                 route add default via {link}{colon}2\n\
                 link add br100 type bridge mcast_snooping 0\nlink set br100 up\n\
                 link add vx100 mtu 1500 type vxlan id 100 local {vtep} dstport 4789 nolearning {options}\n\
                 link set vx100 master br100\nlink set p1 master br100\n"
            ),
        );
        net.ip(
            "router",
            &format!(
                "addr add {link}{colon}2/{short} dev d{own}\nroute add {vtep}/{whole} via {link}{colon}1\n"
            ),
        );
        net.bridge(
            leaf,
            &format!(
                "link set dev vx100 learning off\n\
                 fdb add 00:00:00:00:00:00 dev vx100 dst {remote} self permanent\n\
                 fdb add {0} dev vx100 dst {remote} self static\nfdb add {0} dev vx100 master static\n",
                mac(1 - side)
            ),
        );
        net.ip(leaf, "link set vx100 up\n");
        net.ip(
            host,
            &format!("link set eth0 address {}\naddr add 192.168.0.{own}/24 dev eth0\n", mac(side)),
        );
    }
    net
}

/// ```text
///   host1 ---- leaf ---- router ---- host2      172.16.1.0/24 and 172.16.2.0/24, 2001:db8:a1::/64, …
/// ```
///
/// All routed. fabric-xdpd does not run yet.
pub(crate) fn routed() -> Net {
    let net = Net::new(&["host1", "leaf", "router", "host2"]);
    for router in ["leaf", "router"] {
        net.sysctl(router, "ipv4/ip_forward", "1");
        net.sysctl(router, "ipv6/conf/all/forwarding", "1");
    }
    net.wire(("host1", "eth0"), ("leaf", "p1"), 1500);
    net.wire(("leaf", "up0"), ("router", "d1"), 1500);
    net.wire(("host2", "eth0"), ("router", "d2"), 1500);
    for (side, host, router, port) in [(1, "host1", "leaf", "p1"), (2, "host2", "router", "d2")] {
        net.ip(
            host,
            &format!(
                "addr add 172.16.{side}.10/24 dev eth0\naddr add 2001:db8:a{side}::10/64 dev eth0\n\
                 route add default via 172.16.{side}.1\nroute add default via 2001:db8:a{side}::1\n"
            ),
        );
        net.ip(
            router,
            &format!(
                "addr add 172.16.{side}.1/24 dev {port}\naddr add 2001:db8:a{side}::1/64 dev {port}\n"
            ),
        );
    }
    net.ip(
        "leaf",
        "addr add 10.1.0.1/30 dev up0\naddr add 2001:db8:1::1/64 dev up0\n\
         route add default via 10.1.0.2\nroute add default via 2001:db8:1::2\n",
    );
    net.ip(
        "router",
        "addr add 10.1.0.2/30 dev d1\naddr add 2001:db8:1::2/64 dev d1\n\
         route add 172.16.1.0/24 via 10.1.0.1\nroute add 2001:db8:a1::/64 via 2001:db8:1::1\n",
    );
    net
}
