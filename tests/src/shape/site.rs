//! The leaf, fabric-xdpd in it, and the other ends of its ports.

use std::{cell::Cell, collections::BTreeMap, time::Instant};

use fabric_common::reason::{Reason, Verdict};

use super::{
    commands,
    flow::{Flow, UP1},
};
use crate::{
    addresses::Mac,
    daemon::Daemon,
    device::mac_text,
    fabric::{PATIENCE, read_all},
    packet::{OUTER, OUTER6},
    space::{Space, unique},
    wire::Wire,
};

/// The leaf's ports with their MAC addresses and MTUs.
const PORTS: [(&str, Mac, u32); 6] = [
    ("swp1", [2, 0, 0, 0xaa, 0, 1], 1_500),
    ("swp2", [2, 0, 0, 0xaa, 0, 2], 1_500),
    ("swp3", [2, 0, 0, 0xaa, 0, 3], 1_500),
    ("out1", [2, 0, 0, 0xaa, 0, 4], 1_500),
    ("up1", UP1, 1_600),
    ("up2", [2, 0, 0, 0xaa, 0, 6], 1_600),
];

/// What no packet but the tests' has.
const MAGIC: u32 = 0x1eaf_5ace;
/// Packets of each flow that are sent at once.
const PACKETS: usize = 3;

