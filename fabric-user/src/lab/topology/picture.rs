//! The picture: an undirected DOT graph in the form that Cumulus users know.
//!
//! Nodes carry the attribute `function`; an edge is a cable, written
//! `"leaf01":"swp1" -- "spine01":"swp1"`, with the optional attributes `left_mac`, `right_mac`
//! and `label`. Attributes that mean nothing here (`os`, `memory`, `tunnel_ip`, ...) are ignored
//! with a note, so that existing files load.

use std::collections::{BTreeMap, BTreeSet};

use graphviz_rust::dot_structures::{
    Attribute, Edge, EdgeTy, Graph, GraphAttributes, Id, Node, NodeId, Stmt, Vertex,
};

use super::error::TopologyError;
use super::fit::{guessed_function, leave_out};
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
    /// A server that speaks BGP with its leafs.
    Server,
    /// A virtual machine, or a server that does not route.
    Host,
}

impl Function {
    /// The word for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spine => "spine",
            Self::Leaf => "leaf",
            Self::Border => "border",
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
}

/// The whole picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Nodes in the order of the file.
    pub nodes: Vec<DrawnNode>,
    /// Cables in the order of the file.
    pub cables: Vec<DrawnCable>,
    /// What was ignored, one sentence each.
    pub notes: Vec<String>,
}

/// Functions of other tools' files that have no meaning in a lab: the node and its cables go.
const IGNORED_FUNCTIONS: [&str; 7] =
    ["oob-server", "oob-switch", "internet", "fake", "netq-ts", "management", "mgmt"];

struct Reader<'a> {
    file: &'a str,
    /// Attributes of `node [...]` statements, valid for the nodes that follow.
    node_defaults: BTreeMap<String, String>,
    nodes: BTreeMap<String, BTreeMap<String, String>>,
    order: Vec<String>,
    edges: Vec<Edge>,
}

/// Reads a picture; `file` is the name used in messages.
pub fn parse(text: &str, file: &str) -> Result<Picture, TopologyError> {
    let graph = graphviz_rust::parse(text).map_err(|drawing| syntax_error(&drawing, text, file))?;
    let stmts = match graph {
        Graph::Graph { stmts, .. } => stmts,
        Graph::DiGraph { .. } => {
            return Err(contradiction(
                file,
                "the picture is a digraph, but cables have no direction; write graph and --",
            ));
        }
    };
    let mut reader = Reader {
        file,
        node_defaults: BTreeMap::new(),
        nodes: BTreeMap::new(),
        order: Vec::new(),
        edges: Vec::new(),
    };
    reader.statements(stmts)?;
    reader.finish()
}

impl Reader<'_> {
    fn statements(&mut self, stmts: Vec<Stmt>) -> Result<(), TopologyError> {
        for stmt in stmts {
            match stmt {
                Stmt::Node(node) => self.node(node)?,
                Stmt::Edge(edge) => self.edges.push(edge),
                Stmt::GAttribute(GraphAttributes::Node(attributes)) => {
                    self.node_defaults.extend(pairs(&attributes));
                }
                // How a drawing program paints the whole graph or all edges is not our concern.
                Stmt::GAttribute(_) | Stmt::Attribute(_) => {}
                Stmt::Subgraph(subgraph) => {
                    let outer = self.node_defaults.clone();
                    self.statements(subgraph.stmts)?;
                    self.node_defaults = outer;
                }
            }
        }
        Ok(())
    }

    fn node(&mut self, node: Node) -> Result<(), TopologyError> {
        let name = text(&node.id.0);
        if self.nodes.contains_key(&name) {
            return Err(contradiction(
                self.file,
                format!("node {name} is drawn twice; give one of the two another name"),
            ));
        }
        let mut attributes = self.node_defaults.clone();
        attributes.extend(pairs(&node.attributes));
        self.order.push(name.clone());
        self.nodes.insert(name, attributes);
        Ok(())
    }

    fn finish(self) -> Result<Picture, TopologyError> {
        let file = self.file;
        let mut nodes = Vec::new();
        let mut left_out = BTreeSet::new();
        let mut ignored: BTreeMap<String, usize> = BTreeMap::new();
        let mut notes = Vec::new();
        let mut nameless = Vec::new();
        for name in &self.order {
            let attributes = &self.nodes[name];
            for key in attributes.keys().filter(|key| *key != "function") {
                *ignored.entry(key.clone()).or_default() += 1;
            }
            let Some(function) = attributes.get("function") else {
                match guessed_function(name) {
                    Some(function) => {
                        notes.push(format!(
                            "{file}: node {name} has no function and is taken for a {} by its name",
                            function.name()
                        ));
                        nodes.push(DrawnNode { name: name.clone(), function });
                    }
                    None => nameless.push(name.as_str()),
                }
                continue;
            };
            match known_function(function) {
                Some(function) => nodes.push(DrawnNode { name: name.clone(), function }),
                None if IGNORED_FUNCTIONS.contains(&function.as_str()) => {
                    notes.push(format!(
                        "{file}: node {name} with its cables is left out (function {function})"
                    ));
                    left_out.insert(name.clone());
                }
                None => {
                    return Err(contradiction(
                        file,
                        format!(
                            "node {name} has the unknown function \"{function}\"; use spine, leaf (or tor), border (or exit, edge), server, host (or vm)"
                        ),
                    ));
                }
            }
        }
        if let [first, rest @ ..] = &nameless[..] {
            let others = if rest.is_empty() {
                String::new()
            } else {
                format!(", nor have {}", rest.join(", "))
            };
            return Err(contradiction(
                file,
                format!(
                    "node {first} has no function{others}; add [function=\"leaf\"] (or spine, border, server, host)"
                ),
            ));
        }
        let mut cables = Vec::new();
        for edge in &self.edges {
            let cable = read_cable(edge, file, &mut ignored)?;
            for end in [&cable.left, &cable.right] {
                if !self.nodes.contains_key(&end.node) {
                    return Err(contradiction(
                        file,
                        format!(
                            "the cable {} names the unknown node {}; draw the node with its function or correct the name",
                            cable.describe(),
                            end.node
                        ),
                    ));
                }
            }
            if !left_out.contains(&cable.left.node) && !left_out.contains(&cable.right.node) {
                cables.push(cable);
            }
        }
        leave_out(&mut nodes, &mut cables, |note| notes.push(format!("{file}: {note}")));
        for (key, count) in ignored {
            notes.push(format!(
                "{file}: attribute {key} means nothing here, ignored ({count} times)"
            ));
        }
        Ok(Picture { nodes, cables, notes })
    }
}

