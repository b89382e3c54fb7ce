//! `[[neighbour]]`: whose address is which MAC's.

use std::net::IpAddr;

use super::{Kind, blame};
use crate::{
    check::{
        case::Draft,
        finding::Judged,
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
        sides::Sides,
    },
    lab::topology::{ControlPlane, Host, Network, Switch},
    mac::Mac,
    observe::Link,
};

shape! {
    /// Each node where a host's network has its gateway knows the host's addresses with the MAC that the topology has,
    /// as FRR and the kernel have it. A host that has never asked for its gateway is known nowhere: [[gateway]] in the
    /// same suite makes it ask.
    pub(crate) struct Neighbour: "neighbour", "[[neighbour]]\nof = \"app*\"\nwithin = \"10s\"" {
        /// The hosts.
        of: Names = Or("\"*\""),
        /// The nodes that are looked at, of those where their networks live.
        on: Names = Or("\"*\""),
        /// Whether IPv6 addresses are looked at as well.
        ipv6: bool = Or("false"),
    }
}

/// Whose address it should be.
#[derive(Clone, Debug)]
struct Expected {
    node: String,
    vni: u32,
    address: IpAddr,
    mac: Mac,
    by_frr: bool,
}

impl Kind for Neighbour {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let by_frr = inventory.topology.fabric.control_plane == ControlPlane::Bgp;
        let stations = inventory.stations(&self.of, &self.on)?.into_iter();
        let stations = stations.filter(|(_, network, _)| network.gateway.is_some());
        let drafts =
            stations.flat_map(|(host, network, node)| self.of_host(host, network, node, by_frr));
        Ok(drafts.collect())
    }
}

impl Neighbour {
    fn of_host(&self, host: &Host, network: &Network, node: &Switch, by_frr: bool) -> Vec<Draft> {
        let addresses = network.host_addresses(host).into_iter().map(|it| it.address);
        let addresses = addresses.filter(|it| it.is_ipv4() || self.ipv6);
        let draft = |address: IpAddr| {
            let expected = Expected {
                node: node.name.clone(),
                vni: network.vni,
                address,
                mac: host.end.mac,
                by_frr,
            };
            let subject = format!("{} ({address}) on {}", host.name, node.name);
            Draft::of(&node.name, subject, move |look| expected.judge(look))
        };
        addresses.map(draft).collect()
    }
}

impl Expected {
    fn judge(&self, look: &Look<'_>) -> Judged {
        let sight = look.sight(&self.node)?;
        let frr: Option<Vec<Mac>> = match self.by_frr {
            true => {
                let all = sight.frr(&["zebra"])?.neighbours.iter();
                Some(
                    all.filter(|it| (it.vni, it.address) == (self.vni, self.address))
                        .map(|it| it.mac)
                        .collect(),
                )
            }
            false => None,
        };
        let svi = sight.kernel.tunnels.get(&self.vni).and_then(|tunnel| tunnel.svi);
        // A virtual router on top of the SVI has neighbours of its own.
        let on_top = |svi: &Link| {
            let index = svi.ifindex;
            sight.links().filter(move |it| it.lower == Some(index))
        };
        let kernel = svi.and_then(|svi| {
            let mut all = std::iter::once(svi).chain(on_top(svi));
            all.find_map(|it| sight.kernel.neighbour(it, self.address))
        });
        let sides = Sides::expecting([self.mac]).and("FRR", frr).with("kernel", kernel);
        match self.by_frr {
            true => blame::judge(&sides, &self.node, || {
                (
                    "the host has not asked for its gateway, another one has its address, or no route has come".into(),
                    format!("on {}: vtysh -c 'show evpn arp-cache vni {} ip {}'", self.node, self.vni, self.address),
                )
            }),
            false => blame::judge_plain(&sides, &self.node, "the entry was written otherwise"),
        }
    }
}
