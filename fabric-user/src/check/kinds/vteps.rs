//! `[[vteps]]`: who broadcasts are sent to.

use std::{collections::BTreeSet, net::IpAddr};

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
    facts::Fabric,
    lab::topology::ControlPlane,
};

shape! {
    /// Each node of a network sends its broadcasts to the VTEPs of all other ones and to nobody else, as FRR and the
    /// kernel have it, and the maps know all of them as VTEPs.
    pub(crate) struct Vteps: "vteps", "[[vteps]]\nnetwork = \"app\"" {
        /// The networks.
        network: Names = Or("\"*\""),
        /// The nodes that are looked at, of those where they live.
        on: Names = Or("\"*\""),
    }
}

/// What is expected at a node.
#[derive(Clone, Debug)]
struct Expected {
    node: String,
    vni: u32,
    vteps: BTreeSet<IpAddr>,
    by_frr: bool,
    by_fabric: bool,
}

impl Kind for Vteps {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let by_frr = inventory.topology.fabric.control_plane == ControlPlane::Bgp;
        let meant: Vec<&str> =
            inventory.nodes(&self.on)?.iter().map(|it| it.name.as_str()).collect();
        let mut drafts = Vec::new();
        for network in inventory.networks(&self.network)? {
            let all = inventory.vteps_of(network);
            for node in all.iter().filter(|it| meant.contains(&it.name.as_str())) {
                let others = all.iter().filter(|it| it.name != node.name);
                let expected = Expected {
                    node: node.name.clone(),
                    vni: network.vni,
                    vteps: others.map(|it| IpAddr::V4(it.loopback)).collect(),
                    by_frr,
                    by_fabric: node.fabric_xdpd,
                };
                let subject = format!("{} {}", network.name, node.name);
                drafts.push(Draft::of(&node.name, subject, move |look| expected.judge(look)));
            }
        }
        Ok(drafts)
    }
}

impl Expected {
    fn judge(&self, look: &Look<'_>) -> Judged {
        let sight = look.sight(&self.node)?;
        let frr = match self.by_frr {
            true => Some(sight.vni(self.vni)?.map(|it| it.flood.clone()).unwrap_or_default()),
            false => None,
        };
        let tunnel = sight.kernel.tunnels.get(&self.vni);
        let kernel = tunnel.map(|tunnel| sight.kernel.flood(tunnel)).unwrap_or_default();
        let mut sides = Sides::expecting(&self.vteps).and("FRR", frr).with("kernel", kernel);
        // A network that Fabric leaves to the kernel has no VTEPs in the maps, and [[vni]] says that it does.
        let is_held = |fabric: &Fabric| {
            let mut domains = fabric.held.domains.values();
            domains.any(|it| it.vni == Some(self.vni))
        };
        if let (true, Some(fabric)) = (self.by_fabric, &sight.facts.fabric)
            && is_held(fabric)
        {
            // They have those of all networks.
            sides = sides.with_at_least("maps", fabric.held.vteps.keys().map(|it| it.remote));
        }
        match self.by_frr {
            true => blame::judge(&sides, &self.node, || {
                (
                    "no route of type 3 has come from there, or one has come from a VTEP that should have no such network".into(),
                    format!("on {}: vtysh -c 'show bgp l2vpn evpn route type multicast'", self.node),
                )
            }),
            false => blame::judge_plain(
                &sides,
                &self.node,
                "an entry was written by hand, and is missing or too many",
            ),
        }
    }
}
