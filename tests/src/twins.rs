//! Two leafs, alike to the last address: one forwards with the kernel alone, on the other our
//! programs run. What is sent into a port of both has to come out of both alike.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Context as _, Result, bail};
use fabric_common::reason::{Reason, Verdict};

use crate::{
    addresses::{LEAF1_VTEP, LEAF1_VTEP6, VXLAN_PORT},
    counters::Counters,
    expect::dump,
    namespace::{Namespace, in_own_namespace},
    packet::{OUTER, OUTER6, internet_checksum, protocol, udp_checksum},
    refusals::{self, Refusals},
    router::server,
    wire::Wire,
    world::{Port, World},
};

/// Addresses of the boxes themselves.
const OWN: [&[u8]; 2] = [&LEAF1_VTEP, &server(server::LOCAL).ipv4];
/// How long a frame may be under way.
use crate::fabric::PATIENCE;
/// Where the markers count; an EtherType for local experiments (IEEE 802).
const MARKER: u16 = 0x88b6;
/// Who sends markers, and nothing else.
const SENDER: [u8; 6] = [2, 0, 0, 0, 0x3a, 1];

/// A broadcast frame that follows the frame under test: when it has come out everywhere, nothing
/// of the frame under test is still to come.
#[derive(Clone, Debug)]
pub struct Marker {
    /// Port that it enters.
    pub into: &'static str,
    /// What to wrap the broadcast frame in.
    pub wrap: fn(Vec<u8>) -> Vec<u8>,
    /// Ports that the kernel floods it to.
    pub out_of: Vec<&'static str>,
    /// Why our programs pass it.
    pub reason: Reason,
}

/// One of the two.
pub struct Twin {
    namespace: Namespace,
    wires: BTreeMap<&'static str, Wire>,
    /// Our programs and maps, on one of the two.
    pub fabric: Option<Fabric>,
}

/// Programs and maps, and the ports by name.
pub struct Fabric {
    /// Programs and maps.
    pub world: World,
    /// The ports on which programs run.
    pub ports: BTreeMap<&'static str, Port>,
}

/// Both.
pub struct Twins {
    kernel: Twin,
    fabric: Twin,
    markers: Vec<Marker>,
    sent: u32,
}

/// What came out, and where.
pub type Output = Vec<(&'static str, Vec<u8>)>;

impl Twin {
    /// A leaf in a new namespace: `build` makes the devices, whose wires are those of `ports`.
    fn new(ports: &[&'static str], build: impl Fn() -> Result<()>) -> Result<Self> {
        let namespace = Namespace::create()?;
        build()?;
        let wires: Result<_> =
            ports.iter().map(|port| Ok((*port, Wire::open(&format!("{port}p"))?))).collect();
        Ok(Self { namespace, wires: wires?, fabric: None })
    }

    fn wire(&self, port: &str) -> Result<&Wire> {
        self.wires.get(port).with_context(|| format!("no port {port}"))
    }

    /// Sends a frame and the markers behind it; returns what came out of all ports but markers.
    fn send(&self, port: &str, frame: &[u8], markers: &[Marker], number: u32) -> Result<Output> {
        self.wire(port)?.send(frame)?;
        let mut output = Output::new();
        for (place, marker) in markers.iter().enumerate() {
            let mut magic = MARKER.to_be_bytes().to_vec();
            magic.extend(number.to_be_bytes());
            magic.push(place as u8);
            self.wire(marker.into)?.send(&(marker.wrap)(broadcast(&magic)))?;
            for port in &marker.out_of {
                self.collect_until(port, &magic, &mut output)?;
            }
        }
        // Our programs and the kernel may overtake each other by a hair; the last marker has given
        // both the time.
        for (port, wire) in &self.wires {
            while let Some(frame) = wire.receive(Instant::now())? {
                if !is_marker(&frame) && !is_own(&frame) {
                    output.push((*port, frame));
                }
            }
        }
        // Order matters between frames of one port only.
        output.sort_by_key(|(port, _)| *port);
        Ok(output)
    }

    /// Collects what comes out of a port until a frame carries `magic`.
    fn collect_until(&self, port: &'static str, magic: &[u8], output: &mut Output) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Some(frame) = self.wire(port)?.receive(deadline)? else {
                bail!("the marker did not come out of {port}; what did: {output:02x?}");
            };
            if frame.windows(magic.len()).any(|window| window == magic) {
                return Ok(());
            }
            if !is_marker(&frame) && !is_own(&frame) {
                output.push((port, frame));
            }
        }
    }
}

/// By the sender: two bytes like an EtherType's stand in many a header by chance, in source ports,
/// identifications and checksums.
fn is_marker(frame: &[u8]) -> bool {
    frame.windows(SENDER.len()).any(|window| window == SENDER)
}

