//! `[[versions]]`: what runs is what was tested.

use std::{cmp::Ordering, collections::BTreeMap};

use super::Kind;
use crate::check::{
    case::Draft,
    finding::{Finding, Judged, list},
    inventory::Inventory,
    look::Look,
    names::Names,
    shape::{Shape, shape},
};

shape! {
    /// Versions are within the bounds that are named, and the same at all nodes of a role.
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

/// Versions by what they are of.
type Found = BTreeMap<&'static str, String>;

impl Kind for Versions {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let nodes = inventory.nodes(&self.on)?;
        let mut drafts = Vec::new();
        let bounds = [("Fabric", &self.fabric), ("FRR", &self.frr), ("kernel", &self.kernel)];
        let bounds: Vec<(&'static str, [String; 2])> =
            bounds.into_iter().filter_map(|(of, bounds)| Some((of, bounds.clone()?))).collect();
        if !bounds.is_empty() {
            drafts.extend(nodes.iter().map(|node| {
                let (name, bounds) = (node.name.clone(), bounds.clone());
                Draft::of(&node.name, name.clone(), move |look| within(&name, &bounds, look))
            }));
        }
        let mut roles: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for node in nodes.iter().filter(|_| self.same) {
            roles.entry(node.function.name()).or_default().push(node.name.clone());
        }
        for (role, names) in roles.into_iter().filter(|(_, names)| names.len() > 1) {
            let device = names[0].clone();
            let needs = names.clone();
            drafts.push(
                Draft::of(&device, format!("{role} the same"), move |look| same(&names, look))
                    .needing(needs),
            );
        }
        match drafts.is_empty() {
            true => Err("it says neither bounds nor `same = true`".into()),
            false => Ok(drafts),
        }
    }
}

fn found(node: &str, look: &Look<'_>) -> Result<Found, crate::check::finding::Stop> {
    let facts = look.sight(node)?.facts;
    let mut found = Found::from([("kernel", facts.kernel.clone())]);
    if facts.fabric.is_some() {
        found.insert("Fabric", facts.version.clone());
    }
    if let Some(frr) = &facts.frr {
        found.insert("FRR", frr.version.clone());
    }
    Ok(found)
}

fn within(node: &str, bounds: &[(&'static str, [String; 2])], look: &Look<'_>) -> Judged {
    let found = found(node, look)?;
    for (of, [from, before]) in bounds {
        // What does not run there has no version.
        let Some(version) = found.get(of) else { continue };
        if compare(version, from).is_lt() || compare(version, before).is_ge() {
            return Err(Finding::new(
                format!("{of} {from} or newer, older than {before}"),
                version.clone(),
                "the box was not upgraded with the others, or before them",
                format!("on {node}: fabricctl facts"),
            )
            .into());
        }
    }
    Ok(list(found.iter().map(|(of, version)| format!("{of} {version}"))))
}

fn same(nodes: &[String], look: &Look<'_>) -> Judged {
    let mut versions: BTreeMap<&'static str, BTreeMap<String, Vec<&str>>> = BTreeMap::new();
    for node in nodes {
        for (of, version) in found(node, look)? {
            versions.entry(of).or_default().entry(version).or_default().push(node);
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
    Ok(list(
        versions
            .iter()
            .map(|(of, it)| format!("{of} {}", it.keys().next().map_or("", String::as_str))),
    ))
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
