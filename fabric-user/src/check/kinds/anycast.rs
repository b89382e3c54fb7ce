//! `[[anycast]]`: services lead to the nearest servers.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Kind, ways::Toward};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, list},
        inventory::Inventory,
        look::Look,
        names::{Known, Names},
        shape::{Shape, shape},
        sides::Sides,
    },
    lab::topology::{ControlPlane, Function, Service, Switch},
    observe::Prefix,
};

shape! {
    /// Each address of a service leads to the nearest of its servers by the picture: to those at the node itself, else
    /// to those of its site, and to other sites only without them. The next hops are all links on a shortest way: FRR, the
    /// kernel and the maps.
    pub(crate) struct Anycast: "anycast", "[[anycast]]\nservice = \"dns\"\non = \"leaf*\"" {
        /// The services.
        service: Names = Or("\"*\""),
        /// The nodes that have routes to them.
        on: Names = Or("\"*\""),
        /// The fewest next hops, in place of all of the picture, as while some servers are away; others than those of the
        /// picture may not be there either.
        servers: Option<usize> = None,
    }
}

impl Kind for Anycast {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let topology = &inventory.topology;
        let all: Vec<&Service> = topology.services.iter().collect();
        let services = self
            .service
            .pick("service", &all, |it| Known { name: &it.name, ..Known::default() })?;
        let nodes = inventory.nodes_that(&self.on, "node that hands on", |it| {
            !matches!(it.function, Function::Server)
                && !topology.services_of(&it.name).any(|_| true)
        })?;
        let mut drafts = Vec::new();
        for service in services {
            let at: Vec<&str> = service.servers.iter().map(String::as_str).collect();
            let is_inside = at.iter().any(|name| topology.member(name).is_some());
            for node in &nodes {
                let ways = topology.shortest_ways(&node.name, &at);
                let drawn: BTreeSet<String> =
                    ways.iter().map(|(_, peer)| peer.node.clone()).collect();
                // Servers in a network speak with exits alone.
                let (drawn, paths) = match is_inside {
                    true => (None, topology.service_width(node, &at)),
                    false => (Some(drawn), ways.len()),
                };
                if paths == 0 {
                    continue;
                }
                for address in &service.addresses {
                    drafts.push(self.draft(
                        inventory,
                        service,
                        node,
                        *address,
                        drawn.clone(),
                        paths,
                    ));
                }
            }
        }
        Ok(drafts)
    }
}

impl Anycast {
    fn draft(
        &self,
        inventory: &Inventory,
        service: &Service,
        node: &Switch,
        address: IpAddr,
        drawn: Option<BTreeSet<String>>,
        paths: usize,
    ) -> Draft {
        let expected = Expected {
            node: node.name.clone(),
            address,
            drawn,
            may_lack: self.servers.is_some(),
            paths: self.servers.unwrap_or(paths),
            by_frr: inventory.topology.fabric.control_plane == ControlPlane::Bgp,
            toward: Toward::from(inventory, node),
        };
        let subject = format!("{} {} ({address})", service.name, node.name);
        Draft::of(&node.name, subject, move |look| expected.judge(look))
    }
}

/// What is expected at a node.
struct Expected {
    node: String,
    address: IpAddr,
    /// The next hops of the picture; none if servers speak with exits alone.
    drawn: Option<BTreeSet<String>>,
    /// Some of these may be missing, and no others be there.
    may_lack: bool,
    /// The fewest next hops.
    paths: usize,
    by_frr: bool,
    toward: Toward,
}

impl Expected {
    fn judge(&self, look: &Look<'_>) -> Judged {
        let Self { node, address, paths, toward, .. } = self;
        let sight = look.sight(node)?;
        let length = if address.is_ipv4() { 32 } else { 128 };
        let single = Prefix { address: *address, length };
        let hops = sight.kernel_route(None, single).unwrap_or_default();
        let kernel = toward.kernel(&hops);
        let next = format!("on {node}: vtysh -c 'show ip route {address}'");
        let likely = "servers announce it no longer, or a path to some of them is longer than it was planned";
        if let Some(drawn) = &self.drawn {
            let frr = match self.by_frr {
                true => Some(
                    sight.route(None, single)?.map(|it| toward.frr(&it.hops)).unwrap_or_default(),
                ),
                false => None,
            };
            let is_expected = |it: &&String| !self.may_lack || kernel.contains(it);
            let sides = Sides::expecting(drawn.iter().filter(is_expected))
                .and("FRR", frr)
                .with("kernel", &kernel)
                .and("maps", toward.maps(sight.held_route(None, single)));
            if let Some(actual) = sides.difference() {
                let expected = match self.may_lack {
                    true => format!("some of {}", list(drawn)),
                    false => sides.expected(),
                };
                return Err(Finding::new(expected, actual, likely, next).into());
            }
        }
        match hops.len() {
            count if count >= *paths => Ok(format!("{count} next hops")),
            count => Err(Finding::new(
                format!("{paths} next hops or more"),
                format!("{count}: {}", list(kernel)),
                likely,
                next,
            )
            .into()),
        }
    }
}
