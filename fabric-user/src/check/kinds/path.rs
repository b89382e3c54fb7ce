//! `[[path]]`: which nodes packets pass.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{Kind, ways::Toward};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, list},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
    },
    lab::topology::Switch,
};

shape! {
    /// Whatever way a flow takes through the underlay from one node to another, it arrives, passes only nodes that are
    /// named, and no more of them than said. Of a host it is the node where it is plugged in. The kernel's routes are
    /// followed node by node, over all their next hops.
    pub(crate) struct Path: "path", "[[path]]\nfrom = \"app01\"\nto = \"app04\"\nonly = [\"@Site-01\"]\nhops = 2" {
        /// Nodes or hosts where flows begin.
        from: Names = Required,
        /// The node or host where they end.
        to: String = Required,
        /// Nodes that they may pass between both ends.
        only: Names = Or("\"*\""),
        /// The most links on the way; any number.
        hops: Option<usize> = None,
    }
}

/// Who can be asked for the way.
type Map = BTreeMap<String, Toward>;

impl Kind for Path {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let topology = &inventory.topology;
        let node_of = |name: &str| match topology.host(name) {
            Some(host) => topology.switch(&host.switch.node),
            None => topology.switch(name),
        };
        let to = node_of(&self.to)
            .ok_or_else(|| format!("\"{}\" is neither a node nor a host", self.to))?;
        let allowed: BTreeSet<String> =
            inventory.nodes(&self.only)?.iter().map(|it| it.name.clone()).collect();
        let starts: Vec<(String, &Switch)> =
            match (inventory.hosts(&self.from), inventory.nodes(&self.from)) {
                (Ok(hosts), _) => hosts
                    .iter()
                    .filter_map(|it| Some((it.name.clone(), topology.switch(&it.switch.node)?)))
                    .collect(),
                (Err(_), nodes) => nodes?.into_iter().map(|it| (it.name.clone(), it)).collect(),
            };
        let all: Map = topology
            .switches
            .iter()
            .map(|it| (it.name.clone(), Toward::from(inventory, it)))
            .collect();
        let draft = |(name, start): (String, &Switch)| {
            let walk = Walk {
                from: start.name.clone(),
                to: to.name.clone(),
                address: to.loopback.into(),
                allowed: allowed.clone(),
                most: self.hops,
                map: all.clone(),
            };
            let needs: Vec<String> = all.keys().cloned().collect();
            Draft::of(&start.name, format!("{name}→{}", self.to), move |look| walk.judge(look))
                .needing(needs)
        };
        Ok(starts.into_iter().filter(|(_, it)| it.name != to.name).map(draft).collect())
    }
}

struct Walk {
    from: String,
    to: String,
    address: IpAddr,
    allowed: BTreeSet<String>,
    most: Option<usize>,
    map: Map,
}

impl Walk {
    fn judge(&self, look: &Look<'_>) -> Judged {
        let (mut passed, mut length) = (BTreeSet::new(), 0);
        let mut front: BTreeSet<&str> = BTreeSet::from([self.from.as_str()]);
        let should = match self.most {
            Some(most) => {
                format!("to {} in {most} hops or fewer, by nodes that are named", self.to)
            }
            None => format!("to {}, by nodes that are named", self.to),
        };
        let next = |node: &str| format!("on {node}: ip route get {}", self.address);
        while !front.is_empty() {
            // Longer than all nodes in a row is a circle.
            if length > self.map.len() {
                let actual = format!("packets go round in circles between {}", list(&front));
                return Err(Finding::new(
                    should,
                    actual,
                    "two nodes have each other as next hop",
                    next(&self.from),
                )
                .into());
            }
            let mut following = BTreeSet::new();
            for node in &front {
                let sight = look.sight(node)?;
                if sight.is_own(self.address) {
                    continue;
                }
                let hops = sight.kernel_lookup(None, self.address).unwrap_or_default();
                if hops.is_empty() {
                    let actual = format!("{node} has no route to {}", self.address);
                    return Err(Finding::new(
                        should,
                        actual,
                        "a session is down, or a filter takes the route away",
                        next(node),
                    )
                    .into());
                }
                let Some((node, toward)) = self.map.get_key_value(*node) else { continue };
                for name in toward.kernel(&hops) {
                    let Some((name, _)) = self.map.get_key_value(&name) else {
                        let actual =
                            format!("{node} sends to {name}, which is no node of the topology");
                        return Err(Finding::new(
                            should,
                            actual,
                            "a default route leads out of the fabric",
                            next(node),
                        )
                        .into());
                    };
                    if *name != self.to && !self.allowed.contains(name) {
                        let actual = format!("{node} sends to {name}");
                        return Err(Finding::new(
                            should,
                            actual,
                            "the nearer way is down, or another one is as near",
                            next(node),
                        )
                        .into());
                    }
                    passed.insert(name.as_str());
                    following.insert(name.as_str());
                }
            }
            front = following;
            length += usize::from(!front.is_empty());
        }
        match self.most {
            Some(most) if length > most => {
                let actual = format!("{length} hops, by {}", list(&passed));
                Err(Finding::new(should, actual, "the nearer way is down", next(&self.from)).into())
            }
            _ => Ok(format!("{length} hops, by {}", list(&passed))),
        }
    }
}
