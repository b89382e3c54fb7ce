//! A leaf that fabric-xdpd follows, with the kernel alone as judge: what is sent into it has the same fate
//! with the bypass on and off.
//!
//! ```text
//!   HOST_A --- acc0 \                                      the wire is
//!                    br0 - vx100 (VNI 10100) ~~~ up0 --- where SPINE1 is
//!   HOST_B --- acc1 /                                      and, behind it, HOST_R on LEAF2
//! ```

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Instant,
};

use fabric_common::reason::Reason;
use fabric_user::{daemon::state::State, kernel::maps::Maps};

use crate::{
    addresses::{
        HOST_A, HOST_B, HOST_R, LEAF1_VTEP, LEAF1_VTEP6, LEAF2_VTEP, LEAF2_VTEP6, Mac, SPINE1_MAC,
        VNI, VXLAN_PORT,
    },
    daemon::Daemon,
    device::{address_text, mac_text},
    fabric::{PATIENCE, read_all, until},
    packet::{Frame, Vxlan, Vxlan6, ether_type, outer_destination},
    space::{Space, unique},
    wire::Wire,
};

/// Frames that are sent at once. The first of a host may be shown to the kernel.
const FRAMES: usize = 20;
/// Options of a VLAN-aware bridge.
const VLAN_AWARE: &str = "vlan_filtering 1 vlan_default_pvid 0";
/// MAC address of the bridge.
pub const BRIDGE_MAC: Mac = [2, 0, 0, 0xb0, 0, 0];
/// MAC address of the vxlan device.
pub const VXLAN_MAC: Mac = [2, 0, 0, 0xb0, 0, 1];
/// MAC address of the underlay port.
pub const UNDERLAY_MAC: Mac = [2, 0, 0, 0x0b, 0, 0];
const PORTS: [(&str, Mac); 3] =
    [("acc0", [2, 0, 0, 0xac, 0, 0]), ("acc1", [2, 0, 0, 0xac, 0, 1]), ("up0", UNDERLAY_MAC)];

/// How many frames came out, by the place where.
pub type Fate = BTreeMap<String, usize>;

/// The leaf, what is around it, and fabric-xdpd.
#[derive(Debug)]
pub struct Judged {
    daemon: Daemon,
    netns: Space,
    outside: Space,
    wires: BTreeMap<String, Wire>,
    over_ipv6: bool,
    sent: u64,
}

impl Judged {
    /// A leaf with a plain bridge.
    #[must_use]
    pub fn new() -> Self {
        Self::build("", &format!("id {VNI}"), &[], "", false)
    }

    /// The same over an IPv6 underlay.
    #[must_use]
    pub fn over_ipv6() -> Self {
        Self::build("", &format!("id {VNI}"), &[], "", true)
    }

    /// A leaf whose bridge has each of these VLANs on both access ports, tagged, and the first of them
    /// on the vxlan device; on kernels whose bridge has VLAN filtering.
    #[must_use]
    pub fn with_vlans(vlans: &[u16]) -> Self {
        let mut lines = format!("vlan add vid {} dev vx100 pvid untagged\n", vlans[0]);
        for vlan in vlans {
            for (port, host) in [("acc0", HOST_A), ("acc1", HOST_B), ("vx100", HOST_R)] {
                if port != "vx100" {
                    lines += &format!("vlan add vid {vlan} dev {port}\n");
                } else if *vlan != vlans[0] {
                    continue;
                }
                let host = mac_text(host.mac);
                lines += &format!("fdb add {host} dev {port} master static vlan {vlan}\n");
            }
        }
        Self::build(VLAN_AWARE, &format!("id {VNI}"), &[], &lines, false)
    }

