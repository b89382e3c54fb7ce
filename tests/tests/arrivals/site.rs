//! ```text
//!   host ── swp1 (br100, vx100, VNI 10100) up0 ── SPINE1, the way to LEAF2
//!                     leaf                 up1 ── SPINE2
//! ```

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use fabric_common::{reason::Reason, schema::ports};
use fabric_tests::{
    addresses::{HOST_A, HOST_R, LEAF1_VTEP, LEAF2_VTEP, Mac, SPINE1_MAC, SPINE2_MAC, VNI},
    daemon::Daemon,
    device::mac_text,
    fabric::{PATIENCE, until},
    packet::{Frame, Vxlan, Vxlan6},
    space::{Space, unique},
    wire::Wire,
};

/// How often each question is asked. Linux 6.1 gives a frame out of a veth a page, and the wire has room for
/// 49 of those.
pub(crate) const REPEATS: usize = 40;

const UP_MACS: [Mac; 2] = [[2, 0, 0, 0x0b, 0, 0], [2, 0, 0, 0x0b, 0, 1]];

/// The leaf, fabric-xdpd in it, and the other ends of its ports.
pub(crate) struct Site {
    daemon: Daemon,
    leaf: Space,
    /// Where the other ends of its ports are.
    _wires: Space,
    host: Wire,
    spines: [Wire; 2],
}

impl Site {
    pub(crate) fn new() -> Self {
        let name = unique("arrive");
        let leaf = Space::new(name.clone());
        let wires = Space::new(format!("{name}-w"));
        build(&leaf, &wires);
        let [host, up0, up1] = ["swp1p", "up0p", "up1p"].map(|port| wires.wire(port));
        let daemon = Daemon::new(&name, &["--heartbeat-timeout-ms", "20000"]).small();
        let mut site = Self { daemon, leaf, _wires: wires, host, spines: [up0, up1] };
        site.daemon.start(&site.leaf);
        site.settled(|site| site.role("up0") == "underlay" && site.problems().is_empty());
        site
    }

    pub(crate) fn ip(&self, line: &str) {
        self.leaf.ip(&format!("{line}\n"));
    }

    pub(crate) fn bridge(&self, line: &str) {
        self.leaf.bridge(&format!("{line}\n"));
    }

    pub(crate) fn sysctl(&self, path: &str, value: &str) {
        self.leaf.sysctl(path, value);
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
        let index = self.leaf.index(port);
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
        self.daemon.met(reason)
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

    /// Makes the vxlan device anew, with these options, and the station behind a VTEP.
    pub(crate) fn vxlan(&self, options: &str, vtep: &str) {
        self.ip("link del vx100");
        self.ip(&format!(
            "link add vx100 mtu 1500 type vxlan id {VNI} dstport 4789 nolearning {options}\n\
             link set vx100 addrgenmode none master br100"
        ));
        let remote = mac_text(HOST_R.mac);
        self.bridge(&format!(
            "link set dev vx100 learning off\n\
             fdb add {remote} dev vx100 dst {vtep} self static\n\
             fdb add {remote} dev vx100 master static"
        ));
        self.ip("link set vx100 up");
    }

    /// How many of the packets of LEAF2 that arrive at a port reach the host.
    pub(crate) fn arrive(&self, port: usize) -> usize {
        self.arrive_for(port, LEAF2_VTEP.into(), LEAF1_VTEP.into())
    }

    /// The same with other addresses of the outer header.
    pub(crate) fn arrive_for(&self, port: usize, from: IpAddr, to: IpAddr) -> usize {
        let frame = Frame::ipv4(&HOST_R, &HOST_A).bytes();
        let (destination_mac, source_mac) = (UP_MACS[port], [SPINE1_MAC, SPINE2_MAC][port]);
        let packet = match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let outer = Vxlan::new(from.octets(), to.octets(), VNI);
                Vxlan { destination_mac, source_mac, ttl: 62, ..outer }.around(&frame)
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let outer = Vxlan6::new(from.octets(), to.octets(), VNI);
                Vxlan6 { destination_mac, source_mac, hop_limit: 62, ..outer }.around(&frame)
            }
            _ => panic!("{from} and {to} are of two families"),
        };
        for _ in 0..REPEATS {
            self.spines[port].send(&packet).expect("the wire takes it");
        }
        count(&self.host, |received| received == frame)
    }

    /// How many of the host's frames for the station behind LEAF2 leave by each spine.
    pub(crate) fn leave(&self) -> [usize; 2] {
        self.sources().map(|sources| sources.values().sum())
    }

    /// The same, by the outer source address.
    pub(crate) fn sources(&self) -> [BTreeMap<IpAddr, usize>; 2] {
        let frame = Frame::ipv4(&HOST_A, &HOST_R).bytes();
        for _ in 0..REPEATS {
            self.host.send(&frame).expect("the wire takes it");
        }
        [0, 1].map(|spine: usize| {
            let mut sources = BTreeMap::new();
            count(&self.spines[spine], |received| {
                let is_tunnelled = received.len() > 50 && received.ends_with(&frame);
                if is_tunnelled {
                    *sources.entry(outer_source(received)).or_default() += 1;
                }
                is_tunnelled
            });
            sources
        })
    }
}

