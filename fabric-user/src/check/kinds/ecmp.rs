//! `[[ecmp]]`: flows are shared out.

use std::net::IpAddr;

use super::{Kind, ways::Toward};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, not_asked},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
        share::Percent,
    },
    facts::held::Way,
    lab::topology::Switch,
    observe::Prefix,
};

shape! {
    /// The route to an address has so many next hops, and the maps give each of them the share of flows that its weight
    /// says. Shares are those of the buckets, that is of all flows and not of a sample.
    pub(crate) struct Ecmp: "ecmp", "[[ecmp]]\non = \"leaf01\"\nto = \"leaf04\"\ntolerance = \"2%\"" {
        /// The nodes that share out.
        on: Names = Required,
        /// An address, or a node or host that has one.
        to: String = Required,
        /// The VRF; the default one.
        vrf: Option<String> = None,
        /// The fewest next hops; to a node as many as the picture says, else two.
        paths: Option<usize> = None,
        /// By how much a share may be larger or smaller, in parts of all flows.
        tolerance: Percent = Or("\"2%\""),
    }
}

impl Kind for Ecmp {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let address = match self.to.parse::<IpAddr>() {
            Ok(address) => address,
            Err(_) => *inventory.addresses_of(&self.to).first().ok_or_else(|| {
                format!("\"{}\" is neither an address nor a node or host", self.to)
            })?,
        };
        let draft = |node: &Switch| {
            let drawn = inventory.topology.switch(&self.to);
            let drawn = drawn.map(|it| inventory.topology.ecmp_width(&node.name, &[&it.name]));
            let paths = self.paths.or(drawn).unwrap_or(2);
            let toward = Toward::from(inventory, node);
            let (name, table) = (node.name.clone(), self.clone());
            Draft::of(&node.name, format!("{name}→{}", self.to), move |look| {
                table.judge(&name, address, paths, &toward, look)
            })
        };
        let nodes = inventory.boxes(&self.on)?;
        Ok(nodes.into_iter().filter(|it| it.name != self.to).map(draft).collect())
    }
}

impl Ecmp {
    fn judge(
        &self,
        node: &str,
        address: IpAddr,
        paths: usize,
        toward: &Toward,
        look: &Look<'_>,
    ) -> Judged {
        let sight = look.sight(node)?;
        let single = Prefix { address, length: if address.is_ipv4() { 32 } else { 128 } };
        let vrf = self.vrf.as_deref();
        let should =
            format!("{paths} next hops or more, shares within {} of their weights", self.tolerance);
        let next = format!("on {node}: fabricctl maps routes {address}");
        sight.fabric()?;
        let hops = match sight.held_route(vrf, single).flatten() {
            Some(Way::Hops { hops, .. }) if !hops.is_empty() => hops,
            Some(way) => {
                let actual = format!("the maps say: {way}");
                return Err(Finding::new(
                    should,
                    actual,
                    "the route cannot be expressed in maps, or its neighbours are not resolved",
                    next,
                )
                .into());
            }
            None => {
                return Err(Finding::new(
                    should,
                    "the maps have no way to it",
                    "there is no route",
                    next,
                )
                .into());
            }
        };
        if hops.len() < paths {
            let names = hops.iter().map(|hop| toward.name(Some(&hop.port), Some(hop.gateway)));
            let actual = format!("{}: {}", hops.len(), crate::check::finding::list(names));
            return Err(Finding::new(
                should,
                actual,
                "a link or session is down, or a path is longer than the others",
                next,
            )
            .into());
        }
        let weight = |port: &str, gateway: IpAddr| {
            let route = sight.longest(vrf, single)?;
            let mut used = route.hops.iter().filter(|hop| hop.fib && hop.active && !hop.recursive);
            let is_it = |hop: &&crate::frr::facts::HopEntry| {
                hop.interface.as_deref() == Some(port)
                    && hop
                        .gateway
                        .is_none_or(|it| it == gateway || it.is_ipv6() != gateway.is_ipv6())
            };
            used.find(is_it).map(|hop| hop.weight.max(1))
        };
        let weights: Option<Vec<u32>> =
            hops.iter().map(|hop| weight(&hop.port, hop.gateway)).collect();
        // Without FRR's word all count alike.
        let weights = match (weights, &sight.facts.frr) {
            (Some(weights), _) => weights,
            (None, None) => vec![1; hops.len()],
            (None, Some(_)) => {
                return Err(not_asked(format!(
                    "{node}: FRR and the maps have different next hops for {address}; `fabricctl verify` says which"
                )));
            }
        };
        let all: u32 = weights.iter().sum();
        let mut worst = 0.0_f64;
        for (hop, weight) in hops.iter().zip(weights) {
            let share = f64::from(hop.share.buckets) / f64::from(hop.share.of.max(1));
            let fair = f64::from(weight) / f64::from(all.max(1));
            worst = worst.max((share - fair).abs());
            if (share - fair).abs() > self.tolerance.0 {
                let name = toward.name(Some(&hop.port), Some(hop.gateway));
                let actual = format!(
                    "{name} has {} of the flows, and by its weight {}",
                    Percent(share),
                    Percent(fair)
                );
                return Err(Finding::new(should, actual, "a resilient group has not moved its flows yet, or the group has too few buckets", next).into());
            }
        }
        Ok(format!("{} next hops, shares within {}", hops.len(), Percent(worst)))
    }
}
