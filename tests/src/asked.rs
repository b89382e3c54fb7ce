//! Who answers ARP and neighbour discovery on a leaf, and with which bytes: the kernel with the bypass on,
//! Fabric without.

use std::time::Instant;

use fabric_common::reason::Reason;

use crate::{
    addresses::HOST_R,
    device::mac_text,
    fabric::{PATIENCE, read_all},
    judged::Judged,
    packet::{OUTER, ether_type, protocol},
    wire::Wire,
};

const PORTS: [&str; 3] = ["acc0", "acc1", "up0"];

/// What came out, by the port where; out of tunnels, whose outer headers differ from packet to packet.
pub type Seen = Vec<(&'static str, Vec<u8>)>;

/// A leaf with a neighbour behind its tunnel, which suppresses.
#[derive(Debug)]
pub struct Asked {
    /// The leaf.
    pub leaf: Judged,
    /// The interface that has the neighbours.
    device: &'static str,
    wires: Vec<(&'static str, Wire)>,
}

impl Asked {
    /// Has a leaf's tunnel suppress, and HOST_R be a neighbour on an interface of its bridge.
    #[must_use]
    pub fn new(leaf: Judged, device: &'static str) -> Self {
        leaf.ip(&format!("link set {device} addrgenmode none\n"));
        leaf.sysctl(&format!("ipv6/conf/{device}/disable_ipv6"), "0");
        leaf.bridge("link set dev vx100 neigh_suppress on\n");
        let wires = PORTS.map(|port| (port, leaf.outside().wire(&format!("{port}p")))).into();
        let asked = Self { leaf, device, wires };
        for address in addresses() {
            asked.neighbour(&address, "");
        }
        asked
    }

    /// Makes HOST_R's MAC address a neighbour's at an address, with more words.
    pub fn neighbour(&self, address: &str, words: &str) {
        let (device, mac) = (self.device, mac_text(HOST_R.mac));
        self.leaf.ip(&format!(
            "neigh replace {address} lladdr {mac} dev {device} nud permanent {words}\n"
        ));
    }

    /// Takes a neighbour away.
    pub fn no_neighbour(&self, address: &str) {
        self.leaf.ip(&format!("neigh del {address} dev {}\n", self.device));
    }

    /// The answer that the kernel gives at this port, and Fabric as well, with the same bytes and by itself.
    #[track_caller]
    pub fn answered(&self, port: &str, question: &[u8], reason: Reason) -> Vec<u8> {
        let back = |seen: &Seen| -> Vec<Vec<u8>> {
            let back = seen.iter().filter(|(name, _)| *name == port);
            back.map(|(_, frame)| frame.clone()).collect()
        };
        self.leaf.bypass(true);
        let mut kernel = back(&self.send(port, question));
        assert_eq!(kernel.len(), 1, "the kernel answers once: {kernel:02x?}");
        self.leaf.bypass(false);
        self.until(port, question, reason, |ours| {
            back(ours) == kernel && ours.iter().all(|(name, _)| *name == port)
        });
        kernel.remove(0)
    }

    /// What the kernel makes of a question, and Fabric as well, which leaves it to the kernel for a reason.
    #[track_caller]
    pub fn passed(&self, port: &str, question: &[u8], reason: Reason) -> Seen {
        self.leaf.bypass(true);
        let kernel = self.send(port, question);
        self.leaf.bypass(false);
        self.until(port, question, reason, |ours| *ours == kernel);
        kernel
    }

    /// Asks until what comes out is right and counted with a reason. The maps follow the kernel, and some
    /// questions are shown to the bridge.
    #[track_caller]
    fn until(&self, port: &str, question: &[u8], reason: Reason, right: impl Fn(&Seen) -> bool) {
        let start = Instant::now();
        loop {
            let before = self.leaf.met(reason);
            let ours = self.send(port, question);
            let met = self.leaf.met(reason) - before;
            if met == 1 && right(&ours) {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "ours: {ours:02x?}, {met} of {reason:?}\n{:?}",
                self.leaf.state().problems
            );
        }
    }

    /// Asks, and sees what comes out where.
    fn send(&self, port: &str, question: &[u8]) -> Seen {
        let into = &self.wires.iter().find(|(name, _)| *name == port).expect("a port").1;
        into.send(question).expect("the wire takes it");
        let mut seen = Seen::new();
        read_all(|| {
            let mut came = false;
            for (name, wire) in &self.wires {
                while let Ok(Some(frame)) = wire.receive(Instant::now()) {
                    let inner = if is_tunnelled(&frame) { &frame[OUTER..] } else { &frame[..] };
                    if is_discovery(inner) {
                        seen.push((name, inner.to_vec()));
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

/// HOST_R's, IPv4 first.
#[must_use]
pub fn addresses() -> [String; 2] {
    let (four, six) = (HOST_R.ipv4.into(), HOST_R.ipv6.into());
    [four, six].map(|address: std::net::IpAddr| address.to_string())
}

fn is_tunnelled(frame: &[u8]) -> bool {
    frame.len() > OUTER && frame[12..14] == [8, 0] && frame[36..38] == [0x12, 0xb5]
}

/// ARP, and solicitations and advertisements of neighbours.
fn is_discovery(frame: &[u8]) -> bool {
    let word = |at: usize| frame.get(at..at + 2).map(|word| u16::from_be_bytes([word[0], word[1]]));
    let network = if word(12) == Some(ether_type::VLAN) { 18 } else { 14 };
    match word(network - 2) {
        Some(ether_type::ARP) => true,
        Some(ether_type::IPV6) => {
            frame.get(network + 6) == Some(&protocol::ICMPV6)
                && matches!(frame.get(network + 40), Some(135 | 136))
        }
        _ => false,
    }
}