impl DrawnCable {
    /// The cable as the picture writes it.
    pub fn describe(&self) -> String {
        format!("{}:{} -- {}:{}", self.left.node, self.left.port, self.right.node, self.right.port)
    }
}

fn known_function(word: &str) -> Option<Function> {
    Some(match word {
        "spine" => Function::Spine,
        "leaf" | "tor" => Function::Leaf,
        "border" | "exit" | "edge" => Function::Border,
        "server" => Function::Server,
        "host" | "vm" => Function::Host,
        _ => return None,
    })
}

fn read_cable(
    edge: &Edge,
    file: &str,
    ignored: &mut BTreeMap<String, usize>,
) -> Result<DrawnCable, TopologyError> {
    let (left, right) = match &edge.ty {
        EdgeTy::Pair(Vertex::N(left), Vertex::N(right)) => (left, right),
        EdgeTy::Pair(..) | EdgeTy::Chain(_) => {
            return Err(contradiction(
                file,
                "a cable has two ends; write each one as \"leaf01\":\"swp1\" -- \"spine01\":\"swp1\", without chains and groups",
            ));
        }
    };
    let mut cable =
        DrawnCable { left: read_end(left, file)?, right: read_end(right, file)?, label: None };
    for (key, value) in pairs(&edge.attributes) {
        match key.as_str() {
            "left_mac" => cable.left.mac = Some(read_mac(&value, &cable, file)?),
            "right_mac" => cable.right.mac = Some(read_mac(&value, &cable, file)?),
            "label" => cable.label = Some(value),
            _ => *ignored.entry(key).or_default() += 1,
        }
    }
    Ok(cable)
}

fn read_mac(text: &str, cable: &DrawnCable, file: &str) -> Result<Mac, TopologyError> {
    text.parse().map_err(|error| {
        contradiction(file, format!("the cable {} has a wrong address: {error}", cable.describe()))
    })
}

fn read_end(id: &NodeId, file: &str) -> Result<DrawnEnd, TopologyError> {
    let node = text(&id.0);
    // A port whose name is a compass point (`n`, `s`, ...) arrives as the second field.
    let port = id.1.as_ref().and_then(|port| port.0.as_ref().map(text).or_else(|| port.1.clone()));
    match port {
        Some(port) => Ok(DrawnEnd { node, port, mac: None }),
        None => Err(contradiction(
            file,
            format!("a cable at {node} names no port; write \"{node}\":\"swp1\""),
        )),
    }
}

fn pairs(attributes: &[Attribute]) -> impl Iterator<Item = (String, String)> + '_ {
    attributes.iter().map(|Attribute(key, value)| (text(key), text(value)))
}

