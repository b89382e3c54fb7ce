//! `[[versions]]`: what runs is what was tested.

use std::{cmp::Ordering, collections::BTreeMap};

use super::Kind;
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, Stop, list},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
    },
    lab::topology::{ControlPlane, Switch},
};

shape! {
    /// Versions are within the bounds that are named, and the same at all nodes of a role. What should run at a node and does
    /// not has no version, and could not be asked.
    pub(crate) struct Versions: "versions", "[[versions]]\non = \"*\"\nfrr = [\"8.4\", \"11\"]\nkernel = [\"6.1\", \"7\"]\nsame = true" {
        /// The nodes that are looked at.
        on: Names = Or("\"*\""),
        /// The oldest of Fabric that will do, and the first that will not.
        fabric: Option<[String; 2]> = None,
        /// The same of FRR.
        frr: Option<[String; 2]> = None,
        /// The same of the kernel.
        kernel: Option<[String; 2]> = None,
        /// Whether all nodes of a role have the same of each.
        same: bool = Or("false"),
    }
}

/// The oldest version that will do, and the first that will not.
type Bounds = [String; 2];

const FABRIC: &str = "Fabric";
const FRR: &str = "FRR";
const KERNEL: &str = "kernel";

/// A node and what has to have a version there.
#[derive(Clone, Debug)]
struct Node {
    name: String,
    has: Vec<&'static str>,
}

impl Node {
    fn of(node: &Switch, by_frr: bool) -> Self {
        let has = [(KERNEL, true), (FABRIC, node.fabric_xdpd), (FRR, by_frr)];
        let has = has.into_iter().filter_map(|(of, is_there)| is_there.then_some(of)).collect();
        Self { name: node.name.clone(), has }
    }

    /// The version of one of those.
    fn version<'a>(&self, of: &str, look: &Look<'a>) -> Result<&'a str, Stop> {
        let sight = look.sight(&self.name)?;
        match of {
            FABRIC => sight.fabric().map(|_| sight.facts.version.as_str()),
            FRR => Ok(&sight.frr(&[])?.version),
            _ => Ok(&sight.facts.kernel),
        }
    }
}

impl Kind for Versions {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let nodes = inventory.nodes(&self.on)?;
        let by_frr = inventory.topology.fabric.control_plane == ControlPlane::Bgp;
        let mut drafts = Vec::new();
        let bounds = [(FABRIC, &self.fabric), (FRR, &self.frr), (KERNEL, &self.kernel)];
        let bounds: Vec<(&'static str, Bounds)> =
            bounds.into_iter().filter_map(|(of, bounds)| Some((of, bounds.clone()?))).collect();
        bounds.iter().try_for_each(|(of, bounds)| are_bounds(of, bounds))?;
        if !bounds.is_empty() {
            drafts.extend(nodes.iter().map(|node| {
                let (node, bounds) = (Node::of(node, by_frr), bounds.clone());
                let name = node.name.clone();
                Draft::of(&name, name.clone(), move |look| within(&node, &bounds, look))
            }));
        }
        let mut roles: BTreeMap<&str, Vec<Node>> = BTreeMap::new();
        for node in nodes.iter().filter(|_| self.same) {
            roles.entry(node.function.name()).or_default().push(Node::of(node, by_frr));
        }
        for (role, nodes) in roles.into_iter().filter(|(_, nodes)| nodes.len() > 1) {
            let needs: Vec<String> = nodes.iter().map(|it| it.name.clone()).collect();
            drafts.push(
                Draft::of(&needs[0], format!("{role} the same"), move |look| same(&nodes, look))
                    .needing(&needs),
            );
        }
        match drafts.is_empty() {
            true => Err("it says neither bounds nor `same = true`".into()),
            false => Ok(drafts),
        }
    }
}

/// Sees to it that bounds are versions, the older one first: else everything would be within them, or nothing.
fn are_bounds(of: &str, [from, before]: &Bounds) -> Result<(), String> {
    for version in [from, before] {
        if !version.starts_with(|it: char| it.is_ascii_digit()) {
            return Err(format!("\"{version}\" is no version of {of}; write it as \"8.4\""));
        }
    }
    match compare(from, before) {
        Ordering::Less => Ok(()),
        _ => Err(format!("no version of {of} is {from} or newer, and older than {before}")),
    }
}

fn within(node: &Node, bounds: &[(&'static str, Bounds)], look: &Look<'_>) -> Judged {
    let mut found = Vec::new();
    // What is not to run there has no version.
    for (of, [from, before]) in bounds.iter().filter(|(of, _)| node.has.contains(of)) {
        let version = node.version(of, look)?;
        if compare(version, from).is_lt() || compare(version, before).is_ge() {
            return Err(Finding::new(
                format!("{of} {from} or newer, older than {before}"),
                version,
                "the box was not upgraded with the others, or before them",
                format!("on {}: fabricctl facts", node.name),
            )
            .into());
        }
        found.push(format!("{of} {version}"));
    }
    Ok(list(found))
}

fn same(nodes: &[Node], look: &Look<'_>) -> Judged {
    let mut versions: BTreeMap<&'static str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for node in nodes {
        for of in &node.has {
            let version = node.version(of, look)?;
            versions.entry(*of).or_default().entry(version).or_default().push(&node.name);
        }
    }
    for (of, versions) in &versions {
        if versions.len() > 1 {
            let each =
                versions.iter().map(|(version, nodes)| format!("{version} on {}", list(nodes)));
            return Err(Finding::new(
                format!("the same {of} everywhere"),
                list(each),
                "an upgrade has reached some of them",
                "upgrade the others, or roll it back",
            )
            .into());
        }
    }
    let each = versions.iter().flat_map(|(of, it)| it.keys().map(move |it| format!("{of} {it}")));
    Ok(list(each))
}

/// Compares versions number by number, as far as both have them: `6.1.0-28-amd64` is 6.1 or newer and older than 6.2.
fn compare(one: &str, other: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        let parts = text.split(|it: char| !it.is_ascii_digit());
        parts.map_while(|part| part.parse().ok()).collect()
    };
    let (one, other) = (numbers(one), numbers(other));
    let length = one.len().min(other.len());
    one[..length].cmp(&other[..length]).then(
        if one.len() < other.len() && other[length..].iter().any(|it| *it > 0) {
            Ordering::Less
        } else {
            Ordering::Equal
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert_eq!(compare("6.1.0-28-amd64", "6.1"), Ordering::Equal);
        assert_eq!(compare("6.12.3", "6.2"), Ordering::Greater);
        assert_eq!(compare("8.4.4", "8.5"), Ordering::Less);
        assert_eq!(compare("10.3", "10.3.1"), Ordering::Less);
        assert_eq!(compare("10.3", "10.3.0"), Ordering::Equal);
    }
}
