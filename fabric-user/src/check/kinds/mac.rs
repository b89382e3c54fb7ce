//! `[[mac]]`: hosts are where they are plugged in.

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
        sight::Sight,
    },
    facts::held::Place as Held,
    frr::facts::Place as Told,
    lab::topology::{ControlPlane, Host, Network, Switch},
    mac::Mac,
    verify::kernel::Place,
};

shape! {
    /// Each node of a host's network has its MAC at one place: the node where it is plugged in at that port, all others
    /// behind that node's VTEP. FRR, the kernel and the maps say the same. A host that has never sent anything is known
    /// nowhere: [[gateway]] in the same suite makes it speak.
    pub(crate) struct MacPlace: "mac", "[[mac]]\nof = \"app*\"\nwithin = \"10s\"" {
        /// The hosts.
        of: Names = Or("\"*\""),
        /// The nodes that are looked at, of those where their networks live.
        on: Names = Or("\"*\""),
    }
}

/// Where a host should be for a node.
#[derive(Clone, Debug)]
struct Expected {
    node: String,
    host: String,
    mac: Mac,
    vni: u32,
    /// The VTEP behind which it is; none if it is here.
    vtep: Option<IpAddr>,
    /// The port of the bridge, and all that frames to it may leave by: those of a bond are many.
    port: String,
    cables: Vec<String>,
    by_frr: bool,
}

impl Kind for MacPlace {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let stations = inventory.stations(&self.of, &self.on)?.into_iter();
        let drafts =
            stations.filter_map(|(host, network, node)| draft(inventory, host, network, node));
        Ok(drafts.collect())
    }
}

fn draft(inventory: &Inventory, host: &Host, network: &Network, node: &Switch) -> Option<Draft> {
    let home = inventory.topology.switch(&host.switch.node)?;
    let expected = Expected {
        node: node.name.clone(),
        host: host.name.clone(),
        mac: host.end.mac,
        vni: network.vni,
        vtep: (home.name != node.name).then(|| home.loopback.into()),
        port: host.switch.port.clone(),
        cables: host.cables().map(|[_, switch]| switch.port.clone()).collect(),
        by_frr: inventory.topology.fabric.control_plane == ControlPlane::Bgp,
    };
    let subject = format!("{} on {}", host.name, node.name);
    Some(Draft::of(&node.name, subject, move |look| expected.judge(look)))
}

impl Expected {
    fn judge(&self, look: &Look<'_>) -> Judged {
        let sight = look.sight(&self.node)?;
        let expected = match self.vtep {
            Some(vtep) => format!("VTEP {vtep}"),
            None => format!("port {}", self.port),
        };
        let frr = if self.by_frr { Some(self.told(sight)?) } else { None };
        let tunnel = sight.kernel.tunnels.get(&self.vni);
        let kernel = tunnel.and_then(|tunnel| sight.kernel.place(tunnel, self.mac));
        let mut sides = Sides::expecting([expected])
            .and("FRR", frr)
            .with("kernel", kernel.as_ref().map(Place::to_string));
        if let Some(held) = self.held(sight) {
            sides = sides.with("maps", held);
        }
        let silent = kernel.is_none();
        match self.by_frr {
            true => blame::judge(&sides, &self.node, || self.blame(silent)),
            false => blame::judge_plain(
                &sides,
                &self.node,
                "the host has not spoken, or its entry was written otherwise",
            ),
        }
    }

    fn blame(&self, silent: bool) -> (String, String) {
        let likely = match (silent, self.vtep) {
            (true, None) => {
                format!("{} has not sent anything since the bridge forgot it", self.host)
            }
            (true, Some(vtep)) => format!("{vtep} has not told of it, as of a host that is silent"),
            (false, None) => {
                "the bridge has learned it, and zebra has not followed; or another leaf claims it"
                    .into()
            }
            (false, Some(_)) => {
                "the host has moved, is plugged in twice, or somebody has its MAC".into()
            }
        };
        (
            likely,
            format!("on {}: vtysh -c 'show evpn mac vni {} mac {}'", self.node, self.vni, self.mac),
        )
    }

    fn told(&self, sight: &Sight<'_>) -> Result<Vec<String>, crate::check::finding::Stop> {
        let macs = &sight.frr(&["zebra"])?.macs;
        let entries = macs.iter().filter(|it| (it.vni, it.mac) == (self.vni, self.mac));
        let place = |place: &Told| match place {
            Told::Local { interface: Some(port), .. } => Some(format!("port {port}")),
            Told::Local { interface: None, .. } => Some("this box".into()),
            Told::Vtep(vtep) => Some(format!("VTEP {vtep}")),
            Told::Segment(esi) => Some(format!("Ethernet segment {esi}")),
            Told::Unknown => None,
        };
        Ok(entries.filter_map(|it| place(&it.place)).collect())
    }

    /// Where the maps have it; none where the network is left to the kernel.
    fn held(&self, sight: &Sight<'_>) -> Option<Vec<String>> {
        let held = &sight.facts.fabric.as_ref()?.held;
        let (domain, _) = held.domains.iter().find(|(_, it)| it.vni == Some(self.vni))?;
        let entries =
            held.macs.iter().filter(|(key, _)| key.domain == *domain && key.mac == self.mac);
        let place = |place: &Held| match place {
            // Frames to a bond leave by one of its ports.
            Held::Port { port, .. } if self.cables.contains(port) => format!("port {}", self.port),
            Held::Port { port, .. } => format!("port {port}"),
            other => other.to_string(),
        };
        Some(entries.map(|(_, it)| place(it)).collect())
    }
}
