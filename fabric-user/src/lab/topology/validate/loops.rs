//! Servers that no route reaches, because BGP takes every way to them for a loop.

use super::super::{Switch, Topology};
use super::{Check, Function};

impl Check<'_> {
    /// A server, and what stands behind other switches of its leafs' AS only. Those drop every route that has come
    /// through their own AS.
    pub(super) fn loops(&mut self, topology: &Topology) {
        if !self.speaks_bgp() {
            return;
        }
        let parts = topology.parts();
        // Where routes to a node and from it meet the fabric.
        let doors = |node: &Switch| match node.function {
            Function::Server => {
                let leafs = topology.links_of(&node.name);
                leafs.filter_map(|(_, leaf)| topology.switch(&leaf.node)).collect()
            }
            _ => topology.switch(&node.name).into_iter().collect::<Vec<&Switch>>(),
        };
        let nodes = topology.switches.iter().filter(|it| it.function != Function::Provider);
        let nodes: Vec<(&Switch, Vec<&Switch>)> = nodes.map(|it| (it, doors(it))).collect();
        for (index, (other, theirs)) in nodes.iter().enumerate() {
            let looped = nodes[..index].iter().find_map(|(one, own)| {
                if ![one, other].iter().any(|it| it.function == Function::Server) {
                    return None;
                }
                let pairs = own.iter().flat_map(|own| theirs.iter().map(move |their| (own, their)));
                let part = |door: &Switch| parts.get(door.name.as_str());
                let ways: Vec<_> = pairs.filter(|(own, their)| part(own) == part(their)).collect();
                let is_loop = |own: &Switch, their: &Switch| {
                    own.asn == their.asn && own.asn != 0 && own.name != their.name
                };
                let all_loop = ways.iter().all(|(own, their)| is_loop(own, their));
                ways.first().filter(|_| all_loop).map(|(own, their)| (*one, *own, *their))
            });
            let Some((one, own, their)) = looped else { continue };
            self.toml(
                &["nodes", &their.name, "as"],
                format!(
                    "{} and {} never reach each other: every way leads through {} and {}, which drop what comes through their own AS {}; give each of them another",
                    one.name, other.name, own.name, their.name, their.asn
                ),
            );
            return;
        }
    }
}