/// The source address of an IP packet without a tag.
fn outer_source(packet: &[u8]) -> IpAddr {
    match packet[12..14] {
        [0x86, 0xdd] => <[u8; 16]>::try_from(&packet[22..38]).expect("16 bytes").into(),
        _ => <[u8; 4]>::try_from(&packet[26..30]).expect("4 bytes").into(),
    }
}

/// Makes the leaf's devices, and puts the other ends of its ports into `wires`.
fn build(leaf: &Space, wires: &Space) {
    leaf.sysctls(&[
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        ("ipv4/conf/all/forwarding", "1"),
    ]);
    leaf.ip("link set lo up\naddr add 192.0.2.1/32 dev lo\n\
             link add br100 type bridge mcast_snooping 0\nlink set br100 addrgenmode none up\n");
    for port in ["swp1", "up0", "up1"] {
        leaf.ip(&format!(
            "link add {port} mtu 1600 type veth peer name {port}p mtu 1600 netns {}\n\
             link set {port} addrgenmode none\n",
            wires.name()
        ));
        wires.ip(&format!("link set {port}p addrgenmode none up\n"));
        wires.wirelike(&format!("{port}p"));
    }
    for (index, spine) in [SPINE1_MAC, SPINE2_MAC].into_iter().enumerate() {
        let (own, other) = (index * 2, index * 2 + 1);
        let [mac, spine] = [UP_MACS[index], spine].map(mac_text);
        leaf.ip(&format!(
            "link set up{index} address {mac} up\naddr add 203.0.113.{own}/31 dev up{index}\n\
             neigh replace 203.0.113.{other} lladdr {spine} dev up{index} nud permanent\n"
        ));
    }
    leaf.ip(&format!(
        "link set swp1 master br100 up\nroute add 192.0.2.2/32 via 203.0.113.1 dev up0\n\
         link add vx100 mtu 1500 type vxlan id {VNI} local 192.0.2.1 dstport 4789 nolearning\n\
         link set vx100 addrgenmode none master br100\n"
    ));
    let [host, remote] = [HOST_A, HOST_R].map(|host| mac_text(host.mac));
    leaf.bridge(&format!(
        "link set dev vx100 learning off\n\
         fdb add 00:00:00:00:00:00 dev vx100 dst 192.0.2.2 self permanent\n\
         fdb add {remote} dev vx100 dst 192.0.2.2 self static\n\
         fdb add {remote} dev vx100 master static\nfdb add {host} dev swp1 master static\n"
    ));
    leaf.ip("link set vx100 up\n");
}

/// Counts what arrives until all are there or nothing has come for a while.
fn count(wire: &Wire, mut wanted: impl FnMut(&[u8]) -> bool) -> usize {
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
