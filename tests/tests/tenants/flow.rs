//! What becomes of packets that a leaf routes, by the kernel alone and by Fabric.

use std::{net::IpAddr, process::Command, time::Instant};

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, fabricctl, until};
use fabric_user::lab::topology::{Host, Network, Switch};
use serde_json::Value;

use crate::{got, tenant};

/// Pings of one look.
const PINGS: u64 = 10;
/// Of these the kernel may see so many: one per MAC and quarter of the ageing time.
const SAMPLED: u64 = 2;

/// Packets of a host that its leaf routes.
pub(crate) struct Flow {
    pub(crate) from: &'static str,
    pub(crate) to: [u8; 4],
    /// By which prefix the tables of the host's tenant lead there.
    pub(crate) prefix: &'static str,
    /// Who gets them.
    pub(crate) gets: &'static str,
}

/// Where a host is.
struct Place<'a> {
    leaf: &'a Switch,
    /// Its port at the leaf.
    port: &'a str,
    network: &'a Network,
    tenant: &'a str,
}

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
    pub(crate) fn arrives(&self, fabric: &Fabric, wanted: bool) {
        self.goes(fabric, |_| wanted);
    }

    /// Asserts that these packets arrive if they are `expected` to by what the kernel's tables lead to, by the kernel
    /// alone and by Fabric, which sends by itself what these lead to, and nothing else, and says so.
    pub(crate) fn goes(&self, fabric: &Fabric, expected: impl Fn(bool) -> bool) {
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
    pub(crate) fn is_withdrawn(&self, fabric: &Fabric) {
        let prefix = self.prefix;
        until(PATIENCE, &format!("FRR takes the route to {prefix} away"), || {
            self.route(fabric).trim().is_empty()
        });
        assert!(!self.kernel_sends(fabric), "no other route leads to {prefix}");
        self.arrives(fabric, false);
    }

    /// The kernel's route of the tenant to where these packets go.
    pub(crate) fn route(&self, fabric: &Fabric) -> String {
        let Place { leaf, tenant, .. } = self.place(fabric);
        fabric.ip(&leaf.name, &format!("route show vrf {tenant} root {}", self.prefix))
    }

    /// What `fabricctl lookup` says of pings.
    pub(crate) fn lookup(&self, fabric: &Fabric) -> Value {
        self.lookup_of(fabric, &[])
    }

    /// What it says of another protocol, with its ports.
    pub(crate) fn lookup_of(&self, fabric: &Fabric, protocol: &[&str]) -> Value {
        let Place { leaf, network, .. } = self.place(fabric);
        let gateway = network.gateway.expect("the network has one").mac.to_string();
        let (vni, from) = (network.vni.to_string(), fabric.address(self.from).to_string());
        let output = Command::new(fabricctl())
            .args(["lookup", "--json", "--instance", &fabric.lab().instance(&leaf.name)])
            .args(["--mac", &gateway, "--vni", &vni, &from, &IpAddr::from(self.to).to_string()])
            .args(protocol)
            .output()
            .expect("fabricctl starts");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("fabricctl lookup: {error}: {output:?}"))
    }

    /// Whether the kernel's route and neighbours lead anywhere.
    fn kernel_sends(&self, fabric: &Fabric) -> bool {
        let Place { leaf, network, .. } = self.place(fabric);
        let ask = |arguments: &str| -> Option<Value> {
            let mut ip = Command::new("ip");
            ip.arg("-j").args(arguments.split_whitespace());
            // An error is the kernel's answer that there is no route.
            let text = fabric.lab().exec(&leaf.name, &mut ip).ok()?;
            serde_json::from_str::<Value>(&text).ok()?.get(0).cloned()
        };
        let (to, from) = (IpAddr::from(self.to), fabric.address(self.from));
        let svi = leaf.svi(network.vlan);
        let Some(way) = ask(&format!("route get {to} from {from} iif {svi}")) else {
            return false;
        };
        let next = way["gateway"].as_str().map_or_else(|| to.to_string(), str::to_owned);
        let device = way["dev"].as_str().unwrap_or_default();
        ask(&format!("neigh show {next} dev {device}")).is_some_and(|it| it["lladdr"].is_string())
    }

    fn look(&self, fabric: &Fabric) -> Look {
        let Place { leaf, port, .. } = self.place(fabric);
        let (before, already) = (Seen::at(fabric, &leaf.name), got(fabric, self.gets));
        let (count, to) = (PINGS.to_string(), IpAddr::from(self.to).to_string());
        let mut ping = Command::new("ping");
        ping.args(["-n", "-q", "-i", "0.02", "-W", "1", "-c", &count, &to]);
        // Who gets them does not always have a way back.
        let _answered = fabric.lab().exec(self.from, &mut ping);
        let seen = Seen::at(fabric, &leaf.name).since(&before);
        let on_port = |reason| seen.on(port, reason);
        let refused = [Reason::TransitRouteUnreachable, Reason::TransitRouteUnresolved];
        Look {
            arrived: got(fabric, self.gets) - already,
            routed: on_port(Reason::Routed),
            refused: refused.map(on_port).iter().sum(),
        }
    }

    fn place<'a>(&self, fabric: &'a Fabric) -> Place<'a> {
        let topology = fabric.lab().topology();
        let host: &Host = topology.host(self.from).expect("it is in the topology");
        Place {
            leaf: topology.switch(&host.switch.node).expect("it is in the topology"),
            port: &host.switch.port,
            network: host.network().and_then(|it| topology.network(it)).expect("it is in one"),
            tenant: tenant(fabric, host).expect("the network has one"),
        }
    }
}
