//! A few namespaces, wired together by a test, with fabric-xdpd in one of them.

use std::collections::BTreeMap;

use fabric_common::reason::Reason;
use fabric_tests::{
    daemon::Daemon,
    fabric::{PATIENCE, until},
    space::{Space, unique},
};
use fabric_user::daemon::state::State;

/// Namespaces by short names. fabric-xdpd runs in `leaf`.
pub(crate) struct Net {
    daemon: Daemon,
    spaces: BTreeMap<&'static str, Space>,
}

impl Net {
    pub(crate) fn new(names: &[&'static str]) -> Self {
        let name = unique("paths");
        let net = Self {
            daemon: Daemon::new(&name, &["--heartbeat-timeout-ms", "20000"]).small(),
            spaces: names.iter().map(|it| (*it, Space::new(format!("{name}-{it}")))).collect(),
        };
        for space in net.spaces.values() {
            space.ip("link set lo up\n");
            space.sysctls(&[
                ("ipv4/conf/all/rp_filter", "0"),
                ("ipv4/conf/default/rp_filter", "0"),
                ("ipv6/conf/all/accept_dad", "0"),
                ("ipv6/conf/default/accept_dad", "0"),
            ]);
        }
        net
    }

    /// One of the namespaces.
    pub(crate) fn at(&self, name: &str) -> &Space {
        &self.spaces[name]
    }

    /// A wire between two ports, both up.
    pub(crate) fn wire(&self, one: (&str, &str), other: (&str, &str), mtu: u32) {
        let peer = self.spaces[other.0].name();
        self.at(one.0).ip(&format!(
            "link add {0} mtu {mtu} type veth peer name {1} mtu {mtu} netns {peer}\n\
             link set {0} up\n",
            one.1, other.1
        ));
        self.at(other.0).ip(&format!("link set {} up\n", other.1));
        for (name, port) in [one, other] {
            self.at(name).wirelike(port);
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
        self.daemon.names(words)
    }

    /// How many packets met a reason.
    pub(crate) fn met(&self, reason: Reason) -> u64 {
        self.daemon.met(reason)
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
        self.at(from).ping(10, to)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:#?}", self.daemon.state().problems);
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
/// `far` is a leaf by the kernel alone. The hosts are 192.168.0.1 and 192.168.0.2, fd00::1 and fd00::2; `options` are
/// those of the vxlan devices in the words of `ip link`. fabric-xdpd does not run yet.
pub(crate) fn tunnel(v6: bool, options: &str) -> Net {
    let net = Net::new(&["host1", "leaf", "router", "far", "host2"]);
    net.at("router").sysctl("ipv4/ip_forward", "1");
    net.at("router").sysctl("ipv6/conf/all/forwarding", "1");
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
        net.at(leaf).ip(&format!(
                "addr add {vtep}/{whole} dev lo\naddr add {link}{colon}1/{short} dev up0\n\
                 route add default via {link}{colon}2\n\
                 link add br100 type bridge mcast_snooping 0\nlink set br100 up\n\
                 link add vx100 mtu 1500 type vxlan id 100 local {vtep} dstport 4789 nolearning {options}\n\
                 link set vx100 master br100\nlink set p1 master br100\n"
            ),
        );
        net.at("router").ip(&format!(
                "addr add {link}{colon}2/{short} dev d{own}\nroute add {vtep}/{whole} via {link}{colon}1\n"
            ),
        );
        net.at(leaf).bridge(&format!(
                "link set dev vx100 learning off\n\
                 fdb add 00:00:00:00:00:00 dev vx100 dst {remote} self permanent\n\
                 fdb add {0} dev vx100 dst {remote} self static\nfdb add {0} dev vx100 master static\n",
                mac(1 - side)
            ),
        );
        net.at(leaf).ip("link set vx100 up\n");
        net.at(host).ip(&format!(
            "link set eth0 address {}\naddr add 192.168.0.{own}/24 dev eth0\naddr add fd00::{own}/64 dev eth0\n",
            mac(side)
        ));
    }
    net
}

/// As [`tunnel`], but `host1` is in a network of its own, 192.168.1.1 and fd01::1, and the leaf has a gateway in both.
pub(crate) fn routed_into_tunnel(v6: bool, options: &str) -> Net {
    const GATEWAY: &str = "02:00:00:00:09:01";
    let net = tunnel(v6, options);
    let (own, other) = match v6 {
        true => ("2001:db8:ff::1", "2001:db8:ff::2"),
        false => ("10.0.0.1", "10.0.0.2"),
    };
    net.at("leaf").sysctl("ipv4/ip_forward", "1");
    net.at("leaf").sysctl("ipv6/conf/all/forwarding", "1");
    net.at("leaf").ip(&format!(
        "link set p1 nomaster\nlink add br1 type bridge mcast_snooping 0\n\
         link add vx1 mtu 1500 type vxlan id 101 local {own} dstport 4789 nolearning {options}\n\
         link set vx1 master br1\nlink set p1 master br1\nlink set vx1 up\nlink set br1 up\n\
         addr add 192.168.1.254/24 dev br1\naddr add fd01::254/64 dev br1\n\
         link set br100 address {GATEWAY}\n\
         addr add 192.168.0.254/24 dev br100\naddr add fd00::254/64 dev br100\n"
    ));
    net.at("leaf").bridge(&format!(
        "link set dev vx1 learning off\n\
         fdb add 00:00:00:00:00:00 dev vx1 dst {other} self permanent\n"
    ));
    net.at("far").bridge(&format!(
        "fdb add {GATEWAY} dev vx100 dst {own} self static\nfdb add {GATEWAY} dev vx100 master static\n"
    ));
    net.at("host1").ip(
        "addr del 192.168.0.1/24 dev eth0\naddr del fd00::1/64 dev eth0\naddr add 192.168.1.1/24 dev eth0\naddr add fd01::1/64 dev eth0\n\
         route add default via 192.168.1.254\nroute add default via fd01::254\n",
    );
    net.at("host2").ip("route add default via 192.168.0.254\nroute add default via fd00::254\n");
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
        net.at(router).sysctl("ipv4/ip_forward", "1");
        net.at(router).sysctl("ipv6/conf/all/forwarding", "1");
    }
    net.wire(("host1", "eth0"), ("leaf", "p1"), 1500);
    net.wire(("leaf", "up0"), ("router", "d1"), 1500);
    net.wire(("host2", "eth0"), ("router", "d2"), 1500);
    for (side, host, router, port) in [(1, "host1", "leaf", "p1"), (2, "host2", "router", "d2")] {
        net.at(host).ip(&format!(
            "addr add 172.16.{side}.10/24 dev eth0\naddr add 2001:db8:a{side}::10/64 dev eth0\n\
                 route add default via 172.16.{side}.1\nroute add default via 2001:db8:a{side}::1\n"
        ));
        net.at(router).ip(&format!(
            "addr add 172.16.{side}.1/24 dev {port}\naddr add 2001:db8:a{side}::1/64 dev {port}\n"
        ));
    }
    net.at("leaf").ip("addr add 10.1.0.1/30 dev up0\naddr add 2001:db8:1::1/64 dev up0\n\
         route add default via 10.1.0.2\nroute add default via 2001:db8:1::2\n");
    net.at("router").ip("addr add 10.1.0.2/30 dev d1\naddr add 2001:db8:1::2/64 dev d1\n\
         route add 172.16.1.0/24 via 10.1.0.1\nroute add 2001:db8:a1::/64 via 2001:db8:1::1\n");
    net
}
