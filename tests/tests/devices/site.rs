//! A leaf with two hosts on a bridge that is stretched by VXLAN, and fabric-xdpd in it.
//!
//! ```text
//!   q1 --- h1 \
//!              br10, VNI 10010     swp1 to swp4 route
//!   q2 --- h2 /
//! ```

use std::time::{Duration, Instant};

use fabric_common::{
    reason::Reason,
    schema::{
        counters::reason_index,
        ports::{FLAG_NOT_A_TARGET, Port},
    },
};
use fabric_tests::{
    addresses::{HOST_A, HOST_B},
    device::mac_text,
    fabric::{Router, SOON, until},
    packet::Frame,
    wire::Wire,
};

/// Frames of a burst: as many come out, whoever forwards them.
pub(crate) const BURST: usize = 50;

/// The leaf.
pub(crate) struct Leaf {
    pub(crate) router: Router,
}

impl Leaf {
    /// A leaf on which fabric-xdpd is in sync. At the hosts' ends of the veths nothing is switched on.
    pub(crate) fn new() -> Self {
        let mut router = Router::without_daemon("");
        let peers = router.peers().name().to_owned();
        let mut lines = "link add br10 type bridge mcast_snooping 0\n\
                         link add vx10 type vxlan id 10010 local 10.0.0.1 dstport 4789 nolearning\n\
                         link set vx10 master br10 up\n"
            .to_owned();
        for i in 1..=2 {
            lines += &format!(
                "link add h{i} type veth peer name q{i} netns {peers}\n\
                 link set h{i} master br10 up\n"
            );
        }
        router.ip(&(lines + "link set br10 up\n"));
        router.peers_ip("link set q1 arp off up\nlink set q2 arp off up\n");
        let [a, b] = [HOST_A, HOST_B].map(|host| mac_text(host.mac));
        router.bridge(&format!(
            "link set dev vx10 learning off\n\
             fdb add {a} dev h1 master static\nfdb add {b} dev h2 master static\n"
        ));
        router.start();
        let leaf = Self { router };
        until(SOON, "both ports are there", || {
            ["h1", "h2"].iter().all(|name| leaf.port(name).is_some_and(|port| port.down == 0))
        });
        leaf
    }

    /// What the maps say of a port.
    pub(crate) fn port(&self, name: &str) -> Option<Port> {
        let ifindex = self.router.ifindex(name);
        let maps = self.router.maps();
        let port = maps.ports.iter().find(|(_, port)| port.ifindex == ifindex);
        port.map(|(_, port)| port)
    }

    /// Waits until a port is one that frames are redirected to, or none.
    #[track_caller]
    pub(crate) fn wait_target(&self, name: &str, is_target: bool) {
        until(SOON, &format!("{name} is a target: {is_target}"), || {
            let found = self.port(name).map(|port| port.flags & FLAG_NOT_A_TARGET == 0);
            found == Some(is_target) && self.is_named(name) != is_target
        });
    }

    /// fabric-xdpd says that what is for a port is left to the kernel.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        let begin = format!("port {name} ");
        self.router.state().problems.iter().any(|text| text.starts_with(&begin))
    }

    /// How often packets that arrived on a port met a reason.
    pub(crate) fn count(&self, port: &str, reason: Reason) -> u64 {
        let maps = self.router.maps();
        let slot = self.router.slot(&maps, port);
        let row = maps.ports.get(slot).row.into();
        let cells = maps.reasons.get(reason_index(row, reason as u8));
        cells.map(|counter| counter.packets).sum()
    }

    /// Sends a burst from one host to the other: how many arrive.
    pub(crate) fn burst(&self) -> usize {
        self.send("q1", "q2", &Frame::ipv4(&HOST_A, &HOST_B).bytes())
    }

    /// Sends a burst into one wire: how many frames with this destination come out of another.
    pub(crate) fn send(&self, from: &str, to: &str, frame: &[u8]) -> usize {
        let open = |name| self.router.peers().enter(|| Wire::open(name)).unwrap().unwrap();
        let (from, to) = (open(from), open(to));
        for _ in 0..BURST {
            from.send(frame).expect("the frame can be sent");
        }
        let mut arrived = 0;
        // When all have arrived there is nothing to wait for; what is lost is waited for once.
        let deadline = Instant::now() + Duration::from_secs(5);
        while arrived < BURST
            && let Some(received) = to.receive(deadline).expect("the wire can be read")
        {
            // A router changes addresses and TTL, and neither the ports nor what follows them.
            arrived += usize::from(received.ends_with(&frame[34..]));
        }
        arrived
    }
}
