//! ```text
//!   host1 ── acc1 ─ br1 (10.0.1.1, fd00:1::1) ─ vx101 ┐
//!   host2 ── acc2 ─ br2 (10.0.2.1, fd00:2::1) ─ vx102 ├─ up0 ── spine, the way to LEAF2
//!                   br9 (no address)          ─ vx109 ┘
//!   router ─ out0 (10.0.8.0/31, fd00:8::/127)
//! ```
//!
//! Behind LEAF2 are a host of the first network, one of the second, and, by the router MAC of LEAF2 in the
//! third VNI, the network 10.0.3.0/24, fd00:3::/64.

mod devices;
mod downstream;
mod routes;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use crate::{
    addresses::{
        LEAF1_VTEP, LEAF1_VTEP6, LEAF2_VTEP, LEAF2_VTEP6, Mac, SPINE1_MAC, Station, VXLAN_PORT,
    },
    daemon::Daemon,
    device::mac_text,
    fabric::{PATIENCE, read_all, until},
    packet::{Frame, OUTER, OUTER6, Vxlan, Vxlan6, ether_type, outer_destination, protocol},
    space::{Space, unique},
    wire::Wire,
};
use fabric_common::reason::Reason;
use serde_json::Value;

pub(super) const fn station(network: u8, host: u8) -> Station {
    let mut ipv6 = [0; 16];
    (ipv6[0], ipv6[3], ipv6[15]) = (0xfd, network, host);
    Station { mac: [2, 0, 0, 1, network, host], ipv4: [10, 0, network, host], ipv6 }
}

/// An address of a station.
fn address(station: &Station, v6: bool) -> IpAddr {
    if v6 { station.ipv6.into() } else { station.ipv4.into() }
}

/// In the first network.
pub(super) const HOST1: Station = station(1, 10);
/// In the second network.
pub(super) const HOST2: Station = station(2, 10);
/// Behind LEAF2, in the first network.
pub(super) const REMOTE1: Station = station(1, 20);
/// Behind LEAF2, in the second network.
pub(super) const REMOTE2: Station = station(2, 20);
/// In a network that LEAF2 routes for.
pub(super) const REMOTE3: Station = station(3, 20);
/// Behind the router.
pub(super) const OUTSIDE: Station = station(9, 9);
/// MAC addresses of the gateways of the three networks.
const GATEWAYS: [Mac; 3] = [[2, 0, 0, 9, 0, 1], [2, 0, 0, 9, 0, 2], [2, 0, 0, 9, 0, 9]];
/// The networks' VNIs.
pub(super) const VNIS: [u32; 3] = [101, 102, 109];
/// LEAF2 in the third VNI.
pub(super) const ROUTER_MAC: Mac = [2, 0, 0, 9, 2, 9];
/// A third leaf in the third VNI, where a test needs one.
pub(super) const LEAF3_ROUTER: Mac = [2, 0, 0, 9, 3, 9];
/// MAC address of the port towards the router.
pub(super) const OUT0: Mac = [2, 0, 0, 9, 8, 0];
const OUTER_ROUTER: Mac = [2, 0, 0, 9, 8, 1];
const UP0: Mac = [2, 0, 0, 0x0b, 0, 0];
const PORTS: [&str; 4] = ["acc1", "acc2", "out0", "up0"];
const NETWORKS: [u8; 3] = [1, 2, 9];
/// The VNI in which LEAF2 wants what it routes for others, and the UDP port of the device for it: a port has one
/// device of all VNIs, or others.
pub(super) const DOWNSTREAM_VNI: u32 = 4_002;
/// Another such VNI.
pub(super) const OTHER_DOWNSTREAM_VNI: u32 = 4_003;
const DOWNSTREAM_PORT: u16 = 4_790;

/// What came out, by the port where: each frame as it was sent, without the outer headers whose source port
/// and identification are Fabric's own, but with the VNI.
pub type Seen = Vec<(&'static str, Option<u32>, Vec<u8>)>;

/// What the gateways are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A bridge for each network, with its address.
    Bridges,
    /// The same in a VRF, with the port towards the router.
    BridgesInVrf,
    /// The same, and the underlay is in another VRF.
    BridgesInVrfs,
    /// VLAN devices on one VLAN-aware bridge.
    Vlans,
}

