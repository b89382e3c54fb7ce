//! `[[anycast]]`: services lead to the nearest servers.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Kind, ways::Toward};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged},
        inventory::Inventory,
        look::Look,
        names::{Known, Names},
        shape::{Shape, shape},
        sides::Sides,
    },
    lab::topology::{Function, Service, Switch},
    observe::Prefix,
};

shape! {
    /// Each address of a service leads to the nearest of its servers by the picture: to those at the node itself, else
    /// to those of its site, and to other sites only without them. The next hops are all links on a shortest way.
    pub(crate) struct Anycast: "anycast", "[[anycast]]\nservice = \"dns\"\non = \"leaf*\"" {
        /// The services.
        service: Names = Or("\"*\""),
        /// The nodes that have routes to them.
        on: Names = Or("\"*\""),
        /// The fewest next hops, in place of those of the picture, as while some servers are away.
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
        let toward = Toward::from(inventory, node);
        let (name, servers) = (node.name.clone(), self.servers);
        Draft::of(&node.name, format!("{} {name} ({address})", service.name), move |look| {
            judge(
                &name,
                address,
                drawn.as_ref().filter(|_| servers.is_none()),
                servers.unwrap_or(paths),
                &toward,
                look,
            )
        })
    }
}

fn judge(
    node: &str,
    address: IpAddr,
    drawn: Option<&BTreeSet<String>>,
    paths: usize,
    toward: &Toward,
    look: &Look<'_>,
) -> Judged {
    let sight = look.sight(node)?;
    let single = Prefix { address, length: if address.is_ipv4() { 32 } else { 128 } };
    let hops = sight.kernel_route(None, single).unwrap_or_default();
    let next = format!("on {node}: vtysh -c 'show ip route {address}'");
    let likely =
        "servers announce it no longer, or a path to some of them is longer than it was planned";
    if let Some(drawn) = drawn {
        let maps = toward.maps(sight.held_route(None, single));
        let sides = Sides::expecting(drawn).with("kernel", toward.kernel(&hops)).and("maps", maps);
        if let Some(actual) = sides.difference() {
            return Err(Finding::new(sides.expected(), actual, likely, next).into());
        }
    }
    match hops.len() {
        count if count >= paths => Ok(format!("{count} next hops")),
        count => Err(Finding::new(
            format!("{paths} next hops or more"),
            format!("{count}: {}", crate::check::finding::list(toward.kernel(&hops))),
            likely,
            next,
        )
        .into()),
    }
}
