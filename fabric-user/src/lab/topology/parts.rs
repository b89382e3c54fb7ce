//! Which nodes cables connect with each other, over however many others.

use std::collections::{BTreeMap, BTreeSet};

use super::picture::{Function, Picture};
use super::{Switch, Topology};

/// The number of the part that each of the nodes is in, counted from 0 in their order. Cables to other nodes
/// lead nowhere.
pub(super) fn parts<'a>(
    nodes: impl IntoIterator<Item = &'a str>,
    cables: impl IntoIterator<Item = [&'a str; 2]>,
) -> BTreeMap<&'a str, usize> {
    let nodes: Vec<&str> = nodes.into_iter().collect();
    let mut peers: BTreeMap<&str, Vec<&str>> = nodes.iter().map(|it| (*it, Vec::new())).collect();
    for [left, right] in cables {
        if peers.contains_key(left) && peers.contains_key(right) {
            peers.entry(left).or_default().push(right);
            peers.entry(right).or_default().push(left);
        }
    }
    let mut parts = BTreeMap::new();
    let mut count = 0;
    for node in nodes {
        if parts.contains_key(node) {
            continue;
        }
        let mut open = vec![node];
        while let Some(name) = open.pop() {
            if parts.insert(name, count).is_none() {
                open.extend(&peers[name]);
            }
        }
        count += 1;
    }
    parts
}

impl Picture {
    /// The parts of a picture, through nodes of which `wanted` holds.
    pub(super) fn parts(&self, wanted: impl Fn(Function) -> bool) -> BTreeMap<&str, usize> {
        let nodes = self.nodes.iter().filter(|node| wanted(node.function));
        let cables = self.cables.iter();
        parts(
            nodes.map(|node| node.name.as_str()),
            cables.map(|cable| [cable.left.node.as_str(), cable.right.node.as_str()]),
        )
    }
}

impl Topology {
    /// The parts of a fabric that carry traffic from each switch to the others: servers and providers are no
    /// way.
    pub(super) fn parts(&self) -> BTreeMap<&str, usize> {
        let switches = self.switches.iter().filter(|it| it.function.is_way());
        let links = self.links.iter().map(|link| [link.a.node.as_str(), link.b.node.as_str()]);
        parts(switches.map(|switch| switch.name.as_str()), links)
    }

    /// Those of [`Self::parts`] that a node is in: a switch in one, a server in those of its leafs.
    pub(super) fn parts_of(&self, parts: &BTreeMap<&str, usize>, node: &Switch) -> BTreeSet<usize> {
        match parts.get(node.name.as_str()) {
            Some(part) => BTreeSet::from([*part]),
            None => {
                let leafs = self.links_of(&node.name).map(|(_, leaf)| leaf.node.as_str());
                leafs.filter_map(|leaf| parts.get(leaf).copied()).collect()
            }
        }
    }
}