/// The leaf, fabric-xdpd in it, and the other ends of its ports.
#[derive(Debug)]
pub struct Site {
    daemon: Daemon,
    leaf: Space,
    _outside: Space,
    wires: Vec<(&'static str, Wire)>,
    shape: Shape,
    /// The underlay is IPv6.
    over_ipv6: bool,
}

impl Site {
    /// A leaf whose gateways are of this shape, over an IPv4 underlay.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self::over(shape, false)
    }

    /// The same over an IPv6 underlay.
    #[must_use]
    pub fn over_ipv6(shape: Shape) -> Self {
        Self::over(shape, true)
    }

    fn over(shape: Shape, over_ipv6: bool) -> Self {
        let name = unique("gateway");
        let leaf = Space::new(name.clone());
        let outside = Space::new(format!("{name}-o"));
        devices::build(&leaf, &outside, shape, over_ipv6);
        let wires = PORTS.map(|port| (port, outside.wire(&format!("{port}p")))).into();
        let daemon = Daemon::new(&name, &["--heartbeat-timeout-ms", "20000"]).small();
        let mut site = Self { daemon, leaf, _outside: outside, wires, shape, over_ipv6 };
        site.daemon.start(&site.leaf);
        site
    }

    /// What is left to the kernel, one sentence a line.
    #[must_use]
    pub fn problems(&self) -> String {
        self.daemon.state().problems.join("\n")
    }

    /// MAC address of the gateway of a network.
    #[must_use]
    pub fn gateway_mac(&self, network: u8) -> Mac {
        let links = self.leaf.query(&format!("link show dev {}", self.shape.gateway(network)));
        let text = links[0]["address"].as_str().expect("a MAC address");
        let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"));
        bytes.collect::<Vec<_>>().try_into().expect("six bytes")
    }

    /// Gives the gateway of a network another MTU.
    pub fn shorten(&self, network: u8, mtu: u32) {
        self.leaf.ip(&format!("link set {} mtu {mtu}\n", self.shape.gateway(network)));
    }

    /// Makes a single vxlan device, on the VLAN-aware bridge if there is one, and lets the routes to the network that LEAF2
    /// routes for lead into a downstream VNI, as zebra does: out of the device itself, with VNI and VTEP. By a nexthop
    /// object over IPv6, as zebra writes both.
    pub(super) fn lead_downstream(&self) {
        let router = mac_text(ROUTER_MAC);
        let (local, remote) = self.ends();
        self.leaf.ip(&format!(
            "link add svd mtu 1500 type vxlan external local {local} dstport {DOWNSTREAM_PORT} ttl 77 df set \
             nolearning\n\
             link set svd addrgenmode none up\n\
             neigh replace {remote} lladdr {router} dev svd nud permanent\n\
             neigh replace fe80::2 lladdr {router} dev svd nud permanent\n",
        ));
        if self.shape == Shape::Vlans {
            self.leaf.ip("link set svd master br0\n");
            self.leaf.bridge(
                "link set dev svd vlan_tunnel on learning off\n\
                 vlan add vid 7 dev svd\nvlan add vid 7 dev svd tunnel_info id 4007\n",
            );
        }
        self.lead_into(DOWNSTREAM_VNI, "");
    }

    /// Lets these routes lead into another downstream VNI, with other words about the tunnel.
    pub(super) fn lead_into(&self, vni: u32, words: &str) {
        let vrf = if self.shape.is_in_vrf() { " vrf red" } else { "" };
        let (encap, (_, remote)) = (self.encap(vni, words), self.ends());
        // The kernel refuses a global one that its routes have elsewhere (`ip6_route_check_nh_onlink`).
        let via = if self.over_ipv6 { "inet6 fe80::2" } else { &remote };
        self.leaf.ip(&format!(
            "route replace 10.0.3.0/24 {encap} via {via} dev svd onlink{vrf}\n\
             nexthop replace id 7 {encap} via fe80::2 dev svd\n\
             route replace fd00:3::/32 nhid 7{vrf}\n"
        ));
    }

