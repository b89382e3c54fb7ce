//! Flows of a host to an address behind two VTEPs: which of them each flow goes to.

use std::{
    array,
    collections::BTreeSet,
    net::{IpAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, until};
use fabric_user::lab::Netns;

use crate::counted;

/// Flows, by UDP source ports from [`FIRST_PORT`] on.
const FLOWS: u16 = 24;
pub(crate) const FIRST_PORT: u16 = 20_000;
/// The discard service (RFC 863), which nobody offers here.
pub(crate) const DISCARD: u16 = 9;
/// Datagrams of a flow in one look, and how many of them are enough to say where it goes: the kernel sees one of a MAC
/// per quarter of the ageing time, and chooses by a hash of its own.
const DATAGRAMS: u64 = 4;
const ENOUGH: u64 = 3;
/// In one look the kernel may see so many of all flows.
const SAMPLED: u64 = 2;

/// Who sends, and what gets it.
pub(crate) struct Spread<'a> {
    pub(crate) fabric: &'a Fabric,
    pub(crate) from: &'static str,
    /// The leaf of who sends, and its port there.
    pub(crate) at: (&'static str, &'static str),
    pub(crate) to: [u8; 4],
    /// The two that have the address.
    pub(crate) receivers: [Netns; 2],
    /// What XDP does with these packets at the leaf.
    pub(crate) reason: Reason,
}

impl Spread<'_> {
    /// Datagrams that have arrived at each receiver: there is nobody who takes them.
    fn arrived(&self) -> [u64; 2] {
        self.receivers.each_ref().map(|receiver| counted(receiver, "Udp", "NoPorts"))
    }

    /// Sends datagrams of one flow; how many arrived at each receiver.
    fn send(&self, flow: u16) -> [u64; 2] {
        let before = self.arrived();
        let to = (IpAddr::from(self.to), DISCARD);
        let work = || {
            let socket = UdpSocket::bind(("0.0.0.0", FIRST_PORT + flow)).expect("the port is free");
            for _ in 0..DATAGRAMS {
                socket.send_to(&[0; 16], to).expect("there is a way");
            }
        };
        self.fabric.netns(self.from).enter(work).expect("the host is there");
        let start = Instant::now();
        loop {
            let now = self.arrived();
            let got: [u64; 2] = array::from_fn(|receiver| now[receiver] - before[receiver]);
            // What does not arrive is missed by who looks at it.
            if got.iter().sum::<u64>() == DATAGRAMS || start.elapsed() > Duration::from_secs(1) {
                return got;
            }
            thread::yield_now();
        }
    }

    /// Which receiver each flow goes to by XDP, once all of them arrive, at those that are expected: the kernel's
    /// tables change before fabric-xdpd has read them.
    pub(crate) fn ways(&self, expected: &[usize]) -> Vec<usize> {
        let (leaf, port) = self.at;
        let mut ways = Vec::new();
        until(
            PATIENCE,
            &format!("flows arrive at one receiver each of {expected:?}, by XDP"),
            || {
                let before = Seen::at(self.fabric, leaf);
                let got: Vec<[u64; 2]> = (0..FLOWS).map(|flow| self.send(flow)).collect();
                let by_xdp = Seen::at(self.fabric, leaf).since(&before).on(port, self.reason);
                ways =
                    got.iter().filter_map(|got| got.iter().position(|&it| it >= ENOUGH)).collect();
                let used: BTreeSet<usize> = ways.iter().copied().collect();
                ways.len() == got.len()
                    && used.iter().eq(expected)
                    && by_xdp + SAMPLED >= DATAGRAMS * u64::from(FLOWS)
            },
        );
        ways
    }

    /// Asserts that until `done` the flows that went to the first receiver go on to get there: the other one dies.
    pub(crate) fn first_goes_on(&self, ways: &[usize], what: &str, done: impl Fn() -> bool) {
        let flows: Vec<u16> = (0..FLOWS).filter(|flow| ways[usize::from(*flow)] == 0).collect();
        let (mut sent, mut got) = (0, 0);
        until(PATIENCE, what, || {
            for flow in &flows {
                sent += DATAGRAMS;
                got += self.send(*flow)[0];
            }
            done()
        });
        assert!(got + SAMPLED >= sent, "flows of the living VTEP got {got} of {sent} through");
        println!("flows of the living VTEP got {got} of {sent} through");
    }
}
