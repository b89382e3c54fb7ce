//! Packets whose fate is compared.

mod vlans;

use fabric_tests::{
    addresses::{BROADCAST, Mac, Station},
    packet::{Frame, Vxlan},
};

use crate::{leaf::mac, shape::Shape};

/// What tells probes from all else that is on the wires, and then the number of the probe.
const MARK: [u8; 5] = [0xfa, 0xb0, 0x71, 0xc5, 0x5e];

/// A packet that is sent to the leaf.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) name: String,
    /// The port of the leaf at which it arrives.
    pub(crate) port: &'static str,
    pub(crate) frame: Vec<u8>,
    /// Its flow may take any of several next hops.
    pub(crate) spread: bool,
}

impl Probe {
    /// Whether it may be too long for some way.
    pub(crate) const fn is_long(&self) -> bool {
        self.frame.len() >= 1_514
    }
}

/// The number of the probe that a frame carries.
pub(crate) fn number(frame: &[u8]) -> Option<u8> {
    let at = frame.windows(MARK.len()).position(|window| window == MARK)?;
    frame.get(at + MARK.len()).copied()
}

fn station(mac: Mac, ipv4: [u8; 4], subnet: u16) -> Station {
    let [high, low] = subnet.to_be_bytes();
    let mut ipv6 = [0x20, 0x01, 0x0d, 0xb8, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    (ipv6[14], ipv6[15]) = (ipv4[2], ipv4[3].max(1));
    Station { mac, ipv4, ipv6 }
}

/// A host of the tenant: number 1 behind a1, 2 behind a2, 3 behind a3.
fn host(number: u8) -> Station {
    station([2, 0, 0, 0xdd, 0, number], [192, 168, 0, number], 0xaaaa)
}

/// A host behind a remote VTEP: 1 behind 10.0.0.2, 2 behind 10.0.0.3, 3 in the other network.
fn remote(number: u8) -> Station {
    station([2, 0, 0, 0xcc, 0, number], [192, 168, 1, number], 0xaaab)
}

/// The router at the other end of a port.
fn neighbour(port: &str) -> Station {
    let number = mac(port, true)[5] - 3;
    station(mac(port, true), [10, 1, number, 2], number.into())
}

/// A destination that is routed, reached through a port of the leaf.
fn routed(port: &str, ipv4: [u8; 4], subnet: u16) -> Station {
    station(mac(port, false), ipv4, subnet)
}

/// All probes, in their order.
#[derive(Debug, Default)]
struct List(Vec<Probe>);

impl List {
    fn marked(&self, frame: Frame) -> Frame {
        let mark = [&MARK[..], &[self.0.len() as u8]].concat();
        let put = |payload: &mut Vec<u8>| payload[..mark.len()].copy_from_slice(&mark);
        match frame.clone().untagged().bytes()[12..14] {
            [0x08, 0x00] => frame.change_ipv4(|ip| put(&mut ip.payload)),
            _ => frame.change_ipv6(|ip| put(&mut ip.payload)),
        }
    }

    fn bytes(&mut self, name: &str, port: &'static str, spread: bool, frame: Vec<u8>) {
        self.0.push(Probe { name: format!("{name} into {port}"), port, frame, spread });
    }

    fn add(&mut self, name: &str, port: &'static str, spread: bool, frame: Frame) {
        let frame = self.marked(frame).bytes();
        self.bytes(name, port, spread, frame);
    }

    fn tunnelled(
        &mut self,
        name: &str,
        port: &'static str,
        inner: Frame,
        change: impl FnOnce(Vxlan) -> Vxlan,
    ) {
        let outer = Vxlan {
            destination_mac: mac(port, false),
            source_mac: mac(port, true),
            ..Vxlan::new([10, 0, 0, 2], [10, 0, 0, 1], 100)
        };
        let frame = change(outer).around(&self.marked(inner).bytes());
        self.bytes(name, port, false, frame);
    }
}

/// The probes of every comparison.
pub(crate) fn probes(shape: Shape) -> Vec<Probe> {
    let mut list = List::default();
    match shape {
        Shape::Plain => from_hosts(&mut list),
        Shape::Vlans => vlans::add(&mut list),
    }
    from_tunnels(&mut list);
    through(&mut list);
    assert!(list.0.len() < 256, "a number is a byte");
    list.0
}

fn from_hosts(list: &mut List) {
    // The bridge learns from these.
    for (number, port) in [(1, "a1"), (2, "a2"), (3, "a3")] {
        let hello = Frame::ipv4(&host(number), &host(9)).to(BROADCAST);
        list.add("a broadcast", port, false, hello);
    }
    for (from, to, port) in [(1, 2, "a1"), (2, 1, "a2"), (1, 3, "a1")] {
        list.add("to a local host", port, false, Frame::ipv4(&host(from), &host(to)));
        list.add("IPv6 to a local host", port, false, Frame::ipv6(&host(from), &host(to)));
    }
    for (from, to, port) in [(1, 1, "a1"), (2, 1, "a2"), (1, 2, "a1"), (3, 3, "a3"), (1, 3, "a1")] {
        for source in 0..4 {
            let frame = Frame::ipv4(&host(from), &remote(to)).ports([40_000 + source, 53]);
            list.add("to a remote host", port, to != 2, frame);
        }
        list.add("IPv6 to a remote host", port, to != 2, Frame::ipv6(&host(from), &remote(to)));
    }
    let long = Frame::ipv4(&host(1), &remote(2)).length(1_514);
    list.add("as long as may be", "a1", true, long);
    list.add("to nobody known", "a1", true, Frame::ipv4(&host(1), &host(77)));
    list.add("tagged", "a1", true, Frame::ipv4(&host(1), &remote(1)).tag(5));
    list.add("congested", "a2", true, Frame::ipv4(&host(2), &remote(1)).tos(3));
    list.add("from a remote host's MAC", "a3", true, Frame::ipv4(&remote(9), &remote(3)));
}

fn from_tunnels(list: &mut List) {
    let same = |outer| outer;
    for port in ["u1", "u2", "r1"] {
        let to = |number| Frame::ipv4(&remote(1), &host(number));
        list.tunnelled("out of a tunnel", port, to(1), same);
        list.tunnelled("out of a tunnel, IPv6", port, Frame::ipv6(&remote(1), &host(2)), same);
        list.tunnelled("from the other VTEP", port, Frame::ipv4(&remote(2), &host(2)), |outer| {
            Vxlan { source: [10, 0, 0, 3], ..outer }
        });
        list.tunnelled("of the other VNI", port, Frame::ipv4(&remote(3), &host(3)), |outer| {
            Vxlan { vni: 200, ..outer }
        });
        list.tunnelled("from no VTEP", port, to(2), |outer| Vxlan {
            source: [10, 0, 0, 9],
            ..outer
        });
        list.tunnelled("to another address", port, to(2), |outer| Vxlan {
            destination: [10, 1, 1, 1],
            ..outer
        });
        list.tunnelled("of no VNI", port, to(1), |outer| Vxlan { vni: 300, ..outer });
        list.tunnelled("back into the fabric", port, Frame::ipv4(&remote(1), &remote(2)), same);
        list.tunnelled("to nobody known", port, Frame::ipv4(&remote(1), &host(78)), same);
        list.tunnelled("congested on the way", port, to(1).tos(2), |outer| Vxlan {
            tos: 3,
            ..outer
        });
        list.tunnelled("congested, but not capable", port, to(1), |outer| Vxlan {
            tos: 3,
            ..outer
        });
        list.tunnelled("a broadcast", port, Frame::ipv4(&remote(1), &host(9)).to(BROADCAST), same);
    }
}

fn through(list: &mut List) {
    for port in ["u1", "u2", "r1"] {
        let from = neighbour(port);
        for last in 0..3 {
            let to = routed(port, [10, 20, 0, last], 0x20);
            list.add("to many", port, true, Frame::ipv4(&from, &to).ports([40_000, last.into()]));
            list.add("IPv6 to many", port, true, Frame::ipv6(&from, &to));
        }
        let to = routed(port, [10, 30, 0, 9], 0x30);
        list.add("by one way", port, false, Frame::ipv4(&from, &to));
        list.add("IPv6 by one way", port, false, Frame::ipv6(&from, &to));
        list.add("at its last hop", port, false, Frame::ipv4(&from, &to).ttl(1));
        let to = Station { mac: mac(port, false), ..neighbour("r1") };
        list.add("to a neighbour", port, false, Frame::ipv4(&from, &to));
        let nowhere = routed(port, [10, 99, 0, 1], 0x99);
        list.add("to nowhere", port, false, Frame::ipv4(&from, &nowhere));
        let foreign = Station { mac: [2, 0, 0, 0xee, 0, 1], ..to };
        list.add("for another station", port, false, Frame::ipv4(&from, &foreign));
        let elsewhere = station(from.mac, [172, 16, 0, 1], 0x77);
        list.add("from elsewhere", port, false, Frame::ipv4(&elsewhere, &to));
    }
}
