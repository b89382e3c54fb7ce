//! ```text
//!   host ── swp1 (br100, vx100, VNI 10100) up0 ── SPINE1, the way to LEAF2
//!                     leaf                 up1 ── SPINE2
//! ```

use std::{
    fs,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use fabric_common::{reason::Reason, schema::ports};
use fabric_tests::{
    addresses::{HOST_A, HOST_R, LEAF1_VTEP, LEAF2_VTEP, Mac, SPINE1_MAC, SPINE2_MAC, VNI},
    daemon::Daemon,
    device,
    fabric::{PATIENCE, until},
    packet::{Frame, Vxlan},
    wire::Wire,
};
use fabric_user::lab::netns::Netns;

/// How often each question is asked. Linux 6.1 gives a frame out of a veth a page, and the wire has room for
/// 49 of those.
pub(crate) const REPEATS: usize = 40;

const UP_MACS: [Mac; 2] = [[2, 0, 0, 0x0b, 0, 0], [2, 0, 0, 0x0b, 0, 1]];
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The leaf, fabric-xdpd in it, and the other ends of its ports.
pub(crate) struct Site {
    leaf: Netns,
    wires: Netns,
    daemon: Daemon,
    host: Option<Wire>,
    spines: Vec<Wire>,
}

fn run(netns: &Netns, program: &str, arguments: &str) {
    let done = netns.enter(|| device::run(program, arguments)).expect("the namespace exists");
    done.unwrap_or_else(|error| panic!("{error:#}"));
}

impl Site {
    pub(crate) fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("arrive-{}-{number}", std::process::id());
        // Made first, so that what is left of a site that could not be built goes as well.
        let mut site = Self {
            leaf: Netns::named(name.clone()),
            wires: Netns::named(format!("{name}-w")),
            daemon: Daemon::new(&name, &["--heartbeat-timeout-ms", "20000"]),
            host: None,
            spines: Vec::new(),
        };
        for netns in [&site.leaf, &site.wires] {
            device::run("ip", &format!("netns add {}", netns.name())).expect("this is root");
        }
        site.build();
        site.daemon.start(&site.leaf);
        site.settled(|site| site.role("up0") == "underlay" && site.problems().is_empty());
        site
    }

    fn build(&mut self) {
        let wires = self.wires.name().to_owned();
        for setting in ["all/rp_filter 0", "default/rp_filter 0", "all/forwarding 1"] {
            let (path, value) = setting.split_once(' ').expect("two words");
            self.sysctl(&format!("ipv4/conf/{path}"), value);
        }
        self.ip("link set lo up");
        self.ip("addr add 192.0.2.1/32 dev lo");
        self.ip("link add br100 type bridge mcast_snooping 0");
        self.ip("link set br100 addrgenmode none up");
        for port in ["swp1", "up0", "up1"] {
            self.ip(&format!(
                "link add {port} mtu 1600 type veth peer name {port}p mtu 1600 netns {wires}"
            ));
            self.ip(&format!("link set {port} addrgenmode none"));
            run(&self.wires, "ip", &format!("link set {port}p addrgenmode none up"));
            // What programs redirect is received by NAPI, which needs GRO.
            run(&self.wires, "ethtool", &format!("-K {port}p gro on"));
        }
        self.ip("link set swp1 master br100 up");
        for (index, spine) in [SPINE1_MAC, SPINE2_MAC].into_iter().enumerate() {
            let (own, mac) = (index * 2, device::mac_text(UP_MACS[index]));
            self.ip(&format!("link set up{index} address {mac} up"));
            self.ip(&format!("addr add 203.0.113.{own}/31 dev up{index}"));
            let spine = device::mac_text(spine);
            self.ip(&format!(
                "neigh replace 203.0.113.{} lladdr {spine} dev up{index} nud permanent",
                own + 1
            ));
        }
        self.ip("route add 192.0.2.2/32 via 203.0.113.1 dev up0");
        self.ip(&format!(
            "link add vx100 mtu 1500 type vxlan id {VNI} local 192.0.2.1 dstport 4789 nolearning"
        ));
        self.ip("link set vx100 addrgenmode none master br100");
        self.bridge("link set dev vx100 learning off");
        let (host, remote) = (device::mac_text(HOST_A.mac), device::mac_text(HOST_R.mac));
        self.bridge("fdb add 00:00:00:00:00:00 dev vx100 dst 192.0.2.2 self permanent");
        self.bridge(&format!("fdb add {remote} dev vx100 dst 192.0.2.2 self static"));
        self.bridge(&format!("fdb add {remote} dev vx100 master static"));
        self.bridge(&format!("fdb add {host} dev swp1 master static"));
        self.ip("link set vx100 up");
        let open = |name: &str| {
            let wire = self.wires.enter(|| Wire::open(name)).expect("the namespace exists");
            wire.unwrap_or_else(|error| panic!("{error:#}"))
        };
        let (host, spines) = (open("swp1p"), vec![open("up0p"), open("up1p")]);
        (self.host, self.spines) = (Some(host), spines);
    }

    pub(crate) fn ip(&self, arguments: &str) {
        run(&self.leaf, "ip", arguments);
    }

    pub(crate) fn bridge(&self, arguments: &str) {
        run(&self.leaf, "bridge", arguments);
    }

    pub(crate) fn sysctl(&self, path: &str, value: &str) {
        let write = || fs::write(format!("/proc/sys/net/{path}"), value);
        self.leaf.enter(write).expect("the namespace exists").expect("the kernel has the setting");
    }

    /// What is left to the kernel, one sentence a line.
    pub(crate) fn problems(&self) -> String {
        // `rp_filter` is named as well: what arrives is routed by the kernel then.
        let problems = self.daemon.state().problems.into_iter();
        let problems = problems.filter(|problem| !problem.starts_with("port up"));
        problems.map(|problem| format!("{problem}\n")).collect()
    }

    pub(crate) fn settled(&self, condition: impl Fn(&Self) -> bool) {
        until(PATIENCE, "fabric-xdpd knows", || condition(self));
    }

    /// The role of a port in the maps.
    pub(crate) fn role(&self, port: &str) -> &'static str {
        let index = self.leaf.enter(|| device::index(port)).expect("the namespace exists");
        let index = index.expect("a link");
        let maps = self.daemon.maps();
        let port = maps.ports.iter().find(|(_, port)| port.ifindex == index);
        match port.map_or(ports::ROLE_NONE, |(_, port)| port.role) {
            ports::ROLE_ACCESS => "access",
            ports::ROLE_ROUTED => "routed",
            ports::ROLE_UNDERLAY => "underlay",
            _ => "none",
        }
    }

    /// How many packets met a reason, on all ports.
    pub(crate) fn met(&self, reason: Reason) -> u64 {
        self.daemon.maps().ended_anywhere(reason)
    }

    /// The kernel's answer to a question. Fabric has to come to the same, soon after a change.
    #[track_caller]
    pub(crate) fn judged<T: PartialEq + std::fmt::Debug>(&self, ask: impl Fn(&Self) -> T) -> T {
        self.daemon.bypass(true);
        let kernel = ask(self);
        self.daemon.bypass(false);
        let start = Instant::now();
        loop {
            let fabric = ask(self);
            if fabric == kernel {
                return kernel;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the kernel: {kernel:?}, Fabric: {fabric:?}; {}",
                self.problems()
            );
        }
    }

    /// How many of the packets of LEAF2 that arrive at a port reach the host.
    pub(crate) fn arrive(&self, port: usize) -> usize {
        let frame = Frame::ipv4(&HOST_R, &HOST_A).bytes();
        let outer = Vxlan {
            destination_mac: UP_MACS[port],
            source_mac: [SPINE1_MAC, SPINE2_MAC][port],
            ttl: 62,
            ..Vxlan::new(LEAF2_VTEP, LEAF1_VTEP, VNI)
        };
        let packet = outer.around(&frame);
        let host = self.host.as_ref().expect("the site is built");
        for _ in 0..REPEATS {
            self.spines[port].send(&packet).expect("the wire takes it");
        }
        count(host, |received| received == frame)
    }

    /// How many of the host's frames for the station behind LEAF2 leave by each spine.
    pub(crate) fn leave(&self) -> [usize; 2] {
        let frame = Frame::ipv4(&HOST_A, &HOST_R).bytes();
        let host = self.host.as_ref().expect("the site is built");
        for _ in 0..REPEATS {
            host.send(&frame).expect("the wire takes it");
        }
        let tunnelled = |received: &[u8]| received.len() > 50 && received.ends_with(&frame);
        [0, 1].map(|spine: usize| count(&self.spines[spine], tunnelled))
    }
}

/// Counts what arrives until all are there or nothing has come for a while.
fn count(wire: &Wire, wanted: impl Fn(&[u8]) -> bool) -> usize {
    let mut found = 0;
    while found < REPEATS {
        let deadline = Instant::now() + Duration::from_millis(700);
        match wire.receive(deadline).expect("the wire works") {
            Some(frame) => found += usize::from(wanted(&frame)),
            None => break,
        }
    }
    found
}

impl Drop for Site {
    fn drop(&mut self) {
        for netns in [&self.leaf, &self.wires] {
            let mut command = Command::new("ip");
            command.args(["netns", "del", netns.name()]).stderr(Stdio::null());
            let _gone = command.status();
        }
    }
}