/// What became of the packets of each flow and family: the frames that left, by the port where, and how often.
type Fates = BTreeMap<(u16, bool), BTreeMap<(&'static str, Vec<u8>), usize>>;

/// A leaf that commands have made.
#[derive(Debug)]
pub struct Site {
    daemon: Daemon,
    leaf: Space,
    _outside: Space,
    wires: Vec<(&'static str, Wire)>,
    /// The way to LEAF2 leads over both uplinks, of which kernel and Fabric choose differently.
    over_both: bool,
    sent: Cell<u16>,
}

impl Site {
    /// The leaf that these commands make.
    #[must_use]
    pub fn new(texts: &[&str]) -> Self {
        let name = unique("shape");
        let leaf = Space::new(name.clone());
        let outside = Space::new(format!("{name}-o"));
        plug(&leaf, &outside);
        texts.iter().for_each(|text| commands::run(&leaf, text));
        let wires = PORTS.map(|(port, ..)| (port, outside.wire(&format!("{port}p")))).into();
        let daemon = Daemon::new(&name, &["--heartbeat-timeout-ms", "20000"]).small();
        let over_both = texts.concat().contains("dev up2");
        let mut site =
            Self { daemon, leaf, _outside: outside, wires, over_both, sent: Cell::new(0) };
        site.daemon.start(&site.leaf);
        site
    }

    /// The namespace of the leaf.
    #[must_use]
    pub const fn leaf(&self) -> &Space {
        &self.leaf
    }

    /// Runs more commands.
    #[track_caller]
    pub fn run(&self, text: &str) {
        commands::run(&self.leaf, text);
    }

    /// Whether an XDP program runs on a port.
    #[must_use]
    pub fn has_program(&self, port: &str) -> bool {
        self.leaf.query(&format!("link show dev {port}"))[0].get("xdp").is_some()
    }

    /// What is left to the kernel, one sentence a line.
    #[must_use]
    pub fn problems(&self) -> String {
        self.daemon.state().problems.join("\n")
    }

    /// Asserts that each packet of these flows leaves as the kernel alone sends it, and by XDP as soon as their
    /// sources have been shown to the kernel.
    #[track_caller]
    pub fn carries(&self, flows: &[Flow]) {
        let routers: Vec<_> = flows.iter().map(|flow| flow.router.map(|it| self.mac(it))).collect();
        self.daemon.bypass(true);
        let start = Instant::now();
        let kernel = loop {
            let fates = self.send(flows, &routers);
            let lost = lost(&fates, flows);
            if lost.is_empty() {
                break fates;
            }
            assert!(start.elapsed() < PATIENCE, "the kernel does not carry {lost:?}: {fates:02x?}");
        };
        self.daemon.bypass(false);
        let start = Instant::now();
        loop {
            let before = self.met();
            let ours = self.send(flows, &routers);
            let mut met = self.met();
            met.retain(|reason, count| {
                *count -= before.get(reason).copied().unwrap_or_default();
                *count > 0
            });
            // The kernel is shown a known source once in a while, and not in the next round.
            let is_fast = met.keys().all(|reason| reason.verdict() == Verdict::Redirect)
                && met.values().sum::<u64>() == (flows.len() * 2 * PACKETS) as u64;
            if ours == kernel && is_fast {
                break;
            }
            if start.elapsed() > PATIENCE {
                for (key, ours) in ours.iter().filter(|(key, ours)| kernel.get(key) != Some(ours)) {
                    eprintln!(
                        "{:?}\nthe kernel: {:02x?}\nours: {ours:02x?}",
                        flows[usize::from(key.0)],
                        kernel.get(key)
                    );
                }
                panic!("met {met:?}, lost {:?}\n{}", lost(&ours, flows), self.problems());
            }
        }
        assert_eq!(self.problems(), "");
    }

    /// How many packets met each reason.
    fn met(&self) -> BTreeMap<Reason, u64> {
        self.daemon.maps().all_ended_anywhere()
    }

    /// MAC address of an interface of the leaf.
    #[track_caller]
    fn mac(&self, name: &str) -> Mac {
        let links = self.leaf.query(&format!("link show dev {name}"));
        let text = links[0]["address"].as_str().expect("a MAC address");
        let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"));
        bytes.collect::<Vec<_>>().try_into().expect("six bytes")
    }

    /// Sends some packets of each flow and sees what comes out where.
    fn send(&self, flows: &[Flow], routers: &[Option<Mac>]) -> Fates {
        // Late ones of the last time do not count.
        self.sent.set(self.sent.get() + 1);
        let wire = |port| &self.wires.iter().find(|(name, _)| *name == port).expect("a port").1;
        for (number, (flow, router)) in flows.iter().zip(routers).enumerate() {
            let mark = mark(self.sent.get(), number as u16);
            for packet in flow.packets(mark, *router) {
                for _ in 0..PACKETS {
                    wire(flow.port).send(&packet).expect("the wire takes it");
                }
            }
        }
        let mut fates = Fates::new();
        read_all(|| {
            let mut came = false;
            for (port, wire) in &self.wires {
                while let Ok(Some(frame)) = wire.receive(Instant::now()) {
                    let Some(number) = self.number(&frame) else { continue };
                    let (is_ipv6, what) = self.as_compared(port, frame);
                    let fate = fates.entry((number, is_ipv6)).or_default();
                    *fate.entry(what).or_default() += 1;
                    came = true;
                }
            }
            came
        });
        fates
    }

    /// The flow of a frame that was sent last.
    fn number(&self, frame: &[u8]) -> Option<u16> {
        let wanted = &mark(self.sent.get(), 0)[..6];
        let at = frame.windows(6).position(|bytes| bytes == wanted)?;
        Some(u16::from_be_bytes(frame.get(at + 6..at + 8)?.try_into().ok()?))
    }

    /// Whether the packet for a station is IPv6, and the frame without what the kernel and Fabric choose
    /// differently: of outer headers the source port, the identification, the flow label and the checksums over
    /// these; without the mark.
    fn as_compared(
        &self,
        port: &'static str,
        mut frame: Vec<u8>,
    ) -> (bool, (&'static str, Vec<u8>)) {
        let ipv4 = frame[12..14] == [8, 0] && frame[23] == 17 && frame[36..38] == [0x12, 0xb5];
        let ipv6 =
            frame[12..14] == [0x86, 0xdd] && frame[20] == 17 && frame[56..58] == [0x12, 0xb5];
        let inner = match (ipv4, ipv6) {
            (true, _) => {
                for at in [18, 19, 24, 25, 34, 35, 40, 41] {
                    frame[at] = 0;
                }
                OUTER
            }
            (_, true) => {
                frame[15] &= 0xf0;
                for at in [16, 17, 54, 55, 60, 61] {
                    frame[at] = 0;
                }
                OUTER6
            }
            _ => 0,
        };
        let mut port = port;
        if inner != 0 && self.over_both {
            port = "up1";
            frame[..12].fill(0);
        }
        let is_tagged = frame[inner + 12..inner + 14] == [0x81, 0];
        let network = inner + if is_tagged { 18 } else { 14 };
        let is_ipv6 = frame[network] >> 4 == 6;
        let transport = network + if is_ipv6 { 40 } else { 20 };
        // The mark, and the checksum over it.
        frame[transport + 6..transport + 16].fill(0);
        (is_ipv6, (port, frame))
    }
}

/// The flows and families of which not every packet has left, once.
fn lost(fates: &Fates, flows: &[Flow]) -> Vec<(u16, bool)> {
    let all = (0..flows.len() as u16).flat_map(|number| [(number, false), (number, true)]);
    let left =
        |key: &(u16, bool)| fates.get(key).map(|fate| Vec::from_iter(fate.values().copied()));
    all.filter(|key| left(key) != Some(vec![PACKETS])).collect()
}

/// What the payload of a flow's packets begins with.
fn mark(sent: u16, number: u16) -> [u8; 8] {
    (u64::from(MAGIC) << 32 | u64::from(sent) << 16 | u64::from(number)).to_be_bytes()
}

/// Puts ports into the leaf, and their other ends outside.
fn plug(leaf: &Space, outside: &Space) {
    for space in [leaf, outside] {
        space.sysctls(&[
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
            ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/default/accept_dad", "0"),
        ]);
    }
    let (mut lines, mut others) = (String::from("link set lo up\n"), String::new());
    for (port, mac, mtu) in PORTS {
        lines += &format!(
            "link add {port} address {} mtu {mtu} type veth peer name {port}p mtu 1600 netns {}\n\
             link set {port} addrgenmode none\n",
            mac_text(mac),
            outside.name()
        );
        others += &format!("link set {port}p addrgenmode none arp off up\n");
    }
    leaf.ip(&lines);
    outside.ip(&others);
    for (port, ..) in PORTS {
        leaf.wirelike(port);
        outside.wirelike(&format!("{port}p"));
    }
}
