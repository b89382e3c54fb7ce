//! The leaf: its namespaces, pairs of veth devices, and fabric-xdpd.

use std::fs;

use fabric_common::reason::Reason;
use fabric_tests::{
    daemon::Daemon,
    device,
    space::{Space, unique},
};
use fabric_user::kernel::interface::make_wirelike;

use crate::shape::Shape;

/// Ports of leafs; the other end of each has a `p` in front.
pub(crate) const PORTS: [&str; 8] = ["a1", "a2", "a3", "u1", "u2", "r1", "b1", "b2"];

/// The leaf and what is around it.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) shape: Shape,
    pub(crate) daemon: Daemon,
    pub(crate) netns: Space,
    pub(crate) peers: Space,
    /// Where interfaces are that were moved away.
    pub(crate) away: Space,
}

/// MAC address of a port of the leaf, or of its other end.
pub(crate) fn mac(port: &str, of_peer: bool) -> [u8; 6] {
    let number = PORTS.iter().position(|each| *each == port).expect("a port") as u8;
    [2, 0, 0, if of_peer { 0xbb } else { 0xaa }, 0, number + 1]
}

/// MAC address of another router at the other end of a port.
pub(crate) fn stranger(port: &str) -> [u8; 6] {
    let mut mac = mac(port, true);
    mac[3] = 0xbc;
    mac
}

impl Leaf {
    /// A leaf as [`Leaf::restore`] makes it, and fabric-xdpd in sync.
    pub(crate) fn new(shape: Shape) -> Self {
        let name = unique("races");
        let space = |what: &str| Space::new(format!("{name}{what}"));
        let mut this = Self {
            shape,
            daemon: Daemon::new(&name, &["--heartbeat-timeout-ms", "1000"]).small().verbose(),
            netns: space(""),
            peers: space("-peers"),
            away: space("-away"),
        };
        for (key, value) in [
            ("ipv4/ip_forward", "1"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
            ("ipv4/fib_multipath_hash_policy", "1"),
            // Fabric never sends to a neighbour that is known not to answer, and nor does the kernel then.
            ("ipv4/fib_multipath_use_neigh", "1"),
            ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/default/accept_dad", "0"),
            ("ipv6/conf/all/forwarding", "1"),
            ("ipv6/fib_multipath_hash_policy", "1"),
            ("bridge/bridge-nf-call-iptables", "0"),
            ("bridge/bridge-nf-call-ip6tables", "0"),
            ("bridge/bridge-nf-call-arptables", "0"),
        ] {
            this.sysctl(key, value);
        }
        // What the other ends say by themselves would be taken for something that the leaf sent.
        this.peers.sysctl("ipv6/conf/default/disable_ipv6", "1");
        this.restore();
        this.start();
        this
    }

    /// Sets a sysctl of the leaf below `net`, if the kernel has it.
    pub(crate) fn sysctl(&self, key: &str, value: &str) {
        let _there = self.netns.enter(|| fs::write(format!("/proc/sys/net/{key}"), value));
    }

    /// Runs lines of `ip` in the leaf, of which the kernel may refuse any.
    pub(crate) fn ip(&self, lines: &str) {
        self.netns.force("ip", &[], lines);
    }

    /// Runs lines of `bridge` in the leaf, of which the kernel may refuse any.
    pub(crate) fn bridge(&self, lines: &str) {
        self.netns.force("bridge", &[], lines);
    }

    /// Makes what is missing and sets what was changed, so that every episode has something to lose.
    pub(crate) fn restore(&self) {
        for port in self.shape.ports() {
            self.remake(port, None);
        }
        let [ip, bridge] = self.shape.restore();
        self.ip(include_str!("restore/routing.ip"));
        self.ip(ip);
        self.bridge(bridge);
        for key in ["all", "default", "u1", "u2", "r1"] {
            self.sysctl(&format!("ipv4/conf/{key}/rp_filter"), "0");
        }
        self.sysctl("ipv4/ip_forward", "1");
        self.sysctl("ipv4/fib_multipath_hash_policy", "1");
    }

    /// Makes a port if it is missing, with an index of one's own choice or any.
    pub(crate) fn remake(&self, port: &str, index: Option<u32>) {
        let index = index.map_or(String::new(), |index| format!("index {index}"));
        let (own, peer) = (device::mac_text(mac(port, false)), device::mac_text(mac(port, true)));
        let mtu = if port.starts_with('u') { 1600 } else { 1500 };
        self.ip(&format!(
            "link add {port} {index} address {own} mtu {mtu} type veth peer name p{port} mtu {mtu} \
             address {peer} netns {}\nlink set {port} up\n",
            self.peers.name()
        ));
        self.peers.force("ip", &[], &format!("link set p{port} up\n"));
        let name = format!("p{port}");
        let _gone = self.peers.enter(|| make_wirelike(&name));
        let _gone = self.netns.enter(|| make_wirelike(port));
    }

    /// Starts fabric-xdpd and waits until it is in sync.
    pub(crate) fn start(&mut self) {
        self.daemon.start(&self.netns);
    }

    /// The end of what fabric-xdpd wrote.
    pub(crate) fn log(&self) -> String {
        let text = self.daemon.whole_log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Packets that XDP has forwarded from the ports that are there now.
    pub(crate) fn forwarded(&self) -> u64 {
        if !self.daemon.instance().is_whole() {
            return 0;
        }
        let maps = self.daemon.maps();
        let reasons = [Reason::Bridged, Reason::Encapsulated, Reason::Decapsulated, Reason::Routed];
        reasons.into_iter().map(|reason| maps.ended_anywhere(reason)).sum()
    }
}
