//! What BGP and zebra of a leaf take back, change or give anew: Fabric forwards by the kernel's tables at each
//! moment, and by nothing older.

use std::{net::IpAddr, process::Command, time::Instant};

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, fabricctl, until};
use fabric_user::lab::daemons::{self, Frr};
use rustix::process::Signal;
use serde_json::Value;

use crate::got;

/// Pings of one look.
const PINGS: u64 = 10;
/// Of these the kernel may see so many: one per MAC and quarter of the ageing time.
const SAMPLED: u64 = 2;
/// The leaf whose tables change.
const LEAF: &str = "leaf01";

/// Packets of a host of that leaf.
struct Flow {
    from: &'static str,
    /// The port and the bridge of the host, and its gateway's MAC address.
    at: [&'static str; 3],
    to: [u8; 4],
    /// Whose tables lead there, by this prefix.
    tenant: &'static str,
    prefix: &'static str,
    /// Who gets them.
    gets: &'static str,
}

/// The host in the tenant green whose other network is behind leaf02.
const GREEN: Flow = Flow {
    from: "green1",
    at: ["swp13", "br301", "02:00:5e:00:01:05"],
    to: [10, 2, 0, 12],
    tenant: "green",
    prefix: "10.2.0.0/16",
    gets: "green2",
};
/// An address of leaf02 in green, which is made known to blue on leaf01.
const LEAKED: Flow = Flow {
    from: "blue1",
    at: ["swp12", "br201", "02:00:5e:00:01:03"],
    to: [10, 9, 0, 1],
    tenant: "blue",
    prefix: "10.9.0.0/16",
    gets: "leaf02",
};

/// What became of some pings.
#[derive(Debug)]
struct Look {
    /// At the host.
    arrived: u64,
    /// By XDP.
    routed: u64,
    /// Left to the kernel, because there is no route, or nobody at its end.
    refused: u64,
}

impl Flow {
    /// Asserts that these packets arrive or not, as [`Self::goes`].
    fn arrives(&self, fabric: &Fabric, wanted: bool) {
        self.goes(fabric, |_| wanted);
    }

    /// Asserts that these packets arrive if they are `expected` to by what the kernel's tables lead to, by the kernel
    /// alone and by Fabric, which sends by itself what these lead to, and nothing else, and says so.
    fn goes(&self, fabric: &Fabric, expected: impl Fn(bool) -> bool) {
        let (to, start) = (IpAddr::from(self.to), Instant::now());
        for bypass in [true, false] {
            fabric.leafs().iter().for_each(|leaf| fabric.bypass(leaf, bypass));
            loop {
                let (look, sends) = (self.look(fabric), self.kernel_sends(fabric));
                let Look { arrived, routed, refused } = look;
                let by_xdp = match sends {
                    true => routed + SAMPLED >= PINGS,
                    false => routed == 0 && refused + SAMPLED >= PINGS,
                };
                let says = self.lookup(fabric)["forwarded"] == sends;
                let wanted = expected(sends);
                let expected = if wanted { PINGS } else { 0 };
                if arrived == expected && (bypass || by_xdp && says) {
                    break;
                }
                assert!(
                    start.elapsed() < PATIENCE,
                    "{} to {to}, arrives: {wanted}, bypass: {bypass}: {look:?}; the kernel sends: {sends}, by {}; {}",
                    self.from,
                    self.route(fabric),
                    self.lookup(fabric)
                );
            }
        }
        let (after, route) = (start.elapsed(), self.route(fabric));
        println!(
            "{} to {to} arrives: {}, after {after:?}; the kernel: {}",
            self.from,
            expected(self.kernel_sends(fabric)),
            route.trim()
        );
    }

    /// The same of packets whose route FRR takes away.
    fn is_withdrawn(&self, fabric: &Fabric) {
        let prefix = self.prefix;
        until(PATIENCE, &format!("FRR takes the route to {prefix} away"), || {
            self.route(fabric).trim().is_empty()
        });
        assert!(!self.kernel_sends(fabric), "no other route leads to {prefix}");
        self.arrives(fabric, false);
    }

    /// Whether the kernel's route and neighbours lead anywhere.
    fn kernel_sends(&self, fabric: &Fabric) -> bool {
        let ask = |arguments: &str| -> Option<Value> {
            let mut ip = Command::new("ip");
            ip.arg("-j").args(arguments.split_whitespace());
            // An error is the kernel's answer that there is no route.
            let text = fabric.lab().exec(LEAF, &mut ip).ok()?;
            serde_json::from_str::<Value>(&text).ok()?.get(0).cloned()
        };
        let (to, from) = (IpAddr::from(self.to), fabric.address(self.from));
        let Some(way) = ask(&format!("route get {to} from {from} iif {}", self.at[1])) else {
            return false;
        };
        let next = way["gateway"].as_str().map_or_else(|| to.to_string(), str::to_owned);
        let device = way["dev"].as_str().unwrap_or_default();
        ask(&format!("neigh show {next} dev {device}")).is_some_and(|it| it["lladdr"].is_string())
    }

