//! A leaf with two hosts, each of which is behind a bridge port and behind a routed port. No FRR.
//!
//! ```text
//!   host1 e ── p1 ┐                 ┌ p3 ── e host3      192.168.0.0/24, bridge br100, VNI 100
//!                 │      leaf       │
//!   host1 r ── r1 ┘                 └ r3 ── r host3      10.1.1.0/24, 10.1.3.0/24, routed
//! ```
//!
//! Interfaces of the leaf have the indexes of [`index`], always.

use std::{mem, sync::Arc, time::Duration};

use aya::maps::{DevMap, MapData};
use fabric_common::reason::Reason;
use fabric_tests::{
    daemon::Daemon,
    space::{Space, unique},
};
use fabric_user::{
    daemon::state::State,
    kernel::{maps::Maps, programs::tx_ports},
};
use rustix::process::Signal;

/// What the daemon needs for a change on a very busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

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
    daemon: Daemon,
    pub(crate) netns: Space,
    /// Where ports go that go away.
    pub(crate) away: Space,
    pub(crate) hosts: [Space; 2],
    /// Namespaces of before that live on.
    old: Vec<Space>,
}

/// Name and mode (1 is native, 2 generic) of the XDP program on an interface.
pub(crate) fn program(space: &Space, interface: &str) -> Option<(String, u64)> {
    let link = space.query(&format!("-d link show dev {interface}"));
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
        let name = unique("ports");
        let space = |what| Space::named(format!("{name}{what}"));
        let mut this = Self {
            daemon: Daemon::new(&name, &["--heartbeat-timeout-ms", "4000"]),
            netns: space(""),
            away: space("-away"),
            hosts: [space("-host1"), space("-host3")],
            old: Vec::new(),
        };
        this.set(settings);
        this.make();
        this.start();
        this
    }

    fn spaces(&self) -> [&Space; 4] {
        let [host1, host3] = &self.hosts;
        [&self.netns, &self.away, host1, host3]
    }

    /// Makes namespaces and devices.
    pub(crate) fn make(&self) {
        for space in self.spaces() {
            space.make();
            space.sysctls(&[
                ("ipv6/conf/all/disable_ipv6", "1"),
                ("ipv6/conf/default/disable_ipv6", "1"),
                ("ipv4/conf/all/rp_filter", "0"),
                ("ipv4/conf/default/rp_filter", "0"),
                ("ipv4/ip_forward", "1"),
            ]);
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
        self.netns.ip(&lines);
        for (host, number) in self.hosts.iter().zip([1, 3]) {
            host.ip(&format!(
                "link set e up\naddr add 192.168.0.{number}/24 dev e\n\
                 link set r up\naddr add 10.1.{number}.2/24 dev r\n\
                 route add 10.1.0.0/16 via 10.1.{number}.1\n"
            ));
            for port in ["e", "r"] {
                host.wirelike(port);
            }
        }
    }

    /// Takes all namespaces away, with all interfaces in them.
    pub(crate) fn take_away(&self) {
        self.spaces().into_iter().chain(&self.old).for_each(Space::take_away);
    }

    /// Leaves all namespaces as they are, and goes on with others that [`Self::make`] has to make.
    pub(crate) fn leave(&mut self) {
        let [host1, host3] = &mut self.hosts;
        for space in [&mut self.netns, &mut self.away, host1, host3] {
            let next = Space::named(format!("{}b", space.name()));
            self.old.push(mem::replace(space, next));
        }
    }

    /// The leaf's namespace of before.
    pub(crate) fn left(&self) -> &Space {
        &self.old[0]
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
    pub(crate) fn maps(&self) -> Arc<Maps> {
        self.daemon.maps()
    }

    /// The redirect targets by port slot.
    pub(crate) fn targets(&self) -> DevMap<MapData> {
        tx_ports(self.daemon.instance()).expect("fabric-xdpd has pinned its maps")
    }

    /// Waits until every ping is answered, and most of both directions goes by XDP.
    pub(crate) fn forwards(&mut self, way: Way) {
        const PINGS: u32 = 20;
        let mut seen = (0, 0);
        let start = std::time::Instant::now();
        loop {
            let before = self.daemon.met(way.reason());
            let answered = self.hosts[0].ping(PINGS, way.address());
            // A port that comes back counts from zero.
            let fast = self.daemon.met(way.reason()).saturating_sub(before);
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
