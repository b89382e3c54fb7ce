//! `[[vni]]`: networks exist where they should.

use std::net::IpAddr;

use super::Kind;
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, not_asked},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
        sight::Sight,
    },
    frr::facts::VniKind,
    lab::topology::{ControlPlane, Network, Switch},
    observe::LinkKind,
    verify::kernel::Tunnel,
};

shape! {
    /// The VNI of a network is at each node where the network lives and at no other one; it is one of layer 2, its VLAN
    /// is the same everywhere, its local address is the node's loopback, its device is up and learns nothing from
    /// packets where FRR says what is where, and Fabric carries it.
    pub(crate) struct Vni: "vni", "[[vni]]\nnetwork = \"web\"\nonly = [\"@Site-01\"]" {
        /// The networks.
        network: Names = Or("\"*\""),
        /// The nodes where they live, all of them and no others; those of the topology.
        only: Option<Names> = None,
    }
}

/// What is expected at a node.
#[derive(Clone, Debug)]
struct Expected {
    node: String,
    vni: u32,
    vlan: u16,
    bridge: String,
    local: IpAddr,
    lives: bool,
    by_frr: bool,
    by_fabric: bool,
}

impl Kind for Vni {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let topology = &inventory.topology;
        let by_frr = topology.fabric.control_plane == ControlPlane::Bgp;
        let has_networks = |it: &Switch| !it.networks.is_empty();
        let mut drafts = Vec::new();
        for network in inventory.networks(&self.network)? {
            let homes: Vec<String> = match &self.only {
                Some(only) => {
                    let nodes = inventory.nodes_that(only, "node with networks", has_networks)?;
                    nodes.into_iter().map(|it| it.name.clone()).collect()
                }
                None => inventory.vteps_of(network).into_iter().map(|it| it.name.clone()).collect(),
            };
            for node in topology.switches.iter().filter(|it| has_networks(it)) {
                drafts.push(draft(network, node, homes.contains(&node.name), by_frr));
            }
        }
        Ok(drafts)
    }
}

fn draft(network: &Network, node: &Switch, lives: bool, by_frr: bool) -> Draft {
    let expected = Expected {
        node: node.name.clone(),
        vni: network.vni,
        vlan: network.vlan,
        bridge: node.bridge(network.vlan),
        local: node.loopback.into(),
        lives,
        by_frr,
        by_fabric: node.fabric_xdpd,
    };
    let not = if lives { "" } else { " not" };
    Draft::of(&node.name, format!("{} {}{not}", network.name, node.name), move |look| {
        expected.judge(look)
    })
}

impl Expected {
    fn judge(&self, look: &Look<'_>) -> Judged {
        let sight = look.sight(&self.node)?;
        match self.lives {
            true => self.here(sight),
            false => self.elsewhere(sight),
        }
    }

    fn fail(&self, should: &str, actual: String, likely: &str, next: String) -> Judged {
        Err(Finding::new(
            format!("VNI {} {should}", self.vni),
            actual,
            likely,
            format!("on {}: {next}", self.node),
        )
        .into())
    }

    fn elsewhere(&self, sight: &Sight<'_>) -> Judged {
        let known = if self.by_frr { sight.vni(self.vni)?.is_some() } else { false };
        if let Some(tunnel) = sight.kernel.tunnels.get(&self.vni) {
            return self.fail(
                "is not here",
                format!("{} carries it", tunnel.vxlan.name),
                "the network was stretched by mistake, or two networks have one VNI",
                format!("ip -d link show {}", tunnel.vxlan.name),
            );
        }
        match known {
            true => self.fail(
                "is not here",
                "FRR knows it".into(),
                "its device is gone and zebra was not told",
                format!("vtysh -c 'show evpn vni {}'", self.vni),
            ),
            false => Ok("not here".into()),
        }
    }