    /// Lets the IPv4 route lead into two downstream VNIs at once.
    pub(super) fn lead_into_both(&self, vnis: [u32; 2]) {
        let vrf = if self.shape.is_in_vrf() { " vrf red" } else { "" };
        let [one, other] = vnis.map(|vni| self.encap(vni, ""));
        self.leaf.ip(&format!(
            "nexthop add id 8 {one} via fe80::2 dev svd\nnexthop add id 9 {other} via fe80::2 dev svd\n\
             nexthop add id 10 group 8/9\nroute replace 10.0.3.0/24 nhid 10{vrf}\n"
        ));
    }

    /// Words about a tunnel that differ from those of the device.
    pub(super) const fn other_words(&self) -> &'static str {
        match self.over_ipv6 {
            true => "hoplimit 9 tc 0x40",
            false => "src 192.0.2.1 ttl 9 tos 0x40",
        }
    }

    fn encap(&self, vni: u32, words: &str) -> String {
        let kind = if self.over_ipv6 { "ip6" } else { "ip" };
        format!("encap {kind} id {vni} dst {} {words}", self.ends().1)
    }

    /// The addresses of LEAF1 and LEAF2 in the underlay.
    fn ends(&self) -> (String, String) {
        match self.over_ipv6 {
            true => {
                (Ipv6Addr::from(LEAF1_VTEP6).to_string(), Ipv6Addr::from(LEAF2_VTEP6).to_string())
            }
            false => {
                (Ipv4Addr::from(LEAF1_VTEP).to_string(), Ipv4Addr::from(LEAF2_VTEP).to_string())
            }
        }
    }

    /// Forgets the router of LEAF2 on the single vxlan device, or knows it again.
    pub(super) fn know_router(&self, known: bool) {
        let word = if known { "replace" } else { "del" };
        let (router, remote) = (mac_text(ROUTER_MAC), self.ends().1);
        let state = if known { format!("lladdr {router} nud permanent") } else { String::new() };
        self.leaf.ip(&format!(
            "neigh {word} {remote} {state} dev svd\nneigh {word} fe80::2 {state} dev svd\n"
        ));
    }

    /// Takes the way to LEAF2 away, or gives it back.
    pub(super) fn reach_leaf2(&self, reached: bool) {
        let word = if reached { "add" } else { "del" };
        let via = if self.over_ipv6 { "fd00:fe::1" } else { "203.0.113.1" };
        self.leaf.ip(&format!("route {word} {} via {via} dev up0\n", self.ends().1));
    }

    /// Gives the single vxlan device another MTU.
    pub(super) fn shorten_downstream(&self, mtu: u32) {
        self.leaf.ip(&format!("link set svd mtu {mtu}\n"));
    }

    /// The outer headers in which a packet leaves into a downstream VNI, by the kernel or by XDP, without what differs
    /// by packet and flow: identification, header checksum, flow label and UDP source port.
    pub(super) fn outer(&self, port: &str, packet: &[u8], by_kernel: bool) -> Vec<u8> {
        self.daemon.bypass(by_kernel);
        let into = &self.wires.iter().find(|(name, _)| *name == port).expect("a port").1;
        let out = &self.wires.iter().find(|(name, _)| *name == "up0").expect("a port").1;
        let mut found = None;
        until(PATIENCE, "the packet leaves", || {
            let routed = self.daemon.maps().ended_anywhere(Reason::Routed);
            into.send(packet).expect("the wire takes it");
            let deadline = Instant::now() + Duration::from_millis(200);
            while let Ok(Some(mut frame)) = out.receive(deadline) {
                let (outer, varying): (usize, &[usize]) = match &frame[12..14] {
                    [8, 0] => (OUTER, &[18, 19, 24, 25, 34, 35]),
                    _ => (OUTER6, &[15, 16, 17, 54, 55]),
                };
                let to = DOWNSTREAM_PORT.to_be_bytes();
                if frame.get(outer - 14..outer - 12) == Some(&to) {
                    // The upper half of this byte is the traffic class's.
                    let class = frame[15] & 0xf0;
                    varying.iter().for_each(|at| frame[*at] = 0);
                    if outer == OUTER6 {
                        frame[15] = class;
                    }
                    frame.truncate(outer);
                    found = Some(frame);
                    break;
                }
            }
            let by_xdp = self.daemon.maps().ended_anywhere(Reason::Routed) > routed;
            found.is_some() && by_xdp != by_kernel
        });
        self.daemon.bypass(false);
        found.expect("it has left")
    }

    /// Does something while a gateway has a filter of `tc` that lets everything by.
    pub(super) fn with_filter(&self, network: u8, work: impl FnOnce()) {
        let gateway = self.shape.gateway(network);
        self.leaf.run("tc", &format!("qdisc add dev {gateway} clsact"));
        let all = "protocol all pref 1 u32 match u32 0 0 flowid 1:1";
        self.leaf.run("tc", &format!("filter add dev {gateway} ingress {all}"));
        work();
        self.leaf.run("tc", &format!("qdisc del dev {gateway} clsact"));
    }

    /// Hands all traffic to the kernel, or not.
    pub(super) fn bypass(&self, on: bool) {
        self.daemon.bypass(on);
    }

    /// How many packets met a reason.
    pub(super) fn met_of(&self, reason: Reason) -> u64 {
        self.daemon.met(reason)
    }

    /// Sends packets into a port; the VTEP and the inner destination MAC address of each that leaves in a tunnel.
    pub(super) fn ways(&self, port: &str, packets: &[Vec<u8>]) -> Vec<(IpAddr, Mac)> {
        let wire =
            |wanted: &str| &self.wires.iter().find(|(name, _)| *name == wanted).expect("a port").1;
        let mut ways = Vec::new();
        let mut collect = || {
            let mut came = false;
            while let Ok(Some(frame)) = wire("up0").receive(Instant::now()) {
                if let Some((Some(_), inner)) = told_apart(&frame) {
                    let to = *inner.first_chunk().expect("a frame begins with addresses");
                    ways.push((outer_destination(&frame), to));
                    came = true;
                }
            }
            came
        };
        for packet in packets {
            wire(port).send(packet).expect("the wire takes it");
            // The socket has no room for all of them.
            collect();
        }
        read_all(collect);
        ways
    }

    /// Has the kernel ask for a neighbour of a network once, and not wait long for the answer.
    pub(super) fn ask_briefly(&self, network: u8) {
        let gateway = self.shape.gateway(network);
        for family in ["ipv4", "ipv6"] {
            for (key, value) in [("mcast_solicit", "1"), ("retrans_time_ms", "10")] {
                self.leaf.sysctl(&format!("{family}/neigh/{gateway}/{key}"), value);
            }
        }
    }

    /// Makes a host of the first network a neighbour; those of others are behind routers.
    pub(super) fn know(&self, host: &Station) {
        if host.ipv4[2] == 1 {
            let (v4, v6) = (Ipv4Addr::from(host.ipv4), Ipv6Addr::from(host.ipv6));
            let (mac, gateway) = (mac_text(host.mac), self.shape.gateway(1));
            self.leaf.ip(&format!(
                "neigh replace {v4} lladdr {mac} dev {gateway} nud permanent\n\
                 neigh replace {v6} lladdr {mac} dev {gateway} nud permanent\n"
            ));
        }
    }

    /// What `fabricctl` says in JSON.
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let (_, text) = self.daemon.fabricctl(arguments);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    /// Makes the kernel's entries for these hosts of a network those of hosts that it has not heard of for a while.
    pub(super) fn make_stale(&self, network: u8, hosts: &[Station], v6: bool) {
        let (gateway, family) = (self.shape.gateway(network), if v6 { "ipv6" } else { "ipv4" });
        for (key, value) in [("delay_first_probe_time", "1"), ("ucast_solicit", "1")] {
            self.leaf.sysctl(&format!("{family}/neigh/{gateway}/{key}"), value);
        }
        let line = |host: &Station| {
            let (address, mac) = (address(host, v6), mac_text(host.mac));
            format!("neigh replace {address} lladdr {mac} dev {gateway} nud stale\n")
        };
        self.leaf.ip(&hosts.iter().map(line).collect::<String>());
    }

    /// The kernel's word for the state of a neighbour; nothing of one that it has forgotten.
    pub(super) fn state(&self, network: u8, host: &Station, v6: bool) -> String {
        let (address, gateway) = (address(host, v6), self.shape.gateway(network));
        let found = self.leaf.query(&format!("neigh show {address} dev {gateway}"));
        let state = found.first().and_then(|entry| entry["state"][0].as_str());
        state.unwrap_or_default().to_owned()
    }

    /// Gives the underlay an MTU with which the inner packets of tunnels may have so many bytes.
    pub(super) fn narrow(&self, inner: u32) {
        let outer = if self.over_ipv6 { OUTER6 } else { OUTER };
        self.leaf.ip(&format!("link set up0 mtu {}\n", inner as usize + outer));
    }

    /// A packet of LEAF2 with this frame.
    #[must_use]
    pub(super) fn sent_by_leaf2(&self, vni: u32, inner: &Frame) -> Vec<u8> {
        self.around(vni, &inner.bytes())
    }

    /// A packet of LEAF2 with the bytes of a frame.
    #[must_use]
    pub(super) fn around(&self, vni: u32, inner: &[u8]) -> Vec<u8> {
        let (destination_mac, source_mac) = (UP0, SPINE1_MAC);
        if self.over_ipv6 {
            let outer = Vxlan6::new(LEAF2_VTEP6, LEAF1_VTEP6, vni);
            return Vxlan6 { destination_mac, source_mac, ..outer }.around(inner);
        }
        let outer = Vxlan::new(LEAF2_VTEP, LEAF1_VTEP, vni);
        Vxlan { destination_mac, source_mac, ttl: 62, ..outer }.around(inner)
    }

    /// The kernel's fate of a packet; Fabric's is the same, and by XDP for one of `reason`.
    #[track_caller]
    pub fn judged(&self, port: &str, packet: &[u8], reason: Reason) -> Seen {
        self.all_judged(port, &[packet.to_vec()], reason)
    }

    /// The same of several packets that are sent one after the other, each of which meets the reason.
    #[track_caller]
    pub(super) fn all_judged(&self, port: &str, packets: &[Vec<u8>], reason: Reason) -> Seen {
        self.daemon.bypass(true);
        let kernel = self.send_all(port, packets);
        self.daemon.bypass(false);
        let start = Instant::now();
        loop {
            let before = self.met();
            let ours = self.send_all(port, packets);
            let mut met = self.met();
            met.retain(|reason, count| {
                *count -= before[reason];
                *count > 0
            });
            if ours == kernel && met.get(&reason).is_some_and(|it| *it >= packets.len() as u64) {
                return kernel;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the kernel: {kernel:02x?}\nours: {ours:02x?}\nwanted {reason:?}, met {met:?}\n{}",
                self.problems()
            );
        }
    }

    /// As [`judged`](Self::judged) of a packet that is routed by XDP; the one frame that it becomes.
    #[track_caller]
    pub fn routed(&self, port: &str, packet: &[u8]) -> (&'static str, Option<u32>, Vec<u8>) {
        let mut seen = self.judged(port, packet, Reason::Routed);
        assert_eq!(seen.len(), 1, "one frame: {seen:02x?}");
        seen.remove(0)
    }

    /// How many packets met each reason.
    fn met(&self) -> BTreeMap<Reason, u64> {
        self.daemon.maps().all_ended_anywhere()
    }

    /// Sends a packet into a port and returns what comes out.
    pub(super) fn send(&self, port: &str, packet: &[u8]) -> Seen {
        self.send_all(port, &[packet.to_vec()])
    }

    fn send_all(&self, port: &str, packets: &[Vec<u8>]) -> Seen {
        let into = &self.wires.iter().find(|(name, _)| *name == port).expect("a port").1;
        packets.iter().for_each(|packet| into.send(packet).expect("the wire takes it"));
        let mut seen = Seen::new();
        read_all(|| {
            let mut came = false;
            for (name, wire) in &self.wires {
                while let Ok(Some(frame)) = wire.receive(Instant::now()) {
                    if let Some(wanted) = told_apart(&frame) {
                        seen.push((name, wanted.0, wanted.1));
                        came = true;
                    }
                }
            }
            came
        });
        seen.sort();
        seen
    }
}

