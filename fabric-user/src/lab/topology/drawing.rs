//! What a file shows before anything is made of it: the same for every form of picture.

use std::collections::BTreeMap;

use super::error::Complaint;

/// Nodes and cables of a file, in its order.
#[derive(Debug, Default)]
pub(super) struct Drawing {
    /// Nodes that have statements or attributes; one that has several statements is here as often.
    pub(super) nodes: Vec<RawNode>,
    /// Cables.
    pub(super) edges: Vec<RawEdge>,
    /// What was left out while reading, a sentence each.
    pub(super) notes: Vec<String>,
    /// What is wrong.
    pub(super) complaints: Vec<Complaint>,
    /// Every node has a statement of its own, and is not drawn by its cables only.
    pub(super) is_strict: bool,
    /// Cables have a direction, and one may be drawn in both.
    pub(super) is_directed: bool,
    /// Not all of the file could be read: what seems to be missing need not be.
    pub(super) is_broken: bool,
}

/// A node.
#[derive(Debug, Clone)]
pub(super) struct RawNode {
    /// Its name.
    pub(super) name: String,
    /// Its attributes.
    pub(super) attributes: BTreeMap<String, String>,
    /// Whether it has a statement of its own, and not only cables.
    pub(super) is_declared: bool,
    /// Line of the file, counted from 1.
    pub(super) line: usize,
}

/// One end of a cable.
#[derive(Debug, Clone)]
pub(super) struct RawEnd {
    /// The node's name.
    pub(super) node: String,
    /// The port's name.
    pub(super) port: Option<String>,
}

/// A cable.
#[derive(Debug, Clone)]
pub(super) struct RawEdge {
    /// Its ends, the one written first first.
    pub(super) ends: [RawEnd; 2],
    /// Its attributes.
    pub(super) attributes: BTreeMap<String, String>,
    /// Line of the file, counted from 1.
    pub(super) line: usize,
}