    /// A leaf whose bridge has each of these VLANs on all ports, the first of them as the vxlan device's PVID and the
    /// others with their tags; on kernels whose bridge has VLAN filtering.
    #[must_use]
    pub fn with_tags_inside(vlans: &[u16], over_ipv6: bool) -> Self {
        let mut lines = String::new();
        for vlan in vlans {
            for (port, host) in [("acc0", HOST_A), ("acc1", HOST_B), ("vx100", HOST_R)] {
                let is_pvid = port == "vx100" && *vlan == vlans[0];
                let untagged = if is_pvid { "pvid untagged" } else { "" };
                let host = mac_text(host.mac);
                lines += &format!(
                    "vlan add vid {vlan} dev {port} {untagged}\n\
                     fdb add {host} dev {port} master static vlan {vlan}\n"
                );
            }
        }
        Self::build(VLAN_AWARE, &format!("id {VNI}"), &[], &lines, over_ipv6)
    }

    /// A leaf whose vxlan device is in external mode, with more options of `ip link`: the bridge has each of
    /// these VLANs, with its VNI, on both access ports and on the vxlan device; on kernels whose bridge has
    /// VLAN filtering. A filter of VNIs gets them all.
    #[must_use]
    pub fn with_single_device(options: &str, tunnels: &[(u16, u32)]) -> Self {
        Self::single_device(options, tunnels, false)
    }

    /// The same over an IPv6 underlay.
    #[must_use]
    pub fn with_single_device_over_ipv6(options: &str, tunnels: &[(u16, u32)]) -> Self {
        Self::single_device(options, tunnels, true)
    }

    fn single_device(options: &str, tunnels: &[(u16, u32)], over_ipv6: bool) -> Self {
        let mut lines = String::from("link set dev vx100 vlan_tunnel on\n");
        for (vlan, vni) in tunnels {
            for (port, host) in [("acc0", HOST_A), ("acc1", HOST_B), ("vx100", HOST_R)] {
                let host = mac_text(host.mac);
                lines += &format!(
                    "vlan add vid {vlan} dev {port}\n\
                     fdb add {host} dev {port} master static vlan {vlan}\n"
                );
            }
            lines += &format!("vlan add vid {vlan} dev vx100 tunnel_info id {vni}\n");
            if options.contains("vnifilter") {
                lines += &format!("vni add vni {vni} dev vx100\n");
            }
        }
        let vnis: Vec<u32> = tunnels.iter().map(|(_, vni)| *vni).collect();
        Self::build(VLAN_AWARE, &format!("external {options}"), &vnis, &lines, over_ipv6)
    }

    /// The vxlan device's entries name these VNIs, or none.
    fn build(options: &str, vxlan: &str, vnis: &[u32], lines: &str, over_ipv6: bool) -> Self {
        let name = unique("judged");
        let outside = Space::new(format!("{name}-outside"));
        let mut this = Self {
            daemon: Daemon::new(&name, &["--heartbeat-timeout-ms", "10000"]).small(),
            netns: Space::new(name),
            outside,
            wires: BTreeMap::new(),
            over_ipv6,
            sent: 0,
        };
        for space in [&this.netns, &this.outside] {
            space.sysctls(&[
                ("ipv6/conf/all/disable_ipv6", "1"),
                ("ipv6/conf/default/disable_ipv6", "1"),
                ("ipv4/conf/all/rp_filter", "0"),
                ("ipv4/conf/default/rp_filter", "0"),
            ]);
        }
        this.devices(options, vxlan, vnis);
        this.bridge(if lines.is_empty() { PLAIN.as_str() } else { lines });
        for (port, _) in PORTS {
            this.wires.insert(port.into(), this.outside.wire(&format!("{port}p")));
        }
        this.daemon.start(&this.netns);
        this
    }