/// Multicast listener reports (RFC 3810 §5.2.14) are the devices' own, whenever they like.
fn is_own(frame: &[u8]) -> bool {
    frame.starts_with(&[0x33, 0x33, 0, 0, 0, 0x16])
}

fn broadcast(magic: &[u8]) -> Vec<u8> {
    let mut frame = [[0xff; 6], SENDER].concat();
    frame.extend(magic);
    frame.resize(60, 0);
    frame
}

impl Twins {
    /// Builds both: `build` makes the devices of either, with a wire at each of `ports`, and
    /// `accelerate` loads our programs and fills their maps for one of them.
    fn new(
        ports: &[&'static str],
        markers: Vec<Marker>,
        build: impl Fn() -> Result<()>,
        accelerate: impl FnOnce() -> Result<Fabric>,
    ) -> Result<Self> {
        let kernel = Twin::new(ports, &build).context("the leaf with the kernel alone")?;
        let mut fabric = Twin::new(ports, &build).context("the leaf with our programs")?;
        fabric.fabric = Some(accelerate().context("the maps of the leaf with our programs")?);
        Ok(Self { kernel, fabric, markers, sent: 0 })
    }

    /// Runs a test on twins, in a namespace and on a thread of its own; see [`Self::new`].
    pub fn run(
        ports: &[&'static str],
        markers: Vec<Marker>,
        build: impl Fn() -> Result<()> + Send,
        accelerate: impl FnOnce() -> Result<Fabric> + Send,
        test: impl FnOnce(&mut Self) + Send,
    ) {
        in_own_namespace(|| {
            let twins = Self::new(ports, markers, build, accelerate);
            test(&mut twins.unwrap_or_else(|error| panic!("no twins: {error:#}")));
        });
    }

    /// Changes the devices of both.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn change(&self, change: impl Fn() -> Result<()>) -> Result<()> {
        for twin in [&self.kernel, &self.fabric] {
            twin.namespace.enter()?;
            change()?;
        }
        Ok(())
    }

    /// The maps, to change them as the devices were changed.
    ///
    /// # Panics
    /// Never: one of the two has them.
    pub fn fabric(&mut self) -> &mut Fabric {
        self.fabric.fabric.as_mut().expect("set by Twins::new")
    }

    /// From now on the marker that enters `into` is flooded to these ports only.
    pub fn expect_marker(&mut self, into: &str, out_of: Vec<&'static str>) {
        for marker in self.markers.iter_mut().filter(|marker| marker.into == into) {
            marker.out_of.clone_from(&out_of);
        }
    }

    /// Sends a frame into both and expects our programs to treat it with `reason`. Returns what came
    /// out of the kernel's and of ours.
    #[track_caller]
    pub fn both(&mut self, port: &str, frame: &[u8], reason: Reason) -> [Output; 2] {
        self.sent += 1;
        let (number, markers) = (self.sent, self.markers.clone());
        let describe = |error| -> Output {
            panic!("{reason:?} through {port}: {error:#}\n{}", dump(frame));
        };
        let before = self.counters();
        let kernel = self.kernel.send(port, frame, &markers, number).unwrap_or_else(describe);
        let fabric = self.fabric.send(port, frame, &markers, number).unwrap_or_else(describe);
        let counted = self.counters().since(&before);
        let found: BTreeMap<_, _> =
            counted.reasons.iter().map(|(row, counter)| (row.clone(), counter.packets)).collect();
        assert_eq!(found, self.expected(port, reason), "left: reasons found, right: expected");
        [kernel, fabric]
    }

    /// As [`Self::both`], and the same has to come out of both. Returns what did.
    #[track_caller]
    pub fn same(&mut self, port: &str, frame: &[u8], reason: Reason) -> Output {
        let [kernel, fabric] = self.both(port, frame, reason);
        let [left, mut right] = [&kernel, &fabric].map(normal);
        forget_free_labels(&left, &mut right);
        assert!(
            left == right,
            "what came out differs for\n{}the kernel's:\n{}ours:\n{}",
            dump(frame),
            show(&left),
            show(&right)
        );
        if reason.verdict() == Verdict::Redirect {
            assert!(
                fabric.len() == 1,
                "a frame that is forwarded comes out once, and nothing else\n{}what did:\n{}",
                dump(frame),
                show(&fabric)
            );
        }
        if reason == Reason::Encapsulated {
            let packet = &fabric[0].1;
            let source_port = if packet[12..14] == [0x86, 0xdd] { 54 } else { 34 };
            assert!(packet[source_port] >= 0xc0, "the source port is outside of RFC 7348's range");
        }
        fabric
    }

    /// As [`Self::same`], and the kernel has to count the same refusals on both. Returns these.
    #[track_caller]
    pub fn refused_alike(&mut self, port: &str, frame: &[u8], reason: Reason) -> Refusals {
        let read = |twins: &Self| {
            [&twins.kernel, &twins.fabric].map(|twin| {
                twin.namespace.enter().expect("this is root");
                refusals::read().expect("the kernel tells its counters")
            })
        };
        let before = read(self);
        self.same(port, frame, reason);
        let after = read(self);
        let [kernel, fabric] = [0, 1].map(|i| refusals::since(&after[i], &before[i]));
        assert_eq!(fabric, kernel, "left: beside our programs, right: the kernel for {reason:?}");
        fabric
    }

    fn counters(&mut self) -> Counters {
        self.fabric().world.counters()
    }

    /// How often each reason is met by one frame and all markers.
    fn expected(&mut self, port: &str, reason: Reason) -> BTreeMap<(u32, String), u64> {
        let markers = self.markers.clone();
        let ports = &self.fabric().ports;
        let all = markers.iter().map(|m| (m.into, m.reason)).chain([(port, reason)]);
        let mut expected = BTreeMap::new();
        for (port, reason) in all {
            let slot = ports.get(port).map_or(0, |port| port.slot);
            *expected.entry((slot, reason.name().to_owned())).or_default() += 1;
        }
        expected
    }
}

/// The output without what may differ between two boxes in packets of their own: identification,
/// the source port of VXLAN, and the header checksum, which must be right.
fn normal(output: &Output) -> Output {
    output.iter().map(|(port, packet)| (*port, normal_packet(packet))).collect()
}

fn normal_packet(packet: &[u8]) -> Vec<u8> {
    const HEADERS: usize = 14 + 20;
    let mut packet = packet.to_vec();
    if is_tunnel6(&packet) {
        normal_tunnel6(&mut packet);
        return packet;
    }
    let of_the_box =
        packet.len() >= HEADERS && packet[12..15] == [8, 0, 0x45] && OWN.contains(&&packet[26..30]);
    if !of_the_box {
        one_zero(&mut packet);
        return packet;
    }
    assert_eq!(
        internet_checksum(&[&packet[14..34]]),
        0,
        "wrong header checksum\n{}",
        dump(&packet)
    );
    packet[18..20].fill(0);
    packet[24..26].fill(0);
    let first_fragment = packet[20] & 0x1f == 0 && packet[21] == 0;
    let is_udp = packet[23] == protocol::UDP && first_fragment && packet.len() >= OUTER;
    if is_udp && packet[36..38] == VXLAN_PORT.to_be_bytes() {
        packet[34..36].fill(0);
    }
    packet
}

fn is_tunnel6(packet: &[u8]) -> bool {
    packet.len() >= OUTER6
        && packet[12..14] == [0x86, 0xdd]
        && packet[20] == protocol::UDP
        && packet[22..38] == LEAF1_VTEP6
        && packet[56..58] == VXLAN_PORT.to_be_bytes()
}

/// Where Linux leaves the flow label 0 we set one by the flow.
fn forget_free_labels(kernel: &Output, ours: &mut Output) {
    const LABEL: std::ops::Range<usize> = 15..18;
    for ((_, kernel), (_, ours)) in kernel.iter().zip(ours) {
        if is_tunnel6(kernel)
            && is_tunnel6(ours)
            && matches!(kernel[LABEL], [class, 0, 0] if class & 0xf == 0)
        {
            ours[15] &= 0xf0;
            ours[16..18].fill(0);
        }
    }
}

/// What may differ over IPv6: the source port, and with it the checksum, which must be right.
fn normal_tunnel6(packet: &mut [u8]) {
    if packet[60..62] != [0, 0] {
        let address = |at: usize| packet[at..at + 16].try_into().expect("16 bytes");
        let (source, destination) = (address(22), address(38));
        let mut udp = packet[54..].to_vec();
        udp[6..8].fill(0);
        let right = udp_checksum(source, destination, &udp).to_be_bytes();
        assert_eq!(packet[60..62], right, "wrong UDP checksum\n{}", dump(packet));
        packet[60..62].fill(0xff);
    }
    packet[54..56].fill(0);
}

/// Ones' complement has two zeros, and the kernel's `IP_ECN_set_ect1` may leave the one in the
/// header checksum that RFC 1624 §3 advises against. Both verify; they count as the same here.
fn one_zero(packet: &mut [u8]) {
    let ipv4 = [(12, 14), (16, 18)]
        .into_iter()
        .find(|(ether_type, _)| packet.get(*ether_type..ether_type + 2) == Some(&[8, 0]));
    let checksum = ipv4.and_then(|(_, header)| packet.get_mut(header + 10..header + 12));
    if let Some(checksum) = checksum
        && *checksum == [0xff, 0xff]
    {
        checksum.fill(0);
    }
}

fn show(output: &Output) -> String {
    if output.is_empty() {
        return "  nothing\n".into();
    }
    output.iter().map(|(port, frame)| format!("  {port}:\n{}", dump(frame))).collect()
}