    /// What another VNI carries that is in the network's place.
    fn instead<'a>(&self, sight: &'a Sight<'_>) -> Option<(u32, &'a str)> {
        let mut all = sight.kernel.tunnels.iter();
        let is_here = |tunnel: &Tunnel<'_>| {
            let is_bridge = tunnel.bridge.is_some_and(|bridge| bridge.name == self.bridge);
            is_bridge && (tunnel.vlan == 0 || tunnel.vlan == self.vlan)
        };
        let (vni, tunnel) = all.find(|(_, tunnel)| is_here(tunnel))?;
        Some((*vni, tunnel.vxlan.name.as_str()))
    }

    fn here(&self, sight: &Sight<'_>) -> Judged {
        let should = format!("is here, of layer 2, local address {}, without learning", self.local);
        let show = "ip -d link show type vxlan".to_owned();
        let Some(tunnel) = sight.kernel.tunnels.get(&self.vni) else {
            return match self.instead(sight) {
                Some((vni, name)) => self.fail(
                    &should,
                    format!("{name} in {} has VNI {vni}", self.bridge),
                    "the device was made with a wrong VNI, so that its hosts are alone in a network of their own",
                    format!("ip -d link show {name}"),
                ),
                None => self.fail(
                    &should,
                    "no vxlan device has it".into(),
                    "the device is missing, or in another bridge with another VNI",
                    show,
                ),
            };
        };
        let name = &tunnel.vxlan.name;
        let LinkKind::Vxlan(device) = &tunnel.vxlan.kind else {
            return Err(not_asked(format!("{name} is no vxlan device")));
        };
        let down = [Some(tunnel.vxlan), tunnel.bridge].into_iter().flatten().find(|link| !link.up);
        if let Some(down) = down {
            return self.fail(
                &should,
                format!("{} is switched off", down.name),
                "somebody has switched it off",
                format!("ip link set {} up", down.name),
            );
        }
        if tunnel.bridge.is_none() {
            return self.fail(
                &should,
                format!("{name} is in no bridge"),
                "it was taken out of its bridge",
                format!("ip link show {name}"),
            );
        }
        if tunnel.vlan != 0 && tunnel.vlan != self.vlan {
            let actual =
                format!("{name} is in VLAN {}, and the network in {}", tunnel.vlan, self.vlan);
            return self.fail(
                &should,
                actual,
                "the VLAN was mapped to another VNI",
                format!("bridge vlan show dev {name}"),
            );
        }
        if device.local != Some(self.local) {
            let actual = device
                .local
                .map_or_else(|| "no local address".into(), |it| format!("local address {it}"));
            return self.fail(
                &should,
                format!("{name}: {actual}"),
                "the device was made with another address",
                show,
            );
        }
        if !sight.is_own(self.local) {
            let actual = format!("no interface has {}", self.local);
            return self.fail(
                &should,
                actual,
                "the loopback's address was removed",
                format!("ip address add {}/32 dev lo", self.local),
            );
        }
        if self.by_frr {
            if device.learning {
                return self.fail(
                    &should,
                    format!("{name} learns from packets"),
                    "the device was made without nolearning",
                    format!("ip link set {name} type vxlan nolearning"),
                );
            }
            if tunnel.vxlan.port.is_some_and(|port| port.learning) {
                return self.fail(
                    &should,
                    format!("{name} learns as port of its bridge"),
                    "`learning off` is missing",
                    format!("bridge link set dev {name} learning off"),
                );
            }
            match sight.vni(self.vni)? {
                None => {
                    return self.fail(
                        &should,
                        "FRR does not know it".into(),
                        "`advertise-all-vni` is missing, or zebra does not see the device",
                        format!("vtysh -c 'show evpn vni {}'", self.vni),
                    );
                }
                Some(vni) if vni.kind != VniKind::L2 => {
                    return self.fail(
                        &should,
                        "FRR has it as one of layer 3".into(),
                        "a VRF has this VNI as well",
                        "vtysh -c 'show vrf vni'".into(),
                    );
                }
                Some(_) => {}
            }
        }
        if let (true, Some(fabric)) = (self.by_fabric, &sight.facts.fabric) {
            let mut domains = fabric.held.domains.values();
            if !domains.any(|it| it.vni == Some(self.vni)) {
                return self.fail(
                    &should,
                    "Fabric leaves it to the kernel".into(),
                    "`fabricctl status` says why",
                    "fabricctl status".into(),
                );
            }
        }
        Ok(format!("{name}, local address {}", self.local))
    }
}