    fn devices(&self, options: &str, vxlan: &str, vnis: &[u32]) {
        let outside = self.outside.name();
        let [local, remote] = self.vteps_of_the_leafs();
        let (length, link, spine, udp) = match self.over_ipv6 {
            true => (128, "2001:db8:fe::/127", "2001:db8:fe::1", "udp6zerocsumtx udp6zerocsumrx"),
            false => (32, "203.0.113.0/31", "203.0.113.1", "noudpcsum"),
        };
        let mut lines = format!(
            "link set lo up\n\
             link add br0 address {} type bridge mcast_snooping 0 {options}\nlink set br0 up\n",
            mac_text(BRIDGE_MAC)
        );
        for (port, mac) in PORTS {
            let mtu = if port == "up0" { 1_600 } else { 1_500 };
            lines += &format!(
                "link add {port} address {} mtu {mtu} type veth peer name {port}p netns {outside}\n\
                 link set {port} up\n",
                mac_text(mac)
            );
        }
        self.ip(&lines);
        if self.over_ipv6 {
            // On these alone: the others send nothing of their own then.
            self.netns.sysctls(&[
                ("ipv6/conf/lo/disable_ipv6", "0"),
                ("ipv6/conf/up0/accept_dad", "0"),
                ("ipv6/conf/up0/router_solicitations", "0"),
                ("ipv6/conf/up0/disable_ipv6", "0"),
            ]);
        }
        let lines = format!(
            "link set acc0 master br0\nlink set acc1 master br0\n\
             addr add {local}/{length} dev lo\naddr add {link} dev up0\n\
             neigh add {spine} lladdr {} dev up0 nud permanent\n\
             route add {remote}/{length} via {spine} dev up0\n\
             link add vx100 address {} mtu 1500 type vxlan {vxlan} local {local} \
             dstport {VXLAN_PORT} nolearning {udp}\nlink set vx100 master br0\n",
            mac_text(SPINE1_MAC),
            mac_text(VXLAN_MAC)
        );
        self.ip(&lines);
        let outer: String =
            PORTS.map(|(port, _)| format!("link set {port}p mtu 1600 arp off up\n")).concat();
        self.outside.ip(&outer);
        for (port, _) in PORTS {
            self.netns.wirelike(port);
            self.outside.wirelike(&format!("{port}p"));
        }
        self.bridge("link set dev vx100 learning off\n");
        let mut suffixes: Vec<_> = vnis.iter().map(|vni| format!("src_vni {vni}")).collect();
        if vnis.is_empty() {
            suffixes.push(String::new());
        }
        for suffix in suffixes {
            self.bridge(&format!(
                "fdb add 00:00:00:00:00:00 dev vx100 dst {remote} {suffix} self permanent\n\
                 fdb add {} dev vx100 dst {remote} {suffix} self static\n",
                mac_text(HOST_R.mac)
            ));
        }
        self.ip("link set vx100 up\n");
    }

    /// The addresses of this leaf and of LEAF2, as `ip` takes them.
    #[must_use]
    pub fn vteps_of_the_leafs(&self) -> [String; 2] {
        match self.over_ipv6 {
            true => [LEAF1_VTEP6, LEAF2_VTEP6].map(|it| Ipv6Addr::from(it).to_string()),
            false => [LEAF1_VTEP, LEAF2_VTEP].map(address_text),
        }
    }

    /// fabric-xdpd's state file.
    #[must_use]
    pub fn state(&self) -> State {
        self.daemon.state()
    }

    /// The leaf's namespace.
    #[must_use]
    pub const fn netns(&self) -> &Space {
        &self.netns
    }

    /// The namespace of the other ends.
    #[must_use]
    pub const fn outside(&self) -> &Space {
        &self.outside
    }

    /// Runs lines of `ip` on the leaf.
    #[track_caller]
    pub fn ip(&self, lines: &str) {
        self.netns.ip(lines);
    }

    /// Runs lines of `nft` on the leaf.
    #[track_caller]
    pub fn nft(&self, lines: &str) {
        self.netns.nft(lines);
    }

    /// Writes a file of the leaf below `/proc/sys/net`.
    #[track_caller]
    pub fn sysctl(&self, key: &str, value: &str) {
        self.netns.sysctl(key, value);
    }

    /// Runs lines of `bridge` on the leaf.
    #[track_caller]
    pub fn bridge(&self, lines: &str) {
        self.netns.bridge(lines);
    }

    /// Hands all traffic to the kernel, or not.
    pub fn bypass(&self, on: bool) {
        self.daemon.bypass(on);
    }

    /// From now on what this device of the leaf gets counts as well.
    pub fn listen(&mut self, name: &str) {
        self.wires.insert(name.into(), self.netns.wire(name));
    }

    /// The same for one outside.
    pub fn listen_outside(&mut self, name: &str) {
        self.wires.insert(name.into(), self.outside.wire(name));
    }