/// The VNI, if it is in a tunnel, and the frame; nothing for what the leaf says on its own.
fn told_apart(frame: &[u8]) -> Option<(Option<u32>, Vec<u8>)> {
    let to_vxlan = |port: &[u8]| {
        [VXLAN_PORT, DOWNSTREAM_PORT].map(u16::to_be_bytes).iter().any(|to| to == port)
    };
    let outer = [(OUTER, [8, 0]), (OUTER6, [0x86, 0xdd])].into_iter().find(|(outer, kind)| {
        frame.get(12..14) == Some(kind) && frame.get(outer - 14..outer - 12).is_some_and(to_vxlan)
    });
    let (vni, inner) = match outer {
        Some((outer, _)) => {
            let vni = u32::from_be_bytes(frame.get(outer - 4..outer)?.try_into().ok()?) >> 8;
            (Some(vni), frame.get(outer..)?)
        }
        None => (None, frame),
    };
    let is_own = match inner.get(12..14)? {
        [8, 0] => false,
        // To groups the leaf speaks of listeners and neighbours.
        [0x86, 0xdd] => inner[0] & 1 != 0 && inner.get(20) != Some(&protocol::UDP),
        other => *other != ether_type::EXPERIMENTAL.to_be_bytes(),
    };
    if is_own {
        return None;
    }
    let mut inner = inner.to_vec();
    // Of its own messages, and where it makes fragments of tunnels' packets, the kernel chooses the identification.
    match (&inner[12..14], inner.get(20..24)) {
        ([8, 0], Some([high, low, _, protocol]))
            if *protocol == 1 || [high & 0x1f, *low] != [0; 2] =>
        {
            inner[18..20].fill(0);
            inner[24..26].fill(0);
        }
        ([0x86, 0xdd], Some([44, ..])) if inner.len() > 62 => inner[58..62].fill(0),
        _ => {}
    }
    Some((vni, inner))
}