    /// The kernel's route of the tenant to where these packets go.
    fn route(&self, fabric: &Fabric) -> String {
        fabric.ip(LEAF, &format!("route show vrf {} root {}", self.tenant, self.prefix))
    }

    fn look(&self, fabric: &Fabric) -> Look {
        let (before, already) = (Seen::at(fabric, LEAF), got(fabric, self.gets));
        let (count, to) = (PINGS.to_string(), IpAddr::from(self.to).to_string());
        let mut ping = Command::new("ping");
        ping.args(["-n", "-q", "-i", "0.02", "-W", "1", "-c", &count, &to]);
        // Who gets them does not always have a way back.
        let _answered = fabric.lab().exec(self.from, &mut ping);
        let seen = Seen::at(fabric, LEAF).since(&before);
        let on_port = |reason| seen.on(self.at[0], reason);
        let refused = [Reason::TransitRouteUnreachable, Reason::TransitRouteUnresolved];
        Look {
            arrived: got(fabric, self.gets) - already,
            routed: on_port(Reason::Routed),
            refused: refused.map(on_port).iter().sum(),
        }
    }

    fn lookup(&self, fabric: &Fabric) -> Value {
        let [_, bridge, gateway] = self.at;
        let from = fabric.address(self.from).to_string();
        let output = Command::new(fabricctl())
            .args(["lookup", "--json", "--instance", &fabric.lab().instance(LEAF)])
            .args(["--mac", gateway, "--bridge", bridge, &from, &IpAddr::from(self.to).to_string()])
            .output()
            .expect("fabricctl starts");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("fabricctl lookup: {error}: {output:?}"))
    }
}

/// Gives FRR of a leaf commands of its configuration.
fn configure(fabric: &Fabric, leaf: &str, commands: &[&str]) {
    let mut vtysh = Command::new("vtysh");
    vtysh.args(["-N", fabric.netns(leaf).name(), "-c", "configure terminal"]);
    vtysh.args(commands.iter().flat_map(|command| ["-c", *command]));
    fabric.lab().exec(leaf, &mut vtysh).unwrap_or_else(|error| panic!("{commands:?}: {error}"));
}

/// Case FRR-07: the L3VNI of a VRF is one that there is no device of, and is put right.
pub(crate) fn a_wrong_l3vni_is_followed_until_it_is_right(fabric: &Fabric) {
    configure(fabric, LEAF, &["vrf green", "no vni 54003", "vni 54999"]);
    GREEN.is_withdrawn(fabric);
    configure(fabric, LEAF, &["vrf green", "no vni 54999", "vni 54003"]);
    GREEN.arrives(fabric, true);
}

/// Case FRR-09: a route of type 5 that another VRF imports, until leaf02 withdraws it.
pub(crate) fn a_leaked_route_goes_with_the_one_that_it_comes_from(fabric: &Fabric) {
    configure(
        fabric,
        LEAF,
        &[
            "ip prefix-list LEAK seq 5 permit 10.9.0.0/16 le 32",
            "route-map LEAK permit 10",
            "match ip address prefix-list LEAK",
            "exit",
            "router bgp 65101 vrf blue",
            "address-family ipv4 unicast",
            "import vrf route-map LEAK",
            "import vrf green",
        ],
    );
    fabric.ip("leaf02", "address add 10.9.0.1/32 dev green");
    LEAKED.arrives(fabric, true);
    fabric.ip("leaf02", "address del 10.9.0.1/32 dev green");
    LEAKED.is_withdrawn(fabric);
    fabric.ip("leaf02", "address add 10.9.0.1/32 dev green");
    until(PATIENCE, "it is leaked again", || !LEAKED.route(fabric).trim().is_empty());
}

/// Case FRR-07: FRR ends at once and begins again, with its first configuration: what the commands before have added
/// is gone, or where zebra has not swept it, which happens with FRR 8.4, it is what the kernel goes by.
pub(crate) fn a_restart_leaves_nothing_behind_but_in_the_kernel(fabric: &Fabric) {
    let netns = fabric.netns(LEAF);
    daemons::frr_processes(netns.name()).iter().for_each(|daemon| daemon.stop(Signal::KILL));
    let topology = fabric.lab().topology();
    let leaf = topology.switch(LEAF).expect("it is in the topology");
    Frr::find().expect("FRR is installed").start(topology, leaf, &netns).expect("FRR starts");
    let left = fabric.lab().wait_ready(PATIENCE, &mut |_| {}).expect("the lab gets ready");
    assert!(left.is_empty(), "all ports are accelerated: {left:?}");
    GREEN.arrives(fabric, true);
    LEAKED.goes(fabric, |kernel_sends| kernel_sends);
}