    /// No longer.
    pub fn forget(&mut self, name: &str) {
        self.wires.remove(name);
    }

    /// How many packets met a reason, on all ports.
    #[must_use]
    pub fn met(&self, reason: Reason) -> u64 {
        self.daemon.met(reason)
    }

    /// The maps.
    #[must_use]
    pub fn maps(&self) -> Arc<Maps> {
        self.daemon.maps()
    }

    /// Waits until fabric-xdpd names something that is left to the kernel.
    pub fn wait_problem(&self, words: &str) {
        until(PATIENCE, &format!("fabric-xdpd says {words:?}"), || self.daemon.names(&[words]));
    }

    /// Waits until fabric-xdpd says that nothing is left to the kernel.
    pub fn wait_no_problem(&self) {
        until(PATIENCE, "nothing is left to the kernel", || self.state().problems.is_empty());
    }

    /// Sends frames into a port until they have the fate that the kernel alone gives them; that fate.
    #[track_caller]
    pub fn as_by_the_kernel(&mut self, port: &str, frame: &Frame) -> Fate {
        self.same(port, |payload| with_payload(frame, payload))
    }

    /// As [`as_by_the_kernel`](Self::as_by_the_kernel), in a packet of LEAF2's.
    #[track_caller]
    pub fn as_by_the_kernel_from_leaf2(&mut self, frame: &Frame) -> Fate {
        self.as_by_the_kernel_over("up0", frame)
    }

    /// The same over another port, which has up0's MAC address.
    #[track_caller]
    pub fn as_by_the_kernel_over(&mut self, port: &str, frame: &Frame) -> Fate {
        let outer = from_leaf2(self.over_ipv6, VNI, VXLAN_PORT);
        self.same(port, |payload| outer(&with_payload(frame, payload)))
    }

    /// As [`as_by_the_kernel_from_leaf2`](Self::as_by_the_kernel_from_leaf2), with another VNI, and to
    /// another UDP port if one is given.
    #[track_caller]
    pub fn as_by_the_kernel_in(&mut self, vni: u32, port: Option<u16>, frame: &Frame) -> Fate {
        let outer = from_leaf2(self.over_ipv6, vni, port.unwrap_or(VXLAN_PORT));
        self.same("up0", |payload| outer(&with_payload(frame, payload)))
    }

    /// As [`as_by_the_kernel_from_leaf2`](Self::as_by_the_kernel_from_leaf2), with this TOS in the outer header.
    ///
    /// # Panics
    /// Over IPv6.
    #[track_caller]
    pub fn as_by_the_kernel_with_tos(&mut self, tos: u8, frame: &Frame) -> Fate {
        assert!(!self.over_ipv6, "the traffic class is not written");
        let (destination_mac, source_mac) = (UNDERLAY_MAC, SPINE1_MAC);
        let outer =
            Vxlan { destination_mac, source_mac, tos, ..Vxlan::new(LEAF2_VTEP, LEAF1_VTEP, VNI) };
        self.same("up0", |payload| outer.around(&with_payload(frame, payload)))
    }

    /// Sends each of these frames once into a port, by the kernel alone or not; the VTEP that each goes to, none
    /// where it does not leave by the underlay port.
    #[must_use]
    pub fn vteps(&mut self, bypass: bool, port: &str, frames: &[Frame]) -> Vec<Option<IpAddr>> {
        self.daemon.bypass(bypass);
        let first = 0x0bad_cafe_0000_0000 | (self.sent + 1);
        self.sent += frames.len() as u64;
        let mut vteps = vec![None; frames.len()];
        let collect = |vteps: &mut Vec<Option<IpAddr>>| {
            let mut came = false;
            while let Ok(Some(packet)) = self.wires["up0"].receive(Instant::now()) {
                came = true;
                let payload = packet.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
                let place = payload.checked_sub(first);
                if let Some(vtep) = place.and_then(|place| vteps.get_mut(place as usize)) {
                    *vtep = Some(outer_destination(&packet));
                }
            }
            came
        };
        for (payload, frame) in (first..).zip(frames) {
            self.wires[port].send(&with_payload(frame, payload)).expect("the other end is up");
            // The socket has no room for all of them.
            collect(&mut vteps);
        }
        read_all(|| collect(&mut vteps));
        vteps
    }

