//! ```text
//!            swp1          up0 === up0          swp1
//!   host1 -------- leaf1   up1 === up1   leaf2 -------- host2      VNI 10100
//! ```

use fabric_common::reason::Reason;
use fabric_tests::{
    daemon::Daemon,
    fabric::{PATIENCE, until},
    space::{Space, unique},
};
use fabric_user::daemon::state::State;

/// Both leafs and both hosts.
pub(crate) struct Site {
    pub(crate) leafs: [Leaf; 2],
    pub(crate) hosts: [Space; 2],
}

/// A leaf with its fabric-xdpd.
pub(crate) struct Leaf {
    daemon: Daemon,
    netns: Space,
}

/// The MAC address of a host.
fn mac(side: usize) -> String {
    format!("02:00:00:00:10:{side:02x}")
}

fn vtep(side: usize) -> String {
    format!("2001:db8:ff::{}", side + 1)
}

impl Site {
    /// Both leafs in sync; `options` are those of the vxlan devices in the words of `ip link`.
    pub(crate) fn new(options: &str) -> Self {
        let name = unique("under6");
        let leaf = |what| {
            let name = format!("{name}-{what}");
            let daemon = Daemon::new(&name, &["--heartbeat-timeout-ms", "5000"]);
            Leaf { daemon, netns: Space::new(name) }
        };
        let mut site = Self {
            leafs: [leaf("leaf1"), leaf("leaf2")],
            hosts: ["host1", "host2"].map(|what| Space::new(format!("{name}-{what}"))),
        };
        let leafs = site.leafs.each_ref().map(|leaf| &leaf.netns);
        for space in leafs.into_iter().chain(&site.hosts) {
            space.sysctls(&[
                ("ipv6/conf/all/accept_dad", "0"),
                ("ipv6/conf/default/accept_dad", "0"),
                // Flows of the same two hosts are told apart, in frames of both families.
                ("ipv4/fib_multipath_hash_policy", "1"),
                ("ipv6/fib_multipath_hash_policy", "1"),
            ]);
        }
        for (side, netns) in leafs.into_iter().enumerate() {
            let host = &site.hosts[side];
            netns.ip(&format!(
                "link set lo up\naddr add {}/128 dev lo\n\
                 link add br100 type bridge mcast_snooping 0\nlink set br100 up\n\
                 link add swp1 type veth peer name eth0 netns {}\nlink set swp1 master br100 up\n",
                vtep(side),
                host.name()
            ));
            host.ip(&format!(
                "link set eth0 address {} up\naddr add 198.51.100.{}/24 dev eth0\n\
                 addr add 2001:db8:100::{}/64 dev eth0 nodad\n",
                mac(side),
                side + 1,
                side + 1
            ));
            host.wirelike("eth0");
        }
        let [one, two] = leafs;
        for link in 0..2 {
            one.ip(&format!(
                "link add up{link} mtu 1700 type veth peer name up{link} mtu 1700 netns {}",
                two.name()
            ));
        }
        for (side, netns) in leafs.into_iter().enumerate() {
            let hop = |link: usize| {
                let (own, other) = (side, 1 - side);
                netns.ip(&format!(
                        "link set up{link} up\naddr add 2001:db8:fe:{link}::{own}/127 dev up{link} nodad\n"
                    ),
                );
                format!("nexthop via 2001:db8:fe:{link}::{other} dev up{link}")
            };
            let hops = [hop(0), hop(1)].join(" ");
            let other = vtep(1 - side);
            netns.ip(&format!(
                    "route add {other}/128 {hops}\n\
                 link add vx100 mtu 1500 type vxlan id 10100 local {} dstport 4789 nolearning {options}\n\
                 link set vx100 master br100\n",
                    vtep(side)
                ),
            );
            netns.bridge(&format!(
                "link set dev vx100 learning off\n\
                 fdb add 00:00:00:00:00:00 dev vx100 dst {other} self permanent\n\
                 fdb add {0} dev vx100 dst {other} self static\n\
                 fdb add {0} dev vx100 master static\n",
                mac(1 - side)
            ));
            // Not before learning is off.
            netns.ip("link set vx100 up\n");
        }
        // The first leaf's programs send to the second one's ports before that has programs of its own.
        for netns in leafs {
            netns.wirelike("up0");
            netns.wirelike("up1");
        }
        for leaf in &mut site.leafs {
            leaf.start();
        }
        site
    }
}

impl Leaf {
    fn start(&mut self) {
        self.daemon.start(&self.netns);
        until(PATIENCE, "fabric-xdpd knows the way to the other leaf", || {
            self.daemon.assert_runs();
            // Its problems are written down when the links have settled.
            let state = self.state();
            state.problems.is_empty() && state.unresolved.is_empty() && self.hops() == 2
        });
    }

    /// Number of next hops towards the other leaf.
    fn hops(&self) -> usize {
        let maps = self.daemon.maps();
        let vtep = maps.vteps.iter().find(|(_, vtep)| vtep.is_ipv6() && vtep.in_use());
        vtep.map_or(0, |(_, vtep)| maps.shares(maps.groups.get(vtep.group)).len())
    }

    pub(crate) fn state(&self) -> State {
        self.daemon.state()
    }

    /// How many packets met a reason, on all ports.
    pub(crate) fn met(&self, reason: Reason) -> u64 {
        self.daemon.met(reason)
    }

    /// How many packets Fabric has sent out of each underlay port.
    pub(crate) fn sent(&self) -> Vec<u64> {
        let maps = self.daemon.maps();
        let of = |ifindex: u32| {
            let port = maps.ports.iter().find(|(_, port)| port.ifindex == ifindex);
            let (slot, _) = port.expect("the underlay port is known");
            maps.port_tx.get(slot).map(|counter| counter.packets).sum()
        };
        ["up0", "up1"].into_iter().map(|name| of(self.netns.index(name))).collect()
    }
}
