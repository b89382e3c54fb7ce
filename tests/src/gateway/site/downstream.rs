//! What downstream VNIs hang on beside their next hops, and what the maps hold of them.

use std::net::Ipv4Addr;

use fabric_common::schema::{
    counters::Counter,
    ports::{Port, is_tunnel},
};
use rustix::process::Signal;
use serde_json::Value;

use super::{DOWNSTREAM_VNI, Shape, Site};
use crate::fabric::{PATIENCE, until};

/// What stands for the tunnel of a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) struct Tunnel {
    slot: u32,
    /// In place of an interface index.
    number: u32,
    domain: u16,
    is_down: bool,
    /// What has gone into it so far.
    encapsulated: Counter,
}

impl Site {
    /// What the maps hold of tunnels.
    pub(in crate::gateway) fn tunnels(&self) -> Vec<Tunnel> {
        let maps = self.daemon.maps();
        let tunnels = maps.ports.iter().filter(|(_, port)| is_tunnel(port.ifindex));
        let tunnel = |(slot, port): (u32, Port)| Tunnel {
            slot,
            number: port.ifindex,
            domain: port.untagged_domain,
            is_down: port.down != 0,
            encapsulated: maps.domain_traffic.sum(port.untagged_domain.into()).encapsulated,
        };
        tunnels.map(tunnel).collect()
    }

    /// Switches the single vxlan device off. Its routes, next hops and neighbours go with it.
    pub(in crate::gateway) fn lose_device(&self) {
        self.leaf.ip("link set svd down\n");
    }

    /// Switches it on, with what went.
    pub(in crate::gateway) fn regain_device(&self) {
        self.leaf.ip("link set svd up\n");
        self.know_router(true);
        self.lead_into(DOWNSTREAM_VNI, "");
    }

    /// Whether it is what has died last, to the thread that watches links.
    pub(in crate::gateway) fn has_seen_device_die(&self) -> bool {
        let links = self.leaf.query("link show dev svd");
        links[0]["ifindex"] == self.daemon.state().liveness.last_ifindex
    }

    /// Leaves it to the kernel, or has it used again.
    pub(in crate::gateway) fn leave_device(&self, left: bool) {
        let command = if left { "detach" } else { "attach" };
        let (code, said) = self.daemon.fabricctl(&[command, "svd"]);
        assert_eq!(code, 0, "{said}");
    }

    /// Sends to LEAF2 from another address of this leaf, by the same way.
    pub(in crate::gateway) fn send_from(&self, source: [u8; 4]) {
        let (remote, source) = (self.ends().1, Ipv4Addr::from(source));
        self.leaf.ip(&format!("route replace {remote} via 203.0.113.1 dev up0 src {source}\n"));
    }

    /// Has another fabric-xdpd take the place of one that was killed. `work` is done between the two.
    pub(in crate::gateway) fn restart(&mut self, work: impl FnOnce(&Self)) {
        self.daemon.end(Signal::KILL);
        work(self);
        self.daemon.start(&self.leaf);
    }

    /// How many ports and bridge domains fabric-xdpd has found when it had started.
    pub(in crate::gateway) fn found_at_start(&self) -> String {
        let mut said = None;
        until(PATIENCE, "it says what it has found", || {
            let log = self.daemon.log();
            let found =
                log.split_once("in sync: ").and_then(|(_, found)| found.split_once(" VTEPs"));
            said = found.and_then(|(found, _)| Some(found.rsplit_once(", ")?.0.to_owned()));
            said.is_some()
        });
        said.expect("it has said so")
    }

    /// The VRF whose routes lead to the networks of other leafs, in JSON.
    pub(in crate::gateway) fn vrf(&self) -> Value {
        match self.shape {
            Shape::BridgesInVrf | Shape::BridgesInVrfs => "red".into(),
            Shape::Bridges | Shape::Vlans => Value::Null,
        }
    }

    /// What `fabricctl` says in its exit status, and in words.
    pub(in crate::gateway) fn fabricctl(&self, arguments: &[&str]) -> (i32, String) {
        self.daemon.fabricctl(arguments)
    }
}