fn text(id: &Id) -> String {
    match id {
        Id::Escaped(quoted) => {
            let inner = quoted.strip_prefix('"').unwrap_or(quoted);
            inner.strip_suffix('"').unwrap_or(inner).replace("\\\"", "\"")
        }
        Id::Plain(text) | Id::Html(text) | Id::Anonymous(text) => text.clone(),
    }
}

/// The parser answers with a drawing over several lines and the names of its grammar's rules. This
/// keeps the place, and shows what stands there.
fn syntax_error(drawing: &str, text: &str, file: &str) -> TopologyError {
    let mut place = drawing
        .lines()
        .find_map(|line| line.trim().strip_prefix("--> "))
        .unwrap_or("1:1")
        .split(':')
        .map(|number| number.trim().parse::<usize>().unwrap_or(1));
    let (line, column) = (place.next().unwrap_or(1), place.next().unwrap_or(1));
    let here: String = text
        .lines()
        .nth(line.saturating_sub(1))
        .unwrap_or_default()
        .chars()
        .skip(column.saturating_sub(1))
        .collect();
    let found = match here.trim() {
        "" => "the end of the line".to_owned(),
        rest => format!("`{rest}`"),
    };
    TopologyError::PictureSyntax { file: file.to_owned(), line, column, found }
}

fn contradiction(file: &str, message: impl Into<String>) -> TopologyError {
    TopologyError::Contradiction { file: file.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"graph lab {
  // the form of existing files
  "spine01" [function="spine" os="hashicorp/bionic64" memory="768"]
  "leaf01" [function="leaf"]
  server01 [function=server]
  "leaf01":"swp1" -- "spine01":"swp2" [left_mac="44:38:39:00:00:01", right_mac="44:38:39:00:00:02" speed="10G"]
  "leaf01":"swp3" -- server01:eth1
}"#;

    fn message(text: &str) -> String {
        parse(text, "lab.dot")
            .map_or_else(|error| error.to_string(), |picture| format!("{picture:?}"))
    }

    #[test]
    fn ports_and_addresses_of_a_cable_survive() {
        let picture = parse(SMALL, "lab.dot").expect("valid");
        let cable = &picture.cables[0];
        assert_eq!((cable.left.node.as_str(), cable.left.port.as_str()), ("leaf01", "swp1"));
        assert_eq!((cable.right.node.as_str(), cable.right.port.as_str()), ("spine01", "swp2"));
        assert_eq!(cable.right.mac, "44:38:39:00:00:02".parse().ok());
        assert_eq!(picture.cables[1].right.port, "eth1");
    }

    #[test]
    fn attributes_without_meaning_are_noted_and_ignored() {
        let picture = parse(SMALL, "lab.dot").expect("valid");
        for key in ["os", "memory", "speed"] {
            assert!(
                picture.notes.iter().any(|note| note.contains(&format!("attribute {key} "))),
                "{key}"
            );
        }
    }

    #[test]
    fn a_management_switch_is_left_out_with_its_cables() {
        let picture = parse(
            r#"graph x { oob [function="oob-switch"] leaf01 [function=leaf] oob:swp1 -- leaf01:eth0 }"#,
            "lab.dot",
        )
        .expect("valid");
        assert_eq!((picture.nodes.len(), picture.cables.len()), (1, 0));
    }

    #[test]
    fn a_cable_to_a_node_that_is_not_drawn_is_refused() {
        let text = r#"graph x { leaf01 [function=leaf] leaf01:swp1 -- spine09:swp1 }"#;
        assert!(message(text).contains("unknown node spine09"), "{}", message(text));
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let text = "graph x {\n  leaf01 [function=leaf]\n  leaf01:swp1 -- \n}";
        assert!(message(text).starts_with("lab.dot line 4"), "{}", message(text));
    }

    #[test]
    fn nodes_whose_function_cannot_be_guessed_are_refused_all_at_once() {
        assert!(message("graph x { a leaf01 b c }").contains("a has no function, nor have b, c;"));
        assert!(message("graph x { leaf01 [function=toaster] }").contains("toaster"));
    }

    #[test]
    fn a_cable_without_a_port_is_refused() {
        let text = "graph x { a [function=leaf] b [function=spine] a -- b:swp1 }";
        assert!(message(text).contains("names no port"), "{}", message(text));
    }

    #[test]
    fn a_directed_graph_is_refused() {
        assert!(message("digraph x { }").contains("digraph"));
    }

    #[test]
    fn a_node_drawn_twice_is_refused() {
        assert!(
            message("graph x { a [function=leaf] a [function=spine] }").contains("drawn twice")
        );
    }
}