/// A UDP packet of both families from one station to another, with this destination MAC address.
#[must_use]
pub(super) fn packets(from: &Station, to: &Station, destination: Mac) -> [Frame; 2] {
    [Frame::ipv4(from, to), Frame::ipv6(from, to)]
        .map(|frame| frame.to(destination).ttl(super::TTL))
}

impl Shape {
    /// The gateways are in the VRF red.
    const fn is_in_vrf(self) -> bool {
        matches!(self, Self::BridgesInVrf | Self::BridgesInVrfs)
    }

    /// The gateway of a network.
    fn gateway(self, network: u8) -> String {
        match self {
            Self::Vlans => format!("vlan{network}"),
            Self::Bridges | Self::BridgesInVrf | Self::BridgesInVrfs => format!("br{network}"),
        }
    }

    /// The bridge of a network.
    fn bridge(self, network: u8) -> String {
        match self {
            Self::Vlans => "br0".into(),
            Self::Bridges | Self::BridgesInVrf | Self::BridgesInVrfs => format!("br{network}"),
        }
    }

    /// Words behind lines of `bridge fdb` about what is in a network.
    fn vlan(self, network: u8) -> String {
        match self {
            Self::Vlans => format!(" vlan {network}"),
            Self::Bridges | Self::BridgesInVrf | Self::BridgesInVrfs => String::new(),
        }
    }
}