    /// Sends some frames into a port, wherever they go.
    pub fn send(&mut self, port: &str, frame: &Frame) {
        self.fate(port, |payload| with_payload(frame, payload));
    }

    /// The same in a packet of LEAF2's.
    pub fn send_from_leaf2(&mut self, frame: &Frame) {
        let outer = from_leaf2(self.over_ipv6, VNI, VXLAN_PORT);
        self.fate("up0", |payload| outer(&with_payload(frame, payload)));
    }

    #[track_caller]
    fn same(&mut self, port: &str, packet: impl Fn(u64) -> Vec<u8>) -> Fate {
        let start = Instant::now();
        loop {
            let [kernel, ours] = [true, false].map(|bypass| {
                self.daemon.bypass(bypass);
                self.fate(port, &packet)
            });
            if kernel == ours {
                return kernel;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the kernel: {kernel:?}, ours: {ours:?}\n{:?}",
                self.state().problems
            );
        }
    }

    /// Sends some and sees what comes out where.
    fn fate(&mut self, port: &str, packet: impl Fn(u64) -> Vec<u8>) -> Fate {
        self.sent += 1;
        // Late ones of the last time do not count.
        let payload = 0x0bad_cafe_0000_0000 | self.sent;
        let packet = packet(payload);
        for _ in 0..FRAMES {
            self.wires[port].send(&packet).expect("the other end is up");
        }
        let mut fate = Fate::new();
        read_all(|| {
            let mut came = false;
            for (name, wire) in &self.wires {
                while let Ok(Some(frame)) = wire.receive(Instant::now()) {
                    if frame.windows(8).any(|bytes| bytes == payload.to_be_bytes()) {
                        *fate.entry(name.clone()).or_default() += 1;
                        came = true;
                    }
                }
            }
            came
        });
        fate
    }
}

/// What the FDB of a plain bridge has.
static PLAIN: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
    let places = [("acc0", HOST_A), ("acc1", HOST_B), ("vx100", HOST_R)];
    let line = |(port, host): (&str, crate::addresses::Station)| {
        format!("fdb add {} dev {port} master static\n", mac_text(host.mac))
    };
    places.map(line).concat()
});

impl Default for Judged {
    fn default() -> Self {
        Self::new()
    }
}

/// All frames at one place.
#[must_use]
pub fn all_at(place: &str) -> Fate {
    all_at_each(&[place])
}

/// All frames at each of some places.
#[must_use]
pub fn all_at_each(places: &[&str]) -> Fate {
    places.iter().map(|place| ((*place).into(), FRAMES)).collect()
}

/// A frame of a protocol of nobody's, so that neither side answers.
#[must_use]
pub fn frame(source: Mac, destination: Mac) -> Frame {
    Frame::other(&HOST_A, &HOST_B, ether_type::EXPERIMENTAL).from(source).to(destination).length(80)
}

fn with_payload(frame: &Frame, payload: u64) -> Vec<u8> {
    let mut bytes = frame.bytes();
    let at = bytes.len() - 8;
    bytes[at..].copy_from_slice(&payload.to_be_bytes());
    bytes
}

/// Wraps frames in packets of LEAF2's with this VNI and UDP port.
fn from_leaf2(over_ipv6: bool, vni: u32, destination_port: u16) -> impl Fn(&[u8]) -> Vec<u8> {
    let (destination_mac, source_mac) = (UNDERLAY_MAC, SPINE1_MAC);
    move |frame| match over_ipv6 {
        true => {
            let outer = Vxlan6::new(LEAF2_VTEP6, LEAF1_VTEP6, vni);
            Vxlan6 { destination_mac, source_mac, destination_port, ..outer }.around(frame)
        }
        false => {
            let outer = Vxlan::new(LEAF2_VTEP, LEAF1_VTEP, vni);
            Vxlan { destination_mac, source_mac, destination_port, ..outer }.around(frame)
        }
    }
}
