//! The picture: which nodes there are, what each is for, and which cable leads from which port to which.
//!
//! It is drawn in DOT in the form that Cumulus users know: nodes carry the attribute `function`; an edge is
//! a cable, `"leaf01":"swp1" -- "spine01":"swp1"`, with the optional attributes `left_mac`, `right_mac` and
//! `label`. Or it is a containerlab file. What means nothing here is ignored with a note, so that existing
//! files load.

mod ports;

use std::collections::{BTreeMap, BTreeSet};

use self::ports::Ports;
pub(super) use self::ports::{is_compass, is_free_name};
use super::drawing::{Drawing, RawEdge};
use super::error::Complaint;
use super::fit::{self, Remarks, Sorted};
use super::{clab, dot};
use crate::mac::Mac;

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// Connects the leafs of a site.
    Spine,
    /// Hosts are connected here; it is a VTEP.
    Leaf,
    /// Connects a site to other sites.
    Border,
    /// A router outside the fabric that speaks BGP with borders.
    Provider,
    /// A server that speaks BGP with its leafs; a VTEP if networks of its virtual machines live there.
    Server,
    /// A virtual machine, or a server that does not route.
    Host,
}

impl Function {
    /// Whether it carries what others send through the fabric, or is a host, which does so for nobody.
    /// Servers and providers do not.
    pub fn is_way(self) -> bool {
        !matches!(self, Self::Server | Self::Provider)
    }

    /// The word for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spine => "spine",
            Self::Leaf => "leaf",
            Self::Border => "border",
            Self::Provider => "provider",
            Self::Server => "server",
            Self::Host => "host",
        }
    }
}

/// A node as drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnNode {
    /// Its name, unique in the picture.
    pub name: String,
    /// What it is for.
    pub function: Function,
    /// Line of the file that draws it, counted from 1.
    pub line: usize,
}

/// One end of a drawn cable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnEnd {
    /// The node's name.
    pub node: String,
    /// The port's name.
    pub port: String,
    /// The port's address when the edge has `left_mac` or `right_mac`.
    pub mac: Option<Mac>,
}

/// A cable as drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnCable {
    /// The end written first.
    pub left: DrawnEnd,
    /// The end written second.
    pub right: DrawnEnd,
    /// Text of the attribute `label`.
    pub label: Option<String>,
    /// Line of the file that draws it, counted from 1.
    pub line: usize,
}

/// The whole picture.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// Nodes in the order of the file.
    pub nodes: Vec<DrawnNode>,
    /// Cables in the order of the file.
    pub cables: Vec<DrawnCable>,
    /// Nodes of the file that are not in the lab, with the reason as the end of a sentence.
    pub left_out: BTreeMap<String, String>,
    /// What was ignored or guessed, one sentence each.
    pub notes: Vec<String>,
    /// What is wrong.
    pub complaints: Vec<Complaint>,
    /// Not all of the file could be read: what seems to be missing need not be.
    pub is_broken: bool,
    /// There is no file: the nodes are those of the inventory, and nobody knows the cables.
    pub is_undrawn: bool,
}

/// Endings of pictures, the one that most have first.
pub const ENDINGS: [&str; 6] = [".dot", ".gv", ".clab.yml", ".clab.yaml", ".yml", ".yaml"];
/// Linux allows 15 characters in the name of an interface.
pub(super) const INTERFACE_NAME_MAX: usize = 15;
/// Attributes of nodes that are used.
const USED: [&str; 5] = ["function", "role", "group", "image", "kind"];
/// Reads a picture; `file` is the name used in messages.
pub fn parse(text: &str, file: &str) -> Picture {
    let is_yaml = [".yml", ".yaml"].iter().any(|ending| file.ends_with(ending));
    let mut drawing = if is_yaml { clab::read(text, file) } else { dot::read(text, file) };
    let mut remarks = Remarks {
        file,
        notes: std::mem::take(&mut drawing.notes),
        complaints: std::mem::take(&mut drawing.complaints),
    };
    rename(&mut drawing, &mut remarks);
    let mut sorted = fit::sort(&drawing, &mut remarks);
    let mut cables = cables(&drawing, &sorted, &mut remarks);
    fit::leave_out(&mut sorted, &mut cables, &mut remarks);
    ignored(&drawing, &mut remarks);
    let Sorted { nodes, left_out, .. } = sorted;
    let Remarks { notes, complaints, .. } = remarks;
    let is_broken = drawing.is_broken;
    let is_undrawn = false;
    let mut picture = Picture { nodes, cables, left_out, notes, complaints, is_broken, is_undrawn };
    picture.notes.extend(note_parts(&picture, file));
    picture
}

/// Says that a picture shows several fabrics, which may be a cable that is missing.
fn note_parts(picture: &Picture, file: &str) -> Option<String> {
    let is_way = |function: Function| function.is_way() && function != Function::Host;
    let parts = picture.parts(is_way);
    let count = parts.values().max().map_or(0, |last| last + 1);
    let first = |part: usize| {
        picture.nodes.iter().find(|node| parts.get(node.name.as_str()) == Some(&part))
    };
    let (one, other) = (first(0)?, first(1)?);
    Some(format!(
        "{file} line {}: no cables lead from {} to {}: the switches are {count} fabrics, which have nothing to do with each other",
        other.line, one.name, other.name
    ))
}

/// Gives nodes names that namespaces can have, and parts a port from a node in names like `leaf01:swp1`.
fn rename(drawing: &mut Drawing, remarks: &mut Remarks<'_>) {
    let declared = drawing.nodes.iter().filter(|node| node.is_declared);
    let declared: BTreeSet<String> = declared.map(|node| node.name.clone()).collect();
    let mut parted: BTreeMap<String, String> = BTreeMap::new();
    for end in drawing.edges.iter_mut().flat_map(|edge| &mut edge.ends) {
        let parts = end.node.split_once(':').map(|(node, port)| (node.to_owned(), port.to_owned()));
        if let (Some((node, port)), None, false) = (parts, &end.port, declared.contains(&end.node))
        {
            parted.insert(std::mem::replace(&mut end.node, node.clone()), node);
            end.port = Some(port);
        }
    }
    // What the file's defaults say of such a name is said of the node, if that is new.
    let mut known = BTreeSet::new();
    drawing.nodes.retain_mut(|it| {
        let node = parted.get(&it.name);
        if let Some(node) = node {
            it.name.clone_from(node);
        }
        known.insert(it.name.clone()) || node.is_none()
    });
    let named = drawing.nodes.iter_mut().map(|node| (&mut node.name, node.line));
    let ends = drawing.edges.iter_mut().flat_map(|edge| {
        let line = edge.line;
        edge.ends.iter_mut().map(move |end| (&mut end.node, line))
    });
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    for (name, line) in named.chain(ends) {
        let plain: String = name
            .chars()
            .map(|it| if it.is_ascii_alphanumeric() || "-_".contains(it) { it } else { '-' })
            .collect();
        match given.get(&plain) {
            Some(first) if first != name => remarks.complain(
                line,
                format!("nodes {first} and {name} would both be called {plain} in the lab; give one of the two another name"),
            ),
            Some(_) => {}
            None if *name != plain => {
                remarks.note(line, format!("node {name} is called {plain} in the lab"));
            }
            None => {}
        }
        given.insert(plain.clone(), std::mem::replace(name, plain));
    }
}

/// Cables between nodes that are in the lab.
fn cables(drawing: &Drawing, sorted: &Sorted, remarks: &mut Remarks<'_>) -> Vec<DrawnCable> {
    let mut ports = Ports::of(drawing, sorted, remarks);
    // In a digraph, how many cables are drawn from one node to another and not yet back, without ports.
    let mut there: BTreeMap<[&str; 2], usize> = BTreeMap::new();
    let mut cables = Vec::new();
    for edge in &drawing.edges {
        if edge.ends.iter().any(|end| sorted.left_out.contains_key(&end.node)) {
            continue;
        }
        let [from, to] = [0, 1].map(|side| edge.ends[side].node.as_str());
        if drawing.is_directed && from != to && ports::names_none(edge) {
            if let Some(count) = there.get_mut(&[to, from]).filter(|count| **count > 0) {
                *count -= 1;
                let note = "is the way back of the one that is drawn already";
                remarks.note(edge.line, format!("the cable {from} -> {to} {note}"));
                continue;
            }
            *there.entry([from, to]).or_default() += 1;
        }
        let [left, right] = [0, 1].map(|side| {
            let port = ports.at(edge, side, remarks);
            let mac = mac(edge, ["left_mac", "right_mac"][side], remarks);
            DrawnEnd { node: edge.ends[side].node.clone(), port, mac }
        });
        let label = edge.attributes.get("label").cloned();
        cables.push(DrawnCable { left, right, label, line: edge.line });
    }
    cables
}

fn mac(edge: &RawEdge, key: &str, remarks: &mut Remarks<'_>) -> Option<Mac> {
    let text = edge.attributes.get(key).filter(|text| !text.is_empty())?;
    match text.parse() {
        Ok(mac) => Some(mac),
        Err(error) => {
            let [left, right] = &edge.ends;
            remarks.complain(
                edge.line,
                format!(
                    "the cable {} -- {} has a wrong {key}: {error}; correct or remove it",
                    left.node, right.node
                ),
            );
            None
        }
    }
}

/// Notes the attributes that mean nothing here.
fn ignored(drawing: &Drawing, remarks: &mut Remarks<'_>) {
    let of_nodes = drawing.nodes.iter().flat_map(|node| node.attributes.keys());
    let of_nodes = of_nodes.filter(|key| !USED.contains(&key.as_str()));
    let of_cables = drawing.edges.iter().flat_map(|edge| edge.attributes.keys());
    let of_cables = of_cables.filter(|key| {
        !matches!(key.as_str(), "left_mac" | "right_mac" | "label")
            && !ports::PORTS.as_flattened().contains(&key.as_str())
    });
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for key in of_nodes.chain(of_cables) {
        *counts.entry(key).or_default() += 1;
    }
    for (key, count) in counts {
        let file = remarks.file;
        let note = format!("{file}: attribute {key} means nothing here, ignored ({count} times)");
        remarks.notes.push(note);
    }
}

impl DrawnCable {
    /// The cable as the picture writes it.
    pub fn describe(&self) -> String {
        format!("{}:{} -- {}:{}", self.left.node, self.left.port, self.right.node, self.right.port)
    }

    /// Its ends, the one at a node that `wanted` holds for first; none if it holds for neither.
    pub(super) fn from(&self, wanted: impl Fn(&str) -> bool) -> Option<(&DrawnEnd, &DrawnEnd)> {
        if wanted(&self.left.node) {
            Some((&self.left, &self.right))
        } else {
            wanted(&self.right.node).then_some((&self.right, &self.left))
        }
    }
}

#[cfg(test)]
mod tests;
